// Rotary positions (Su et al., arXiv:2104.09864).
#pragma once

#include "isa/inline.h"
#include "kernels/tasks.h"

namespace polysemy {
namespace {

// (x1, x2) -> (x1 cos - x2 sin, x2 cos + x1 sin) with x1 the first and x2 the second half of each head.
void rotary(const RotaryTask& t) noexcept {
  const int64_t half = t.dim / 2;
  for (int64_t r = 0; r < t.rows; ++r) {
    const float *cosine = t.cosine + r * t.angle_stride, *sine = t.sine + r * t.angle_stride;
    for (int64_t h = 0; h < t.heads; ++h) {
      const float* x = t.x + r * t.x_row + h * t.x_head;
      float* y = t.out + r * t.out_row + h * t.out_head;
      for (int64_t d = 0; d < half; d += kLanes) {
        const int64_t n = half - d;
        const Vec a = load_n(x + d, n), b = load_n(x + half + d, n);
        const Vec c = load_n(cosine + d, n), s = load_n(sine + d, n);
        store_n(y + d, fnma(b, s, a * c), n);
        store_n(y + half + d, fma(a, s, b * c), n);
      }
    }
  }
}

}  // namespace
}  // namespace polysemy
