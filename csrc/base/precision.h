// The precisions of matrix products: how a weight is stored once it is packed, and what it is multiplied with.
#pragma once

#include <cstdint>

namespace polysemy {

enum class Precision : int {
#define POLYSEMY_PRECISION(enumerator, name) enumerator,
#include "base/precisions.inc"
#undef POLYSEMY_PRECISION
};

// The name of each value stands at its number.
inline constexpr const char* kPrecisionNames[] = {
#define POLYSEMY_PRECISION(enumerator, name) #name,
#include "base/precisions.inc"
#undef POLYSEMY_PRECISION
};
inline constexpr int kPrecisions = sizeof(kPrecisionNames) / sizeof(kPrecisionNames[0]);

}  // namespace polysemy
