// Matrix products against a weight that was packed once.
#pragma once

#include "base/buffer.h"
#include "base/parallel.h"
#include "kernels/table.h"

namespace polysemy {

// W[n, k] in the order that the kernels read it: [panel of 16 columns][k][16].
class PackedWeight {
 public:
  PackedWeight() = default;
  PackedWeight(int64_t n, int64_t k);  // in memory of its own
  // In memory that outlives it: packed_size(n, k) floats.
  PackedWeight(int64_t n, int64_t k, float* memory) : n_(n), k_(k), data_(memory) {}
  static int64_t packed_size(int64_t n, int64_t k) { return round_up(n, kLanes) * k; }
  // Fills output features [first, first + count) from rows of a row-major matrix; first is a multiple of 16, and so is
  // count unless it ends the weight.
  void fill(const KernelTable& kernels, const float* weight, int64_t stride, int64_t first, int64_t count);

  int64_t n() const { return n_; }
  int64_t k() const { return k_; }
  int64_t panels() const { return round_up(n_, kLanes) / kLanes; }
  int64_t blocks() const { return (k_ + kBlockK - 1) / kBlockK; }
  int64_t bytes() const { return packed_size(n_, k_) * static_cast<int64_t>(sizeof(float)); }
  const float* data() const { return data_; }

 private:
  int64_t n_ = 0, k_ = 0;
  Buffer own_;
  float* data_ = nullptr;
};

// C[rows, n] = activation(A[rows, k] W^T + bias) + residual
struct Linear {
  const PackedWeight* weight;
  const float* a;
  int64_t a_stride;
  int64_t rows;
  float* c;
  int64_t c_stride;
  const float* bias = nullptr;
  const float* residual = nullptr;
  int64_t residual_stride = 0;
  Activation activation = Activation::kNone;
};

// Some panels on the calling thread.
void linear(const KernelTable& kernels, const Linear& op, Range panels);

// The part of the sum over one k-block, whose input starts at op.a; the epilogue follows the last block.
void linear_block(const KernelTable& kernels, const Linear& op, int64_t block);

// The whole product on several threads.
void linear_parallel(const KernelTable& kernels, const Linear& op, int threads);

}  // namespace polysemy
