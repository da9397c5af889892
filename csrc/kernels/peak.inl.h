// The ceiling that benchmarks are measured against: fused multiply-adds on registers alone.
#pragma once

#include "kernels/tile.inl.h"

namespace polysemy {
namespace {

double fma_peak(int64_t rounds) noexcept {
  Tile<kTileRows, kTilePanels> t;
  unroll<kTileRows>([&](auto r) INLINE_LAMBDA {
    unroll<kTilePanels>([&](auto p) INLINE_LAMBDA { t.sum[r][p] = set1(1.0f + r + p); });
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
