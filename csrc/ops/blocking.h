// Sizes of the blocks that operations and the encoder cut their work into.
#pragma once

#include <cstdint>

namespace polysemy {

// Rows (mc) whose inputs stay in a 512 KB L2 while all panels pass by: 192 x 384 floats are 288 KB. In a feed-forward
// layer: rows whose inputs, one block of activations and outputs fit there.
inline constexpr int64_t kBlockRows = 192;

// Below this many rows per thread it pays to read every weight only once: threads take columns, not rows.
inline constexpr int64_t kRowsPerThread = 48;

}  // namespace polysemy
