// Enums of the core by their names.
#pragma once

#include <optional>
#include <string>

#include "base/check.h"
#include "base/precision.h"
#include "kernels/tasks.h"

namespace polysemy {

// The names of an enum in the order of its values.
template <class E>
struct Names;
template <>
struct Names<Activation> {
  static constexpr auto& list = kActivationNames;
};
template <>
struct Names<Pooling> {
  static constexpr auto& list = kPoolingNames;
};
template <>
struct Names<Precision> {
  static constexpr auto& list = kPrecisionNames;
};

// The value of that name; `argument` begins the message where there is none.
template <class E, class Argument>
E enum_of(const std::string& name, const Argument& argument) {
  int value = 0;
  for (const char* candidate : Names<E>::list) {
    if (name == candidate) return static_cast<E>(value);
    ++value;
  }
  std::string known;
  for (const char* candidate : Names<E>::list) known += (known.empty() ? "" : ", ") + std::string(candidate);
  throw ArgumentError(concat(argument, " must be one of ", known, ", got '", name, "'"));
}

}  // namespace polysemy
