// What an instruction set offers: plain function pointers on the structs of tasks.h. Every kernel is single-threaded,
// allocates nothing and throws nothing.
#pragma once

#include "base/precision.h"
#include "kernels/tasks.h"

namespace polysemy {

// The products of one precision.
struct GemmSlot {
  void (*gemm)(const GemmTask&) noexcept;
  void (*pack)(const PackTask&) noexcept;
  void (*prepare)(const PrepareTask&) noexcept;  // null: products read float32 rows where they lie
  int64_t (*input_bytes)(int64_t k) noexcept;    // of a row that they read
  const char* instruction;                       // that multiplies
  bool native;                                   // an instruction made for this precision
};

struct KernelTable {
  const char* name;
  bool fused;  // bit-identical to every other fused isa
  GemmSlot products[kPrecisions];
  void (*attention[kAttentions])(const AttentionTask&) noexcept;
  void (*norm)(const NormTask&) noexcept;
  void (*embed)(const EmbedTask&) noexcept;
  void (*widen)(const WidenTask&) noexcept;
  void (*pool)(const PoolTask&) noexcept;
  void (*softmax)(const RowsTask&) noexcept;
  void (*l2_normalize)(const RowsTask&) noexcept;
  void (*add)(const AddTask&) noexcept;
  void (*elements)(const ElementsTask&) noexcept;
  void (*rotary)(const RotaryTask&) noexcept;
  double (*fma_peak)(int64_t rounds) noexcept;  // runs rounds of fused multiply-adds in registers, returns their FLOP
};

inline void attend(const KernelTable& kernels, AttentionIn in, const AttentionTask& task) {
  kernels.attention[static_cast<int>(in)](task);
}

inline const GemmSlot& products_of(const KernelTable& kernels, Precision precision) {
  return kernels.products[static_cast<int>(precision)];
}

}  // namespace polysemy
