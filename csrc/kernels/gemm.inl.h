// C[m, n] = activation(A[m, k] W[n, k]^T + bias) + residual, W packed once.
//
// Loops (in the usual names): the caller blocks k (kc = kBlockK) and rows (mc); here a group of panels stays in L1
// (jr) while tiles of rows pass by (ir). A is read in place: its rows are contiguous in k, and one cache line of a row
// serves 16 steps, so packing it would cost more than it gives.
#pragma once

#include "kernels/elements.inl.h"
#include "kernels/tile.inl.h"

namespace polysemy {
namespace {

// A tile of sums at some place of C.
struct Place {
  int64_t row, rows, column, columns;
};

// Bias, activation, residual. The sums were just written, so they come from L1; kept apart from the tiles because each
// of them would otherwise carry a copy of all activations.
[[gnu::noinline]] void finish_tile(const GemmTask& t, Place at) {
  with_activation(t.activation, [&](auto activation) INLINE_LAMBDA {
    for (int64_t r = at.row; r < at.row + at.rows; ++r) {
      float* c = t.c + r * t.c_stride;
      const float* residual = t.residual ? t.residual + r * t.residual_stride : nullptr;
      for (int64_t j = at.column; j < at.column + at.columns; j += kLanes) {
        const int64_t n = at.column + at.columns - j;
        Vec v = load_n(c + j, n);
        if (t.bias) v = v + load_n(t.bias + j, n);
        v = activation(v);
        if (residual) v = v + load_n(residual + j, n);
        store_n(c + j, v, n);
      }
    }
  });
}

// The last panel of a width that is not a multiple of 16.
[[gnu::noinline]] void store_counted(const GemmTask& t, Place at, const float* sums, int64_t panels) {
  for (int64_t r = 0; r < at.rows; ++r) {
    for (int64_t p = 0; p < panels; ++p) {
      float* c = t.c + (at.row + r) * t.c_stride + at.column + p * kLanes;
      const int64_t n = at.columns - p * kLanes;
      const Vec v = load(sums + (r * panels + p) * kLanes);
      store_n(c, t.first_block ? v : load_n(c, n) + v, n);
    }
  }
}

template <int rows, int panels>
INLINE void gemm_tile(const GemmTask& t, int64_t row, int64_t panel) {
  const int64_t panel_stride = t.k * kLanes;
  // The first tile of a panel is the one that waits for the weights: meanwhile it fetches those of the next tile.
  // The processor's own prefetcher stops at each page of 4 KB, a third of a panel.
  const int64_t ahead = row == 0 ? panels * panel_stride : 0;
  Tile<rows, panels> tile = multiply<rows, panels, true>(t.a + row * t.a_stride, t.a_stride,
                                                         t.panels + panel * panel_stride, panel_stride, t.k, ahead);
  const int64_t column = panel * kLanes, rest = t.columns - column;
  const Place at{row, rows, column, rest < panels * kLanes ? rest : panels * kLanes};
  if (at.columns < panels * kLanes) {
    float sums[rows * panels * kLanes];
    unroll<rows>([&](auto r) INLINE_LAMBDA {
      unroll<panels>([&](auto p) INLINE_LAMBDA { store(sums + (r * panels + p) * kLanes, tile.sum[r][p]); });
    });
    store_counted(t, at, sums, panels);
  } else {
    float* c = t.c + row * t.c_stride + column;
    const bool first = t.first_block;
    unroll<rows>([&](auto r) INLINE_LAMBDA {
      unroll<panels>([&](auto p) INLINE_LAMBDA {
        float* to = c + r * t.c_stride + p * kLanes;
        store(to, first ? tile.sum[r][p] : load(to) + tile.sum[r][p]);
      });
    });
  }
  const bool finished = !t.bias && !t.residual && t.activation == Activation::kNone;
  if (t.last_block && !finished) finish_tile(t, at);
}

template <int panels>
INLINE void gemm_panels(const GemmTask& t, int64_t panel) {
  each_row_tile(t.rows, kTileRows, [&](int64_t row, int64_t height) INLINE_LAMBDA {
    with_constant<kTileRows>(height, [&](auto rows) INLINE_LAMBDA { gemm_tile<rows, panels>(t, row, panel); });
  });
}

// So few rows that one tile holds them all: take several panels at once to have enough sums in flight.
template <int rows>
INLINE void gemm_few_rows(const GemmTask& t) {
  constexpr int panels = few_rows_panels(rows);
  int64_t panel = t.first_panel;
  for (; panel + panels <= t.last_panel; panel += panels) gemm_tile<rows, panels>(t, 0, panel);
  for (; panel < t.last_panel; ++panel) gemm_tile<rows, 1>(t, 0, panel);
}

void gemm(const GemmTask& t) noexcept {
  if (t.rows <= 0) return;
  if (t.rows <= kFewRows)
    return with_constant<kFewRows>(t.rows, [&](auto rows) INLINE_LAMBDA { gemm_few_rows<rows>(t); });
  int64_t panel = t.first_panel;
  for (; panel + kTilePanels <= t.last_panel; panel += kTilePanels) gemm_panels<kTilePanels>(t, panel);
  if constexpr (kTilePanels > 1) {
    for (; panel < t.last_panel; ++panel) gemm_panels<1>(t, panel);
  }
}

void pack(const PackTask& t) noexcept {
  for (int64_t block = 0; block < t.k; block += kBlockK) {
    const int64_t k = t.k - block < kBlockK ? t.k - block : kBlockK;
    for (int64_t panel = t.first_panel; panel < t.last_panel; ++panel) {
      float* to = t.packed + block * t.padded + panel * k * kLanes;
      const int64_t columns = t.columns - panel * kLanes < kLanes ? t.columns - panel * kLanes : kLanes;
      const float* from = t.weight + panel * kLanes * t.weight_stride + block;
      transpose_panel(from, t.weight_stride, columns, k, to);
    }
  }
}

}  // namespace
}  // namespace polysemy
