// Elementwise functions.
#pragma once

#include "kernels/math.inl.h"
#include "kernels/tasks.h"

namespace polysemy {
namespace {

// out[i] = f(x[i]); the arrays may be the same.
template <class F>
INLINE void map_row(const float* x, float* out, int64_t count, F f) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(out + i, f(load(x + i)));
  if (i < count) store_n(out + i, f(load_n(x + i, count - i)), count - i);
}

// Calls use(f) with f(Vec) the function of that kind, so that a loop inside it is compiled once per kind.
template <class Use>
INLINE void with_activation(Activation kind, Use use) {
  switch (kind) {
    case Activation::kNone:
      return use([](Vec v) INLINE_LAMBDA { return v; });
    case Activation::kGeluErf:
      return use([](Vec v) INLINE_LAMBDA { return gelu_erf(v); });
    case Activation::kGeluTanh:
      return use([](Vec v) INLINE_LAMBDA { return gelu_tanh(v); });
    case Activation::kRelu:
      return use([](Vec v) INLINE_LAMBDA { return relu(v); });
    case Activation::kSilu:
      return use([](Vec v) INLINE_LAMBDA { return silu(v); });
    case Activation::kTanh:
      return use([](Vec v) INLINE_LAMBDA { return tanh(v); });
    case Activation::kQuickGelu:
      return use([](Vec v) INLINE_LAMBDA { return quick_gelu(v); });
    case Activation::kExp:
      return use([](Vec v) INLINE_LAMBDA { return exp(v); });
    case Activation::kErf:
      return use([](Vec v) INLINE_LAMBDA { return erf(v); });
    case Activation::kSigmoid:
      return use([](Vec v) INLINE_LAMBDA { return sigmoid(v); });
  }
}

void add(const AddTask& t) noexcept {
  for (int64_t r = 0; r < t.rows; ++r) {
    const float* x = t.x + r * t.x_stride;
    float* y = t.out + r * t.out_stride;
    for (int64_t i = 0; i < t.columns; i += kLanes) {
      const int64_t n = t.columns - i;
      store_n(y + i, load_n(y + i, n) + load_n(x + i, n), n);
    }
  }
}

void elements(const ElementsTask& t) noexcept {
  with_activation(t.kind, [&](auto f) INLINE_LAMBDA { map_row(t.x, t.out, t.count, f); });
}

}  // namespace
}  // namespace polysemy
