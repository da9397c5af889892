# THE list of instruction-set levels, weakest first. A row: name, processor, header, fused multiply-add (bit-identical
# to every other fused level), required CPU features (names of base/cpu.h; "none" for the baseline), compiler flags.
polysemy_isa(baseline any     isa/baseline.h OFF none "")
polysemy_isa(avx2     x86_64  isa/avx2.h   ON  "avx2;fma;f16c" "-mavx2;-mfma;-mf16c")
polysemy_isa(avx512   x86_64  isa/avx512.h ON  "avx2;fma;f16c;avx512f;avx512bw;avx512dq;avx512vl"
             "-mavx2;-mfma;-mf16c;-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mprefer-vector-width=512")
