#pragma once

#include <pybind11/pybind11.h>

#include <optional>
#include <string>

#include "base/check.h"
#include "dispatch/registry.h"

namespace polysemy {

void bind_runtime(pybind11::module_& m);
void bind_ops(pybind11::module_& m);
void bind_attention(pybind11::module_& m);
void bind_encoder(pybind11::module_& m);
void bind_capi(pybind11::module_& m);

// The isa argument of every function: None is the default level.
inline const KernelTable& kernels_of(const std::optional<std::string>& isa) {
  return isa ? kernels(*isa) : default_kernels();
}

// The integer that stands for an activation in Python.
inline Activation activation_of(int value, const char* operation) {
  const bool known = (value >= 0 && value <= static_cast<int>(Activation::kQuickGelu)) ||
                     (value >= static_cast<int>(Activation::kExp) && value <= static_cast<int>(Activation::kSigmoid));
  require(known, operation, ": activation must be one of 0..6 or 16..18, got ", value);
  return static_cast<Activation>(value);
}

inline Pooling pooling_of(int value, const char* operation) {
  require(value >= -1 && value <= static_cast<int>(Pooling::kLast), operation, ": pooling must be -1 to 5, got ",
          value);
  return static_cast<Pooling>(value);
}

}  // namespace polysemy
