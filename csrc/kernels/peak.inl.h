// The ceiling that benchmarks are measured against: fused multiply-adds on registers alone.
#pragma once

#include "kernels/tile.inl.h"

namespace polysemy {
namespace {

double fma_peak(int64_t rounds) noexcept {
  // Every lane starts from a different value that the compiler can't know: equal chains would be computed once only.
  float start[kTileRows * kTilePanels * kLanes];
  for (int i = 0; i < kTileRows * kTilePanels * kLanes; ++i) start[i] = 1.0f + static_cast<float>(i);
  __asm__ volatile("" : : "r"(start) : "memory");
  Tile<kTileRows, kTilePanels> t;
  unroll<kTileRows>([&](auto r) INLINE_LAMBDA {
    unroll<kTilePanels>([&](auto p) INLINE_LAMBDA { t.sum[r][p] = load(start + (r * kTilePanels + p) * kLanes); });
  });
  const Vec a = set1(0.999f), b = set1(0.001f);
  for (int64_t i = 0; i < rounds; ++i) {
    unroll<kTileRows>([&](auto r) INLINE_LAMBDA {
      unroll<kTilePanels>([&](auto p) INLINE_LAMBDA { t.sum[r][p] = fma(t.sum[r][p], a, b); });
    });
  }
  Vec total = zero();
  unroll<kTileRows>(
      [&](auto r) INLINE_LAMBDA { unroll<kTilePanels>([&](auto p) INLINE_LAMBDA { total = total + t.sum[r][p]; }); });
  volatile float used = reduce_add(total);
  (void)used;
  return 2.0 * kLanes * kTileRows * kTilePanels * static_cast<double>(rounds);
}

}  // namespace
}  // namespace polysemy
