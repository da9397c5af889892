// Strict views of NumPy arrays. Nothing is converted or copied here: what is not exactly right is refused by name.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <initializer_list>
#include <type_traits>

#include "base/check.h"

namespace polysemy {

namespace py = pybind11;

constexpr int64_t kAnySize = -1;

template <class T>
struct View {
  T* data = nullptr;
  int64_t size = 0;
  int64_t shape[3] = {0, 0, 0};
};

inline std::string shape_text(const py::array& a) {
  std::string s = "(";
  for (py::ssize_t i = 0; i < a.ndim(); ++i) s += (i ? ", " : "") + std::to_string(a.shape(i));
  return s + (a.ndim() == 1 ? ",)" : ")");
}

inline std::string shape_text(std::initializer_list<int64_t> shape) {
  std::string s = "(";
  for (const int64_t n : shape)
    s += (s.size() > 1 ? ", " : "") + (n == kAnySize ? std::string("any") : std::to_string(n));
  return s + (shape.size() == 1 ? ",)" : ")");
}

inline std::string who(const char* operation, const char* name) { return std::string(operation) + ": " + name; }

// Are the elements T, in native byte order? To compare dtypes takes NumPy longer than a small product takes: it is
// asked only about those of another number, such as another name of the same integer.
template <class T>
bool holds(const py::array& a) {
  const py::dtype dtype = a.dtype();
  const char order = dtype.byteorder();
  const bool same = dtype.num() == py::dtype::num_of<T>() && (order == '=' || order == '|');
  return same || py::isinstance<py::array_t<T>>(a);
}

template <class T>
py::array array_of(const py::handle& object, const char* operation, const char* name) {
  using Value = std::remove_const_t<T>;
  if (!py::isinstance<py::array>(object)) {
    throw py::type_error(who(operation, name) + " must be a NumPy array, got " +
                         std::string(py::str(py::type::of(object))));
  }
  auto a = py::reinterpret_borrow<py::array>(object);
  if (!holds<Value>(a)) {
    throw py::type_error(who(operation, name) + " must have dtype " + std::string(py::str(py::dtype::of<Value>())) +
                         ", got " + std::string(py::str(a.dtype())));
  }
  return a;
}

// T const: an input; T mutable: an output, which must be writeable.
template <class T>
T* contiguous_data(const py::array& a, const char* operation, const char* name) {
  constexpr int aligned = py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  if (!(a.flags() & py::array::c_style) || !(a.flags() & aligned)) {
    throw ArgumentError(who(operation, name) + " must be C-contiguous and aligned");
  }
  if constexpr (std::is_const_v<T>) {
    return static_cast<T*>(a.data());
  } else {
    if (!a.writeable()) throw ArgumentError(who(operation, name) + " must be writeable");
    return static_cast<T*>(const_cast<void*>(a.data()));
  }
}

template <class T>
View<T> view(const py::handle& object, const char* operation, const char* name, std::initializer_list<int64_t> shape) {
  const py::array a = array_of<T>(object, operation, name);
  bool fits = a.ndim() == static_cast<py::ssize_t>(shape.size());
  py::ssize_t axis = 0;
  for (const int64_t n : shape) {
    if (fits && n != kAnySize && a.shape(axis) != n) fits = false;
    ++axis;
  }
  if (!fits)
    throw ArgumentError(who(operation, name) + " must have shape " + shape_text(shape) + ", got " + shape_text(a));
  View<T> v;
  v.data = contiguous_data<T>(a, operation, name);
  v.size = a.size();
  for (py::ssize_t i = 0; i < a.ndim() && i < 3; ++i) v.shape[i] = a.shape(i);
  return v;
}

// All axes but the last one count as rows; shape is then {rows, columns}.
template <class T>
View<T> rows_view(const py::handle& object, const char* operation, const char* name, int64_t rows, int64_t columns) {
  const py::array a = array_of<T>(object, operation, name);
  const py::ssize_t last = a.ndim() - 1;
  int64_t count = 1;
  for (py::ssize_t i = 0; i < last; ++i) count *= a.shape(i);
  if (last < 0 || (rows != kAnySize && count != rows) || (columns != kAnySize && a.shape(last) != columns)) {
    throw ArgumentError(who(operation, name) + " must have rows and columns " + shape_text({rows, columns}) +
                        ", got shape " + shape_text(a));
  }
  return {contiguous_data<T>(a, operation, name), a.size(), {count, a.shape(last), 0}};
}

template <class T>
View<T> optional_view(const py::handle& object, const char* operation, const char* name,
                      std::initializer_list<int64_t> shape) {
  return object.is_none() ? View<T>{} : view<T>(object, operation, name, shape);
}

}  // namespace polysemy
