// Products of attention in bfloat16: queries, keys, probabilities and values are rounded to it, sums are float32.
//
// Without an instruction for pairs, panels stay float32, rounded, the odd one of each pair first.
#pragma once

#include "kernels/attention.inl.h"
#include "kernels/panels_bfloat16.inl.h"
#include "kernels/table.h"

namespace polysemy {
namespace {

template <class Pairs>
constexpr bool kWidePairs = !std::is_void_v<typename Pairs::Wide>;

// A panel of n rows, in place.
template <class Pairs>
INLINE void round_panel(float* panel, int64_t n) {
  for (int64_t i = 0; i < n; i += 2) {
    const IVec even = rounded_to_bfloat16(load(panel + i * kLanes));
    const IVec odd = i + 1 < n ? rounded_to_bfloat16(load(panel + (i + 1) * kLanes)) : iset1(0);
    if constexpr (kWidePairs<Pairs>) {
      store(panel + i * kLanes, from_bits(odd));
      store(panel + (i + 1) * kLanes, from_bits(even));
    } else {
      store(panel + i / 2 * kLanes, from_bits((shift_right<16>(even) & iset1(0xFFFF)) | odd));
    }
  }
}

// A B, one chain: what it loses is far below what its numbers lost.
template <class Pairs, int rows, int panels>
INLINE Tile<rows, panels> multiply_pairs(const typename Pairs::Input* a, int64_t a_stride, const float* b,
                                         int64_t panel_stride, int64_t k) {
  if constexpr (kWidePairs<Pairs>) {
    return multiply_chain<0, rows, panels>(a, a_stride, b, panel_stride, round_up(k, 2), 0);
  } else {
    Tile<rows, panels> chain;
    each_sum(chain, [](Vec& sum, auto, auto) INLINE_LAMBDA { sum = zero(); });
    BFloat16Panels<Pairs>::template accumulate<0>(chain, a, a_stride, b, panel_stride, k, 0);
    return chain;
  }
}

template <class Pairs>
struct BFloat16Scores {
  using Input = typename Pairs::Input;
  static constexpr bool kFloats = false;

  static constexpr int64_t row_stride(int64_t dim) { return round_up(dim, 2); }
  static constexpr int64_t panel_stride(int64_t dim) { return round_up(dim, 2) * kLanes; }

  INLINE static void prepare(const float* from, int64_t dim, Vec power, Input* to) {
    for (int64_t d = 0; d < dim; d += kLanes) {
      Pairs::prepare(load_n(from + d, dim - d) * power, dim - d < kLanes ? dim - d : kLanes, to + d);
    }
  }
  INLINE static void pack(float* panel, int64_t dim) { round_panel<Pairs>(panel, dim); }

  template <int rows, int panels>
  INLINE static void multiply(Tile<rows, panels>& tile, const Input* query, const float* keys, int64_t dim) {
    tile = multiply_pairs<Pairs, rows, panels>(query, row_stride(dim), keys, panel_stride(dim), dim);
  }
};

template <class Pairs>
struct BFloat16Values {
  using Input = typename Pairs::Input;
  using Mode = FlushSubnormals;

  static constexpr int64_t panel_at(int64_t i) { return (kWidePairs<Pairs> ? i : i / 2) * kLanes; }

  INLINE static void prepare(Vec p, Input* to) { Pairs::prepare(p, kLanes, to); }
  INLINE static void pack(float* panel, int64_t keys) { round_panel<Pairs>(panel, keys); }

  template <int rows, int panels>
  INLINE static void add(Tile<rows, panels>& tile, const Input* p, int64_t p_stride, const float* values,
                         int64_t panel_stride, int64_t keys) {
    const auto sums = multiply_pairs<Pairs, rows, panels>(p, p_stride, values, panel_stride, keys);
    each_sum(tile, [&](Vec& sum, auto r, auto q) INLINE_LAMBDA { sum = sum + sums.sum[r][q]; });
  }
};

template <class Pairs>
struct BFloat16Attention {
  static constexpr void add_to(KernelTable& t) {
    t.attention[static_cast<int>(AttentionIn::kBFloat16)] = attention<BFloat16Scores<Pairs>, BFloat16Values<Pairs>>;
  }
};

}  // namespace
}  // namespace polysemy
