// AVX-512 with BF16: what it adds to avx512.h.
#pragma once

#include "isa/avx512.h"

namespace polysemy {
namespace {

struct NativePairs {
  using Input = uint16_t;
  using Wide = void;
  // The sums of two chains and those of the block: 24 of the 32 registers, and 27 where there are many rows. There,
  // too, fewer broadcasts are faster: 4 %.
  struct Tiles {
    struct Many {
      static constexpr int kFrom = 32;
      static constexpr int rows(bool gated) { return gated ? 2 : 3; }
      static constexpr int panels(bool gated) { return gated ? 4 : 3; }
    };
    static constexpr int kRows = 4;
    static constexpr int panels(int rows) { return rows <= 2 ? 4 : rows == 3 ? 3 : 2; }
  };
  static constexpr bool kBothChains = true;
  static constexpr const char* kInstruction = "vdpbf16ps";

  INLINE static Vec load_pair(const float* p) { return load(p); }
  INLINE static Vec add_products(Vec sum, const Input* a, Vec w) {
    float pair;
    __builtin_memcpy(&pair, a, sizeof pair);
    return {_mm512_dpbf16_ps(sum.v, (__m512bh)_mm512_set1_ps(pair), (__m512bh)w.v)};
  }
  INLINE static void prepare(Vec x, Input* to) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(x.v));
  }
};

}  // namespace
}  // namespace polysemy
