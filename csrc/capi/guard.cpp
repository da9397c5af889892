#include "capi/guard.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace polysemy::capi {
namespace {

constexpr size_t kLongestMessage = 512;

// A plain array: it needs no allocation when memory is short, and no destructor at the end of a thread.
thread_local char last_error[kLongestMessage] = "";

// Bytes that one array may span: strides of valid arrays stay far below, and sums of a few such spans can't overflow.
constexpr int64_t kLargestSpan = std::numeric_limits<int64_t>::max() / 16;

bool no_elements(const Axes& axes) {
  return std::any_of(axes.begin(), axes.end(), [](const Axis& axis) { return axis.extent == 0; });
}

}  // namespace

polysemy_status fail(polysemy_status code, const char* message) noexcept {
  std::strncpy(last_error, message, kLongestMessage - 1);
  return code;
}

const char* last_message() noexcept { return last_error; }

int64_t elements(const char* function, const char* name, std::initializer_list<int64_t> extents) {
  int64_t count = 1;
  for (const int64_t extent : extents) {
    require(!__builtin_mul_overflow(count, extent, &count) && count <= kLargestSpan / 8, function, ": ", name,
            " has more elements than memory can hold");
  }
  return count;
}

void Argument::at_least(int64_t value, int64_t least) const {
  require(value >= least, function, ": ", name, " must be ", least, " or more, got ", value);
}

void Argument::input(const void* data, const Axes& axes, int64_t element_size) const {
  if (no_elements(axes)) return;
  int64_t span = element_size;
  for (const Axis& axis : axes) {
    // The magnitude of a stride, in a type that holds that of INT64_MIN, too.
    const uint64_t stride =
        axis.stride < 0 ? 0 - static_cast<uint64_t>(axis.stride) : static_cast<uint64_t>(axis.stride);
    uint64_t reach = 0;
    require(!__builtin_mul_overflow(stride, static_cast<uint64_t>(element_size), &reach) &&
                !__builtin_mul_overflow(reach, static_cast<uint64_t>(axis.extent - 1), &reach) &&
                reach <= static_cast<uint64_t>(kLargestSpan - span),
            function, ": ", name, " has ", axis.extent, " entries with a stride of ", axis.stride,
            ", which is more than memory can hold");
    span += static_cast<int64_t>(reach);
  }
  require(data != nullptr, function, ": ", name, " must not be null");
  require(reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(element_size) == 0, function, ": ", name,
          " must be aligned to ", element_size, " bytes");
}

void Argument::output(const void* data, const Axes& axes) const {
  input(data, axes);
  if (no_elements(axes)) return;
  // Sufficient, and true of every array that was laid out axis by axis: each stride steps over all that lies below it.
  // Equal strides step over each other in the order of the axes.
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i].extent == 1) continue;
    const int64_t stride = std::abs(axes[i].stride);
    int64_t covered = 1;
    for (size_t j = 0; j < axes.size(); ++j) {
      if (axes[j].extent == 1) continue;
      const int64_t other = std::abs(axes[j].stride);
      if (other < stride || (other == stride && i < j)) covered += other * (axes[j].extent - 1);
    }
    require(stride >= covered, function, ": ", name, " has a stride of ", axes[i].stride,
            ", so that its rows would overlap: expected at least ", covered);
  }
}

}  // namespace polysemy::capi
