// The C functions as a table, for modules of the same process that use the core inside the Python extension: one core,
// one thread setting, nothing to link. The extension offers it as the capsule polysemy._core._C_API.
#pragma once

#include "capi/polysemy.h"

// Each function, without the prefix that all of them have.
#define POLYSEMY_FUNCTIONS(ENTRY) \
  ENTRY(abi_version)              \
  ENTRY(last_error)               \
  ENTRY(isa)                      \
  ENTRY(get_num_threads)          \
  ENTRY(set_num_threads)          \
  ENTRY(sdpa_init)                \
  ENTRY(sdpa_set_contiguous)      \
  ENTRY(sdpa_f32)                 \
  ENTRY(layer_norm_f32)           \
  ENTRY(rms_norm_f32)             \
  ENTRY(softmax_f32)              \
  ENTRY(l2_normalize_f32)         \
  ENTRY(pool_f32)                 \
  ENTRY(activation_f32)           \
  ENTRY(gemm_f32)                 \
  ENTRY(weight_create_f32)        \
  ENTRY(weight_destroy)           \
  ENTRY(linear_f32)

namespace polysemy::capi {

inline constexpr const char* kCapsule = "polysemy._core._C_API";

#define POLYSEMY_ENTRY(name) decltype(&polysemy_##name) name;
struct Table {
  POLYSEMY_FUNCTIONS(POLYSEMY_ENTRY)
};
#undef POLYSEMY_ENTRY

}  // namespace polysemy::capi
