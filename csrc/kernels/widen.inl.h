// Numbers of 16 bits as float32.
#pragma once

#include "kernels/tasks.h"

namespace polysemy {
namespace {

// Calls use(read) with read(p, i, n) the first n <= 16 values of that format from element i of p on, as a Vec.
template <class Use>
INLINE void with_reader(DType dtype, Use use) {
  switch (dtype) {
    case DType::kFloat32:
      return use([](const void* p, int64_t i, int64_t n)
                     INLINE_LAMBDA { return load_n(static_cast<const float*>(p) + i, n); });
    case DType::kFloat16:
      return use([](const void* p, int64_t i, int64_t n)
                     INLINE_LAMBDA { return load_float16_n(static_cast<const uint16_t*>(p) + i, n); });
    case DType::kBFloat16:
      return use([](const void* p, int64_t i, int64_t n)
                     INLINE_LAMBDA { return load_bfloat16_n(static_cast<const uint16_t*>(p) + i, n); });
  }
}

void widen_row(const void* from, DType dtype, int64_t first, int64_t count, float* to) {
  with_reader(dtype, [&](auto read) INLINE_LAMBDA {
    for (int64_t i = 0; i < count; i += kLanes) store_n(to + i, read(from, first + i, count - i), count - i);
  });
}

void widen(const WidenTask& t) noexcept { widen_row(t.from, t.dtype, 0, t.count, t.to); }

}  // namespace
}  // namespace polysemy
