// Weights stored in float16, arithmetic of float32: the bits of a float32 product whose weights were rounded.
//
// Where many rows pass by, a block of a panel is widened once and then multiplied as in float32; few rows widen as they
// read.
#pragma once

#include "kernels/pack.inl.h"
#include "kernels/panels_float32.inl.h"

namespace polysemy {
namespace {

struct Float16Panels {
  using Word = uint16_t;
  using Input = float;
  static constexpr Precision kPrecision = Precision::kFloat16;
  static constexpr const char* kInstruction = kWidenFloat16;
  static constexpr bool kPrepares = false;
  static constexpr int64_t kBlock = kBlockK;
  using Mode = SameMode;
  using Wide = Float32Panels;
  using Tiles = WideningTiles;

  static constexpr int64_t input_at(int64_t k) { return k; }
  static constexpr int64_t input_bytes(int64_t k) { return k * static_cast<int64_t>(sizeof(Input)); }

  template <int fetched, int rows, int panels>
  INLINE static void accumulate(Tile<rows, panels>& tile, const Input* a, int64_t a_stride, const Word* b,
                                int64_t panel_stride, int64_t k, int64_t ahead) {
    for (int64_t start = 0; start < k; start += kChain) {
      const int64_t end = k - start < kChain ? k : start + kChain;
      Tile<rows, panels> chain;
      each_sum(chain, [](Vec& sum, auto, auto) INLINE_LAMBDA { sum = zero(); });
      for (int64_t i = start; i < end; ++i) {
        Vec w[panels];
        unroll<panels>([&](auto p) INLINE_LAMBDA {
          w[p] = load_float16_n(b + p * panel_stride + i * kLanes, kLanes);
          if constexpr (p < fetched) prefetch_l2(b + p * panel_stride + i * kLanes + ahead);
        });
        each_sum(chain,
                 [&](Vec& sum, auto r, auto p) INLINE_LAMBDA { sum = fma(set1(a[r * a_stride + i]), w[p], sum); });
      }
      each_sum(tile, [&](Vec& sum, auto r, auto p) INLINE_LAMBDA { sum = sum + chain.sum[r][p]; });
    }
  }

  // A block of a panel as float32.
  INLINE static void widen_block(const Word* b, int64_t k, int64_t ahead, float* to) {
    for (int64_t i = 0; i < k; ++i) {
      store(to + i * kLanes, load_float16_n(b + i * kLanes, kLanes));
      prefetch_l2(b + i * kLanes + ahead);
    }
  }

  static void pack(const PackTask& t) noexcept {
    each_panel_block<kPrecision>(t, [&](const float* rows, int64_t count, int64_t length, void* to) INLINE_LAMBDA {
      auto* const words = static_cast<Word*>(to);
      for (int64_t r = 0; r < kLanes; ++r) {
        for (int64_t i = 0; i < length; i += kLanes) {
          Word word[kLanes] = {};
          if (r < count) store_float16(word, load_n(rows + r * kBlockK + i, length - i));
          for (int64_t j = 0; j < kLanes && i + j < length; ++j) words[(i + j) * kLanes + r] = word[j];
        }
      }
    });
  }
};

}  // namespace
}  // namespace polysemy
