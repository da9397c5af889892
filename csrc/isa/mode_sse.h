// The floating-point mode of a product, on x86.
#pragma once

#include <immintrin.h>

namespace polysemy {
namespace {

struct SameMode {};

// Subnormal inputs and results are zeros for its lifetime.
struct FlushSubnormals {
  unsigned saved = _mm_getcsr();
  [[gnu::always_inline]] FlushSubnormals() { _mm_setcsr(saved | 0x8040u); }  // FTZ, DAZ
  [[gnu::always_inline]] ~FlushSubnormals() { _mm_setcsr(saved); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;
};

}  // namespace
}  // namespace polysemy
