// The register tile that every matrix product is made of: rows x panels of 16 columns, summed over k in order.
//
// Each output is a sum of chains acc = fma(a[k], b[k], acc) of a fixed length, k ascending, each from zero, added in
// order. So the bits of an output depend on neither the tile it falls in nor the vector width, and any tile may serve
// any edge.
#pragma once

#include <utility>  // integer_sequence, a type only

#include "isa/inline.h"
#include "kernels/tasks.h"

namespace polysemy {
namespace {

// Runs f(0) ... f(n - 1) with constants, so that accumulators indexed by them live in registers: left to its own
// loop unrolling, GCC keeps such an array in memory and loads and stores it at every multiplication.
template <int n, class F>
INLINE void unroll(F f) {
  [&]<int... i>(std::integer_sequence<int, i...>) INLINE_LAMBDA { (f(std::integral_constant<int, i>{}), ...); }
  (std::make_integer_sequence<int, n>{});
}

// The most rows of a tile, the panels that it takes at once where one tile holds all rows, and another shape, if there
// is a better one, for products of many rows.
struct FullTiles {
  using Many = void;
  static constexpr int kRows = kTileRows;
  static constexpr int panels(int rows) { return panels_beside(rows); }
};
struct WideningTiles {
  using Many = void;
  static constexpr int kRows = kWideningRows;
  static constexpr int panels(int rows) { return widening_panels(rows); }
};

template <int rows, int panels, class Sum = Vec>
struct Tile {
  Sum sum[rows][panels];
};

// Calls f(sum, row, panel) for each sum of a tile, row by row. One sequence, not one of `unroll` in another: those made
// a half of all functions to be compiled. What f reads for a row is read once: compilers see that it is the same.
template <int rows, int panels, class Sum, class F>
INLINE void each_sum(Tile<rows, panels, Sum>& t, F f) {
  [&]<int... i>(std::integer_sequence<int, i...>) INLINE_LAMBDA {
    (f(t.sum[i / panels][i % panels], std::integral_constant<int, i / panels>{},
       std::integral_constant<int, i % panels>{}),
     ...);
  }
  (std::make_integer_sequence<int, rows * panels>{});
}

// a: rows of length k, a_stride apart. b: panel p starts at b + p * panel_stride, its k-th row 16 floats further each.
// Each line that is read from the first `fetched` panels also brings the one `ahead` floats later into L2.
template <int fetched, int rows, int panels>
INLINE Tile<rows, panels> multiply_chain(const float* a, int64_t a_stride, const float* b, int64_t panel_stride,
                                         int64_t k, int64_t ahead) {
  Tile<rows, panels> t;
  each_sum(t, [](Vec& sum, auto, auto) INLINE_LAMBDA { sum = zero(); });
  const auto step = [&](int64_t i) INLINE_LAMBDA {
    Vec w[panels];
    unroll<panels>([&](auto p) INLINE_LAMBDA {
      w[p] = load(b + p * panel_stride + i * kLanes);
      if constexpr (p < fetched) prefetch_l2(b + p * panel_stride + i * kLanes + ahead);
    });
    each_sum(t, [&](Vec& sum, auto r, auto p) INLINE_LAMBDA { sum = fma(set1(a[r * a_stride + i]), w[p], sum); });
  };
  if constexpr (panels == 1) {  // the weights of several steps and panels would not fit into registers
    UNROLLED_STEPS
    for (int64_t i = 0; i < k; ++i) step(i);
  } else if constexpr (kInputsFirst) {
    for (int64_t i = 0; i < k; ++i) {
      Vec x[rows];
      unroll<rows>([&](auto r) INLINE_LAMBDA { x[r] = set1(a[r * a_stride + i]); });
      unroll<panels>([&](auto p) INLINE_LAMBDA {
        const Vec w = load(b + p * panel_stride + i * kLanes);
        if constexpr (p < fetched) prefetch_l2(b + p * panel_stride + i * kLanes + ahead);
        unroll<rows>([&](auto r) INLINE_LAMBDA { t.sum[r][p] = fma(x[r], w, t.sum[r][p]); });
      });
    }
  } else {
    for (int64_t i = 0; i < k; ++i) step(i);
  }
  return t;
}

// t += a b, chain by chain.
template <int chain, int fetched = 0, int rows, int panels>
INLINE void multiply_add(Tile<rows, panels>& t, const float* a, int64_t a_stride, const float* b, int64_t panel_stride,
                         int64_t k, int64_t ahead = 0) {
  for (int64_t i = 0; i < k; i += chain) {
    const int64_t length = k - i < chain ? k - i : chain;
    const auto next =
        multiply_chain<fetched, rows, panels>(a + i, a_stride, b + i * kLanes, panel_stride, length, ahead);
    each_sum(t, [&](Vec& sum, auto r, auto p) INLINE_LAMBDA { sum = sum + next.sum[r][p]; });
  }
}

// Calls f(constant n) for the run-time value n in least..most. Not by recursion: compilers would go through what is
// called last once per level.
template <int most, int least = 1, class F>
INLINE void with_constant(int64_t n, F f) {
  [&]<int... i>(std::integer_sequence<int, i...>) INLINE_LAMBDA {
    static_cast<void>(
        (((n == most - i || i == most - least) && (f(std::integral_constant<int, most - i>{}), true)) || ...));
  }
  (std::make_integer_sequence<int, most - least + 1>{});
}

// Splits rows into tiles of nearly equal height: 8 rows become 4 + 4, not 6 + 2, whose second tile would leave the
// multipliers waiting. Calls f(first row, height) with heights of at most `most`.
template <class F>
INLINE void each_row_tile(int64_t rows, int64_t most, F f) {
  const int64_t tiles = (rows + most - 1) / most;
  for (int64_t t = 0, row = 0; t < tiles; ++t) {
    const int64_t height = (rows - row + tiles - t - 1) / (tiles - t);
    f(row, height);
    row += height;
  }
}

// The least of these heights, for any number of rows from `rows` on: lower tiles need not be compiled. One row more
// than a multiple of `most` makes the lowest tiles, the more rows, the less so: the first such number decides.
constexpr int least_height(int rows, int most) {
  int least = most;
  for (int n = rows; n <= rows + most; ++n) {
    const int height = n / ((n + most - 1) / most);
    if (height < least) least = height;
  }
  return least;
}

}  // namespace
}  // namespace polysemy
