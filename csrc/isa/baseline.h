// The contract of an instruction set, in its simplest form: read this file first.
//
// A Vec is always 16 float lanes, whatever the width of the registers behind it. Sums over lanes follow one fixed
// tree (i + 8, i + 4, i + 2, i + 1). So kernels written on Vec add in the same order on every instruction set, and
// wherever fma() is fused they give the same bits.
//
// This level is written with the vector extension that GCC and Clang share (quads.h); it compiles for any processor.
// Its fma() rounds twice, so it agrees with the fused levels within tolerance only.
#pragma once

#include "isa/quads.h"

namespace polysemy {
namespace {

constexpr bool kFused = false;  // whether fma() rounds once

// By what numbers are multiplied and added, 8-bit integers likewise, and float16 becomes float32: what users are told.
constexpr const char* kMultiplyAdd = "multiply, add";
constexpr const char* kMultiplyIntegers = kMultiplyAdd;
constexpr const char* kWidenFloat16 = "integer arithmetic";

// The register tile of a matrix product, in rows and in panels of 16 columns; its shape where there are many rows, if
// another one is better; the step in which attention chooses its height; and how many panels a product takes together
// that has so few rows that one tile holds them (so that enough independent sums are in flight). The last two are the
// same for a tile that widens weights as it reads them.
constexpr int kTileRows = 3;
constexpr int kTilePanels = 1;
using ManyRows = void;
constexpr int kQueryStep = 3;
constexpr int panels_beside(int) { return 1; }
constexpr int kWideningRows = 2;
constexpr int widening_panels(int) { return 1; }
// Steps of a sum in float32, also of widened bfloat16, that a loop takes in one round.
constexpr int kStepsAtOnce = 1;
// Whether a tile of several panels reads the inputs of a step before its weights: that takes fewer registers.
constexpr bool kInputsFirst = false;
// Rows that are normalised side by side.
constexpr int kNormRows = 1;

INLINE Quad multiply_add(Quad a, Quad b, Quad c) { return a * b + c; }
INLINE Quad root(Quad a) {
  Quad r;
  for (int i = 0; i < 4; ++i) r[i] = __builtin_sqrtf(a[i]);
  return r;
}

// The mode of floating point for the lifetime of an object: as it is, or, on levels with fused multiply-adds, with
// subnormal numbers as zeros.
struct SameMode {};
using FlushSubnormals = SameMode;

// Numbers of 16 bits, widened; counted as load_n.
INLINE float float16_value(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16, rest = h & 0x7FFFu;
  float magnitude;
  if (rest < 0x0400u) {  // subnormal: a multiple of 2^-24
    magnitude = static_cast<float>(rest) * 0x1p-24f;
  } else {  // the exponent gains 127 - 15; that of infinity and NaN, 31, becomes 255
    const uint32_t word = (rest << 13) + (rest < 0x7C00u ? 112u << 23 : 224u << 23);
    __builtin_memcpy(&magnitude, &word, sizeof word);
  }
  uint32_t bits;
  __builtin_memcpy(&bits, &magnitude, sizeof bits);
  bits |= sign;
  __builtin_memcpy(&magnitude, &bits, sizeof bits);
  return magnitude;
}
INLINE Vec load_float16_n(const uint16_t* p, int64_t n) {
  Vec a = zero();
  for (int i = 0; i < 16 && i < n; ++i) a.q[i / 4][i % 4] = float16_value(p[i]);
  return a;
}

// 16 numbers rounded to the nearest of 16 bits, ties to even.
INLINE uint16_t float16_bits(float x) {
  uint32_t u;
  __builtin_memcpy(&u, &x, sizeof u);
  const uint32_t sign = u >> 16 & 0x8000u, magnitude = u & 0x7FFFFFFFu;
  uint32_t half;
  if (magnitude > 0x7F800000u) {
    half = 0x7E00u | (magnitude >> 13 & 0x1FFu);
  } else if (magnitude >= 0x477FF000u) {  // 65520 and more round to infinity
    half = 0x7C00u;
  } else if (magnitude < 0x38800000u) {  // subnormal: a multiple of 2^-24, rounded by an addition
    float m;
    __builtin_memcpy(&m, &magnitude, sizeof m);
    m += 0.5f;
    __builtin_memcpy(&half, &m, sizeof half);
    half -= 0x3F000000u;
  } else {
    half = (magnitude + 0xFFFu + (magnitude >> 13 & 1u) - (112u << 23)) >> 13;
  }
  return static_cast<uint16_t>(sign | half);
}
INLINE void store_float16(uint16_t* p, Vec a) {
  for (int i = 0; i < 16; ++i) p[i] = float16_bits(a.q[i / 4][i % 4]);
}

}  // namespace
}  // namespace polysemy
