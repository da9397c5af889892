// LayerNorm and RMSNorm by rows, with an optional residual:
//   h = x + residual;  y = (h - mean(h)) / sqrt(var(h) + eps) * weight + bias      (RMS: no mean)
//
// Two passes. The mean is summed in double and subtracted as a pair of floats (high + low part): then a constant row
// gives exactly bias, and a mean 1e5 times the deviation costs no accuracy. Variance is the mean of the squared
// centred values, so nothing cancels.
#pragma once

#include "isa/inline.h"
#include "kernels/tasks.h"

namespace polysemy {
namespace {

template <class F>  // sum over i of f(i, count) where f gives 16 values, zero beyond count
INLINE double sum_row(int64_t columns, F f) {
  DVec sum = dzero();
  for (int64_t i = 0; i < columns; i += kLanes) sum = sum + f(i, columns - i);
  return reduce_add(sum);
}

// Normalises one row in place.
INLINE void normalize_row(float* y, const float* weight, const float* bias, int64_t columns, float eps, bool rms) {
  const double count = static_cast<double>(columns);
  double squares;
  if (rms) {
    squares = sum_row(columns, [&](int64_t i, int64_t n) {
      const DVec h = widen(load_n(y + i, n));
      return h * h;
    });
  } else {
    const double mean = sum_row(columns, [&](int64_t i, int64_t n) { return widen(load_n(y + i, n)); }) / count;
    const float high = static_cast<float>(mean);
    const Vec mean_high = set1(high), mean_low = set1(static_cast<float>(mean - static_cast<double>(high)));
    squares = sum_row(columns, [&](int64_t i, int64_t n) {
      const Vec centred = (load_n(y + i, n) - mean_high) - mean_low;
      store_n(y + i, centred, n);
      const DVec d = widen(n < kLanes ? select(first_lanes(n), centred, zero()) : centred);
      return d * d;
    });
  }
  const double variance = squares / count + static_cast<double>(eps);
  const Vec scale = set1(variance == 0.0 ? 1.0f : static_cast<float>(1.0 / __builtin_sqrt(variance)));  // zeros stay
  for (int64_t i = 0; i < columns; i += kLanes) {
    const int64_t n = columns - i;
    Vec v = load_n(y + i, n) * scale;
    if (weight && bias) {
      v = fma(v, load_n(weight + i, n), load_n(bias + i, n));
    } else if (weight) {
      v = v * load_n(weight + i, n);
    } else if (bias) {
      v = v + load_n(bias + i, n);
    }
    store_n(y + i, v, n);
  }
}

void norm(const NormTask& t) noexcept {
  for (int64_t r = 0; r < t.rows; ++r) {
    const float* x = t.x + r * t.x_stride;
    float* y = t.out + r * t.out_stride;
    if (t.residual || x != y) {
      const float* residual = t.residual ? t.residual + r * t.residual_stride : nullptr;
      for (int64_t i = 0; i < t.columns; i += kLanes) {
        const int64_t n = t.columns - i;
        Vec v = load_n(x + i, n);
        if (residual) v = v + load_n(residual + i, n);
        store_n(y + i, v, n);
      }
    }
    normalize_row(y, t.weight, t.bias, t.columns, t.eps, t.rms);
  }
}

// x / |x|, and zeros for zeros; the length is summed in double and can't overflow.
void l2_normalize(const RowsTask& t) noexcept {
  for (int64_t r = 0; r < t.rows; ++r) {
    const float* x = t.x + r * t.x_stride;
    float* y = t.out + r * t.out_stride;
    const double squares = sum_row(t.columns, [&](int64_t i, int64_t n) {
      const DVec v = widen(load_n(x + i, n));
      return v * v;
    });
    // A scale beyond the float range (rows of subnormals) is applied in two factors.
    const double scale = squares > 0.0 || squares != squares ? 1.0 / __builtin_sqrt(squares) : 0.0;
    const double first = scale > 0x1p100 ? 0x1p100 : 1.0;
    const Vec a = set1(static_cast<float>(first)), b = set1(static_cast<float>(scale / first));
    for (int64_t i = 0; i < t.columns; i += kLanes) {
      const int64_t n = t.columns - i;
      store_n(y + i, load_n(x + i, n) * a * b, n);
    }
  }
}

}  // namespace
}  // namespace polysemy
