// One vector from the token vectors of a sequence. Sums run over tokens in order, in double: a long text loses
// nothing. No tokens give zeros.
#pragma once

#include "isa/inline.h"
#include "kernels/tasks.h"

namespace polysemy {
namespace {

INLINE DVec widened_set1(double x) {  // x is a whole number below 2^24 here, so the float holds it exactly
  return widen(set1(static_cast<float>(x)));
}

INLINE void pool_columns(const PoolTask& t, int64_t column, int64_t n) {
  const float* x = t.x + column;
  if (t.mode == Pooling::kMax) {
    Vec best = load_n(x, n);
    for (int64_t r = 1; r < t.rows; ++r) {
      const Vec v = load_n(x + r * t.x_stride, n);
      best = select(less(best, v), v, select(equal(v, v), best, v));  // NaN stays
    }
    return store_n(t.out + column, best, n);
  }
  const bool weighted = t.mode == Pooling::kWeightedMean;
  DVec sum = dzero();
  for (int64_t r = 0; r < t.rows; ++r) {
    const DVec v = widen(load_n(x + r * t.x_stride, n));
    sum = sum + (weighted ? v * widened_set1(static_cast<double>(r + 1)) : v);
  }
  const double rows = static_cast<double>(t.rows);
  const double divisor = weighted                         ? rows * (rows + 1) / 2
                         : t.mode == Pooling::kSqrtLength ? __builtin_sqrt(rows)
                                                          : rows;
  store_n(t.out + column, narrow(sum, 1.0 / divisor), n);
}

void pool(const PoolTask& t) noexcept {
  for (int64_t i = 0; i < t.columns; i += kLanes) {
    const int64_t n = t.columns - i;
    if (t.rows == 0) {
      store_n(t.out + i, zero(), n);
    } else if (t.mode == Pooling::kCls || t.mode == Pooling::kLast) {
      const int64_t row = t.mode == Pooling::kCls ? 0 : t.rows - 1;
      store_n(t.out + i, load_n(t.x + row * t.x_stride + i, n), n);
    } else {
      pool_columns(t, i, n);
    }
  }
}

}  // namespace
}  // namespace polysemy
