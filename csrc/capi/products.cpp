// The C interface: matrix products.
#include <algorithm>
#include <memory>
#include <utility>

#include "capi/guard.h"
#include "dispatch/registry.h"
#include "ops/checks.h"

using namespace polysemy;
using capi::Argument;
using capi::matrix;

struct polysemy_weight {
  PackedWeight packed;
};

namespace {

static_assert(int{POLYSEMY_PRECISION_FLOAT32} == static_cast<int>(Precision::kFloat32));
static_assert(int{POLYSEMY_PRECISION_BFLOAT16} == static_cast<int>(Precision::kBFloat16));
static_assert(int{POLYSEMY_PRECISION_FLOAT16} == static_cast<int>(Precision::kFloat16));
static_assert(int{POLYSEMY_PRECISION_INT8} == static_cast<int>(Precision::kInt8));
static_assert(int{POLYSEMY_PRECISION_INT16} == static_cast<int>(Precision::kInt16));

PackedWeight packed(const KernelTable& table, Precision precision, const float* weight, int64_t stride, int64_t n,
                    int64_t k, int threads) {
  stride = capi::settled(stride, n, k);
  PackedWeight result(n, k, precision);
  const Panels& panels = result.panels();
  parallel(static_cast<int>(std::min<int64_t>(threads, panels.count())), [&](int thread, int team) {
    const Range part = share(panels.count(), thread, team);
    const int64_t first = part.first * kLanes, last = std::min(n, part.last * kLanes);
    if (first >= last) return;
    panels.pack(table, {.data = weight + first * stride, .rows = last - first, .columns = k}, stride, part.first, 1);
  });
  return result;
}

void create_weight(const char* function, int64_t n, int64_t k, const float* weight, int64_t weight_stride,
                   int precision, polysemy_weight** packed_weight) {
  require(packed_weight != nullptr, function, ": packed must not be null");
  *packed_weight = nullptr;
  Argument{function, "n"}.at_least(n, 0);
  Argument{function, "k"}.at_least(k, 0);
  Argument{function, "weight"}.input(weight, matrix(n, weight_stride, k));
  capi::elements(function, "weight", {n, k});
  auto result = std::make_unique<polysemy_weight>();
  result->packed = packed(default_kernels(), capi::checked_precision(function, precision), weight,
                          weight ? weight_stride : 0, n, k, get_num_threads());
  *packed_weight = result.release();
}

void matmul(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float* a, int64_t a_stride,
            const float* b, int64_t b_stride, float* c, int64_t c_stride, int num_threads) {
  a_stride = transpose_a ? capi::settled(a_stride, k, m) : capi::settled(a_stride, m, k);
  b_stride = transpose_b ? capi::settled(b_stride, n, k) : capi::settled(b_stride, k, n);
  constexpr const char* function = "matmul_f32";
  Matmul op{.rows = m,
            .columns = n,
            .k = k,
            .a = {.row = a_stride, .column = 1},
            .b = {.row = b_stride, .column = 1},
            .c_stride = c_stride,
            .products = {{.a = a, .b = b, .c = c}}};
  if (transpose_a) std::swap(op.a.row, op.a.column);
  if (transpose_b) std::swap(op.b.row, op.b.column);
  validate(function, op);
  Argument{function, "a"}.input(a, transpose_a ? matrix(k, a_stride, m) : matrix(m, a_stride, k));
  Argument{function, "b"}.input(b, transpose_b ? matrix(n, b_stride, k) : matrix(k, b_stride, n));
  Argument{function, "c"}.output(c, matrix(m, c_stride, n));
  const int threads = resolve_threads(num_threads);
  const KernelTable& table = default_kernels();
  if (m == 0 || n == 0) return;
  if (k > 0) {
    capi::elements(function, "a", {m, k});
    capi::elements(function, "b", {n, k});
  }
  matmul_parallel(table, op, threads);
}

void linear(int64_t rows, const float* x, int64_t x_stride, const polysemy_weight* weight, const float* bias,
            const float* residual, int64_t residual_stride, int activation, float* out, int64_t out_stride,
            int num_threads) {
  constexpr const char* function = "linear_f32";
  require(weight != nullptr, function, ": weight must not be null");
  capi::check_activation(function, activation);
  const int64_t n = weight->packed.n(), k = weight->packed.k();
  const Linear op{.weight = weight->packed.panels(),
                  .a = x,
                  .a_stride = capi::settled(x_stride, rows, k),
                  .rows = rows,
                  .c = out,
                  .c_stride = out_stride,
                  .bias = bias,
                  .residual = residual,
                  .residual_stride = capi::settled(residual_stride, rows, n),
                  .activation = static_cast<Activation>(activation)};
  validate(function, op);
  Argument{function, "x"}.input(x, matrix(rows, x_stride, k));
  if (bias) Argument{function, "bias"}.input(bias, capi::vector(n));
  if (residual) Argument{function, "residual"}.input(residual, matrix(rows, residual_stride, n));
  Argument{function, "out"}.output(out, matrix(rows, out_stride, n));
  const int threads = resolve_threads(num_threads);
  const KernelTable& table = default_kernels();
  if (rows == 0 || n == 0) return;
  linear_parallel(table, op, threads);
}

}  // namespace

extern "C" {

polysemy_status polysemy_matmul_f32(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, const float* a,
                                    int64_t a_stride, const float* b, int64_t b_stride, float* c, int64_t c_stride,
                                    int num_threads) {
  return capi::guarded([&] {
    require(transpose_a == 0 || transpose_a == 1, "matmul_f32: transpose_a must be 0 or 1, got ", transpose_a);
    require(transpose_b == 0 || transpose_b == 1, "matmul_f32: transpose_b must be 0 or 1, got ", transpose_b);
    matmul(transpose_a != 0, transpose_b != 0, m, n, k, a, a_stride, b, b_stride, c, c_stride, num_threads);
  });
}

polysemy_status polysemy_gemm_f32(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, const float* a,
                                  int64_t a_stride, const float* b, int64_t b_stride, float* c, int64_t c_stride,
                                  int num_threads) {
  return polysemy_matmul_f32(transpose_a, transpose_b, m, n, k, a, a_stride, b, b_stride, c, c_stride, num_threads);
}

polysemy_status polysemy_weight_create_f32(int64_t n, int64_t k, const float* weight, int64_t weight_stride,
                                           polysemy_weight** packed_weight) {
  return capi::guarded([&] {
    create_weight("weight_create_f32", n, k, weight, weight_stride, POLYSEMY_PRECISION_FLOAT32, packed_weight);
  });
}

polysemy_status polysemy_weight_create_in(int64_t n, int64_t k, const float* weight, int64_t weight_stride,
                                          int precision, polysemy_weight** packed_weight) {
  return capi::guarded(
      [&] { create_weight("weight_create_in", n, k, weight, weight_stride, precision, packed_weight); });
}

void polysemy_weight_destroy(polysemy_weight* packed_weight) { delete packed_weight; }

int64_t polysemy_weight_rows(const polysemy_weight* packed_weight) {
  return packed_weight ? packed_weight->packed.n() : 0;
}

int64_t polysemy_weight_columns(const polysemy_weight* packed_weight) {
  return packed_weight ? packed_weight->packed.k() : 0;
}

polysemy_status polysemy_linear_f32(int64_t rows, const float* x, int64_t x_stride, const polysemy_weight* weight,
                                    const float* bias, const float* residual, int64_t residual_stride, int activation,
                                    float* out, int64_t out_stride, int num_threads) {
  return capi::guarded([&] {
    linear(rows, x, x_stride, weight, bias, residual, residual_stride, activation, out, out_stride, num_threads);
  });
}
}
