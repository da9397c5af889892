// Attention with a streaming softmax: out = softmax(scale * Q K^T + modifiers) V for one head of one sequence.
//
// Keys come in blocks of kBlockKeys, counted from the first key. Per query a running maximum m, a running sum l and
// the output row o are kept; block b with scores s and values V changes them as
//   m' = max(m, max(s));  a = exp(m - m');  p = exp(s - m');  l' = a l + sum(p);  o' = a o + p V
// with exp(x) as 2^(log2(e) x) and the scale as part of that factor (Scaling). The end is o / l. The score matrix never
// exists: memory is one block of keys and values and a few score rows. m starts at -inf, so a row whose keys are all
// masked keeps l = 0 and becomes zeros. A score of +inf is the limit of large scores: alone it takes all the weight,
// two of them give NaN.
#pragma once

#include "kernels/math.inl.h"
#include "kernels/scores.inl.h"

namespace polysemy {
namespace {

struct AttentionScratch {
  float *keys, *values, *query, *scores;
  Scaling scaling;
};

INLINE AttentionScratch split_scratch(const AttentionTask& t) {
  AttentionScratch s;
  s.keys = t.scratch;
  s.values = s.keys + kBlockKeys * t.dim;
  s.query = s.values + kBlockKeys * round_up(t.value_dim, kLanes);
  s.scores = s.query + kBlockQueries * round_up(t.dim, kLanes);
  s.scaling = scaling_of(t);
  return s;
}

INLINE float largest(const float* s, int64_t count) {
  Vec best = set1(-kInfinity);
  for (int64_t j = 0; j < count; j += kLanes) best = max(load(s + j), best);
  return reduce_max(best);
}

// s = 2^(base (s - m)) in place, m the maximum so far; gives the sum. count is a multiple of 16.
INLINE float exponentials(float* s, int64_t count, float m, float base) {
  if (m == kInfinity) {  // only infinite scores count, each as much as the others
    for (int64_t j = 0; j < count; j += kLanes) {
      const Vec v = load(s + j);
      store(s + j, select(equal(v, set1(kInfinity)), zero(), select(equal(v, v), set1(-kInfinity), v)));
    }
    m = 0.0f;
  }
  const Vec largest = set1(m == -kInfinity ? 0.0f : m), factor = set1(base);
  Vec sum = zero();
  for (int64_t j = 0; j < count; j += kLanes) {
    const Vec p = exp2_nonpositive((load(s + j) - largest) * factor);
    sum = sum + p;
    store(s + j, p);
  }
  return reduce_add(sum);
}

// 2^(base (m - m')), the factor by which earlier blocks shrink.
INLINE float rescale_factor(float m, float larger, float base) {
  if (m == larger) return 1.0f;
  if (larger == kInfinity) return 0.0f;
  float lane[kLanes];
  store(lane, exp2_nonpositive(set1((m - larger) * base)));
  return lane[0];
}

template <int panels>
INLINE void add_values(const AttentionTask& t, const AttentionScratch& s, int64_t query, int64_t rows, KeyRange keys,
                       int64_t column, bool first, const float* factor) {
  const int64_t offset = keys.first - keys.block;
  const float* values = s.values + column * kBlockKeys + offset * kLanes;
  each_query_tile(rows, [&](int64_t row, auto height) INLINE_LAMBDA {
    const auto place = [&](auto r, auto p)
                           INLINE_LAMBDA { return t.out + (query + row + r) * t.out_stride + column + p * kLanes; };
    const auto lanes = [&](auto p) INLINE_LAMBDA { return t.value_dim - column - p * kLanes; };
    Tile<height, panels> tile;
    each_sum(tile, [&](Vec& sum, auto r, auto p) INLINE_LAMBDA {
      sum = first || row + r >= rows ? zero() : load_n(place(r, p), lanes(p)) * set1(factor[row + r]);
    });
    multiply_add<kChain>(tile, s.scores + row * kScoreStride + offset, kScoreStride, values, kBlockKeys * kLanes,
                         keys.last - keys.first);
    each_sum(tile, [&](Vec& sum, auto r, auto p) INLINE_LAMBDA {
      if (row + r < rows) store_n(place(r, p), sum, lanes(p));
    });
  });
}

// One block of queries meets one block of keys.
INLINE void attend_block(const AttentionTask& t, const AttentionScratch& s, int64_t query, int64_t rows, KeyRange keys,
                         bool first) {
  copy_queries(t, s.scaling.query, query, rows, s.query);
  block_scores(t, s.query, s.scaling.score, query, rows, keys, s.keys, s.scores);
  const int64_t offset = keys.first - keys.block;
  const int64_t count = round_up(keys.last - keys.first, kLanes);
  float factor[kBlockQueries];
  for (int64_t r = 0; r < rows; ++r) {
    float* score = s.scores + r * kScoreStride + offset;
    float& m = t.row_max[query + r - t.first_query];
    float& l = t.row_sum[query + r - t.first_query];
    const float block_max = largest(score, count);
    const float larger = block_max > m ? block_max : m;
    factor[r] = first ? 0.0f : rescale_factor(m, larger, s.scaling.base);
    const float sum = exponentials(score, count, larger, s.scaling.base);
    l = first ? sum : l * factor[r] + sum;
    m = larger;
  }
  const int64_t width = round_up(t.value_dim, kLanes);
  int64_t column = 0;
  for (; column + kTilePanels * kLanes <= width; column += kTilePanels * kLanes) {
    add_values<kTilePanels>(t, s, query, rows, keys, column, first, factor);
  }
  if constexpr (kTilePanels > 1) {
    for (; column < width; column += kLanes) add_values<1>(t, s, query, rows, keys, column, first, factor);
  }
}

INLINE void divide_by_sum(const AttentionTask& t, int64_t query) {
  const float m = t.row_max[query - t.first_query], l = t.row_sum[query - t.first_query];
  const float divisor = m == kInfinity && l > 1.0f ? __builtin_nanf("") : l;
  float* out = t.out + query * t.out_stride;
  for (int64_t d = 0; d < t.value_dim; d += kLanes) {
    const int64_t n = t.value_dim - d;
    store_n(out + d, l == 0.0f ? zero() : load_n(out + d, n) / set1(divisor), n);
  }
}

// Probabilities from the final statistics: the scores are computed a second time, by the same code.
INLINE void write_weights(const AttentionTask& t, const AttentionScratch& s, int64_t query, int64_t rows,
                          KeyRange keys) {
  for (int64_t r = 0; r < rows; ++r) {
    float* row = t.weights + (query + r - t.first_query) * t.weights_stride;
    for (int64_t j = keys.block; j < keys.block + kBlockKeys && j < t.keys; j += kLanes) {
      store_n(row + j, zero(), t.keys - j);
    }
  }
  if (keys.first == keys.last) return;
  copy_queries(t, s.scaling.query, query, rows, s.query);
  block_scores(t, s.query, s.scaling.score, query, rows, keys, s.keys, s.scores);
  const int64_t offset = keys.first - keys.block;
  for (int64_t r = 0; r < rows; ++r) {
    const float m = t.row_max[query + r - t.first_query], l = t.row_sum[query + r - t.first_query];
    if (l == 0.0f) continue;
    float* score = s.scores + r * kScoreStride + offset;
    float* row = t.weights + (query + r - t.first_query) * t.weights_stride;
    exponentials(score, round_up(keys.last - keys.first, kLanes), m, s.scaling.base);
    const Vec divisor = set1(m == kInfinity && l > 1.0f ? __builtin_nanf("") : l);
    for (int64_t j = keys.first; j < keys.last; j += kLanes) {
      store_n(row + j, load(score + (j - keys.first)) / divisor, keys.last - j);
    }
  }
}

// Calls f(first query, rows, visible keys) for each block of queries.
template <class F>
INLINE void each_query_block(const AttentionTask& t, int64_t block, F f) {
  for (int64_t q = t.first_query; q < t.last_query; q += kBlockQueries) {
    const int64_t rows = t.last_query - q < kBlockQueries ? t.last_query - q : kBlockQueries;
    f(q, rows, visible_keys(t, q, rows, block));
  }
}

void attention(const AttentionTask& t) noexcept {
  const AttentionScratch s = split_scratch(t);
  for (int64_t q = t.first_query; q < t.last_query; ++q) {
    t.row_max[q - t.first_query] = -kInfinity;
    t.row_sum[q - t.first_query] = 0.0f;
  }
  for (int64_t block = 0; block < t.keys; block += kBlockKeys) {
    if (t.stop && t.stop(t.call)) return;
    const KeyRange seen = visible_keys(t, t.first_query, t.last_query - t.first_query, block);
    if (seen.first == seen.last) continue;
    pack_keys(t, block, s.keys);
    pack_values(t, block, s.values);
    each_query_block(t, block, [&](int64_t query, int64_t rows, KeyRange keys) {
      if (keys.first == keys.last) return;
      // Nothing of this query block was stored yet if the block of keys before this one was out of its sight.
      const bool first = block == 0 || (t.modifiers.windowed && query - t.modifiers.left >= block);
      attend_block(t, s, query, rows, keys, first);
    });
  }
  for (int64_t q = t.first_query; q < t.last_query; ++q) divide_by_sum(t, q);
  for (int64_t block = 0; t.weights && block < t.keys; block += kBlockKeys) {
    if (t.stop && t.stop(t.call)) return;
    pack_keys(t, block, s.keys);
    each_query_block(t, block,
                     [&](int64_t query, int64_t rows, KeyRange keys) { write_weights(t, s, query, rows, keys); });
  }
  for (int64_t q = t.first_query; q < t.last_query; ++q) t.row_max[q - t.first_query] *= s.scaling.due;
}

}  // namespace
}  // namespace polysemy
