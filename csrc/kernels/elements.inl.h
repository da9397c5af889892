// Elementwise functions over rows.
#pragma once

#include "kernels/math.inl.h"
#include "kernels/table.h"

namespace polysemy {
namespace {

// out[i] = f(x[i]); the arrays may be the same.
template <class F>
INLINE void map_row(const float* x, float* out, int64_t count, F f) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(out + i, f(load(x + i)));
  if (i < count) store_n(out + i, f(load_n(x + i, count - i)), count - i);
}

[[gnu::noinline]] void activate_row(Activation kind, const float* x, float* out, int64_t count) {
  switch (kind) {
    case Activation::kNone:
      return map_row(x, out, count, [](Vec v) { return v; });
    case Activation::kGeluErf:
      return map_row(x, out, count, [](Vec v) { return gelu_erf(v); });
    case Activation::kGeluTanh:
      return map_row(x, out, count, [](Vec v) { return gelu_tanh(v); });
    case Activation::kRelu:
      return map_row(x, out, count, [](Vec v) { return relu(v); });
    case Activation::kSilu:
      return map_row(x, out, count, [](Vec v) { return silu(v); });
    case Activation::kTanh:
      return map_row(x, out, count, [](Vec v) { return tanh(v); });
    case Activation::kQuickGelu:
      return map_row(x, out, count, [](Vec v) { return quick_gelu(v); });
    case Activation::kExp:
      return map_row(x, out, count, [](Vec v) { return exp(v); });
    case Activation::kErf:
      return map_row(x, out, count, [](Vec v) { return erf(v); });
    case Activation::kSigmoid:
      return map_row(x, out, count, [](Vec v) { return sigmoid(v); });
  }
}

void elements(const ElementsTask& t) noexcept { activate_row(t.kind, t.x, t.out, t.count); }

}  // namespace
}  // namespace polysemy
