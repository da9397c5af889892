// AVX-512 with BF16: what it adds to avx512.h.
#pragma once

#include "isa/avx512.h"

namespace polysemy {
namespace {

struct NativePairs {
  using Input = uint16_t;
  using Wide = void;
  static constexpr const char* kInstruction = "vdpbf16ps";

  INLINE static Vec load_pair(const float* p) { return load(p); }
  INLINE static Vec add_products(Vec sum, const Input* a, Vec w) {
    float pair;
    __builtin_memcpy(&pair, a, sizeof pair);
    return {_mm512_dpbf16_ps(sum.v, (__m512bh)_mm512_set1_ps(pair), (__m512bh)w.v)};
  }
  INLINE static void prepare(Vec x, int64_t n, Input* to) {
    const __m256i words = (__m256i)_mm512_cvtneps_pbh(x.v);
    _mm256_mask_storeu_epi16(to, first_lanes((n + 1) / 2 * 2).v, words);
  }
};

}  // namespace
}  // namespace polysemy
