#include "ops/linear.h"

#include <algorithm>

#include "base/check.h"

namespace polysemy {
namespace {

// Rows (mc) whose inputs stay in a 512 KB L2 while all panels pass by: 192 x 384 floats are 288 KB.
constexpr int64_t kBlockRows = 192;

// Below this many rows per thread it pays to read every weight only once, so threads take columns.
constexpr int64_t kRowsPerThread = 48;

}  // namespace

PackedWeight::PackedWeight(int64_t n, int64_t k) : n_(n), k_(k) {
  require(n >= 0 && k >= 0 && (k == 0 || round_up(n, kLanes) <= INT64_MAX / 8 / k), "PackedWeight: weight of shape (",
          n, ", ", k, ") is too large");
  own_ = Buffer::of<float>(packed_size(n, k));
  data_ = own_.data<float>();
}

void PackedWeight::fill(const KernelTable& kernels, const float* weight, int64_t stride, int64_t first, int64_t count) {
  PackTask task{};
  task.weight = weight - first * stride;
  task.weight_stride = stride;
  task.packed = data_;
  task.columns = first + count;
  task.k = k_;
  task.first_panel = first / kLanes;
  task.last_panel = round_up(first + count, kLanes) / kLanes;
  kernels.pack(task);
}

namespace {

GemmTask task_of(const Linear& op, int64_t first_k, int64_t last_k, Range panels) {
  GemmTask task{};
  task.a = op.a;
  task.a_stride = op.a_stride;
  task.panels = op.weight->data();
  task.panel_stride = op.weight->k() * kLanes;
  task.c = op.c;
  task.c_stride = op.c_stride;
  task.rows = op.rows;
  task.columns = op.weight->n();
  task.first_k = first_k;
  task.last_k = last_k;
  task.first_panel = panels.first;
  task.last_panel = panels.last;
  task.last = last_k == op.weight->k();
  task.bias = op.bias;
  task.residual = op.residual;
  task.residual_stride = op.residual_stride;
  task.activation = op.activation;
  return task;
}

}  // namespace

void linear_block(const KernelTable& kernels, const Linear& op, int64_t block) {
  const int64_t end = std::min((block + 1) * kBlockK, op.weight->k());
  kernels.gemm(task_of(op, block * kBlockK, end, {0, op.weight->panels()}));
}

void linear(const KernelTable& kernels, const Linear& op, Range panels) {
  for (int64_t row = 0; row < op.rows; row += kBlockRows) {
    Linear part = op;
    part.rows = std::min(kBlockRows, op.rows - row);
    part.a = op.a + row * op.a_stride;
    part.c = op.c + row * op.c_stride;
    if (op.residual) part.residual = op.residual + row * op.residual_stride;
    kernels.gemm(task_of(part, 0, op.weight->k(), panels));
  }
}

void linear_parallel(const KernelTable& kernels, const Linear& op, int threads) {
  const int64_t panels = op.weight->panels();
  const bool by_rows = op.rows >= kRowsPerThread * threads;
  const int64_t parts = by_rows ? op.rows / kRowsPerThread : panels;
  parallel(static_cast<int>(std::min<int64_t>(threads, std::max<int64_t>(1, parts))), [&](int thread, int team) {
    if (!by_rows) return linear(kernels, op, share(panels, thread, team));
    const Range rows = share(op.rows, thread, team);
    Linear part = op;
    part.rows = rows.last - rows.first;
    part.a = op.a + rows.first * op.a_stride;
    part.c = op.c + rows.first * op.c_stride;
    if (op.residual) part.residual = op.residual + rows.first * op.residual_stride;
    linear(kernels, part, {0, panels});
  });
}

}  // namespace polysemy
