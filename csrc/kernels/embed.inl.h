// Token + type + position rows, then a norm: layer 0 of the hidden states.
#pragma once

#include "kernels/norm.inl.h"
#include "kernels/widen.inl.h"

namespace polysemy {
namespace {

// f(from, to, n) for each piece of each row: n elements of the table from element `from` on, and where they go. Takes
// values, not the task: as far as the compiler knows, a store may change the task, which it would read again each time.
template <class F>
INLINE void each_row(const int32_t* ids, int64_t rows, int64_t columns, float* out, int64_t out_stride, F f) {
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t start = (ids ? ids[r] : 0) * columns;
    float* const y = out + r * out_stride;
    for (int64_t i = 0; i < columns; i += kLanes) f(start + i, y + i, columns - i);
  }
}

// out += rows of a table, all the first one where there are no ids.
INLINE void add_rows(const Table& table, const int32_t* ids, int64_t rows, int64_t columns, float* out,
                     int64_t out_stride) {
  const void* const data = table.data;
  with_reader(table.dtype, [=](auto read) INLINE_LAMBDA {
    each_row(ids, rows, columns, out, out_stride, [=](int64_t from, float* to, int64_t n) INLINE_LAMBDA {
      store_n(to, load_n(to, n) + read(data, from, n), n);
    });
  });
}

INLINE void embed_rows(const EmbedTask& t, int64_t row, int64_t rows) {
  const int64_t columns = t.columns, out_stride = t.out_stride;
  const int32_t* const ids = t.ids + row;
  float* const out = t.out + row * out_stride;
  const void* const data = t.tokens.data;
  const Vec scale = set1(t.scale);
  with_reader(t.tokens.dtype, [=](auto read) INLINE_LAMBDA {
    each_row(ids, rows, columns, out, out_stride,
             [=](int64_t from, float* to, int64_t n) INLINE_LAMBDA { store_n(to, read(data, from, n) * scale, n); });
  });
  if (t.type_table.data) add_rows(t.type_table, t.types ? t.types + row : nullptr, rows, columns, out, out_stride);
  if (t.position_table.data) add_rows(t.position_table, t.positions + row, rows, columns, out, out_stride);
}

void embed(const EmbedTask& t) noexcept {
  const int64_t step = t.weight ? kNormRows : t.rows;  // a norm finds its rows in the cache
  for (int64_t row = 0; row < t.rows; row += step) {
    const int64_t rows = t.rows - row < step ? t.rows - row : step;
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
