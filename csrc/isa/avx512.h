// AVX-512 (F, BW, DQ, VL): a Vec is one zmm register. The contract is in baseline.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "isa/inline.h"
#include "isa/mode_sse.h"
#include "isa/transpose_avx.h"

namespace polysemy {
namespace {

constexpr bool kFused = true;
constexpr const char* kMultiplyAdd = "vfmadd";
constexpr const char* kMultiplyIntegers = "vpmaddwd";
constexpr const char* kWidenFloat16 = "vcvtph2ps";

struct Vec {
  __m512 v;
};
struct IVec {
  __m512i v;
};
struct Mask {
  __mmask16 v;
};

// 8 rows x 2 panels: 16 accumulators cover 4 cycles x 2 pipes twice over. 12 rows would use more of the 32 registers,
// but their inputs and a k-block of two panels no longer share L1: the forward pass took 5 % longer on a Zen 4.
constexpr int kTileRows = 8;
constexpr int kTilePanels = 2;
// A broadcast from memory takes more than a cycle of a Zen 4, so with three panels a product is 2 % faster, once there
// are rows enough for its third panel to be read from L1 most of the time.
struct ManyRows {
  static constexpr int kFrom = 32;
  static constexpr int rows(bool gated) { return gated ? kTileRows : 6; }
  static constexpr int panels(bool gated) { return gated ? kTilePanels : 3; }
};
constexpr int kQueryStep = 4;
// 7 x 2 is left out: all its sums and those of a chain just fit, and a compiler that keeps them spills in the loop.
constexpr int panels_beside(int rows) { return rows <= 6 ? 4 : rows == 7 ? 3 : 2; }
constexpr int kWideningRows = kTileRows;
constexpr int widening_panels(int rows) { return rows == 1 ? 4 : kTilePanels; }
constexpr int kStepsAtOnce = 1;
constexpr bool kInputsFirst = false;
constexpr int kNormRows = 2;

INLINE Vec set1(float x) { return {_mm512_set1_ps(x)}; }
INLINE Vec zero() { return {_mm512_setzero_ps()}; }
INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
INLINE void store(float* p, Vec a) { _mm512_storeu_ps(p, a.v); }

INLINE Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
INLINE Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
INLINE Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
INLINE Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
INLINE Vec fnma(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
INLINE Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
INLINE Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
// 10: the smaller magnitude, with the sign cleared.
INLINE Vec min_abs(Vec a, Vec b) { return {_mm512_range_ps(a.v, b.v, 10)}; }
INLINE Vec sqrt(Vec a) { return {_mm512_sqrt_ps(a.v)}; }

INLINE IVec iset1(int32_t x) { return {_mm512_set1_epi32(x)}; }
INLINE IVec operator+(IVec a, IVec b) { return {_mm512_add_epi32(a.v, b.v)}; }
INLINE IVec operator-(IVec a, IVec b) { return {_mm512_sub_epi32(a.v, b.v)}; }
INLINE IVec operator&(IVec a, IVec b) { return {_mm512_and_si512(a.v, b.v)}; }
INLINE IVec operator|(IVec a, IVec b) { return {_mm512_or_si512(a.v, b.v)}; }
INLINE IVec operator^(IVec a, IVec b) { return {_mm512_xor_si512(a.v, b.v)}; }
template <int bits>
INLINE IVec shift_left(IVec a) {
  return {_mm512_slli_epi32(a.v, bits)};
}
template <int bits>
INLINE IVec shift_right(IVec a) {
  return {_mm512_srai_epi32(a.v, bits)};
}
INLINE IVec bits(Vec a) { return {_mm512_castps_si512(a.v)}; }
INLINE Vec from_bits(IVec a) { return {_mm512_castsi512_ps(a.v)}; }

INLINE Mask less(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
INLINE Mask not_less(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NLT_UQ)}; }
INLINE Mask equal(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
INLINE Mask first_lanes(int64_t n) {
  return {static_cast<__mmask16>(n >= 16 ? 0xFFFFu : n <= 0 ? 0u : (1u << n) - 1u)};
}
INLINE Mask nonzero_bytes(const uint8_t* p) {
  const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm_test_epi8_mask(b, b)};
}
INLINE Mask operator&(Mask a, Mask b) { return {static_cast<__mmask16>(a.v & b.v)}; }
INLINE Vec select(Mask m, Vec yes, Vec no) { return {_mm512_mask_blend_ps(m.v, no.v, yes.v)}; }
INLINE Vec keep(Mask m, Vec a) { return {_mm512_maskz_mov_ps(m.v, a.v)}; }

INLINE Vec load_n(const float* p, int64_t n) { return {_mm512_maskz_loadu_ps(first_lanes(n).v, p)}; }
INLINE void store_n(float* p, Vec a, int64_t n) { _mm512_mask_storeu_ps(p, first_lanes(n).v, a.v); }

INLINE Vec load_float16_n(const uint16_t* p, int64_t n) {
  return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n).v, p))};
}
INLINE Vec load_bfloat16_n(const uint16_t* p, int64_t n) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first_lanes(n).v, p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
}

INLINE float reduce_add(Vec a) {
  const __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_add_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}
template <int distance>
INLINE Vec swap_lanes(Vec a) {
  constexpr int order = distance == 1 || distance == 4 ? 0xB1 : 0x4E;
  if constexpr (distance >= 4) return {_mm512_shuffle_f32x4(a.v, a.v, order)};
  return {_mm512_permute_ps(a.v, order)};
}

INLINE float reduce_max(Vec a) {
  const __m256 s8 = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_max_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}

struct DVec {
  __m512d lo, hi;
};
INLINE DVec dzero() { return {_mm512_setzero_pd(), _mm512_setzero_pd()}; }
INLINE DVec widen(Vec a) {
  return {_mm512_cvtps_pd(_mm512_castps512_ps256(a.v)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1))};
}
INLINE DVec operator+(DVec a, DVec b) { return {_mm512_add_pd(a.lo, b.lo), _mm512_add_pd(a.hi, b.hi)}; }
INLINE DVec operator*(DVec a, DVec b) { return {_mm512_mul_pd(a.lo, b.lo), _mm512_mul_pd(a.hi, b.hi)}; }
INLINE DVec fma(DVec a, DVec b, DVec c) {
  return {_mm512_fmadd_pd(a.lo, b.lo, c.lo), _mm512_fmadd_pd(a.hi, b.hi, c.hi)};
}
INLINE DVec fma(double a, DVec b, DVec c) {
  const __m512d s = _mm512_set1_pd(a);
  return {_mm512_fmadd_pd(s, b.lo, c.lo), _mm512_fmadd_pd(s, b.hi, c.hi)};
}
INLINE Vec narrow(DVec a, double scale) {
  const __m512d s = _mm512_set1_pd(scale);
  const __m256 lo = _mm512_cvtpd_ps(_mm512_mul_pd(a.lo, s)), hi = _mm512_cvtpd_ps(_mm512_mul_pd(a.hi, s));
  return {_mm512_insertf32x8(_mm512_castps256_ps512(lo), hi, 1)};
}
INLINE double reduce_add(DVec a) {
  const __m512d s8 = _mm512_add_pd(a.lo, a.hi);
  const __m256d s4 = _mm256_add_pd(_mm512_castpd512_pd256(s8), _mm512_extractf64x4_pd(s8, 1));
  const __m128d s2 = _mm_add_pd(_mm256_castpd256_pd128(s4), _mm256_extractf128_pd(s4, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s2, _mm_unpackhi_pd(s2, s2)));
}

INLINE void prefetch_l2(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }
INLINE void prefetch_to_write(const void* p) { __builtin_prefetch(p, 1); }

INLINE void store_float16(uint16_t* p, Vec a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}

// Four bytes in every lane.
INLINE __m512i broadcast_word(const char* p) {
  int32_t word;
  __builtin_memcpy(&word, p, sizeof word);
  return _mm512_set1_epi32(word);
}

// As on AVX2.
struct IntegerPairs {
  using Element = int16_t;
  using Word = int16_t;
  using Words = __m512i;
  using Input = __m512i;
  typedef int32_t Sum __attribute__((vector_size(64)));
  static constexpr int kInputs = 2;
  static constexpr const char* kInstruction = kMultiplyIntegers;
  static constexpr bool kNative = true;

  INLINE static Sum zero() { return Sum{}; }
  INLINE static Words load_weights(const Word* p) { return _mm512_loadu_si512(p); }
  INLINE static Input load_input(const char* p) { return broadcast_word(p); }
  INLINE static Sum add_products(Sum s, Input x, Words w) { return s + (Sum)_mm512_madd_epi16(x, w); }
  INLINE static Vec value(Sum s) { return {_mm512_cvtepi32_ps((__m512i)s)}; }
  INLINE static void store_elements(Element* p, IVec integers) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(integers.v));
  }
};

struct WideProducts : IntegerPairs {
  INLINE static Vec value(Sum s, float, Vec) { return IntegerPairs::value(s); }
  INLINE static void widen(const int8_t* p, Words (&to)[2]) {
    const __m512i b = _mm512_loadu_si512(p);
    to[0] = _mm512_srai_epi16(_mm512_slli_epi16(b, 8), 8);
    to[1] = _mm512_srai_epi16(b, 8);
  }
  INLINE static void store_elements(Element* p, IVec centered, float) {
    IntegerPairs::store_elements(p, {_mm512_shuffle_epi32(centered.v, _MM_PERM_DBCA)});
  }
  INLINE static void store_weights(Word* p, Words w) { _mm512_storeu_si512(p, w); }
};

}  // namespace
}  // namespace polysemy
