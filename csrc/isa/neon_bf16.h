// NEON with BF16: what it adds to neon_dot.h.
#pragma once

#include "isa/neon_dot.h"

namespace polysemy {
namespace {

// bfmlalt and bfmlalb multiply the odd and the even numbers of pairs and round once, as two multiply-adds do. bfdot,
// with half as many instructions, rounds another way.
struct NativePairs {
  using Input = uint16_t;
  using Wide = void;
  struct Tiles {
    using Many = void;
    static constexpr int kRows = kTileRows;
    static constexpr int panels(int rows) { return panels_beside(rows); }
  };
  static constexpr bool kBothChains = false;
  static constexpr const char* kInstruction = "bfmlalb, bfmlalt";

  INLINE static Vec load_pair(const float* p) { return load(p); }
  INLINE static Vec add_products(Vec sum, const Input* a, Vec w) {
    float pair;
    __builtin_memcpy(&pair, a, sizeof pair);
    const bfloat16x8_t x = vreinterpretq_bf16_f32(vdupq_n_f32(pair));
    return each_quad<Vec>([&](int i) {
      const bfloat16x8_t pairs = vreinterpretq_bf16_f32((float32x4_t)w.q[i]);
      return (Quad)vbfmlalbq_f32(vbfmlaltq_f32((float32x4_t)sum.q[i], pairs, x), pairs, x);
    });
  }
  INLINE static void prepare(Vec x, Input* to) {
    const IVec sign = bits(x) & iset1(INT32_MIN), magnitude = bits(x) & iset1(INT32_MAX);
    // Subnormal numbers are zeros, those just below the normal ones, too: bfcvtn would round them up.
    const Vec kept = select(less(from_bits(magnitude), set1(0x1p-126f)), from_bits(sign), x);
    bfloat16_t words[16];
    for (int i = 0; i < 4; ++i) vst1_bf16(words + 4 * i, vcvt_bf16_f32((float32x4_t)kept.q[i]));
    __builtin_memcpy(to, words, sizeof words);
  }
};

}  // namespace
}  // namespace polysemy
