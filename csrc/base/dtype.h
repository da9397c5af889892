// Number formats of tensors in memory and in files.
#pragma once

#include <cstdint>

namespace polysemy {

enum class DType : int { kFloat32, kFloat16, kBFloat16 };

inline constexpr int64_t size_of(DType dtype) { return dtype == DType::kFloat32 ? 4 : 2; }

inline constexpr const char* kDTypeNames[] = {"float32", "float16", "bfloat16"};

}  // namespace polysemy
