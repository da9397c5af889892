// All kernels of one level in one table.
#pragma once

#include "kernels/attention.inl.h"
#include "kernels/elements.inl.h"
#include "kernels/embed.inl.h"
#include "kernels/gemm.inl.h"
#include "kernels/norm.inl.h"
#include "kernels/panels_float32.inl.h"
#include "kernels/peak.inl.h"
#include "kernels/pool.inl.h"
#include "kernels/rotary.inl.h"
#include "kernels/softmax.inl.h"
#include "kernels/table.h"

namespace polysemy {
namespace {

template <class Panels>
constexpr GemmSlot slot() {
  return {gemm<Panels>, Panels::pack, sizeof(typename Panels::Word)};
}

constexpr KernelTable make_table(const char* name, bool fused) {
  KernelTable t{};
  t.name = name;
  t.fused = fused;
  t.products[static_cast<int>(DType::kFloat32)] = slot<Float32Panels>();
  t.attention = attention;
  t.norm = norm;
  t.embed = embed;
  t.widen = widen;
  t.pool = pool;
  t.softmax = softmax;
  t.l2_normalize = l2_normalize;
  t.add = add;
  t.elements = elements;
  t.rotary = rotary;
  t.fma_peak = fma_peak;
  return t;
}

}  // namespace
}  // namespace polysemy
