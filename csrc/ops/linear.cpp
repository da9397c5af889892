#include "ops/linear.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace polysemy {
namespace {

// Multiplications between two looks at whether to stop: some milliseconds.
constexpr int64_t kWorkPerStep = int64_t{1} << 28;

GemmTask task_of(const Linear& op) {
  return {.a = op.a,
          .a_stride = op.a_stride,
          .panels = op.weight.data,
          .panel_stride = op.weight.stride(),
          .c = op.c,
          .c_stride = op.c_stride,
          .rows = op.rows,
          .columns = op.weight.n,
          .k = op.weight.k,
          .first = true,
          .last = true,
          .bias = op.bias,
          .residual = op.residual,
          .residual_stride = op.residual_stride,
          .activation = op.activation,
          .gated = op.weight.gated,
          .sums = op.sums,
          .sums_stride = kSumsStride};
}

}  // namespace

void Panels::pack(const KernelTable& kernels, const Tensor& rows, int64_t row_stride, int64_t first,
                  int64_t step) const {
  products_of(kernels, precision)
      .pack({.weight = rows.data,
             .dtype = rows.dtype,
             .weight_stride = row_stride,
             .packed = panel(first),
             .panel_stride = step * stride(),
             .rows = rows.rows,
             .k = k});
  const int64_t end = panel_offset(precision, k);
  if (end == stride()) return;
  // Equal weights have equal bytes.
  for (int64_t i = 0; i < round_up(rows.rows, kLanes) / kLanes; ++i) {
    std::memset(static_cast<std::byte*>(panel(first + i * step)) + end, 0, static_cast<size_t>(stride() - end));
  }
}

PackedWeight::PackedWeight(int64_t n, int64_t k, Precision precision) {
  constexpr int64_t most = INT64_MAX / 256;  // of either, also where there is none of the other
  require(n >= 0 && k >= 0 && n <= most && k <= most && (k == 0 || round_up(n, kLanes) <= INT64_MAX / 8 / k),
          "PackedWeight: weight of shape (", n, ", ", k, ") is too large");
  panels_ = {.precision = precision, .n = n, .k = k};
  memory_ = Buffer(panels_.bytes());
  panels_.data = memory_.data();
}

bool prepares(const KernelTable& kernels, Precision precision) {
  return products_of(kernels, precision).prepare != nullptr;
}

int64_t prepared_stride(const KernelTable& kernels, Precision precision, int64_t k) {
  constexpr int64_t size = sizeof(float);
  return round_up(round_up(products_of(kernels, precision).input_bytes(k), size) / size, kLanes) + kLanes;
}

void prepare(const KernelTable& kernels, Precision precision, const float* x, int64_t x_stride, float* out,
             int64_t out_stride, int64_t rows, int64_t k) {
  products_of(kernels, precision)
      .prepare({.x = x,
                .x_stride = x_stride,
                .out = reinterpret_cast<std::byte*>(out),
                .out_stride = out_stride * static_cast<int64_t>(sizeof(float)),
                .rows = rows,
                .k = k});
}

Linear Linear::of_rows(Range range) const {
  Linear part = *this;
  part.rows = range.last - range.first;
  part.a = a + range.first * a_stride;
  part.c = c + range.first * c_stride;
  if (residual) part.residual = residual + range.first * residual_stride;
  return part;
}

Linear Linear::of_panels(Range range) const {
  Linear part = *this;
  const int64_t outputs = weight.gated ? kLanes / 2 : kLanes, first = range.first * outputs;
  part.weight.data = weight.panel(range.first);
  part.weight.n = std::min(weight.n, range.last * outputs) - first;
  part.c = c + first;
  if (bias) part.bias = bias + range.first * kLanes;
  if (residual) part.residual = residual + first;
  return part;
}

void linear_block(const KernelTable& kernels, const Linear& op, int64_t block) {
  GemmTask task = task_of(op);
  const int64_t start = block * kBlockK;
  task.panels = static_cast<std::byte*>(op.weight.data) + panel_offset(op.weight.precision, start);
  task.k = std::min(kBlockK, op.weight.k - start);
  task.first = block == 0;
  task.last = block == op.weight.blocks() - 1;
  products_of(kernels, op.weight.precision).gemm(task);
}

void linear(const KernelTable& kernels, const Linear& op) {
  if (op.weight.n <= 0) return;
  for (int64_t row = 0; row < op.rows; row += kBlockRows) {
    const Linear part = op.of_rows({row, std::min(row + kBlockRows, op.rows)});
    products_of(kernels, op.weight.precision).gemm(task_of(part));
  }
}

namespace {

// Memory for so many prepared rows.
Buffer prepared_rows(const KernelTable& kernels, const Linear& op, int64_t rows) {
  return Buffer::of<float>(rows * prepared_stride(kernels, op.weight.precision, op.weight.k));
}

// The product that reads prepared rows: row i at place i + shift of scratch. Prepares those of a range.
Linear prepare_rows(const KernelTable& kernels, const Linear& op, Range rows, const Buffer& scratch, int64_t shift) {
  const int64_t stride = prepared_stride(kernels, op.weight.precision, op.weight.k);
  Linear reading = op;
  reading.a = scratch.data<float>() + shift * stride;
  reading.a_stride = stride;
  const Linear part = op.of_rows(rows);
  prepare(kernels, op.weight.precision, part.a, part.a_stride, scratch.data<float>() + (rows.first + shift) * stride,
          stride, part.rows, op.weight.k);
  return reading;
}

}  // namespace

void linear_parallel(const KernelTable& kernels, const Linear& op, int threads) {
  const int64_t panels = op.weight.count();
  const bool by_rows = op.rows >= kRowsPerThread * threads;
  const int64_t parts = by_rows ? op.rows / kRowsPerThread : panels;
  const auto most = static_cast<int>(std::min<int64_t>(threads, std::max<int64_t>(1, parts)));
  const bool prepared = prepares(kernels, op.weight.precision);
  const Buffer scratch = prepared_rows(kernels, op, prepared ? (by_rows ? kBlockRows * most : op.rows) : 0);
  const int64_t work = kBlockRows * kLanes * std::max<int64_t>(1, op.weight.k);
  const int64_t step = std::max<int64_t>(1, kWorkPerStep / work);
  const Stop stop;
  Barrier barrier;
  parallel(most, [&](int thread, int team) {
    const Range rows = by_rows ? share(op.rows, thread, team) : Range{0, op.rows};
    const Range columns = by_rows ? Range{0, panels} : share(panels, thread, team);
    Linear mine = op;
    if (prepared && !by_rows) {
      mine = prepare_rows(kernels, op, share(op.rows, thread, team), scratch, 0);
      barrier.wait(team);
    }
    for (int64_t row = rows.first; row < rows.last; row += kBlockRows) {
      const Range block{row, std::min(row + kBlockRows, rows.last)};
      if (prepared && by_rows) mine = prepare_rows(kernels, op, block, scratch, thread * kBlockRows - row);
      const Linear part = mine.of_rows(block);
      for (int64_t panel = columns.first; panel < columns.last && !stop(); panel += step) {
        linear(kernels, part.of_panels({panel, std::min(panel + step, columns.last)}));
      }
    }
  });
}

}  // namespace polysemy
