// All kernels of one level in one table.
#pragma once

#include "kernels/attention.inl.h"
#include "kernels/elements.inl.h"
#include "kernels/embed.inl.h"
#include "kernels/norm.inl.h"
#include "kernels/peak.inl.h"
#include "kernels/pool.inl.h"
#include "kernels/products.inl.h"
#include "kernels/rotary.inl.h"
#include "kernels/softmax.inl.h"

namespace polysemy {
namespace {

constexpr KernelTable make_table(const char* name, bool fused) {
  KernelTable t{};
  t.name = name;
  t.fused = fused;
  add_products(t);
  t.attention[static_cast<int>(AttentionIn::kFloat32)] = attention<FloatScores, FloatValues>;
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
