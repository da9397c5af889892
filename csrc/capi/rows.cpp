// The C interface: operations on rows and elements.
#include "ops/rows.h"

#include "base/parallel.h"
#include "capi/guard.h"
#include "dispatch/registry.h"

using namespace polysemy;
using capi::Argument;
using capi::matrix;

namespace {

void check_sizes(const char* function, int64_t rows, int64_t columns) {
  Argument{function, "rows"}.at_least(rows, 0);
  Argument{function, "columns"}.at_least(columns, 0);
}

// In place, a row that moves would be read after it was overwritten.
void check_in_place(const char* function, const char* name, const NormTask& t, const float* input, int64_t stride) {
  require(input != t.out || stride == t.out_stride || t.rows <= 1, function, ": out is the same array as ", name,
          ", so that both need the same stride, got ", t.out_stride, " and ", stride);
}

void normalize(const char* function, const NormTask& t, int num_threads) {
  check_sizes(function, t.rows, t.columns);
  require(t.eps >= 0.0f, function, ": eps must be 0 or more, got ", t.eps);
  Argument{function, "x"}.input(t.x, matrix(t.rows, t.x_stride, t.columns));
  if (t.residual) Argument{function, "residual"}.input(t.residual, matrix(t.rows, t.residual_stride, t.columns));
  if (t.weight) Argument{function, "weight"}.input(t.weight, capi::vector(t.columns));
  if (t.bias) Argument{function, "bias"}.input(t.bias, capi::vector(t.columns));
  Argument{function, "out"}.output(t.out, matrix(t.rows, t.out_stride, t.columns));
  check_in_place(function, "x", t, t.x, t.x_stride);
  check_in_place(function, "residual", t, t.residual, t.residual_stride);
  const int threads = resolve_threads(num_threads);
  const KernelTable& table = default_kernels();
  if (t.rows == 0 || t.columns == 0) return;
  norm_parallel(table, t, threads);
}

using RowsOperation = void (*)(const KernelTable&, const RowsTask&, int);

void each_row(const char* function, RowsOperation operation, const RowsTask& t, int num_threads) {
  check_sizes(function, t.rows, t.columns);
  Argument{function, "x"}.input(t.x, matrix(t.rows, t.x_stride, t.columns));
  Argument{function, "out"}.output(t.out, matrix(t.rows, t.out_stride, t.columns));
  require(t.x != t.out || t.x_stride == t.out_stride || t.rows <= 1, function,
          ": out is the same array as x, so that both need the same stride, got ", t.out_stride, " and ", t.x_stride);
  const int threads = resolve_threads(num_threads);
  const KernelTable& table = default_kernels();
  if (t.rows == 0 || t.columns == 0) return;
  operation(table, t, threads);
}

void check_offsets(const int64_t* offsets, int64_t sequences) {
  constexpr const char* function = "pool_f32";
  const int64_t count = capi::elements(function, "offsets", {sequences}) + 1;
  Argument{function, "offsets"}.input(offsets, capi::vector(count), sizeof(int64_t));
  require(offsets[0] >= 0, function, ": offsets[0] must be 0 or more, got ", offsets[0]);
  for (int64_t i = 0; i < sequences; ++i) {
    require(offsets[i] <= offsets[i + 1], function, ": offsets must not decrease, got ", offsets[i], " and then ",
            offsets[i + 1], " at ", i + 1);
  }
}

}  // namespace

extern "C" {

polysemy_status polysemy_layer_norm_f32(int64_t rows, int64_t columns, const float* x, int64_t x_stride,
                                        const float* residual, int64_t residual_stride, const float* weight,
                                        const float* bias, float eps, float* out, int64_t out_stride, int num_threads) {
  return capi::guarded([&] {
    const NormTask task{x,          residual, weight,  bias, out,  x_stride, residual_stride,
                        out_stride, rows,     columns, eps,  false};
    normalize("layer_norm_f32", task, num_threads);
  });
}

polysemy_status polysemy_rms_norm_f32(int64_t rows, int64_t columns, const float* x, int64_t x_stride,
                                      const float* residual, int64_t residual_stride, const float* weight, float eps,
                                      float* out, int64_t out_stride, int num_threads) {
  return capi::guarded([&] {
    const NormTask task{x,          residual, weight,  nullptr, out, x_stride, residual_stride,
                        out_stride, rows,     columns, eps,     true};
    normalize("rms_norm_f32", task, num_threads);
  });
}

polysemy_status polysemy_softmax_f32(int64_t rows, int64_t columns, const float* x, int64_t x_stride, float* out,
                                     int64_t out_stride, int num_threads) {
  return capi::guarded([&] {
    each_row("softmax_f32", softmax_parallel, {x, out, x_stride, out_stride, rows, columns}, num_threads);
  });
}

polysemy_status polysemy_l2_normalize_f32(int64_t rows, int64_t columns, const float* x, int64_t x_stride, float* out,
                                          int64_t out_stride, int num_threads) {
  return capi::guarded([&] {
    each_row("l2_normalize_f32", l2_normalize_parallel, {x, out, x_stride, out_stride, rows, columns}, num_threads);
  });
}

polysemy_status polysemy_pool_f32(int pooling, int64_t sequences, int64_t columns, const float* x, int64_t x_stride,
                                  const int64_t* offsets, float* out, int num_threads) {
  return capi::guarded([&] {
    constexpr const char* function = "pool_f32";
    require(pooling >= POLYSEMY_POOL_MEAN && pooling <= POLYSEMY_POOL_LAST, function, ": pooling must be 0 to 5, got ",
            pooling);
    Argument{function, "sequences"}.at_least(sequences, 0);
    Argument{function, "columns"}.at_least(columns, 0);
    if (sequences == 0) return;
    check_offsets(offsets, sequences);
    Argument{function, "x"}.input(x, matrix(offsets[sequences], x_stride, columns));
    Argument{function, "out"}.output(out, matrix(sequences, columns, columns));
    Argument{function, "out"}.differs(out, x, "x");
    const int threads = resolve_threads(num_threads);
    const KernelTable& table = default_kernels();
    if (columns == 0) return;
    const PoolTask task{x, out, x ? x_stride : 0, 0, columns, static_cast<Pooling>(pooling)};
    pool_parallel(table, task, offsets, sequences, threads);
  });
}

polysemy_status polysemy_activation_f32(int activation, int64_t count, const float* x, float* out, int num_threads) {
  return capi::guarded([&] {
    constexpr const char* function = "activation_f32";
    capi::check_activation(function, activation);
    Argument{function, "count"}.at_least(count, 0);
    Argument{function, "x"}.input(x, capi::vector(count));
    Argument{function, "out"}.output(out, capi::vector(count));
    const int threads = resolve_threads(num_threads);
    const KernelTable& table = default_kernels();
    if (count == 0) return;
    elements_parallel(table, {x, out, count, static_cast<Activation>(activation)}, threads);
  });
}
}
