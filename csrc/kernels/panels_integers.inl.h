// What products of integers share: of each group of inputs, rows and outputs have scales, and the sum of a group is
// exact.
#pragma once

#include "kernels/pack.inl.h"
#include "kernels/tile.inl.h"

namespace polysemy {
namespace {

// The nearest integer, ties to even, for |v| < 2^22.
INLINE IVec to_nearest(Vec v) { return bits(v + set1(0x1.8p23f)) - iset1(0x4B400000); }

// Below it the inverse of a scale might be infinite.
constexpr float kLeastScale = 0x1p-120f;

// How numbers become integers -most to most: x ~ scale * q with q = x * inverse.
struct Symmetric {
  float scale, inverse;

  // Of n numbers, whole vectors of them.
  template <int most>
  INLINE static Symmetric of(const float* x, int64_t n) {
    Vec largest = ::polysemy::zero(), poison = largest;
    for (int64_t i = 0; i < n; i += kLanes) {
      const Vec v = load(x + i);
      largest = max(from_bits(bits(v) & iset1(INT32_MAX)), largest);
      poison = fma(v, ::polysemy::zero(), poison);
    }
    const float scale = reduce_max(largest) * (1.0f / most);
    const bool tiny = scale < kLeastScale;  // as good as zeros
    return {(tiny ? 0.0f : scale) + reduce_add(poison), tiny ? 0.0f : 1.0f / scale};
  }
};

// tile += A B of one group. A step multiplies Step::kInputs of them; Scales knows what stands before the elements of a
// row and behind the words of a panel, and makes numbers of sums.
template <class Scales, class Step, int fetched, int rows, int panels>
INLINE void accumulate_group(Tile<rows, panels>& tile, const char* a, int64_t a_stride, const typename Step::Word* b,
                             int64_t panel_stride, int64_t k, int64_t ahead) {
  if (k == 0) return;  // nothing lies there
  const char* const elements = a + Scales::kHeader;
  using Sum = typename Step::Sum;
  Tile<rows, panels, Sum> integers;
  each_sum(integers, [](Sum& sum, auto, auto) INLINE_LAMBDA { sum = Step::zero(); });
  const int64_t count = round_up(k, Scales::kPadded), end = count * kLanes;
  for (int64_t i = 0; i < count; i += Step::kInputs) {
    decltype(Step::load_weights(b)) w[panels];
    unroll<panels>([&](auto p) INLINE_LAMBDA {
      w[p] = Step::load_weights(b + p * panel_stride + i * kLanes);
      if constexpr (p < fetched) prefetch_l2(b + p * panel_stride + i * kLanes + ahead);
    });
    const char* const input = elements + i * static_cast<int64_t>(sizeof(typename Step::Element));
    each_sum(integers, [&](Sum& sum, auto r, auto p) INLINE_LAMBDA {
      sum = Step::add_products(sum, Step::load_input(input + r * a_stride), w[p]);
    });
  }
  unroll<panels>([&](auto p) INLINE_LAMBDA {
    const auto scales = Scales::load(reinterpret_cast<const float*>(b + p * panel_stride + end));
    unroll<rows>([&](auto r) INLINE_LAMBDA {
      const auto* const row = reinterpret_cast<const float*>(a + r * a_stride);
      tile.sum[r][p] = scales.template value<Step>(integers.sum[r][p], row);
    });
  });
}

}  // namespace
}  // namespace polysemy
