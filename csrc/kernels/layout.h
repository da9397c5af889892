// How packed weights lie in memory: panels of 16 outputs, a panel's blocks of kBlockK inputs one after the other. It
// belongs to the precision and is the same on every isa.
//
//   float32   [k][16]
//   float16   [k][16]
//   bfloat16  [k / 2][16][2]
//   int8      of each group of kInt8Group inputs, rotated, [k / 4][16][4], then 16 scales and 16 sums of what was
//             stored, both float32
//   int16     of each block [k / 2][16][2], then 16 scales in float32
//
// Behind the last k stand zeros: in int16 up to a whole pair, in bfloat16 up to whole kBFloat16Step, in int8 up to
// whole kInt8Rotated, which are rotated with it.
#pragma once

#include "base/precision.h"
#include "kernels/tasks.h"

namespace polysemy {

// Inputs whose products are summed in two chains, which are added to the block's sum together.
inline constexpr int64_t kBFloat16Step = 2 * kLanes;
static_assert(kBlockK % kBFloat16Step == 0);

// Inputs that share a scale, and inputs that are rotated together.
inline constexpr int64_t kInt8Group = kBlockK;
inline constexpr int64_t kInt8Rotated = 4 * kLanes;
static_assert(kBlockK % kInt8Group == 0 && kInt8Group % kInt8Rotated == 0);
inline constexpr int64_t kInt8Extra = 2 * kLanes * 4;  // bytes of scales and sums behind a group

// From the start of a panel to its k-th input, in bytes; k is a multiple of kBlockK or the end.
constexpr int64_t panel_offset(Precision precision, int64_t k) {
  switch (precision) {
    case Precision::kFloat32:
      return k * kLanes * 4;
    case Precision::kFloat16:
      return k * kLanes * 2;
    case Precision::kBFloat16:
      return round_up(k, kBFloat16Step) * kLanes * 2;
    case Precision::kInt8: {
      const int64_t rest = k % kInt8Group;
      return k / kInt8Group * (kInt8Group * kLanes + kInt8Extra) +
             (rest ? round_up(rest, kInt8Rotated) * kLanes + kInt8Extra : 0);
    }
    case Precision::kInt16:
      return round_up(k, 2) * kLanes * 2 + (k + kBlockK - 1) / kBlockK * kLanes * 4;
  }
  return 0;
}

// From panel to panel: whole cache lines.
constexpr int64_t panel_bytes(Precision precision, int64_t k) { return round_up(panel_offset(precision, k), 64); }

}  // namespace polysemy
