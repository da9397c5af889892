// Records of the core as Python classes, made from keyword arguments.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "base/check.h"
#include "bind/names.h"
#include "encoder/spec.h"

namespace polysemy {

namespace py = pybind11;

template <>
struct Names<Norm> {
  static constexpr auto& list = kNormNames;
};
template <>
struct Names<PositionBias> {
  static constexpr auto& list = kPositionBiasNames;
};

// A whole number; one beyond 64 bits becomes the largest or smallest, which no range takes.
inline int64_t integer_from(const py::handle& value) {
  int overflow = 0;
  const int64_t number = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (overflow == 0) return number;
  return overflow > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
}

template <class T>
constexpr const char* kind_of() {
  if constexpr (std::is_same_v<T, bool>) return "a bool";
  if constexpr (std::is_same_v<T, int64_t>) return "an int";
  if constexpr (std::is_same_v<T, float>) return "a float";
  if constexpr (std::is_enum_v<T>) return "a str";
  return "a record, or a sequence of those";
}

// None stands for a limit that there is not.
template <class T>
T read_field(const py::handle& value, const std::string& argument) {
  const bool boolean = PyBool_Check(value.ptr());
  const auto refuse = [&] {
    throw py::type_error(argument + " must be " + kind_of<T>() + ", got " + Py_TYPE(value.ptr())->tp_name);
  };
  if constexpr (std::is_same_v<T, bool>) {
    if (!boolean) refuse();
    return value.ptr() == Py_True;
  } else if constexpr (std::is_same_v<T, int64_t>) {
    if (value.is_none()) return kUnlimited;
    if (boolean || !PyLong_Check(value.ptr())) refuse();
    return integer_from(value);
  } else if constexpr (std::is_same_v<T, float>) {
    if (boolean || !(PyFloat_Check(value.ptr()) || PyLong_Check(value.ptr()))) refuse();
    const double number = PyFloat_AsDouble(value.ptr());
    if (PyErr_Occurred()) {  // a whole number beyond the range of a double
      PyErr_Clear();
      return std::numeric_limits<float>::infinity();
    }
    return static_cast<float>(number);
  } else if constexpr (std::is_enum_v<T>) {
    if (!PyUnicode_Check(value.ptr())) refuse();
    return enum_of<T>(value.cast<std::string>(), argument);
  } else {
    if (value.is_none()) refuse();
    try {
      return value.cast<T>();
    } catch (const py::cast_error&) {
      refuse();
      return T{};
    }
  }
}

template <class T>
py::object write_field(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return py::str(Names<T>::list[static_cast<int>(value)]);
  } else {
    return py::cast(value);
  }
}

template <class T>
T record_from(const std::string& name, const py::kwargs& given) {
  T record{};
  size_t used = 0;
  each_field(record, [&](const char* field, auto& value) {
    if (!given.contains(field)) throw py::type_error(name + ": " + field + " is missing");
    value = read_field<std::remove_reference_t<decltype(value)>>(given[field], name + ": " + field);
    ++used;
  });
  if (used != given.size()) throw py::type_error(name + ": got a field that it does not have");
  return record;
}

template <class T>
void bind_record(py::module_& m, const char* name, void (*check)(const T&) = nullptr) {
  py::class_<T> record(m, name);
  record.def(py::init([name, check](const py::kwargs& given) {
    T made = record_from<T>(name, given);
    if (check) check(made);
    return made;
  }));
  record.def("fields", [](const T& self) {
    py::dict found;
    each_field(const_cast<T&>(self), [&](const char* field, auto& value) { found[field] = write_field(value); });
    return found;
  });
}

}  // namespace polysemy
