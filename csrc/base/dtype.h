// Number formats of tensors in memory and in files.
#pragma once

#include <cstdint>

namespace polysemy {

enum class DType : int {
#define POLYSEMY_DTYPE(enumerator, bytes) enumerator,
#include "base/dtypes.inc"
#undef POLYSEMY_DTYPE
};

inline constexpr int64_t kDTypeBytes[] = {
#define POLYSEMY_DTYPE(enumerator, bytes) bytes,
#include "base/dtypes.inc"
#undef POLYSEMY_DTYPE
};

constexpr int64_t size_of(DType dtype) { return kDTypeBytes[static_cast<int>(dtype)]; }

}  // namespace polysemy
