// AVX-VNNI, VNNI on registers of AVX2: what it adds to avx2.h.
#pragma once

#include "isa/avx2.h"

namespace polysemy {
namespace {

// Unsigned activations with their zero point; vpdpbusd adds four products exactly.
struct NativeQuads {
  using Element = uint8_t;
  using Word = int8_t;
  using Widened = void;
  using Words = IntegerPairs::Words;
  using Sum = IntegerPairs::Sum;
  using Half = IntegerPairs::Half;
  static constexpr int kInputs = 4;
  static constexpr const char* kInstruction = "vpdpbusd";

  INLINE static Sum zero() { return IntegerPairs::zero(); }
  INLINE static Words load_weights(const Word* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
  }
  INLINE static __m256i load_input(const char* p) { return IntegerPairs::load_input(p); }
  INLINE static Sum add_products(Sum s, __m256i x, Words w) {
    return {(Half)_mm256_dpbusd_avx_epi32((__m256i)s.lo, x, w.lo),
            (Half)_mm256_dpbusd_avx_epi32((__m256i)s.hi, x, w.hi)};
  }
  INLINE static Vec value(Sum s, float zero, Vec total) { return fnma(set1(zero), total, IntegerPairs::value(s)); }
  INLINE static void store_elements(Element* p, IVec centered, float zero) {
    const IVec q = centered + iset1(static_cast<int32_t>(zero));
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(q.lo, q.hi), 0xD8);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
  }
};

// Signed products of 16 bits, two of which vpdpwssd adds.
struct NativeIntegerPairs : IntegerPairs {
  static constexpr const char* kInstruction = "vpdpwssd";

  INLINE static Sum add_products(Sum s, Input x, Words w) {
    return {(Half)_mm256_dpwssd_avx_epi32((__m256i)s.lo, x, w.lo),
            (Half)_mm256_dpwssd_avx_epi32((__m256i)s.hi, x, w.hi)};
  }
};

}  // namespace
}  // namespace polysemy
