// AVX-512 with VNNI: what it adds to avx512.h.
#pragma once

#include "isa/avx512.h"

namespace polysemy {
namespace {

// Unsigned activations with their zero point; vpdpbusd adds four products exactly.
struct NativeQuads {
  using Element = uint8_t;
  using Word = int8_t;
  using Widened = void;
  // Of the instruction's own type: GCC copies every sum of another one twice per step, and spills for lack of
  // registers.
  typedef int32_t Sum __attribute__((vector_size(64)));
  static constexpr int kInputs = 4;
  static constexpr const char* kInstruction = "vpdpbusd";

  INLINE static Sum zero() { return Sum{}; }
  INLINE static __m512i load_weights(const int8_t* p) { return _mm512_loadu_si512(p); }
  INLINE static __m512i load_input(const char* p) { return broadcast_word(p); }
  INLINE static Sum add_products(Sum s, __m512i x, __m512i w) { return (Sum)_mm512_dpbusd_epi32((__m512i)s, x, w); }
  INLINE static Vec value(Sum s, float zero, Vec total) {
    return {_mm512_fnmadd_ps(_mm512_set1_ps(zero), total.v, _mm512_cvtepi32_ps((__m512i)s))};  // exact
  }
  INLINE static void store_elements(Element* p, IVec centered, float zero) {
    const __m512i q = _mm512_add_epi32(centered.v, _mm512_set1_epi32(static_cast<int32_t>(zero)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(q));
  }
};

// Signed products of 16 bits, two of which vpdpwssd adds.
struct NativeIntegerPairs : IntegerPairs {
  static constexpr const char* kInstruction = "vpdpwssd";

  INLINE static Sum add_products(Sum s, Input x, Words w) { return (Sum)_mm512_dpwssd_epi32((__m512i)s, x, w); }
};

}  // namespace
}  // namespace polysemy
