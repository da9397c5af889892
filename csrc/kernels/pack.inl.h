// What all ways of packing share but float32's own.
#pragma once

#include "kernels/layout.h"
#include "kernels/widen.inl.h"

namespace polysemy {
namespace {

// Calls f(rows, count, length, to) for each block of k of each panel: `count` rows of `length` floats, kBlockK apart,
// and where their block lies. One block at a time is widened, so that it stays in L1.
template <Precision precision, class F>
INLINE void each_panel_block(const PackTask& t, F f) {
  float rows[kLanes * kBlockK];
  for (int64_t row = 0; row < t.rows; row += kLanes) {
    const int64_t count = t.rows - row < kLanes ? t.rows - row : kLanes;
    char* const panel = static_cast<char*>(t.packed) + row / kLanes * t.panel_stride;
    for (int64_t k = 0; k < t.k; k += kBlockK) {
      const int64_t length = t.k - k < kBlockK ? t.k - k : kBlockK;
      for (int64_t r = 0; r < count; ++r) {
        widen_row(t.weight, t.dtype, (row + r) * t.weight_stride + k, length, rows + r * kBlockK);
      }
      f(rows, count, length, panel + panel_offset(precision, k));
    }
  }
}

}  // namespace
}  // namespace polysemy
