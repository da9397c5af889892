// Softmax by rows.
#pragma once

#include "kernels/attention.inl.h"

namespace polysemy {
namespace {

// exp(x - max) / sum. A row of -inf alone gives zeros, as in attention.
void softmax(const RowsTask& t) noexcept {
  for (int64_t r = 0; r < t.rows; ++r) {
    const float* x = t.x + r * t.x_stride;
    float* y = t.out + r * t.out_stride;
    Vec best = set1(-kInfinity);
    for (int64_t j = 0; j < t.columns; j += kLanes) {
      const Vec v = load_n(x + j, t.columns - j);
      best = max(select(first_lanes(t.columns - j), v, set1(-kInfinity)), best);
    }
    const float m = reduce_max(best);
    const bool infinite = m == kInfinity;
    const Vec base = set1(infinite || m == -kInfinity ? 0.0f : m);
    Vec sum = zero();
    for (int64_t j = 0; j < t.columns; j += kLanes) {
      const int64_t n = t.columns - j;
      Vec v = load_n(x + j, n);
      if (infinite) v = select(equal(v, set1(kInfinity)), zero(), select(equal(v, v), set1(-kInfinity), v));
      const Vec p = exp_nonpositive(v - base);
      sum = sum + select(first_lanes(n), p, zero());
      store_n(y + j, p, n);
    }
    const float l = reduce_add(sum);
    const Vec divisor = set1(infinite && l > 1.0f ? __builtin_nanf("") : l);
    for (int64_t j = 0; j < t.columns; j += kLanes) {
      const int64_t n = t.columns - j;
      store_n(y + j, l == 0.0f ? zero() : load_n(y + j, n) / divisor, n);
    }
  }
}

}  // namespace
}  // namespace polysemy
