// Packed weights on their way from one process to another: the number of their layout, and their bytes.
#pragma once

#include <span>

#include "bind/arrays.h"
#include "ops/linear.h"

namespace polysemy {

// The bytes are a view that keeps `owner`, in whose memory they lie.
inline py::tuple packed_state(const void* data, int64_t bytes, const py::object& owner) {
  py::array_t<uint8_t> array(bytes, static_cast<const uint8_t*>(data), owner);
  array.attr("flags").attr("writeable") = false;
  return py::make_tuple(kPackedLayout, array);
}

// Throws ArgumentError for weights that lie differently.
inline std::span<const std::byte> packed_bytes(const py::object& packed, const char* operation) {
  if (!py::isinstance<py::tuple>(packed)) {
    throw py::type_error(concat(operation, ": packed must be a tuple, got ", Py_TYPE(packed.ptr())->tp_name));
  }
  const auto state = py::reinterpret_borrow<py::tuple>(packed);
  require(state.size() == 2, operation, ": packed must be a layout and bytes, got ", state.size(), " values");
  const auto layout = state[0].cast<int64_t>();
  require(layout == kPackedLayout, operation, ": packed must have layout ", kPackedLayout, ", got ", layout,
          ": it was packed by another version of polysemy");
  const py::object array = state[1];
  const auto v = view<const uint8_t>(array, operation, "packed", {kAnySize});
  return {reinterpret_cast<const std::byte*>(v.data), static_cast<size_t>(v.size)};
}

}  // namespace polysemy
