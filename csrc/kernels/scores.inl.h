// Scores of a block of queries against a block of keys, modified: the part of attention before the softmax.
#pragma once

#include "kernels/tile.inl.h"
#include "kernels/transpose.inl.h"

namespace polysemy {
namespace {

constexpr float kInfinity = __builtin_inff();

// Rows of scores lie this far apart: a multiple of 512 would put all rows in the same few sets of the L1 cache.
constexpr int64_t kScoreStride = kBlockKeys + kLanes;

alignas(64) constexpr float kLaneNumber[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// Keys for which there is room in the packed block: what few keys fill lies close together, and stays in L1.
INLINE int64_t block_keys(const AttentionTask& t) {
  return t.keys < kBlockKeys ? round_up(t.keys, kLanes) : kBlockKeys;
}

// The keys [first, last) of one block, first a multiple of kBlockKeys, that some query of a block may see.
struct KeyRange {
  int64_t block, first, last;
};

// Keys of the block that queries [query, query + rows) can see, cut to whole panels at the front.
INLINE KeyRange visible_keys(const AttentionTask& t, int64_t query, int64_t rows, int64_t block) {
  int64_t first = block, last = block + kBlockKeys < t.keys ? block + kBlockKeys : t.keys;
  if (t.modifiers.windowed) {
    const int64_t low = query - t.modifiers.left, high = query + rows + t.modifiers.right;
    if (first < low) first = low / kLanes * kLanes;
    if (last > high) last = high;
  }
  return {block, first, last > first ? last : first};
}

INLINE Vec gather_lanes(const float* p, int64_t stride, int64_t n) {
  if (stride == 1) return load_n(p, n);
  if (stride == 0) return set1(*p);
  float lane[kLanes] = {};
  for (int64_t i = 0; i < n && i < kLanes; ++i) lane[i] = p[i * stride];
  return load(lane);
}

INLINE Mask gather_mask(const uint8_t* p, int64_t stride, int64_t n) {
  if (stride == 1 && n >= kLanes) return nonzero_bytes(p);
  uint8_t lane[kLanes] = {};
  for (int64_t i = 0; i < n && i < kLanes; ++i) lane[i] = p[i * stride];
  return nonzero_bytes(lane);
}

INLINE void modify_row(const AttentionTask& t, int64_t query, float scale, KeyRange keys, float* row) {
  const ScoreModifiers& m = t.modifiers;
  const Vec masked = set1(-kInfinity);
  for (int64_t j = keys.first; j < keys.last; j += kLanes) {
    const int64_t n = keys.last - j;
    Vec s = load(row + (j - keys.block)) * set1(scale);
    if (m.add) s = s + gather_lanes(m.add + query * m.mask_row + j * m.mask_column, m.mask_column, n);
    if (m.by_distance) s = s + load_n(m.by_distance + (j - query), n);
    if (m.alibi) {
      const Vec distance = set1(static_cast<float>(query - j)) - load(kLaneNumber);
      s = fnma(set1(m.alibi_slope), max(distance, zero() - distance), s);
    }
    if (m.keep) {
      s = select(gather_mask(m.keep + query * m.mask_row + j * m.mask_column, m.mask_column, n), s, masked);
    }
    if (m.windowed) {
      s = select(first_lanes(query + m.right + 1 - j), s, masked);
      s = select(first_lanes(query - m.left - j), masked, s);
    }
    store(row + (j - keys.block), s);
  }
}

// Chains over the head dimension are shorter than others: with logits of 40 and more, digits lost here are those that
// the exponential magnifies.
constexpr int kScoreChain = 16;

// Rows of a query block are tiled in steps of kQueryStep, so that few tile heights have to be compiled. A block's rows
// beyond its queries are zeros (copy_queries) and their results are not used. Calls f(first row, constant height).
template <int most_rows = kTileRows, class F>
INLINE void each_query_tile(int64_t rows, F f) {
  constexpr int most = most_rows / kQueryStep;
  static_assert(most_rows % kQueryStep == 0 && kBlockQueries % kQueryStep == 0);
  each_row_tile((rows + kQueryStep - 1) / kQueryStep, most, [&](int64_t step, int64_t steps) INLINE_LAMBDA {
    with_constant<most>(
        steps, [&](auto n) INLINE_LAMBDA { f(step * kQueryStep, std::integral_constant<int, n * kQueryStep>{}); });
  });
}

// Where the scale of scores is applied. Its power of two and its sign go to the queries: that is exact
// above the subnormal numbers, and keeps products as far from overflow as the scores are. The rest, 1 to 2, is part of
// the exponent's factor: it multiplies differences of scores, which are small for the keys that matter, so its rounding
// hardly counts. Only scores that are modified need it before.
struct Scaling {
  float query = 1.0f, score = 1.0f;
  float base = 0x1.715476p0f;  // p = 2^(base (s - max)): log2(e), times the scale that is still due
  float due = 1.0f;
};

INLINE Scaling scaling_of(const AttentionTask& t) {
  const ScoreModifiers& m = t.modifiers;
  uint32_t word;
  __builtin_memcpy(&word, &t.scale, sizeof word);
  const uint32_t exponent = word & 0x7F800000u, power = word & 0xFF800000u;
  Scaling s;
  // Zero, subnormal, infinite, NaN: no power of two to be had.
  const bool plain = exponent != 0 && exponent != 0x7F800000u;
  if (plain) __builtin_memcpy(&s.query, &power, sizeof power);
  const float rest = t.scale / s.query;
  if (m.add || m.by_distance || m.alibi || !plain) {
    s.score = rest;
  } else {
    s.due = rest;
    s.base = s.base * rest;
  }
  return s;
}

// How scores are computed: in float32, from rows and panels as they are.
struct FloatScores {
  using Input = float;  // of queries
  static constexpr bool kFloats = true;

  static constexpr int64_t row_stride(int64_t dim) { return dim; }             // of prepared queries, in inputs
  static constexpr int64_t panel_stride(int64_t dim) { return dim * kLanes; }  // of packed keys, in floats

  INLINE static void prepare(const float* from, int64_t dim, float power, Input* to) {
    for (int64_t d = 0; d < dim; d += kLanes) store_n(to + d, load_n(from + d, dim - d) * set1(power), dim - d);
  }
  INLINE static void pack(float* /*panel*/, int64_t /*dim*/) {}

  // tile += Q K^T, tile being zero
  template <int rows, int panels>
  INLINE static void multiply(Tile<rows, panels>& tile, const Input* query, const float* keys, int64_t dim) {
    multiply_add<kScoreChain>(tile, query, row_stride(dim), keys, panel_stride(dim), dim);
  }
};

template <class Scores, int panels>
INLINE void score_panels(const typename Scores::Input* query, int64_t dim, int64_t rows, const float* packed_keys,
                         int64_t column, float* scores) {
  each_query_tile(rows, [&](int64_t row, auto height) INLINE_LAMBDA {
    Tile<height, panels> tile;
    each_sum(tile, [](Vec& sum, auto, auto) INLINE_LAMBDA { sum = zero(); });
    Scores::multiply(tile, query + row * Scores::row_stride(dim),
                     packed_keys + column / kLanes * Scores::panel_stride(dim), dim);
    each_sum(tile, [&](Vec& sum, auto r, auto p)
                       INLINE_LAMBDA { store(scores + (row + r) * kScoreStride + column + p * kLanes, sum); });
  });
}

// Over few keys the errors of scores do not average out, and one that is large next to torch's would be seen: a precise
// task then has short chains, which are added in double and rounded once, and over a handful of keys no chains at all:
// products and sums are double. Long heads have larger errors, and need it with more keys. What other limits and longer
// chains cost is in docs/decisions/0007.
constexpr int64_t kHandfulOfKeys = 12;
constexpr int64_t kFewKeys = 40;
constexpr int64_t kFewKeysOfLongHeads = 64;
constexpr int64_t kUsualHead = 128;
constexpr int kPreciseChain = 4;

INLINE bool few_keys(const AttentionTask& t) {
  return t.precise && t.keys <= (t.dim <= kUsualHead ? kFewKeys : kFewKeysOfLongHeads);
}

// Each of a tile's sums takes the registers of two float32 sums, and its chain those of a third.
constexpr int kPreciseRows = kQueryStep;

// sum += A B for one panel of `length` rows, in double, in which products of floats are exact.
template <int height>
INLINE void add_products(DVec (&sum)[height], const float* a, int64_t a_stride, const float* b, int64_t length) {
  for (int64_t i = 0; i < length; ++i) {
    const DVec key = widen(load(b + i * kLanes));
    unroll<height>([&](auto r) INLINE_LAMBDA { sum[r] = fma(static_cast<double>(a[r * a_stride + i]), key, sum[r]); });
  }
}

// The same, with a chain in float32.
template <int length, int height>
INLINE void add_chain(DVec (&sum)[height], const float* a, int64_t a_stride, const float* b) {
  Tile<height, 1> chain;
  each_sum(chain, [](Vec& part, auto, auto) INLINE_LAMBDA { part = zero(); });
  unroll<length>([&](auto i) INLINE_LAMBDA {
    const Vec key = load(b + i * kLanes);
    each_sum(chain, [&](Vec& part, auto r, auto) INLINE_LAMBDA { part = fma(set1(a[r * a_stride + i]), key, part); });
  });
  each_sum(chain, [&](Vec& part, auto r, auto) INLINE_LAMBDA { sum[r] = sum[r] + widen(part); });
}

INLINE void precise_scores(const AttentionTask& t, const float* query, int64_t rows, const float* packed_keys,
                           int64_t columns, float* scores) {
  const bool chains = t.keys > kHandfulOfKeys;
  for (int64_t column = 0; column < columns; column += kLanes) {
    const float* const panel = packed_keys + column * t.dim;
    each_query_tile<kPreciseRows>(rows, [&](int64_t row, auto height) INLINE_LAMBDA {
      const float* const a = query + row * t.dim;
      DVec sum[static_cast<int>(height)];
      unroll<height>([&](auto r) INLINE_LAMBDA { sum[r] = dzero(); });
      int64_t d = 0;
      if (chains) {
        for (; d + kPreciseChain <= t.dim; d += kPreciseChain) {
          add_chain<kPreciseChain>(sum, a + d, t.dim, panel + d * kLanes);
        }
      }
      add_products(sum, a + d, t.dim, panel + d * kLanes, t.dim - d);
      unroll<height>([&](auto r)
                         INLINE_LAMBDA { store(scores + (row + r) * kScoreStride + column, narrow(sum[r], 1.0)); });
    });
  }
}

// scores[r][j - keys.block] for the rows of one query block. query: dense. Lanes past the last key are -inf.
template <class Scores>
APART void block_scores(const AttentionTask& t, const typename Scores::Input* query, float scale, int64_t first_query,
                        int64_t rows, KeyRange keys, const float* packed_keys, float* scores) {
  const int64_t end = round_up(keys.last - keys.block, kLanes);
  int64_t column = keys.first - keys.block;
  if constexpr (Scores::kFloats) {
    if (few_keys(t)) {
      precise_scores(t, query, rows, packed_keys, end, scores);
      column = end;
    }
  }
  for (; column + kTilePanels * kLanes <= end; column += kTilePanels * kLanes) {
    score_panels<Scores, kTilePanels>(query, t.dim, rows, packed_keys, column, scores);
  }
  if constexpr (kTilePanels > 1) {
    for (; column < end; column += kLanes) score_panels<Scores, 1>(query, t.dim, rows, packed_keys, column, scores);
  }
  const ScoreModifiers& m = t.modifiers;
  const bool modified = m.add || m.by_distance || m.keep || m.alibi || m.windowed || scale != 1.0f;
  const int64_t used = (keys.last - keys.block) % kLanes;
  for (int64_t r = 0; r < rows; ++r) {
    float* row = scores + r * kScoreStride;
    if (modified) modify_row(t, first_query + r, scale, keys, row);
    if (used) {
      float* tail = row + end - kLanes;
      store(tail, select(first_lanes(used), load(tail), set1(-kInfinity)));
    }
  }
}

// Rows of a head lie a row of all heads apart: too far for the processor to see what is read next.
INLINE void fetch_rows(const float* rows, int64_t stride, int64_t count, int64_t width) {
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t i = 0; i < width; i += kLanes) __builtin_prefetch(rows + r * stride + i);
  }
}

template <class Scores>
INLINE void pack_keys(const AttentionTask& t, int64_t block, float* packed) {
  const int64_t count = t.keys - block < kBlockKeys ? t.keys - block : kBlockKeys;
  for (int64_t j = 0; j < count; j += kLanes) {
    const int64_t rows = count - j < kLanes ? count - j : kLanes;
    const int64_t next = count - j - rows < kLanes ? count - j - rows : kLanes;
    fetch_rows(t.key + (block + j + rows) * t.key_stride, t.key_stride, next, t.dim);
    float* const panel = packed + j / kLanes * Scores::panel_stride(t.dim);
    transpose_panel(t.key + (block + j) * t.key_stride, t.key_stride, rows, t.dim, panel);
    Scores::pack(panel, t.dim);
  }
}

template <class Values>
INLINE void pack_values(const AttentionTask& t, int64_t block, float* packed) {
  const int64_t count = t.keys - block < kBlockKeys ? t.keys - block : kBlockKeys;
  for (int64_t column = 0; column < t.value_dim; column += kLanes) {
    const float* from = t.value + block * t.value_stride + column;
    float* const panel = packed + column * block_keys(t);
    for (int64_t j = 0; j < count; ++j) {
      if (j + kLanes < count) fetch_rows(from + (j + kLanes) * t.value_stride, t.value_stride, 1, 1);
      store(panel + j * kLanes, load_n(from + j * t.value_stride, t.value_dim - column));
    }
    Values::pack(panel, count, block_keys(t));
  }
}

// Dense rows, whatever the stride of the queries.
template <class Scores>
INLINE void copy_queries(const AttentionTask& t, float scale, int64_t first, int64_t rows,
                         typename Scores::Input* copied) {
  const int64_t stride = Scores::row_stride(t.dim), next = first + rows;
  fetch_rows(t.query + next * t.query_stride, t.query_stride,
             t.last_query - next < kBlockQueries ? t.last_query - next : kBlockQueries, t.dim);
  for (int64_t r = 0; r < rows; ++r) {
    Scores::prepare(t.query + (first + r) * t.query_stride, t.dim, scale, copied + r * stride);
  }
  for (int64_t i = rows * stride; i < round_up(rows, kQueryStep) * stride; ++i) copied[i] = {};
}

}  // namespace
}  // namespace polysemy
