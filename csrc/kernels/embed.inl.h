// Token + type + position rows, then layer norm: layer 0 of the hidden states.
#pragma once

#include "kernels/norm.inl.h"

namespace polysemy {
namespace {

void embed(const EmbedTask& t) noexcept {
  for (int64_t r = 0; r < t.rows; ++r) {
    const float* token = t.token_table + t.ids[r] * t.columns;
    const float* type = t.type_table ? t.type_table + (t.types ? t.types[r] : 0) * t.columns : nullptr;
    const float* position = t.position_table ? t.position_table + t.positions[r] * t.columns : nullptr;
    float* y = t.out + r * t.out_stride;
    for (int64_t i = 0; i < t.columns; i += kLanes) {
      const int64_t n = t.columns - i;
      Vec v = load_n(token + i, n);
      if (type) v = v + load_n(type + i, n);
      if (position) v = v + load_n(position + i, n);
      store_n(y + i, v, n);
    }
    if (t.weight) normalize_row(y, t.weight, t.bias, t.columns, t.eps, false);
  }
}

}  // namespace
}  // namespace polysemy
