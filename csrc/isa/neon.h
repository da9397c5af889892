// NEON: fused multiply-adds, which every armv8 has. The contract is in baseline.h.
#pragma once

#include <arm_neon.h>

#include "isa/quads.h"

namespace polysemy {
namespace {

constexpr bool kFused = true;
constexpr const char* kMultiplyAdd = "fmla";
constexpr const char* kMultiplyIntegers = kMultiplyAdd;
constexpr const char* kWidenFloat16 = "fcvtl";

// 4 rows x 1 panel: 16 accumulators cover 4 cycles x 4 pipes. With more rows GCC 12 runs out of its 32 registers.
constexpr int kTileRows = 4;
constexpr int kTilePanels = 1;
using ManyRows = void;
constexpr int kQueryStep = 4;
constexpr int panels_beside(int rows) { return rows == 1 ? 4 : rows == 2 ? 2 : 1; }
constexpr int kWideningRows = kTileRows;
constexpr int widening_panels(int rows) { return rows == 1 ? 2 : 1; }
constexpr int kStepsAtOnce = 1;
constexpr bool kInputsFirst = false;
constexpr int kNormRows = 1;

INLINE Quad multiply_add(Quad a, Quad b, Quad c) {
  return (Quad)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
INLINE Quad root(Quad a) { return (Quad)vsqrtq_f32((float32x4_t)a); }

struct SameMode {};

// Subnormal inputs and results are zeros for its lifetime. A result is looked at before it is rounded, on x86 after:
// one that rounds up to the smallest normal number is zero here.
struct FlushSubnormals {
  uint64_t saved = get();
  [[gnu::always_inline]] FlushSubnormals() { set(saved | uint64_t{1} << 24); }  // FZ
  [[gnu::always_inline]] ~FlushSubnormals() { set(saved); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  [[gnu::always_inline]] static uint64_t get() {
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
  }
  [[gnu::always_inline]] static void set(uint64_t mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode) : "memory"); }
};

INLINE Vec load_float16_n(const uint16_t* p, int64_t n) {
  uint16_t word[16] = {};
  if (n < 16) {
    __builtin_memcpy(word, p, n > 0 ? static_cast<unsigned long>(n) * sizeof(uint16_t) : 0);
    p = word;
  }
  return each_quad<Vec>([&](int i) { return (Quad)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i))); });
}
INLINE void store_float16(uint16_t* p, Vec a) {
  for (int i = 0; i < 4; ++i) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32((float32x4_t)a.q[i])));
}

}  // namespace
}  // namespace polysemy
