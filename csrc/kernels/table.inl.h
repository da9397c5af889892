// All kernels of one level in one table.
#pragma once

#include "kernels/attention.inl.h"
#include "kernels/elements.inl.h"
#include "kernels/embed.inl.h"
#include "kernels/gemm.inl.h"
#include "kernels/norm.inl.h"
#include "kernels/peak.inl.h"
#include "kernels/pool.inl.h"
#include "kernels/rotary.inl.h"
#include "kernels/softmax.inl.h"
#include "kernels/table.h"

namespace polysemy {
namespace {

constexpr KernelTable make_table(const char* name, bool fused) {
  return {name, fused, gemm, pack, attention, norm, embed, pool, softmax, l2_normalize, elements, rotary, fma_peak};
}

}  // namespace
}  // namespace polysemy
