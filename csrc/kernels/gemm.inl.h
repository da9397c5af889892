// C[m, n] = activation(A[m, k] W[n, k]^T + bias) + residual, W packed once.
//
// Loops (in the usual names): the caller blocks rows (mc); here a group of panels (jr) is taken through all k-blocks
// (pc), and each of its blocks stays in L1 while tiles of rows (ir) pass by. A panel's blocks lie one after the other,
// so weights are read as one stream, and the few columns of C that a group adds to stay in L1, too. A is read in place:
// its rows are contiguous in k, and one cache line of a row serves 16 steps, so packing it would cost more than it
// gives.
#pragma once

#include "kernels/elements.inl.h"
#include "kernels/tile.inl.h"

namespace polysemy {
namespace {

// A tile of sums at some place of C.
struct OutputTile {
  int64_t row, rows, column, columns;
};

// Bias, activation, residual. The sums were just written, so they come from L1; kept apart from the tiles because each
// of them would otherwise carry a copy of all activations.
[[gnu::noinline]] void epilogue(const GemmTask& t, OutputTile at) {
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

// The part of a task that one register tile computes: one k-block.
struct Block {
  int64_t first, length;
  int64_t ahead;  // from here to the weights that come next
  bool last;
};

template <int rows, int panels, int fetched>
INLINE void gemm_tile(const GemmTask& t, int64_t row, int64_t panel, Block block) {
  const int64_t column = panel * kLanes, rest = t.columns - column;
  const OutputTile at{row, rows, column, rest < panels * kLanes ? rest : panels * kLanes};
  float* const c = t.c + row * t.c_stride + column;
  Tile<rows, panels> tile;
  each_sum(tile, [](Vec& sum, auto, auto) INLINE_LAMBDA { sum = zero(); });
  if (block.first == 0) {  // a large C comes from memory even to be overwritten: on its way while the sums are made
    each_sum(tile, [&](Vec&, auto r, auto p) INLINE_LAMBDA { prefetch_to_write(c + r * t.c_stride + p * kLanes); });
  }
  multiply_add<kChain, fetched>(tile, t.a + row * t.a_stride + (block.first - t.first_k), t.a_stride,
                                t.panels + panel * t.panel_stride + block.first * kLanes, t.panel_stride, block.length,
                                block.ahead);
  const bool first = block.first == 0;
  if (at.columns == panels * kLanes) {
    each_sum(tile, [&](Vec& sum, auto r, auto p) INLINE_LAMBDA {
      float* to = c + r * t.c_stride + p * kLanes;
      store(to, first ? sum : load(to) + sum);
    });
  } else {
    each_sum(tile, [&](Vec& sum, auto r, auto p) INLINE_LAMBDA {
      float* to = c + r * t.c_stride + p * kLanes;
      const int64_t n = at.columns - p * kLanes;
      store_n(to, first ? sum : load_n(to, n) + sum, n);
    });
  }
  if (block.last) epilogue(t, at);
}

// Calls f(block) for the k-blocks of a group of panels, in order. An empty k is one empty block: zeros and epilogue.
template <class F>
INLINE void each_block(const GemmTask& t, int64_t panels, F f) {
  const bool plain = !t.bias && !t.residual && t.activation == Activation::kNone;
  int64_t k = t.first_k;
  do {
    const int64_t end = k + kBlockK < t.last_k ? k + kBlockK : t.last_k;
    const bool more = end < t.last_k;
    const int64_t ahead = more ? (end - k) * kLanes : panels * t.panel_stride - (k - t.first_k) * kLanes;
    f(Block{k, end - k, ahead, t.last && !more && !plain});
    k = end;
  } while (k < t.last_k);
}

// Weights come from far away when a model is larger than the caches, and the processor's own prefetcher stops at each
// page of 4 KB, a third of a block. So tiles fetch the block that comes next: each of the first ones one panel of it,
// because all at once are more than memory delivers during one tile.
template <int panels>
INLINE void gemm_panels(const GemmTask& t, int64_t panel) {
  each_block(t, panels, [&](Block block) INLINE_LAMBDA {
    const int64_t ahead = block.ahead;
    int64_t tile = 0;
    each_row_tile(t.rows, kTileRows, [&](int64_t row, int64_t height) INLINE_LAMBDA {
      block.ahead = tile < panels ? ahead + tile * t.panel_stride : 0;
      ++tile;
      with_constant<kTileRows>(height,
                               [&](auto rows) INLINE_LAMBDA { gemm_tile<rows, panels, 1>(t, row, panel, block); });
    });
  });
}

// One or two rows do little but read the weights: asking for each line twice would only take the cache's time.
constexpr int kFetchRows = 3;

// So few rows that one tile holds them all: it may take more panels at once, to have enough sums in flight.
template <int rows>
INLINE void gemm_few_rows(const GemmTask& t) {
  constexpr int panels = panels_beside(rows);
  constexpr bool fetch = rows >= kFetchRows;
  int64_t panel = t.first_panel;
  for (; panel + panels <= t.last_panel; panel += panels) {
    each_block(t, panels,
               [&](Block block) INLINE_LAMBDA { gemm_tile<rows, panels, fetch ? panels : 0>(t, 0, panel, block); });
  }
  for (; panel < t.last_panel; ++panel) {
    each_block(t, 1, [&](Block block) INLINE_LAMBDA { gemm_tile<rows, 1, fetch>(t, 0, panel, block); });
  }
}

void gemm(const GemmTask& t) noexcept {
  if (t.rows <= 0) return;
  if (t.rows <= kTileRows)
    return with_constant<kTileRows>(t.rows, [&](auto rows) INLINE_LAMBDA { gemm_few_rows<rows>(t); });
  int64_t panel = t.first_panel;
  for (; panel + kTilePanels <= t.last_panel; panel += kTilePanels) gemm_panels<kTilePanels>(t, panel);
  if constexpr (kTilePanels > 1) {
    for (; panel < t.last_panel; ++panel) gemm_panels<1>(t, panel);
  }
}

void pack(const PackTask& t) noexcept {
  for (int64_t panel = t.first_panel; panel < t.last_panel; ++panel) {
    const int64_t rest = t.columns - panel * kLanes;
    transpose_panel(t.weight + panel * kLanes * t.weight_stride, t.weight_stride, rest < kLanes ? rest : kLanes, t.k,
                    t.packed + panel * t.k * kLanes);
  }
}

}  // namespace
}  // namespace polysemy
