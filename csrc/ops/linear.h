// Matrix products against a weight that was packed once.
#pragma once

#include "base/buffer.h"
#include "base/parallel.h"
#include "base/tensor.h"
#include "kernels/layout.h"
#include "kernels/table.h"
#include "ops/blocking.h"

namespace polysemy {

// Another number whenever packed weights begin to lie differently, in a panel or in an encoder: they leave the process
// as they are, and those of another layout are refused.
inline constexpr int kPackedLayout = 2;

// W[n, k] in the order that the kernels read it (kernels/layout.h), in memory that lives elsewhere.
//
// A gated weight has two panels for each 16 outputs, one of the gate and one beside it, so that the epilogue of one
// tile sees both; n counts the outputs.
struct Panels {
  void* data = nullptr;
  Precision precision = Precision::kFloat32;
  int64_t n = 0, k = 0;
  bool gated = false;

  int64_t count() const { return round_up(n, kLanes) / kLanes * (gated ? 2 : 1); }
  int64_t blocks() const { return (k + kBlockK - 1) / kBlockK; }
  int64_t stride() const { return panel_bytes(precision, k); }  // from panel to panel
  int64_t bytes() const { return count() * stride(); }
  void* panel(int64_t i) const { return static_cast<std::byte*>(data) + i * stride(); }

  // Lays rows of a tensor (outputs) into every step-th panel from `first` on. They fill whole panels, or end the
  // weight.
  void pack(const KernelTable& kernels, const Tensor& rows, int64_t first = 0, int64_t step = 1) const {
    pack(kernels, rows, rows.columns, first, step);
  }
  // The same for rows that lie row_stride elements apart: 0 is one row for all.
  void pack(const KernelTable& kernels, const Tensor& rows, int64_t row_stride, int64_t first, int64_t step) const;
};

// Panels with memory of their own.
class PackedWeight {
 public:
  PackedWeight() = default;
  PackedWeight(int64_t n, int64_t k, Precision precision = Precision::kFloat32);
  void pack(const KernelTable& kernels, const Tensor& weight) { panels_.pack(kernels, weight); }

  int64_t n() const { return panels_.n; }
  int64_t k() const { return panels_.k; }
  int64_t bytes() const { return panels_.bytes(); }
  const Panels& panels() const { return panels_; }

 private:
  Buffer memory_;
  Panels panels_;
};

// What products read in the place of float32 rows, where a precision needs something else than those: rows of this
// many floats' memory, one cache line further apart than they are long.
int64_t prepared_stride(const KernelTable& kernels, Precision precision, int64_t k);
bool prepares(const KernelTable& kernels, Precision precision);

// rows of x, x_stride apart, to `out`, out_stride apart; both in floats.
void prepare(const KernelTable& kernels, Precision precision, const float* x, int64_t x_stride, float* out,
             int64_t out_stride, int64_t rows, int64_t k);

// C[rows, n] = activation(A[rows, k] W^T + bias) + residual, or with a gated weight
// C = activation(A G^T + bias) * (A U^T + bias).
struct Linear {
  Panels weight;
  const float* a = nullptr;  // or rows that were prepared
  int64_t a_stride = 0;
  int64_t rows = 0;
  float* c = nullptr;
  int64_t c_stride = 0;
  const float* bias = nullptr;  // by column of the panels
  const float* residual = nullptr;
  int64_t residual_stride = 0;
  Activation activation = Activation::kNone;
  float* sums = nullptr;  // gated: kSumsPerThread floats of scratch

  // The same product for some rows, or for the outputs of some panels.
  Linear of_rows(Range range) const;
  Linear of_panels(Range range) const;
};

// Rows of sums lie this far apart: not a power of two, which would put all of them into a few sets of the L1 cache.
inline constexpr int64_t kSumsStride = kGatedPanels * kLanes + kLanes;
inline constexpr int64_t kSumsPerThread = kBlockRows * kSumsStride;

// On the calling thread, from rows that were prepared.
void linear(const KernelTable& kernels, const Linear& op);

// The part of the sum over one k-block, whose (prepared) input starts at op.a; the epilogue follows the last block.
void linear_block(const KernelTable& kernels, const Linear& op, int64_t block);

// On several threads, from float32 rows. Not for gated weights.
void linear_parallel(const KernelTable& kernels, const Linear& op, int threads);

}  // namespace polysemy
