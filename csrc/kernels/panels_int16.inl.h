// Products in int16: of each block of kBlockK inputs, weights and activations are integers -3344 to 3344 with a scale
// per output and per row. Sums of pairs are exact in 32 bits; then
//   c += (float(sum) * weight scale) * row scale.
//
// A row with a number that is not finite in a block has a scale of NaN there.
#pragma once

#include "kernels/panels_integers.inl.h"

namespace polysemy {
namespace {

// The largest for which every sum fits.
constexpr int kInt16Most = 3344;
static_assert(int64_t{kBlockK} * kInt16Most * kInt16Most <= INT32_MAX);
static_assert(int64_t{kBlockK} * (kInt16Most + 1) * (kInt16Most + 1) > INT32_MAX);

// Behind the words of a block.
struct Int16Scales {
  static constexpr int64_t kHeader = sizeof(float), kPadded = 2;
  Vec scale;

  INLINE static Int16Scales load(const float* extra) { return {::polysemy::load(extra)}; }
  template <class Step>
  INLINE Vec value(typename Step::Sum sum, const float* row) const {
    return Step::value(sum) * scale * set1(row[0]);
  }
};

// A block of a prepared row.
struct alignas(4) Int16Block {
  float scale;
  int16_t element[kBlockK];
};

// Up to kBlockK numbers as integers, zeros behind them up to whole vectors.
template <class Store>
INLINE float to_int16(const float* from, int64_t n, Store store_integers) {
  alignas(64) float row[kBlockK];
  const int64_t count = round_up(n, kLanes);
  for (int64_t i = 0; i < count; i += kLanes) store(row + i, load_n(from + i, n - i));
  const Symmetric to = Symmetric::of<kInt16Most>(row, count);
  const Vec inverse = set1(to.inverse), most = set1(kInt16Most), least = set1(-kInt16Most);
  for (int64_t i = 0; i < count; i += kLanes) {
    // In this order NaN becomes a number: of rows with a scale of NaN, sums fit, too.
    store_integers(i, to_nearest(max(min(load(row + i) * inverse, most), least)));
  }
  return to.scale;
}

template <class Pairs>
struct Int16Panels {
  using Word = int16_t;
  using Input = char;  // of prepared blocks
  static constexpr Precision kPrecision = Precision::kInt16;
  static constexpr const char* kInstruction = Pairs::kInstruction;
  static constexpr bool kPrepares = true;
  static constexpr int64_t kBlock = kBlockK;
  using Mode = SameMode;
  using Wide = void;
  using Tiles = FullTiles;

  static constexpr int64_t input_at(int64_t k) { return k / kBlockK * static_cast<int64_t>(sizeof(Int16Block)); }
  static constexpr int64_t input_bytes(int64_t k) { return input_at(round_up(k, kBlockK)); }

  template <int fetched, int rows, int panels>
  INLINE static void accumulate(Tile<rows, panels>& tile, const Input* a, int64_t a_stride, const Word* b,
                                int64_t panel_stride, int64_t k, int64_t ahead) {
    accumulate_group<Int16Scales, Pairs, fetched>(tile, a, a_stride, b, panel_stride, k, ahead);
  }

  static void prepare(const PrepareTask& t) noexcept {
    for (int64_t r = 0; r < t.rows; ++r) {
      const float* const x = t.x + r * t.x_stride;
      auto* block = reinterpret_cast<Int16Block*>(t.out + r * t.out_stride);
      for (int64_t k = 0; k < t.k; k += kBlockK, ++block) {
        block->scale = to_int16(x + k, t.k - k < kBlockK ? t.k - k : kBlockK,
                                [&](int64_t i, IVec integers)
                                    INLINE_LAMBDA { Pairs::store_elements(block->element + i, integers); });
      }
    }
  }

  static void pack(const PackTask& t) noexcept {
    each_panel_block<kPrecision>(t, [&](const float* rows, int64_t count, int64_t length, void* to) INLINE_LAMBDA {
      auto* const words = static_cast<Word*>(to);
      const int64_t end = round_up(length, 2);
      float* const scale = reinterpret_cast<float*>(words + end * kLanes);
      for (int64_t r = 0; r < kLanes; ++r) {
        Word row[kBlockK] = {};
        scale[r] = 0.0f;
        if (r < count) {
          scale[r] = to_int16(rows + r * kBlockK, length, [&](int64_t i, IVec integers) INLINE_LAMBDA {
            Pairs::store_elements(row + i, integers);
          });
        }
        for (int64_t i = 0; i < end; ++i) words[(i / 2 * kLanes + r) * 2 + i % 2] = row[i];
      }
    });
  }
};

}  // namespace
}  // namespace polysemy
