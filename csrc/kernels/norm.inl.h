// LayerNorm and RMSNorm by rows, with an optional residual:
//   h = x + residual;  y = (h - mean(h)) / sqrt(var(h) + eps) * weight + bias      (RMS: no mean)
//
// The mean is summed in double and subtracted as a pair of floats (high + low part): then a constant row gives exactly
// bias, and a mean 1e5 times the deviation costs no accuracy. Variance is the mean of the squared centred values, so
// nothing cancels.
#pragma once

#include <type_traits>  // integral_constant, a type only

#include "isa/inline.h"
#include "kernels/tasks.h"
#include "kernels/tile.inl.h"

namespace polysemy {
namespace {

// The number of lanes where it is known to be all of them: a counted load makes a mask first.
using AllLanes = std::integral_constant<int64_t, kLanes>;
INLINE Vec load_n(const float* p, AllLanes) { return load(p); }
INLINE void store_n(float* p, Vec v, AllLanes) { store(p, v); }
INLINE Vec keep_n(Vec v, AllLanes) { return v; }
INLINE Vec keep_n(Vec v, int64_t n) { return keep(first_lanes(n), v); }  // zeros from lane n on

// Calls f(i, n) for the vectors of a row.
template <class F>
INLINE void each_vector(int64_t columns, F f) {
  int64_t i = 0;
  for (; i + kLanes <= columns; i += kLanes) f(i, AllLanes{});
  if (i < columns) f(i, columns - i);
}

// Some rows, from one of them on.
struct RowsAt {
  const float* first;
  int64_t stride;

  INLINE const float* operator()(int64_t r, int64_t i) const { return first + r * stride + i; }
};

// y = value * scale * weight + bias, with value(row, i, n) a vector of a row.
template <int rows, class Value>
INLINE void scale_rows(const NormTask& t, Value value, float* y, const Vec (&scale)[rows]) {
  const auto each = [&](auto affine) INLINE_LAMBDA {
    each_vector(t.columns, [&](int64_t i, auto n) INLINE_LAMBDA {
      unroll<rows>(
          [&](auto r) INLINE_LAMBDA { store_n(y + r * t.out_stride + i, affine(value(r, i, n) * scale[r], i, n), n); });
    });
  };
  const float *const weight = t.weight, *const bias = t.bias;
  if (weight && bias) {
    each([=](Vec v, int64_t i, auto n) INLINE_LAMBDA { return fma(v, load_n(weight + i, n), load_n(bias + i, n)); });
  } else if (weight) {
    each([=](Vec v, int64_t i, auto n) INLINE_LAMBDA { return v * load_n(weight + i, n); });
  } else if (bias) {
    each([=](Vec v, int64_t i, auto n) INLINE_LAMBDA { return v + load_n(bias + i, n); });
  } else {
    each([](Vec v, int64_t, auto) INLINE_LAMBDA { return v; });
  }
}

// Rows side by side: a sum is a chain of additions that wait for each other, and so are those of other rows meanwhile.
template <bool rms, int rows>
APART void norm_rows(const NormTask& t, int64_t row) {
  float* const y = t.out + row * t.out_stride;
  RowsAt x{t.x + row * t.x_stride, t.x_stride};
  DVec sum[rows];
  unroll<rows>([&](auto r) INLINE_LAMBDA { sum[r] = dzero(); });
  const auto add = [&](auto r, Vec v) INLINE_LAMBDA {
    const DVec wide = widen(v);
    sum[r] = rms ? fma(wide, wide, sum[r]) : sum[r] + wide;
  };
  if (t.residual) {
    const RowsAt residual{t.residual + row * t.residual_stride, t.residual_stride};
    each_vector(t.columns, [&](int64_t i, auto n) INLINE_LAMBDA {
      unroll<rows>([&](auto r) INLINE_LAMBDA {
        const Vec v = load_n(x(r, i), n) + load_n(residual(r, i), n);
        store_n(y + r * t.out_stride + i, v, n);
        add(r, v);
      });
    });
    x = {y, t.out_stride};
  } else {
    each_vector(t.columns, [&](int64_t i, auto n) INLINE_LAMBDA {
      unroll<rows>([&](auto r) INLINE_LAMBDA {
        prefetch_to_write(y + r * t.out_stride + i);  // write-allocate while rows are summed
        add(r, load_n(x(r, i), n));
      });
    });
  }
  const double count = static_cast<double>(t.columns);
  Vec high[rows], low[rows];
  // Centred a second time when it is scaled: to keep it would cost a store, and the L1 cache room.
  const auto value = [&](auto r, int64_t i, auto n) INLINE_LAMBDA {
    const Vec v = load_n(x(r, i), n);
    return rms ? v : (v - high[r]) - low[r];
  };
  if constexpr (!rms) {
    unroll<rows>([&](auto r) INLINE_LAMBDA {
      const double mean = reduce_add(sum[r]) / count;
      const float near = static_cast<float>(mean);
      high[r] = set1(near);
      low[r] = set1(static_cast<float>(mean - static_cast<double>(near)));
      sum[r] = dzero();
    });
    each_vector(t.columns, [&](int64_t i, auto n) INLINE_LAMBDA {
      unroll<rows>([&](auto r) INLINE_LAMBDA {
        const DVec d = widen(keep_n(value(r, i, n), n));
        sum[r] = fma(d, d, sum[r]);
      });
    });
  }
  Vec scale[rows];
  unroll<rows>([&](auto r) INLINE_LAMBDA {
    const double variance = reduce_add(sum[r]) / count + static_cast<double>(t.eps);
    scale[r] = set1(variance == 0.0 ? 1.0f : static_cast<float>(1.0 / __builtin_sqrt(variance)));  // zeros stay
  });
  scale_rows<rows>(t, value, y, scale);
}

template <bool rms>
void norm_all(const NormTask& t) {
  int64_t row = 0;
  for (; row + kNormRows <= t.rows; row += kNormRows) norm_rows<rms, kNormRows>(t, row);
  if constexpr (kNormRows > 1) {
    for (; row < t.rows; ++row) norm_rows<rms, 1>(t, row);
  }
}

void norm(const NormTask& t) noexcept { return t.rms ? norm_all<true>(t) : norm_all<false>(t); }

// x / |x|, and zeros for zeros; the length is summed in double and can't overflow.
void l2_normalize(const RowsTask& t) noexcept {
  for (int64_t r = 0; r < t.rows; ++r) {
    const float* x = t.x + r * t.x_stride;
    float* y = t.out + r * t.out_stride;
    DVec sum = dzero();
    each_vector(t.columns, [&](int64_t i, auto n) INLINE_LAMBDA {
      const DVec v = widen(load_n(x + i, n));
      sum = fma(v, v, sum);
    });
    const double squares = reduce_add(sum);
    // A scale beyond the float range (rows of subnormals) is applied in two factors.
    const double scale = squares > 0.0 || squares != squares ? 1.0 / __builtin_sqrt(squares) : 0.0;
    const double first = scale > 0x1p100 ? 0x1p100 : 1.0;
    const Vec a = set1(static_cast<float>(first)), b = set1(static_cast<float>(scale / first));
    each_vector(t.columns, [&](int64_t i, auto n) INLINE_LAMBDA { store_n(y + i, load_n(x + i, n) * a * b, n); });
  }
}

}  // namespace
}  // namespace polysemy
