// What an instruction set offers: plain function pointers on the structs of tasks.h. Every kernel is single-threaded,
// allocates nothing and throws nothing.
#pragma once

#include "kernels/tasks.h"

namespace polysemy {

// The products of one precision. How a panel lies in memory is the same on every isa.
struct GemmSlot {
  void (*gemm)(const GemmTask&) noexcept;
  void (*pack)(const PackTask&) noexcept;
  int64_t word;  // bytes of an element of a packed weight
};

struct KernelTable {
  const char* name;
  bool fused;                  // bit-identical to every other fused isa
  GemmSlot products[kDTypes];  // by the dtype of the packed weight; empty where there is none
  void (*attention)(const AttentionTask&) noexcept;
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

}  // namespace polysemy
