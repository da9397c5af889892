// The C interface: operations on rows and elements.
#include "base/parallel.h"
#include "capi/guard.h"
#include "dispatch/registry.h"
#include "ops/checks.h"

using namespace polysemy;
using capi::Argument;
using capi::matrix;
using capi::settled;

namespace {

void normalize(const char* function, const NormTask& t, int num_threads) {
  validate(function, t);
  Argument{function, "x"}.input(t.x, matrix(t.rows, t.x_stride, t.columns));
  if (t.residual) Argument{function, "residual"}.input(t.residual, matrix(t.rows, t.residual_stride, t.columns));
  if (t.weight) Argument{function, "weight"}.input(t.weight, capi::vector(t.columns));
  if (t.bias) Argument{function, "bias"}.input(t.bias, capi::vector(t.columns));
  Argument{function, "out"}.output(t.out, matrix(t.rows, t.out_stride, t.columns));
  const int threads = resolve_threads(num_threads);
  const KernelTable& table = default_kernels();
  if (t.rows == 0 || t.columns == 0) return;
  norm_parallel(table, t, threads);
}

using RowsOperation = void (*)(const KernelTable&, const RowsTask&, int);

RowsTask rows_task(int64_t rows, int64_t columns, const float* x, int64_t x_stride, float* out, int64_t out_stride) {
  return {.x = x, .out = out, .x_stride = x_stride, .out_stride = out_stride, .rows = rows, .columns = columns};
}

void each_row(const char* function, RowsOperation operation, const RowsTask& t, int num_threads) {
  validate(function, t);
  Argument{function, "x"}.input(t.x, matrix(t.rows, t.x_stride, t.columns));
  Argument{function, "out"}.output(t.out, matrix(t.rows, t.out_stride, t.columns));
  const int threads = resolve_threads(num_threads);
  const KernelTable& table = default_kernels();
  if (t.rows == 0 || t.columns == 0) return;
  operation(table, t, threads);
}

}  // namespace

extern "C" {

polysemy_status polysemy_layer_norm_f32(int64_t rows, int64_t columns, const float* x, int64_t x_stride,
                                        const float* residual, int64_t residual_stride, const float* weight,
                                        const float* bias, float eps, float* out, int64_t out_stride, int num_threads) {
  return capi::guarded([&] {
    const NormTask task{.x = x,
                        .residual = residual,
                        .weight = weight,
                        .bias = bias,
                        .out = out,
                        .x_stride = x_stride,
                        .residual_stride = residual_stride,
                        .out_stride = out_stride,
                        .rows = rows,
                        .columns = columns,
                        .eps = eps,
                        .rms = false};
    normalize("layer_norm_f32", task, num_threads);
  });
}

polysemy_status polysemy_rms_norm_f32(int64_t rows, int64_t columns, const float* x, int64_t x_stride,
                                      const float* residual, int64_t residual_stride, const float* weight, float eps,
                                      float* out, int64_t out_stride, int num_threads) {
  return capi::guarded([&] {
    const NormTask task{.x = x,
                        .residual = residual,
                        .weight = weight,
                        .bias = nullptr,
                        .out = out,
                        .x_stride = x_stride,
                        .residual_stride = residual_stride,
                        .out_stride = out_stride,
                        .rows = rows,
                        .columns = columns,
                        .eps = eps,
                        .rms = true};
    normalize("rms_norm_f32", task, num_threads);
  });
}

polysemy_status polysemy_softmax_f32(int64_t rows, int64_t columns, const float* x, int64_t x_stride, float* out,
                                     int64_t out_stride, int num_threads) {
  return capi::guarded([&] {
    each_row("softmax_f32", softmax_parallel, rows_task(rows, columns, x, x_stride, out, out_stride), num_threads);
  });
}

polysemy_status polysemy_l2_normalize_f32(int64_t rows, int64_t columns, const float* x, int64_t x_stride, float* out,
                                          int64_t out_stride, int num_threads) {
  return capi::guarded([&] {
    each_row("l2_normalize_f32", l2_normalize_parallel, rows_task(rows, columns, x, x_stride, out, out_stride),
             num_threads);
  });
}

polysemy_status polysemy_pool_f32(int pooling, int64_t sequences, int64_t columns, const float* x, int64_t x_stride,
                                  const int64_t* offsets, float* out, int num_threads) {
  return capi::guarded([&] {
    constexpr const char* function = "pool_f32";
    require(pooling >= POLYSEMY_POOL_MEAN && pooling <= POLYSEMY_POOL_LAST, function, ": pooling must be 0 to 5, got ",
            pooling);
    Argument{function, "sequences"}.at_least(sequences, 0);
    PoolTask task{
        .x = x, .out = out, .x_stride = 0, .rows = 0, .columns = columns, .mode = static_cast<Pooling>(pooling)};
    validate(function, task);
    if (sequences == 0) return;
    const int64_t count = capi::elements(function, "offsets", {sequences}) + 1;
    Argument{function, "offsets"}.input(offsets, capi::vector(count), sizeof(int64_t));
    validate_offsets(function, "offsets", offsets, sequences, offsets[sequences]);
    task.x_stride = settled(x_stride, offsets[sequences], columns);
    Argument{function, "x"}.input(x, matrix(offsets[sequences], task.x_stride, columns));
    Argument{function, "out"}.output(out, matrix(sequences, columns, columns));
    const int threads = resolve_threads(num_threads);
    const KernelTable& table = default_kernels();
    if (columns == 0) return;
    pool_parallel(table, task, offsets, sequences, threads);
  });
}

polysemy_status polysemy_activation_f32(int activation, int64_t count, const float* x, float* out, int num_threads) {
  return capi::guarded([&] {
    constexpr const char* function = "activation_f32";
    capi::check_activation(function, activation);
    const ElementsTask task{.x = x, .out = out, .count = count, .kind = static_cast<Activation>(activation)};
    validate(function, task);
    Argument{function, "x"}.input(x, capi::vector(count));
    Argument{function, "out"}.output(out, capi::vector(count));
    const int threads = resolve_threads(num_threads);
    const KernelTable& table = default_kernels();
    if (count == 0) return;
    elements_parallel(table, task, threads);
  });
}
}
