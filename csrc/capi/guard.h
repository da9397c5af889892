// From exceptions to error codes, and the checks that all C functions share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <new>

#include "base/check.h"
#include "base/precision.h"
#include "capi/polysemy.h"

namespace polysemy::capi {

// Keeps the message for polysemy_last_error() and gives the code back.
polysemy_status fail(polysemy_status code, const char* message) noexcept;
const char* last_message() noexcept;

// Runs the body of a C function: no exception leaves it.
template <class F>
polysemy_status guarded(F&& body) noexcept {
  try {
    body();
    return POLYSEMY_OK;
  } catch (const ArgumentError& error) {
    return fail(POLYSEMY_ERROR_ARGUMENT, error.what());
  } catch (const std::bad_alloc&) {
    return fail(POLYSEMY_ERROR_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return fail(POLYSEMY_ERROR_INTERNAL, error.what());
  } catch (...) {
    return fail(POLYSEMY_ERROR_INTERNAL, "unknown error");
  }
}

// A struct that begins with its size: made by the init function of this very header.
template <class Struct>
const Struct& known(const char* function, const char* name, const Struct* given, const char* init) {
  require(given != nullptr, function, ": ", name, " must not be null");
  require(given->struct_size == sizeof(Struct), function, ": ", name, ".struct_size must be ", sizeof(Struct), ", got ",
          given->struct_size, ": call polysemy_", init, " first");
  return *given;
}

template <class Struct>
Struct& initialised(const char* function, const char* name, Struct* given, size_t size) {
  require(given != nullptr, function, ": ", name, " must not be null");
  require(size == sizeof(Struct), function, ": size must be ", sizeof(Struct), ", got ", size,
          ": header and library do not belong together");
  *given = Struct{};
  given->struct_size = size;
  return *given;
}

// One of the values of polysemy_activation.
inline void check_activation(const char* function, int activation) {
  require(activation >= POLYSEMY_ACTIVATION_NONE && activation <= POLYSEMY_ACTIVATION_QUICK_GELU, function,
          ": activation must be 0 to 6, got ", activation);
}

// One of the values of polysemy_precision.
inline Precision checked_precision(const char* function, int precision) {
  require(precision >= 0 && precision < kPrecisions, function, ": precision must be 0 to ", kPrecisions - 1, ", got ",
          precision);
  return static_cast<Precision>(precision);
}

struct Axis {
  int64_t extent = 1, stride = 1;  // stride in elements
};
using Axes = std::array<Axis, 4>;

inline Axes vector(int64_t count) { return {Axis{count, 1}}; }
inline Axes matrix(int64_t rows, int64_t stride, int64_t columns) { return {Axis{rows, stride}, Axis{columns, 1}}; }

// Elements of a contiguous array; throws where 64 bits can't count its bytes.
int64_t elements(const char* function, const char* name, std::initializer_list<int64_t> extents);

// The stride of an input, 0 where it leads to no element: then it may be any number, also from a null pointer.
inline int64_t settled(int64_t stride, int64_t rows, int64_t columns) { return rows > 1 && columns > 0 ? stride : 0; }

// An argument of a function, for checks and their messages.
struct Argument {
  const char* function;
  const char* name;

  void at_least(int64_t value, int64_t least) const;

  // A pointer to an array of these axes: not null, aligned, and no address in it beyond what 64 bits can count.
  // Arrays without elements may lie anywhere.
  void input(const void* data, const Axes& axes, int64_t element_size = 4) const;

  // The same for structs, as many as memory can hold.
  template <class Struct>
  void records(const Struct* data, int64_t count) const {
    const int64_t bytes = elements(function, name, {count, static_cast<int64_t>(sizeof(Struct))});
    constexpr int64_t word = alignof(Struct);
    input(data, vector(bytes / word), word);
  }

  // Besides, no two elements may lie in the same place.
  void output(const void* data, const Axes& axes) const;
};

}  // namespace polysemy::capi
