// A matrix or vector in somebody else's memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"

namespace polysemy {

// Row-major, without gaps. A vector has one row.
struct Tensor {
  const void* data = nullptr;
  DType dtype = DType::kFloat32;
  int64_t rows = 0, columns = 0;

  int64_t bytes() const { return rows * columns * size_of(dtype); }
  const void* row(int64_t i) const { return static_cast<const std::byte*>(data) + i * columns * size_of(dtype); }
};

}  // namespace polysemy
