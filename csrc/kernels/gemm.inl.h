// C[m, n] = activation(A[m, k] W[n, k]^T + bias) + residual, W packed once, in the precision that Panels stands for.
//
// Loops (in the usual names): the caller blocks rows (mc); here a group of panels (jr) is taken through all k-blocks
// (pc), and each of its blocks stays in L1 while tiles of rows (ir) pass by. A panel's blocks lie one after the other,
// so weights are read as one stream, and the few columns of C that a group adds to stay in L1, too. A is read in place:
// its rows are contiguous in k, and one cache line of a row serves 16 steps, so packing it would cost more than it
// gives.
#pragma once

#include <type_traits>  // is_void, a type only

#include "kernels/elements.inl.h"
#include "kernels/layout.h"
#include "kernels/tile.inl.h"

namespace polysemy {
namespace {

// A tile of sums at some place of C.
struct OutputTile {
  int64_t row, rows, column, columns;
};

// Bias, activation, residual. The sums were just written, so they come from L1; kept apart from the tiles because each
// of them would otherwise carry a copy of all activations.
APART void epilogue(const GemmTask& t, OutputTile at) {
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

// activation(gate + bias) * (up + bias) of pairs of panels, from their sums; panel is the first one's gate.
APART void gated_epilogue(const GemmTask& t, int64_t row, int64_t rows, int64_t panel, int64_t panels) {
  with_activation(t.activation, [&](auto activation) INLINE_LAMBDA {
    for (int64_t r = row; r < row + rows; ++r) {
      for (int64_t p = 0; p < panels; p += 2) {
        const float* sums = t.sums + r * t.sums_stride + p * kLanes;
        Vec gate = load(sums), up = load(sums + kLanes);
        if (t.bias) {
          const float* bias = t.bias + (panel + p) * kLanes;
          gate = gate + load(bias);
          up = up + load(bias + kLanes);
        }
        const int64_t column = (panel + p) / 2 * kLanes;
        store_n(t.c + r * t.c_stride + column, activation(gate) * up, t.columns - column);
      }
    }
  });
}

// The part of a task that one register tile computes: one k-block.
struct Block {
  int64_t start, length;
  int64_t ahead;  // from here to the weights that come next
  bool first, last;
};

// Where the sums of a tile are kept until they are complete: in C, or with a gate in scratch. One panel at a time is
// first the gate's, then the other one.
template <bool gated, int panels>
INLINE float* sums_of(const GemmTask& t, int64_t row, int64_t panel) {
  if constexpr (!gated) return t.c + row * t.c_stride + panel * kLanes;
  return t.sums + row * t.sums_stride + (panels == 1 ? panel % 2 * kLanes : 0);
}

// Read from the task wherever it is needed: as a local value it made GCC keep the addresses of all rows through the
// sum, in registers that the tile needs, and a product took 2 % longer.
template <bool gated>
INLINE int64_t sums_stride(const GemmTask& t) {
  return gated ? t.sums_stride : t.c_stride;
}

// From the start of a panel to the block at k, in the words that a precision reads.
template <class Panels>
constexpr int64_t panel_at(int64_t k) {
  return panel_offset(Panels::kPrecision, k) / static_cast<int64_t>(sizeof(typename Panels::Word));
}

// What few products have, those whose last panel is in part beyond C, is kept apart, too: the sums of a tile lie in
// `from`, row by row.
APART void add_part(const float* from, int64_t rows, int64_t width, float* to, int64_t to_stride, int64_t columns,
                    bool first) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < columns; j += kLanes) {
      const Vec sum = load(from + r * width + j);
      float* const at = to + r * to_stride + j;
      store_n(at, first ? sum : load_n(at, columns - j) + sum, columns - j);
    }
  }
}

template <class Panels, bool gated, int rows, int panels, int fetched>
INLINE void gemm_tile(const GemmTask& t, int64_t row, int64_t panel, Block block) {
  float* const c = sums_of<gated, panels>(t, row, panel);
  const int64_t rest = t.columns - panel * kLanes;
  const int64_t columns = gated || rest > panels * kLanes ? panels * kLanes : rest;
  Tile<rows, panels> tile;
  each_sum(tile, [](Vec& sum, auto, auto) INLINE_LAMBDA { sum = zero(); });
  if (block.first) {  // write-allocate: prefetch C while the tile accumulates
    for (int r = 0; r < rows; ++r) {
      for (int p = 0; p < panels; ++p) prefetch_to_write(c + r * sums_stride<gated>(t) + p * kLanes);
    }
  }
  using Word = typename Panels::Word;
  using Input = typename Panels::Input;
  constexpr int64_t inputs = sizeof(float) / sizeof(Input), word = sizeof(Word);
  Panels::template accumulate<fetched>(
      tile, static_cast<const Input*>(t.a) + row * t.a_stride * inputs + Panels::input_at(block.start),
      t.a_stride * inputs,
      static_cast<const Word*>(t.panels) + panel * (t.panel_stride / word) + panel_at<Panels>(block.start),
      t.panel_stride / word, block.length, block.ahead);
  if (columns == panels * kLanes) {
    each_sum(tile, [&](Vec& sum, auto r, auto p) INLINE_LAMBDA {
      float* to = c + r * sums_stride<gated>(t) + p * kLanes;
      store(to, block.first ? sum : load(to) + sum);
    });
  } else {
    float sums[rows * panels * kLanes];
    each_sum(tile, [&](Vec& sum, auto r, auto p) INLINE_LAMBDA { store(sums + (r * panels + p) * kLanes, sum); });
    add_part(sums, rows, panels * kLanes, c, sums_stride<gated>(t), columns, block.first);
  }
  if (!block.last) return;
  if constexpr (!gated) {
    epilogue(t, {row, rows, panel * kLanes, columns});
  } else if constexpr (panels > 1) {
    gated_epilogue(t, row, rows, panel, panels);
  } else if (panel % 2) {
    gated_epilogue(t, row, rows, panel - 1, 2);
  }
}

// Calls f(block) for the k-blocks of a group of panels, in order. An empty k is one empty block: zeros and epilogue.
template <class Panels, class F>
INLINE void each_block(const GemmTask& t, int64_t panels, F f) {
  const bool plain = !t.bias && !t.residual && !t.gated && t.activation == Activation::kNone;
  int64_t k = 0;
  do {
    const int64_t end = k + Panels::kBlock < t.k ? k + Panels::kBlock : t.k;
    const bool more = end < t.k;
    const int64_t next =
        more ? panel_at<Panels>(end) : panels * t.panel_stride / static_cast<int64_t>(sizeof(typename Panels::Word));
    const int64_t ahead = next - panel_at<Panels>(k);
    f(Block{k, end - k, ahead, t.first && k == 0, t.last && !more && !plain});
    k = end;
  } while (k < t.k);
}

// Whether tiles of few rows widen weights as they read them, for lack of an instruction.
template <class Panels>
constexpr bool widens = !std::is_void_v<typename Panels::Wide>;
template <class Panels>
constexpr int tile_rows = Panels::Tiles::kRows;
// Rows from which on a block of weights is widened once for all tiles.
constexpr int kWidenedFrom = 2 * kWideningRows + 1;

// Many rows with weights that are widened once per block, not by every tile. The block's part of the product is a task
// of its own, whose panels lie on the stack; they keep their place in a pair.
template <class Panels, bool gated, int panels>
INLINE void gemm_widened(const GemmTask& t, int64_t panel) {
  using Word = typename Panels::Word;
  using Wide = typename Panels::Wide;
  alignas(64) std::byte wide[(panels + gated) * Wide::kBlockBytes];
  const int64_t place = gated ? panel % 2 : 0, base = panel - place;
  const int64_t stride = t.panel_stride / static_cast<int64_t>(sizeof(Word));
  GemmTask part = t;
  part.panels = wide;
  part.panel_stride = Wide::kBlockBytes;
  const int64_t column = (gated ? base / 2 : base) * kLanes;
  part.c = t.c + column;
  part.columns = t.columns - column;
  if (t.bias) part.bias = t.bias + base * kLanes;
  if (t.residual) part.residual = t.residual + column;
  each_block<Panels>(t, panels, [&](Block block) INLINE_LAMBDA {
    for (int64_t p = 0; p < panels; ++p) {
      const Word* const from =
          static_cast<const Word*>(t.panels) + (panel + p) * stride + panel_at<Panels>(block.start);
      std::byte* const to = wide + (place + p) * Wide::kBlockBytes;
      Panels::widen_block(from, block.length, block.ahead, reinterpret_cast<typename Wide::Word*>(to));
    }
    part.a = static_cast<const typename Panels::Input*>(t.a) + Panels::input_at(block.start);
    each_row_tile(t.rows, tile_rows<Wide>, [&](int64_t row, int64_t height) INLINE_LAMBDA {
      with_constant<tile_rows<Wide>, least_height(kWidenedFrom, tile_rows<Wide>)>(height, [&](auto rows) INLINE_LAMBDA {
        const Block whole{0, block.length, 0, block.first, block.last};
        gemm_tile<Wide, gated, rows, panels, 0>(part, row, place, whole);
      });
    });
  });
}

// A model larger than the caches streams its weights from memory, and the hardware prefetcher stops at every 4 KB page,
// a third of a block. So tiles prefetch the next block, one panel each: all at once would be more than memory delivers
// during one tile.
template <class Panels, bool gated, int tallest, int lowest, int panels>
INLINE void gemm_panels(const GemmTask& t, int64_t panel) {
  if constexpr (widens<Panels>) {
    if (t.rows >= kWidenedFrom) return gemm_widened<Panels, gated, panels>(t, panel);
  }
  each_block<Panels>(t, panels, [&](Block block) INLINE_LAMBDA {
    const int64_t ahead = block.ahead;
    int64_t tile = 0;
    each_row_tile(t.rows, tallest, [&](int64_t row, int64_t height) INLINE_LAMBDA {
      block.ahead =
          tile < panels ? ahead + tile * t.panel_stride / static_cast<int64_t>(sizeof(typename Panels::Word)) : 0;
      ++tile;
      with_constant<tallest, lowest>(
          height, [&](auto rows) INLINE_LAMBDA { gemm_tile<Panels, gated, rows, panels, 1>(t, row, panel, block); });
    });
  });
}

// One or two rows are bound by reading the weights; a second request for each line would only cost cache bandwidth.
constexpr int kFetchRows = 3;

// So few rows that one tile holds them all: it may take more panels at once, to have enough sums in flight. A function
// of its own for each, as for products of many rows: in large ones GCC no longer holds tiles in registers.
template <class Panels, bool gated, int rows, int panels>
APART void gemm_few_rows(const GemmTask& t, int64_t count) {
  constexpr bool fetch = rows >= kFetchRows;
  int64_t panel = 0;
  for (; panel + panels <= count; panel += panels) {
    each_block<Panels>(t, panels, [&](Block block) INLINE_LAMBDA {
      gemm_tile<Panels, gated, rows, panels, fetch ? panels : 0>(t, 0, panel, block);
    });
  }
  for (; panel < count; ++panel) {
    each_block<Panels>(
        t, 1, [&](Block block) INLINE_LAMBDA { gemm_tile<Panels, gated, rows, 1, fetch>(t, 0, panel, block); });
  }
}

// Gates need whole pairs of panels in a tile, or one panel after the other.
constexpr int even(int panels) { return panels == 1 ? 1 : panels / 2 * 2; }
static_assert(kTilePanels <= 2 && panels_beside(1) <= kGatedPanels);

// Whether a product takes more panels at once than a tile of many rows.
template <class Panels, bool gated>
constexpr int panels_at_once(int rows) {
  const int panels = Panels::Tiles::panels(rows);
  return gated ? even(panels) : panels;
}
template <class Panels, bool gated>
constexpr bool few(int rows) {
  return rows <= tile_rows<Panels> && (!gated || panels_at_once<Panels, gated>(rows) > kTilePanels);
}

// Whether there is another shape for many rows.
template <class Many, bool gated>
constexpr bool has_many_rows() {
  if constexpr (std::is_void_v<Many>) {
    return false;
  } else {
    return Many::panels(gated) != kTilePanels;
  }
}

// The least number of rows that is not few.
template <class Panels, bool gated>
constexpr int least_many() {
  int rows = 1;
  while (few<Panels, gated>(rows)) ++rows;
  return rows;
}

// All panels, `wide` of them at once, for products of at least `from` rows.
template <class Panels, bool gated, int from, int tallest, int wide>
APART void gemm_many_rows(const GemmTask& t, int64_t count) {
  constexpr int lowest = least_height(from, tallest);
  int64_t panel = 0;
  for (; panel + wide <= count; panel += wide) gemm_panels<Panels, gated, tallest, lowest, wide>(t, panel);
  if constexpr (wide > 1) {
    for (; panel < count; ++panel) gemm_panels<Panels, gated, tallest, lowest, 1>(t, panel);
  }
}

template <class Panels, bool gated>
INLINE void gemm_loops(const GemmTask& t) {
  const int64_t columns = (t.columns + kLanes - 1) / kLanes, count = gated ? 2 * columns : columns;
  if (t.rows <= tile_rows<Panels> && few<Panels, gated>(static_cast<int>(t.rows))) {
    return with_constant<tile_rows<Panels>>(t.rows, [&](auto rows) INLINE_LAMBDA {
      if constexpr (few<Panels, gated>(rows)) {
        gemm_few_rows<Panels, gated, rows, panels_at_once<Panels, gated>(rows)>(t, count);
      }
    });
  }
  if constexpr (has_many_rows<typename Panels::Tiles::Many, gated>()) {
    using Many = typename Panels::Tiles::Many;
    if (t.rows >= Many::kFrom) {
      return gemm_many_rows<Panels, gated, Many::kFrom, Many::rows(gated), Many::panels(gated)>(t, count);
    }
  }
  gemm_many_rows<Panels, gated, least_many<Panels, gated>(), tile_rows<Panels>, kTilePanels>(t, count);
}

template <class Panels>
void gemm(const GemmTask& t) noexcept {
  if (t.rows <= 0) return;
  [[maybe_unused]] const typename Panels::Mode mode;
  return t.gated ? gemm_loops<Panels, true>(t) : gemm_loops<Panels, false>(t);
}

}  // namespace
}  // namespace polysemy
