/* The functions of polysemy.h as a table, for extension modules that use the core inside the Python package: one core,
 * one thread setting, nothing to link. The capsule polysemy._core._C_API holds it:
 *
 *     const polysemy_api_1* core = (const polysemy_api_1*)PyCapsule_Import(POLYSEMY_CAPSULE, 0);
 *     core->softmax_f32(rows, columns, x, columns, out, columns, 0);
 *
 * Cython code cimports the pointer from polysemy.cython_ops.
 */
#ifndef POLYSEMY_API_TABLE_H
#define POLYSEMY_API_TABLE_H

#include "polysemy.h"

#define POLYSEMY_CAPSULE "polysemy._core._C_API"

/* Each function, without the prefix that all of them have. New ones come last. */
#define POLYSEMY_FUNCTIONS(ENTRY) \
  ENTRY(abi_version)              \
  ENTRY(version)                  \
  ENTRY(last_error)               \
  ENTRY(isa)                      \
  ENTRY(isa_name)                 \
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
  ENTRY(matmul_f32)               \
  ENTRY(weight_create_f32)        \
  ENTRY(weight_destroy)           \
  ENTRY(weight_rows)              \
  ENTRY(weight_columns)           \
  ENTRY(linear_f32)               \
  ENTRY(encoder_spec_init)        \
  ENTRY(layer_spec_init)          \
  ENTRY(encoder_parameters)       \
  ENTRY(encoder_create)           \
  ENTRY(encoder_destroy)          \
  ENTRY(encoder_args_init)        \
  ENTRY(encoder_forward)          \
  ENTRY(weight_create_in)         \
  ENTRY(encoder_create_in)

#ifdef __cplusplus
#define POLYSEMY_SLOT(name) decltype(&polysemy_##name) name;
#else
#define POLYSEMY_SLOT(name) __typeof__(&polysemy_##name) name;
#endif

/* Its name ends with POLYSEMY_ABI_VERSION: Cython refuses to import a module that was compiled for another one. */
typedef struct polysemy_api_1 {
  POLYSEMY_FUNCTIONS(POLYSEMY_SLOT)
} polysemy_api_1;

#undef POLYSEMY_SLOT

#endif /* POLYSEMY_API_TABLE_H */
