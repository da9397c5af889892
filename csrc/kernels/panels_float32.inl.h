// Products in float32: a panel is [k][16] floats, activations are read where they lie.
#pragma once

#include "kernels/layout.h"
#include "kernels/tile.inl.h"
#include "kernels/transpose.inl.h"
#include "kernels/widen.inl.h"

namespace polysemy {
namespace {

struct Float32Tiles : FullTiles {
  using Many = ManyRows;
};

struct Float32Panels {
  using Word = float;   // of packed weights
  using Input = float;  // of activations
  static constexpr Precision kPrecision = Precision::kFloat32;
  static constexpr const char* kInstruction = kMultiplyAdd;
  static constexpr bool kPrepares = false;
  static constexpr int64_t kBlock = kBlockK;  // inputs whose sums are added to C at once
  using Mode = SameMode;                      // of floating point
  using Wide = void;                          // what a block is widened to where many rows pass by
  using Tiles = Float32Tiles;
  static constexpr int64_t kBlockBytes = panel_bytes(kPrecision, kBlock);

  static constexpr int64_t input_at(int64_t k) { return k; }  // from a row's start to its block at k
  static constexpr int64_t input_bytes(int64_t k) { return k * static_cast<int64_t>(sizeof(Input)); }  // of a row

  // tile += A B over one block of k. a, b: at the block's first k.
  template <int fetched, int rows, int panels>
  INLINE static void accumulate(Tile<rows, panels>& tile, const float* a, int64_t a_stride, const Word* b,
                                int64_t panel_stride, int64_t k, int64_t ahead) {
    multiply_add<kChain, fetched>(tile, a, a_stride, b, panel_stride, k, ahead);
  }

  static void pack(const PackTask& t) noexcept {
    for (int64_t row = 0; row < t.rows; row += kLanes) {
      const int64_t rows = t.rows - row < kLanes ? t.rows - row : kLanes;
      auto* const panel = reinterpret_cast<Word*>(static_cast<char*>(t.packed) + row / kLanes * t.panel_stride);
      if (t.dtype == DType::kFloat32) {
        const float* from = static_cast<const float*>(t.weight) + row * t.weight_stride;
        transpose_panel(from, t.weight_stride, rows, t.k, panel);
      } else {
        pack_widened(t, row, rows, panel);
      }
    }
  }

 private:
  // A block of k at a time, so that the widened rows stay in L1.
  static void pack_widened(const PackTask& t, int64_t row, int64_t rows, Word* panel) {
    float wide[kLanes * kBlockK];
    for (int64_t k = 0; k < t.k; k += kBlockK) {
      const int64_t count = t.k - k < kBlockK ? t.k - k : kBlockK;
      for (int64_t r = 0; r < rows; ++r) {
        widen_row(t.weight, t.dtype, (row + r) * t.weight_stride + k, count, wide + r * kBlockK);
      }
      transpose_panel(wide, kBlockK, rows, count, panel + k * kLanes);
    }
  }
};

}  // namespace
}  // namespace polysemy
