// AMX: what it adds to avx512_bf16.h.
#pragma once

#include "isa/avx512_bf16.h"
#include "isa/avx512_vnni.h"
#include "isa/tile_registers.h"

namespace polysemy {
namespace {

struct ByteTiles : TileRegisters {
  using Quads = NativeQuads;
  static constexpr const char* kInstruction = "tdpbusd";

  INLINE static Quads::Sum load_sums(const float* p) { return (Quads::Sum)_mm512_loadu_si512(p); }

  template <int sums, int a, int b>
  INLINE static void add_products() {
    add_byte_products<sums, a, b>();
  }
};

struct PairTiles : TileRegisters {
  using Native = NativePairs;
  static constexpr const char* kInstruction = "tdpbf16ps";

  template <int sums, int a, int b>
  INLINE static void add_products() {
    add_bfloat16_products<sums, a, b>();
  }

  // A step of a panel, kLanes rows of pairs, as a tile whose even numbers are the first chain and whose odd ones are
  // the second: of each pair the odd number comes first in its chain.
  INLINE static void interleave(const float* from, float* to) {
    constexpr int lanes = 16, half = lanes / 2;
    constexpr __mmask32 odd = 0xAAAAAAAAu;
    for (int i = 0; i < half; ++i) {
      const __m512i first = _mm512_loadu_si512(from + i * lanes);
      const __m512i second = _mm512_loadu_si512(from + (i + half) * lanes);
      const __m512i odds = _mm512_mask_blend_epi16(odd, _mm512_srli_epi32(first, 16), second);
      const __m512i evens = _mm512_mask_blend_epi16(odd, first, _mm512_slli_epi32(second, 16));
      _mm512_store_si512(to + 2 * i * lanes, odds);
      _mm512_store_si512(to + (2 * i + 1) * lanes, evens);
    }
  }

  // The inputs of a step in the same order.
  INLINE static void prepare(Vec first, Vec second, uint16_t* to) {
    const __m512i order = _mm512_set_epi16(30, 14, 31, 15, 28, 12, 29, 13, 26, 10, 27, 11, 24, 8, 25, 9, 22, 6, 23, 7,
                                           20, 4, 21, 5, 18, 2, 19, 3, 16, 0, 17, 1);
    const __m512i words = (__m512i)_mm512_cvtne2ps_pbh(second.v, first.v);
    _mm512_storeu_si512(to, _mm512_permutexvar_epi16(order, words));
  }
};

}  // namespace
}  // namespace polysemy
