// What an instruction set offers: plain function pointers on the structs of tasks.h. Every kernel is single-threaded,
// allocates nothing and throws nothing.
#pragma once

#include "kernels/tasks.h"

namespace polysemy {

struct KernelTable {
  const char* name;
  bool fused;  // bit-identical to every other fused level
  void (*gemm)(const GemmTask&) noexcept;
  void (*pack)(const PackTask&) noexcept;
  void (*attention)(const AttentionTask&) noexcept;
  void (*norm)(const NormTask&) noexcept;
  void (*embed)(const EmbedTask&) noexcept;
  void (*pool)(const PoolTask&) noexcept;
  void (*softmax)(const RowsTask&) noexcept;
  void (*l2_normalize)(const RowsTask&) noexcept;
  void (*elements)(const ElementsTask&) noexcept;
  void (*rotary)(const RotaryTask&) noexcept;
  double (*fma_peak)(int64_t rounds) noexcept;  // runs rounds of fused multiply-adds in registers, returns their FLOP
};

}  // namespace polysemy
