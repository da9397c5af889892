// Rows become lanes: the layout that a product reads its right-hand side in.
#pragma once

#include "isa/inline.h"
#include "kernels/tasks.h"

namespace polysemy {
namespace {

// to[i * 16 + r] = from[r * stride + i] for r < rows <= 16, i < k; lanes from rows on become zero.
INLINE void transpose_panel(const float* from, int64_t stride, int64_t rows, int64_t k, float* to) {
  int64_t first = 0;  // rows done in blocks of eight
  for (; first + 8 <= rows; first += 8) {
    const float* source = from + first * stride;
    int64_t i = 0;
    for (; i + 8 <= k; i += 8) transpose8(source + i, stride, to + i * kLanes + first);
    for (; i < k; ++i)
      for (int64_t r = 0; r < 8; ++r) to[i * kLanes + first + r] = source[r * stride + i];
  }
  if (first == kLanes) return;
  for (int64_t i = 0; i < k; ++i)
    for (int64_t r = first; r < kLanes; ++r) to[i * kLanes + r] = r < rows ? from[r * stride + i] : 0.0f;
}

}  // namespace
}  // namespace polysemy
