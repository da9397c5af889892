// Products by tile registers (isa/amx.h): the same C = activation(A W^T + bias) + residual as gemm.inl.h, with the same
// bits, in tiles of up to 32 rows by two panels. Each is summed over one k-block in registers, written to a scratch,
// and added to C from there while the registers sum up the next one.
#pragma once

#include "kernels/products.inl.h"

namespace polysemy {
namespace {

constexpr int64_t kTileHeight = 16, kTileBytes = 1024;  // of one register; a row of it has 64 bytes
constexpr int64_t kTileRow = kTileBytes / kTileHeight;
constexpr int64_t kScratchStride = 2 * kLanes;  // a row of both panels

// int8 reads packed weights and prepared rows as they are.
template <class Bytes>
struct Int8Tiles : Bytes {
  using Panels = Int8Panels<typename Bytes::Quads>;
  static constexpr int64_t kInputs = kTileRow;  // of a tile
  static constexpr int64_t kHeader = Int8Scales::kHeader;
  static_assert(kInputs == kInt8Rotated);
  // Fewer rows read the weights faster without tiles.
  static constexpr int64_t kFewestRows = 12;

  using Scales = Int8Scales;

  // A block of a panel: where its tiles lie, one after the other. place: which one of the two panels it is.
  INLINE const int8_t* tiles_of(const int8_t* panel, int64_t k, int64_t ahead, int64_t /*place*/) {
    for (int64_t i = 0; i < k * kLanes; i += kTileRow) prefetch_l2(panel + i + ahead);
    return panel;
  }
  INLINE static Scales scales_of(const int8_t* panel, int64_t k) {
    return Scales::load(reinterpret_cast<const float*>(panel + round_up(k, kInputs) * kLanes));
  }
  INLINE static Vec value(const float* sums, const char* row, const Scales& scales) {
    return scales.template value<typename Bytes::Quads>(Bytes::load_sums(sums), reinterpret_cast<const float*>(row));
  }

  static void prepare(const PrepareTask& t) noexcept { Panels::prepare(t); }
};

// bfloat16 brings each block of weights into the order of its chains.
template <class Pairs>
struct BFloat16Tiles : Pairs {
  using Panels = BFloat16Panels<typename Pairs::Native>;
  static constexpr int64_t kInputs = kBFloat16Step;
  static constexpr int64_t kHeader = 0;
  static_assert(kInputs * 2 == kTileRow);
  static constexpr int64_t kFewestRows = 1;  // rows of another order are prepared for them

  struct Scales {};
  alignas(64) float block[2][kBlockK / 2 * kLanes];

  INLINE const float* tiles_of(const float* panel, int64_t k, int64_t ahead, int64_t place) {
    for (int64_t i = 0; i < round_up(k, kInputs) / 2 * kLanes; i += kLanes * kLanes) {
      Pairs::interleave(panel + i, block[place] + i);
      for (int64_t row = 0; row < kLanes; ++row) prefetch_l2(panel + i + row * kLanes + ahead);
    }
    return block[place];
  }
  INLINE static Scales scales_of(const float*, int64_t) { return {}; }
  INLINE static Vec value(const float* sums, const char*, Scales) { return load(sums); }

  static void prepare(const PrepareTask& t) noexcept {
    for (int64_t r = 0; r < t.rows; ++r) {
      const float* const x = t.x + r * t.x_stride;
      auto* const to = reinterpret_cast<uint16_t*>(t.out + r * t.out_stride);
      for (int64_t i = 0; i < t.k; i += kInputs) {
        Pairs::prepare(load_n(x + i, t.k - i), load_n(x + i + kLanes, t.k - i - kLanes), to + i);
      }
    }
  }
};

// What a tile multiplies, and where its sums go.
template <class Tiles>
struct TileTask {
  using Word = typename Tiles::Panels::Word;
  int64_t row, rows;   // of C
  int64_t place[2];    // from the first row of each register to its first row of C: registers may overlap
  const char* inputs;  // the block of the tile's first row
  int64_t input_stride;
  const Word* panel[2];  // as packed
  const Word* tiles[2];
  float* sums;
  int64_t sums_stride, first_panel, panels, columns;
  Block block;
};

// The sums of a tile, `tall` registers of rows by `wide` panels, into a scratch.
template <int tall, int wide, class Tiles>
INLINE void sum_tile(const TileTask<Tiles>& t, float* scratch) {
  unroll<tall>([](auto r) INLINE_LAMBDA {
    unroll<wide>([](auto p) INLINE_LAMBDA { Tiles::template zero<2 * decltype(r)::value + p>(); });
  });
  const char* inputs[tall];
  unroll<tall>([&](auto r) INLINE_LAMBDA {
    inputs[r] = t.inputs + (r * kTileHeight - t.place[r]) * t.input_stride + Tiles::kHeader;
  });
  constexpr int64_t words = kTileBytes / static_cast<int64_t>(sizeof(typename TileTask<Tiles>::Word));
  for (int64_t i = 0; i * Tiles::kInputs < t.block.length; ++i) {
    unroll<tall>([&](auto r) INLINE_LAMBDA { Tiles::template load<4 + r>(inputs[r] + i * kTileRow, t.input_stride); });
    unroll<wide>([&](auto p) INLINE_LAMBDA { Tiles::template load<6 + p>(t.tiles[p] + i * words, kTileRow); });
    unroll<tall>([](auto r) INLINE_LAMBDA {
      unroll<wide>([](auto p) INLINE_LAMBDA {
        constexpr int row = decltype(r)::value;
        Tiles::template add_products<2 * row + p, 4 + row, 6 + p>();
      });
    });
  }
  constexpr int64_t row_bytes = kScratchStride * static_cast<int64_t>(sizeof(float));
  unroll<tall>([&](auto r) INLINE_LAMBDA {
    unroll<wide>([&](auto p) INLINE_LAMBDA {
      constexpr int row = decltype(r)::value;
      Tiles::template store<2 * row + p>(scratch + row * kTileHeight * kScratchStride + p * kLanes, row_bytes);
    });
  });
}

// Adds them to C, or stores them there.
template <int wide, bool first, bool whole, class Tiles>
INLINE void add_sums(const TileTask<Tiles>& t, const float* scratch) {
  typename Tiles::Scales scales[wide];
  unroll<wide>([&](auto p) INLINE_LAMBDA { scales[p] = Tiles::scales_of(t.panel[p], t.block.length); });
  float* to = t.sums;
  const char* input = t.inputs;
  for (int64_t half = 0; half * kTileHeight < t.rows; ++half) {
    const float* from = scratch + (half * kTileHeight + t.place[half]) * kScratchStride;
    const int64_t rest = t.rows - half * kTileHeight, rows = rest < kTileHeight ? rest : kTileHeight;
    for (int64_t r = 0; r < rows; ++r) {
      unroll<wide>([&](auto p) INLINE_LAMBDA {
        const Vec sum = Tiles::value(from + p * kLanes, input, scales[p]);
        if constexpr (whole) {
          store(to + p * kLanes, first ? sum : load(to + p * kLanes) + sum);
        } else {
          const int64_t n = t.columns - p * kLanes;
          store_n(to + p * kLanes, first ? sum : load_n(to + p * kLanes, n) + sum, n);
        }
      });
      from += kScratchStride;
      to += t.sums_stride;
      input += t.input_stride;
    }
  }
}

template <bool gated, class Tiles>
INLINE void finish_tile(const GemmTask& task, const TileTask<Tiles>& t, const float* scratch) {
  if (t.block.length == 0) {  // nothing was packed, nothing was summed: only zeros
    for (int64_t r = 0; r < t.rows; ++r) {
      for (int64_t j = 0; j < t.columns; j += kLanes) store_n(t.sums + r * t.sums_stride + j, zero(), t.columns - j);
    }
  } else {
    with_constant<2>(t.panels, [&](auto wide) INLINE_LAMBDA {
      with_constant<2>(t.block.first ? 2 : 1, [&](auto first) INLINE_LAMBDA {
        with_constant<2>(t.columns == wide * kLanes ? 2 : 1,
                         [&](auto whole) INLINE_LAMBDA { add_sums<wide, first == 2, whole == 2>(t, scratch); });
      });
    });
  }
  if (!t.block.last) return;
  if constexpr (gated) {
    gated_epilogue(task, t.row, t.rows, t.first_panel, t.panels);
  } else {
    epilogue(task, {t.row, t.rows, t.first_panel * kLanes, t.columns});
  }
}

// The sums of one tile wait in a scratch while the registers sum up the next one.
template <class Tiles, bool gated>
APART void gemm_tiles(const GemmTask& t) {
  using Panels = typename Tiles::Panels;
  using Task = TileTask<Tiles>;
  constexpr int64_t word = sizeof(typename Task::Word), input = sizeof(typename Panels::Input), tile = 2 * kTileHeight;
  const int64_t outputs = (t.columns + kLanes - 1) / kLanes, count = gated ? 2 * outputs : outputs;
  const int64_t height = t.rows < kTileHeight ? t.rows : kTileHeight;
  const typename Tiles::Configured configured(static_cast<int>(height));
  Tiles tiles;
  alignas(64) float scratch[2][tile * kScratchStride];
  Task tasks[2];
  int64_t summed = 0;
  for (int64_t panel = 0; panel < count; panel += 2) {
    Task now;
    now.first_panel = panel;
    now.panels = count - panel < 2 ? 1 : 2;
    const int64_t rest = t.columns - panel * kLanes, width = now.panels * kLanes;
    now.columns = gated || rest > width ? width : rest;
    now.sums_stride = sums_stride<gated>(t);
    now.input_stride = t.a_stride * static_cast<int64_t>(sizeof(float));
    each_block<Panels>(t, now.panels, [&](Block block) INLINE_LAMBDA {
      now.block = block;
      for (int64_t p = 0; p < now.panels; ++p) {
        now.panel[p] = static_cast<const typename Task::Word*>(t.panels) + (panel + p) * (t.panel_stride / word) +
                       panel_at<Panels>(block.start);
        now.tiles[p] = tiles.tiles_of(now.panel[p], block.length, block.ahead, p);
      }
      for (int64_t row = 0; row < t.rows; row += tile, ++summed) {
        now.row = row;
        now.rows = t.rows - row < tile ? t.rows - row : tile;
        for (int64_t half = 0; half < 2; ++half) {  // the last register ends with the last row
          const int64_t start = row + half * kTileHeight, last = t.rows - height;
          now.place[half] = start < last ? 0 : start - last;
        }
        now.inputs = static_cast<const char*>(t.a) + row * now.input_stride + Panels::input_at(block.start) * input;
        now.sums = sums_of<gated, 2>(t, row, panel);
        const int64_t place = summed % 2;
        with_constant<2>(now.rows > kTileHeight ? 2 : 1, [&](auto tall) INLINE_LAMBDA {
          with_constant<2>(now.panels, [&](auto wide) INLINE_LAMBDA { sum_tile<tall, wide>(now, scratch[place]); });
        });
        tasks[place] = now;
        if (summed) finish_tile<gated>(t, tasks[1 - place], scratch[1 - place]);
      }
    });
  }
  if (summed) finish_tile<gated>(t, tasks[1 - summed % 2], scratch[1 - summed % 2]);
}

template <class Tiles>
struct TileProducts {
  using Panels = typename Tiles::Panels;

  static void gemm(const GemmTask& t) noexcept {
    if constexpr (Tiles::kFewestRows > 1) {
      if (t.rows < Tiles::kFewestRows) return ::polysemy::gemm<Panels>(t);
    }
    if (t.rows <= 0) return;
    [[maybe_unused]] const typename Panels::Mode mode;
    return t.gated ? gemm_tiles<Tiles, true>(t) : gemm_tiles<Tiles, false>(t);
  }

  static constexpr void add_to(KernelTable& table) {
    table.products[static_cast<int>(Panels::kPrecision)] = {.gemm = gemm,
                                                            .pack = Panels::pack,
                                                            .prepare = Tiles::prepare,
                                                            .input_bytes = input_bytes<Panels>,
                                                            .instruction = Tiles::kInstruction,
                                                            .native = true};
  }
};

}  // namespace
}  // namespace polysemy
