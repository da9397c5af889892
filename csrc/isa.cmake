# THE list of instruction-set levels, weakest first. A row: name, processor, header, fused multiply-add (bit-identical
# to every other fused level), required CPU features (names of base/cpu.h; "none" for the baseline), compiler flags.
#
# A level that only does some products better than another level: name, processor, header, the level that it extends,
# the panels of those products and attention with them, the CPU features that it requires beyond, compiler flags
# beyond.
polysemy_isa(baseline any     isa/baseline.h OFF none "")
polysemy_isa(neon     aarch64 isa/neon.h   ON  neon "")
polysemy_isa_extension(neon_dot  aarch64 isa/neon_dot.h  neon
                       "Int8Panels<NativeQuads>" dotprod -march=armv8.2-a+dotprod)
polysemy_isa_extension(neon_bf16 aarch64 isa/neon_bf16.h neon_dot
                       "BFloat16Panels<NativePairs>" bf16 -march=armv8.2-a+dotprod+bf16)
polysemy_isa(avx2     x86_64  isa/avx2.h   ON  "avx2;fma;f16c" "-mavx2;-mfma;-mf16c")
polysemy_isa_extension(avx2_vnni x86_64 isa/avx2_vnni.h avx2
                       "Int8Panels<NativeQuads>,Int16Panels<NativeIntegerPairs>,IntegerAttention<NativeIntegerPairs>"
                       avx_vnni -mavxvnni)
polysemy_isa(avx512   x86_64  isa/avx512.h ON  "avx2;fma;f16c;avx512f;avx512bw;avx512dq;avx512vl"
             "-mavx2;-mfma;-mf16c;-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mprefer-vector-width=512")
polysemy_isa_extension(avx512_vnni x86_64 isa/avx512_vnni.h avx512
                       "Int8Panels<NativeQuads>,Int16Panels<NativeIntegerPairs>,IntegerAttention<NativeIntegerPairs>"
                       avx512_vnni -mavx512vnni)
polysemy_isa_extension(avx512_bf16 x86_64 isa/avx512_bf16.h avx512_vnni
                       "BFloat16Panels<NativePairs>" avx512_bf16 -mavx512bf16)
polysemy_isa_extension(amx x86_64 isa/amx.h avx512_bf16
                       "TileProducts<Int8Tiles<ByteTiles>>,TileProducts<BFloat16Tiles<PairTiles>>"
                       "amx_tile;amx_int8;amx_bf16" "-mamx-tile;-mamx-int8;-mamx-bf16")
