// AVX2 + FMA: a Vec is two ymm registers. The contract is in baseline.h.
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
  __m256 lo, hi;
};
struct IVec {
  __m256i lo, hi;
};
struct Mask {
  __m256 lo, hi;
};

// 6 rows x 1 panel: 12 accumulators, 2 weight vectors and 1 broadcast fill 15 of 16 registers.
constexpr int kTileRows = 6;
constexpr int kTilePanels = 1;
using ManyRows = void;
constexpr int kQueryStep = 2;
// Few rows leave too few independent chains to cover 4 cycles x 2 FMA pipes: take more panels instead.
constexpr int panels_beside(int rows) { return rows == 1 ? 4 : rows == 2 ? 3 : rows == 3 ? 2 : 1; }
// A tile that widens weights as it reads them needs four vectors for those of a panel.
constexpr int kWideningRows = 4;
constexpr int widening_panels(int rows) { return rows == 1 ? 2 : 1; }
// A product takes 2 to 7 % longer with rounds of one step, or of eight (docs/decisions/0019).
constexpr int kStepsAtOnce = 4;
// Weights first, they and the sums of 3 x 2 or 2 x 3 panels would not fit: GCC then reads weights again for each row.
constexpr bool kInputsFirst = true;
constexpr int kNormRows = 2;

INLINE Vec set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
INLINE Vec zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
INLINE void store(float* p, Vec a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}

INLINE Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
INLINE Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
INLINE Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
INLINE Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)}; }
INLINE Vec fnma(Vec a, Vec b, Vec c) {
  return {_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
}
INLINE Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
INLINE Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
INLINE Vec min_abs(Vec a, Vec b) {
  const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
  return {_mm256_min_ps(_mm256_and_ps(a.lo, magnitude), b.lo), _mm256_min_ps(_mm256_and_ps(a.hi, magnitude), b.hi)};
}
INLINE Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }

INLINE IVec iset1(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
INLINE IVec operator+(IVec a, IVec b) { return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)}; }
INLINE IVec operator-(IVec a, IVec b) { return {_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)}; }
INLINE IVec operator&(IVec a, IVec b) { return {_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)}; }
INLINE IVec operator|(IVec a, IVec b) { return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)}; }
INLINE IVec operator^(IVec a, IVec b) { return {_mm256_xor_si256(a.lo, b.lo), _mm256_xor_si256(a.hi, b.hi)}; }
template <int bits>
INLINE IVec shift_left(IVec a) {
  return {_mm256_slli_epi32(a.lo, bits), _mm256_slli_epi32(a.hi, bits)};
}
template <int bits>
INLINE IVec shift_right(IVec a) {
  return {_mm256_srai_epi32(a.lo, bits), _mm256_srai_epi32(a.hi, bits)};
}
INLINE IVec bits(Vec a) { return {_mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi)}; }
INLINE Vec from_bits(IVec a) { return {_mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi)}; }

INLINE Mask less(Vec a, Vec b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ)};
}
INLINE Mask not_less(Vec a, Vec b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_NLT_UQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_NLT_UQ)};
}
INLINE Mask equal(Vec a, Vec b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_EQ_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_EQ_OQ)};
}
INLINE Mask first_lanes(int64_t n) {
  const __m256i count = _mm256_set1_epi32(n > 16 ? 16 : n < 0 ? 0 : static_cast<int32_t>(n));
  const __m256i i = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i j = _mm256_add_epi32(i, _mm256_set1_epi32(8));
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(count, i)), _mm256_castsi256_ps(_mm256_cmpgt_epi32(count, j))};
}
INLINE Mask nonzero_bytes(const uint8_t* p) {
  const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i zero_bytes = _mm_cmpeq_epi8(b, _mm_setzero_si128());
  const __m128i used = _mm_xor_si128(zero_bytes, _mm_set1_epi8(-1));
  return {_mm256_castsi256_ps(_mm256_cvtepi8_epi32(used)),
          _mm256_castsi256_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(used, 8)))};
}
INLINE Mask operator&(Mask a, Mask b) { return {_mm256_and_ps(a.lo, b.lo), _mm256_and_ps(a.hi, b.hi)}; }
INLINE Vec select(Mask m, Vec yes, Vec no) {
  return {_mm256_blendv_ps(no.lo, yes.lo, m.lo), _mm256_blendv_ps(no.hi, yes.hi, m.hi)};
}
INLINE Vec keep(Mask m, Vec a) { return {_mm256_and_ps(m.lo, a.lo), _mm256_and_ps(m.hi, a.hi)}; }

INLINE Vec load_n(const float* p, int64_t n) {
  if (n >= 16) return load(p);
  const Mask m = first_lanes(n);
  return {_mm256_maskload_ps(p, _mm256_castps_si256(m.lo)), _mm256_maskload_ps(p + 8, _mm256_castps_si256(m.hi))};
}
INLINE void store_n(float* p, Vec a, int64_t n) {
  if (n >= 16) return store(p, a);
  const Mask m = first_lanes(n);
  _mm256_maskstore_ps(p, _mm256_castps_si256(m.lo), a.lo);
  _mm256_maskstore_ps(p + 8, _mm256_castps_si256(m.hi), a.hi);
}

struct Words {  // 16 x 16 bits
  __m128i lo, hi;
};
INLINE Words load_words_n(const uint16_t* p, int64_t n) {
  uint16_t word[16] = {};
  if (n < 16) {
    __builtin_memcpy(word, p, n > 0 ? static_cast<unsigned long>(n) * sizeof(uint16_t) : 0);
    p = word;
  }
  return {_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)),
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8))};
}
INLINE Vec load_float16_n(const uint16_t* p, int64_t n) {
  const Words w = load_words_n(p, n);
  return {_mm256_cvtph_ps(w.lo), _mm256_cvtph_ps(w.hi)};
}
INLINE Vec load_bfloat16_n(const uint16_t* p, int64_t n) {
  const Words w = load_words_n(p, n);
  const auto wide = [](__m128i half) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
  };
  return {wide(w.lo), wide(w.hi)};
}

INLINE float reduce_add(Vec a) {
  const __m256 s8 = _mm256_add_ps(a.lo, a.hi);
  const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_add_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}
template <int distance>
INLINE Vec swap_lanes(Vec a) {
  if constexpr (distance == 8) return {a.hi, a.lo};
  if constexpr (distance == 4) return {_mm256_permute2f128_ps(a.lo, a.lo, 1), _mm256_permute2f128_ps(a.hi, a.hi, 1)};
  constexpr int order = distance == 1 ? 0xB1 : 0x4E;
  return {_mm256_permute_ps(a.lo, order), _mm256_permute_ps(a.hi, order)};
}

INLINE float reduce_max(Vec a) {
  const __m256 s8 = _mm256_max_ps(a.lo, a.hi);
  const __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_max_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}

struct DVec {
  __m256d v[4];
};
INLINE DVec dzero() { return {{_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd()}}; }
INLINE DVec widen(Vec a) {
  return {{_mm256_cvtps_pd(_mm256_castps256_ps128(a.lo)), _mm256_cvtps_pd(_mm256_extractf128_ps(a.lo, 1)),
           _mm256_cvtps_pd(_mm256_castps256_ps128(a.hi)), _mm256_cvtps_pd(_mm256_extractf128_ps(a.hi, 1))}};
}
INLINE DVec operator+(DVec a, DVec b) {
  return {{_mm256_add_pd(a.v[0], b.v[0]), _mm256_add_pd(a.v[1], b.v[1]), _mm256_add_pd(a.v[2], b.v[2]),
           _mm256_add_pd(a.v[3], b.v[3])}};
}
INLINE DVec operator*(DVec a, DVec b) {
  return {{_mm256_mul_pd(a.v[0], b.v[0]), _mm256_mul_pd(a.v[1], b.v[1]), _mm256_mul_pd(a.v[2], b.v[2]),
           _mm256_mul_pd(a.v[3], b.v[3])}};
}
INLINE DVec fma(DVec a, DVec b, DVec c) {
  return {{_mm256_fmadd_pd(a.v[0], b.v[0], c.v[0]), _mm256_fmadd_pd(a.v[1], b.v[1], c.v[1]),
           _mm256_fmadd_pd(a.v[2], b.v[2], c.v[2]), _mm256_fmadd_pd(a.v[3], b.v[3], c.v[3])}};
}
INLINE DVec fma(double a, DVec b, DVec c) {
  const __m256d s = _mm256_set1_pd(a);
  return {{_mm256_fmadd_pd(s, b.v[0], c.v[0]), _mm256_fmadd_pd(s, b.v[1], c.v[1]), _mm256_fmadd_pd(s, b.v[2], c.v[2]),
           _mm256_fmadd_pd(s, b.v[3], c.v[3])}};
}
INLINE Vec narrow(DVec a, double scale) {
  const __m256d s = _mm256_set1_pd(scale);
  const auto half = [&](__m256d x, __m256d y) {
    return _mm256_set_m128(_mm256_cvtpd_ps(_mm256_mul_pd(y, s)), _mm256_cvtpd_ps(_mm256_mul_pd(x, s)));
  };
  return {half(a.v[0], a.v[1]), half(a.v[2], a.v[3])};
}
INLINE double reduce_add(DVec a) {
  const __m256d s4 = _mm256_add_pd(_mm256_add_pd(a.v[0], a.v[2]), _mm256_add_pd(a.v[1], a.v[3]));
  const __m128d s2 = _mm_add_pd(_mm256_castpd256_pd128(s4), _mm256_extractf128_pd(s4, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s2, _mm_unpackhi_pd(s2, s2)));
}

INLINE void prefetch_l2(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }
INLINE void prefetch_to_write(const void* p) { __builtin_prefetch(p, 1); }

INLINE void store_float16(uint16_t* p, Vec a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a.lo, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm256_cvtps_ph(a.hi, _MM_FROUND_TO_NEAREST_INT));
}

// Products of two weights and two activations of 16 bits for each of 16 outputs. They can't saturate.
struct IntegerPairs {
  using Element = int16_t;
  using Word = int16_t;
  struct Words {
    __m256i lo, hi;
  };
  using Input = __m256i;
  // Of the instructions' own type: GCC copies sums of another one.
  typedef int32_t Half __attribute__((vector_size(32)));
  struct Sum {
    Half lo, hi;
  };
  static constexpr int kInputs = 2;
  static constexpr const char* kInstruction = kMultiplyIntegers;
  static constexpr bool kNative = true;

  INLINE static Sum zero() { return {Half{}, Half{}}; }
  INLINE static Words load_weights(const Word* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 16))};
  }
  INLINE static Input load_input(const char* p) {
    int32_t pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return _mm256_set1_epi32(pair);
  }
  INLINE static Sum add_products(Sum s, Input x, Words w) {
    return {s.lo + (Half)_mm256_madd_epi16(x, w.lo), s.hi + (Half)_mm256_madd_epi16(x, w.hi)};
  }
  INLINE static Vec value(Sum s) { return {_mm256_cvtepi32_ps((__m256i)s.lo), _mm256_cvtepi32_ps((__m256i)s.hi)}; }
  INLINE static void store_elements(Element* p, IVec integers) {
    const __m256i words = _mm256_packs_epi32(integers.lo, integers.hi);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(words, 0xD8));
  }
};

struct WideProducts : IntegerPairs {
  INLINE static Vec value(Sum s, float, Vec) { return IntegerPairs::value(s); }
  // Of each four inputs the pairs (0, 2) and (1, 3), because those are what shifts make of packed bytes.
  INLINE static void widen(const int8_t* p, Words (&to)[2]) {
    const __m256i lo = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i hi = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32));
    const auto even = [](__m256i b) { return _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8); };
    to[0] = {even(lo), even(hi)};
    to[1] = {_mm256_srai_epi16(lo, 8), _mm256_srai_epi16(hi, 8)};
  }
  INLINE static void store_elements(Element* p, IVec centered, float) {
    IntegerPairs::store_elements(p, {_mm256_shuffle_epi32(centered.lo, 0xD8), _mm256_shuffle_epi32(centered.hi, 0xD8)});
  }
  INLINE static void store_weights(Word* p, Words w) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), w.lo);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 16), w.hi);
  }
};

}  // namespace
}  // namespace polysemy
