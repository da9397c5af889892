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

// The part of an epilogue that is not cheap to keep in registers; the tile just written is in L1.
[[gnu::noinline]] void finish_tile(const GemmTask& t, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  for (int64_t r = row; r < row + rows; ++r) {
    float* c = t.c + r * t.c_stride;
    activate_row(t.activation, c + column, c + column, columns);
    if (!t.residual) continue;
    const float* residual = t.residual + r * t.residual_stride;
    for (int64_t j = column; j < column + columns; j += kLanes) {
      const int64_t n = column + columns - j;
      store_n(c + j, load_n(c + j, n) + load_n(residual + j, n), n);
    }
  }
}

template <int rows, int panels>
INLINE void gemm_tile(const GemmTask& t, int64_t row, int64_t panel) {
  const int64_t panel_stride = t.k * kLanes;
  Tile<rows, panels> tile =
      multiply<rows, panels>(t.a + row * t.a_stride, t.a_stride, t.panels + panel * panel_stride, panel_stride, t.k);
  const bool activated = t.last_block && t.activation != Activation::kNone;
  const bool plain_residual = t.last_block && t.residual && !activated;
  unroll<panels>([&](auto p) INLINE_LAMBDA {
    const int64_t column = (panel + p) * kLanes;
    const int64_t n = t.columns - column;
    const Vec bias = t.last_block && t.bias ? load_n(t.bias + column, n) : zero();
    unroll<rows>([&](auto r) INLINE_LAMBDA {
      float* c = t.c + (row + r) * t.c_stride + column;
      Vec v = tile.sum[r][p];
      if (!t.first_block) v = load_n(c, n) + v;
      if (t.last_block && t.bias) v = v + bias;
      if (plain_residual) v = v + load_n(t.residual + (row + r) * t.residual_stride + column, n);
      store_n(c, v, n);
    });
  });
  if (activated) {
    const int64_t column = panel * kLanes;
    const int64_t rest = t.columns - column;
    finish_tile(t, row, rows, column, rest < panels * kLanes ? rest : panels * kLanes);
  }
}

template <int panels>
INLINE void gemm_panels(const GemmTask& t, int64_t panel) {
  each_row_tile(t.rows, [&](int64_t row, int64_t height) INLINE_LAMBDA {
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
