// Token + type + position rows, then a norm: layer 0 of the hidden states.
#pragma once

#include "kernels/norm.inl.h"
#include "kernels/widen.inl.h"

namespace polysemy {
namespace {

// y += the row of a table.
INLINE void add_row(const Table& table, int64_t id, int64_t columns, float* y) {
  with_reader(table.dtype, [&](auto read) INLINE_LAMBDA {
    for (int64_t i = 0; i < columns; i += kLanes) {
      const int64_t n = columns - i;
      store_n(y + i, load_n(y + i, n) + read(table.data, id * columns + i, n), n);
    }
  });
}

INLINE void embed_rows(const EmbedTask& t, int64_t row, int64_t rows) {
  const Vec scale = set1(t.scale);
  for (int64_t r = row; r < row + rows; ++r) {
    float* y = t.out + r * t.out_stride;
    with_reader(t.tokens.dtype, [&](auto read) INLINE_LAMBDA {
      for (int64_t i = 0; i < t.columns; i += kLanes) {
        const int64_t n = t.columns - i;
        store_n(y + i, read(t.tokens.data, t.ids[r] * t.columns + i, n) * scale, n);
      }
    });
    if (t.type_table.data) add_row(t.type_table, t.types ? t.types[r] : 0, t.columns, y);
    if (t.position_table.data) add_row(t.position_table, t.positions[r], t.columns, y);
  }
}

void embed(const EmbedTask& t) noexcept {
  for (int64_t row = 0; row < t.rows; row += kNormRows) {
    const int64_t rows = t.rows - row < kNormRows ? t.rows - row : kNormRows;
    embed_rows(t, row, rows);
    if (!t.weight) continue;
    float* const y = t.out + row * t.out_stride;
    norm({.x = y,
          .residual = nullptr,
          .weight = t.weight,
          .bias = t.bias,
          .out = y,
          .x_stride = t.out_stride,
          .residual_stride = 0,
          .out_stride = t.out_stride,
          .rows = rows,
          .columns = t.columns,
          .eps = t.eps,
          .rms = t.rms});
  }
}

}  // namespace
}  // namespace polysemy
