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

}  // namespace polysemy
