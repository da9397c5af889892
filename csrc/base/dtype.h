// Number formats of tensors in memory and in files.
#pragma once

#include <cstdint>

namespace polysemy {

enum class DType : int {
#define POLYSEMY_DTYPE(enumerator, name, bytes) enumerator,
#include "base/dtypes.inc"
#undef POLYSEMY_DTYPE
};

struct DTypeInfo {
  const char* name;
  int64_t bytes;
};

inline constexpr DTypeInfo kDTypeInfo[] = {
#define POLYSEMY_DTYPE(enumerator, name, bytes) {#name, bytes},
#include "base/dtypes.inc"
#undef POLYSEMY_DTYPE
};
inline constexpr int kDTypes = sizeof(kDTypeInfo) / sizeof(kDTypeInfo[0]);

constexpr int64_t size_of(DType dtype) { return kDTypeInfo[static_cast<int>(dtype)].bytes; }
constexpr const char* name_of(DType dtype) { return kDTypeInfo[static_cast<int>(dtype)].name; }

}  // namespace polysemy
