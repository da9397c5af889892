// NEON with dot products of bytes: what it adds to neon.h.
#pragma once

#include "isa/neon.h"

namespace polysemy {
namespace {

// Activations less 128, as sdot takes signed bytes; it adds four products exactly.
struct NativeQuads {
  using Element = int8_t;
  using Word = int8_t;
  using Widened = void;
  struct Words {
    int8x16_t q[4];
  };
  struct Sum {
    int32x4_t q[4];
  };
  static constexpr int kInputs = 4;
  static constexpr const char* kInstruction = "sdot";

  INLINE static Sum zero() { return {{vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)}}; }
  INLINE static Words load_weights(const Word* p) {
    return {{vld1q_s8(p), vld1q_s8(p + 16), vld1q_s8(p + 32), vld1q_s8(p + 48)}};
  }
  INLINE static int8x16_t load_input(const char* p) {
    int32_t quad;
    __builtin_memcpy(&quad, p, sizeof quad);
    return vreinterpretq_s8_s32(vdupq_n_s32(quad));
  }
  INLINE static Sum add_products(Sum s, int8x16_t x, Words w) {
    return {{vdotq_s32(s.q[0], w.q[0], x), vdotq_s32(s.q[1], w.q[1], x), vdotq_s32(s.q[2], w.q[2], x),
             vdotq_s32(s.q[3], w.q[3], x)}};
  }
  INLINE static Vec value(Sum s, float zero, Vec total) {
    const Vec sum = each_quad<Vec>([&](int i) { return (Quad)vcvtq_f32_s32(s.q[i]); });
    return fma(set1(128.0f - zero), total, sum);  // exact
  }
  INLINE static void store_elements(Element* p, IVec centered, float zero) {
    const IVec q = centered + iset1(static_cast<int32_t>(zero) - 128);
    for (int i = 0; i < 16; ++i) p[i] = static_cast<Element>(q.q[i / 4][i % 4]);
  }
};

}  // namespace
}  // namespace polysemy
