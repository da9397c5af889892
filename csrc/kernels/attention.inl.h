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

template <class Scores>
struct AttentionScratch {
  float *keys, *values;
  typename Scores::Input* query;
  float* scores;
  Scaling scaling;
};

template <class Scores>
INLINE AttentionScratch<Scores> split_scratch(const AttentionTask& t) {
  AttentionScratch<Scores> s;
  s.keys = t.scratch;
  s.values = s.keys + block_keys(t) / kLanes * Scores::panel_stride(t.dim);
  float* const query = s.values + block_keys(t) * round_up(t.value_dim, kLanes);
  s.query = reinterpret_cast<typename Scores::Input*>(query);
  s.scores = query + kBlockQueries * round_up(t.dim, kLanes);
  s.scaling = scaling_of(t);
  return s;
}

INLINE float largest(const float* s, int64_t count) {
  Vec best = set1(-kInfinity);
  for (int64_t j = 0; j < count; j += kLanes) best = max(load(s + j), best);
  return reduce_max(best);
}

// p = 2^(base (s - m)) for f(j, p) with m the maximum so far; gives the sum. count is a multiple of 16.
template <class F>
INLINE float exponentials(float* s, int64_t count, float m, float base, F f) {
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
    f(j, p);
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

// How values are weighed: in float32, from probabilities and panels as they are.
struct FloatValues {
  using Input = float;  // of probabilities
  using Mode = SameMode;

  INLINE static void prepare(Vec p, Input* to) { store(to, p); }
  INLINE static void pack(float* /*panel*/, int64_t /*keys*/, int64_t /*room*/) {}

  // tile += P V over `keys` keys from the panel's `first` on, where it has room for `room`
  template <int rows, int panels>
  INLINE static void add(Tile<rows, panels>& tile, const Input* p, int64_t p_stride, const float* values, int64_t room,
                         int64_t first, int64_t keys) {
    multiply_add<kChain>(tile, p, p_stride, values + first * kLanes, room * kLanes, keys);
  }
};

template <class Values, int panels, class Scratch>
INLINE void add_values(const AttentionTask& t, const Scratch& s, int64_t query, int64_t rows, KeyRange keys,
                       int64_t column, bool first, const float* factor) {
  const int64_t offset = keys.first - keys.block;
  const float* values = s.values + column * block_keys(t);
  each_query_tile(rows, [&](int64_t row, auto height) INLINE_LAMBDA {
    const auto place = [&](auto r, auto p)
                           INLINE_LAMBDA { return t.out + (query + row + r) * t.out_stride + column + p * kLanes; };
    const auto lanes = [&](auto p) INLINE_LAMBDA { return t.value_dim - column - p * kLanes; };
    Tile<height, panels> tile;
    each_sum(tile, [&](Vec& sum, auto r, auto p) INLINE_LAMBDA {
      sum = first || row + r >= rows ? zero() : load_n(place(r, p), lanes(p)) * set1(factor[row + r]);
    });
    using Input = typename Values::Input;
    Values::add(tile, reinterpret_cast<const Input*>(s.scores + row * kScoreStride + offset),
                kScoreStride * static_cast<int64_t>(sizeof(float) / sizeof(Input)), values, block_keys(t), offset,
                keys.last - keys.first);
    each_sum(tile, [&](Vec& sum, auto r, auto p) INLINE_LAMBDA {
      if (row + r < rows) store_n(place(r, p), sum, lanes(p));
    });
  });
}

// One block of queries meets one block of keys.
template <class Scores, class Values>
INLINE void attend_block(const AttentionTask& t, const AttentionScratch<Scores>& s, int64_t query, int64_t rows,
                         KeyRange keys, bool first) {
  copy_queries<Scores>(t, s.scaling.query, query, rows, s.query);
  block_scores<Scores>(t, s.query, s.scaling.score, query, rows, keys, s.keys, s.scores);
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
    // In the place of the scores, of which none is read after.
    auto* const input = reinterpret_cast<typename Values::Input*>(score);
    const float sum = exponentials(score, count, larger, s.scaling.base,
                                   [&](int64_t j, Vec p) INLINE_LAMBDA { Values::prepare(p, input + j); });
    l = first ? sum : l * factor[r] + sum;
    m = larger;
  }
  const int64_t width = round_up(t.value_dim, kLanes);
  int64_t column = 0;
  for (; column + kTilePanels * kLanes <= width; column += kTilePanels * kLanes) {
    add_values<Values, kTilePanels>(t, s, query, rows, keys, column, first, factor);
  }
  if constexpr (kTilePanels > 1) {
    for (; column < width; column += kLanes) add_values<Values, 1>(t, s, query, rows, keys, column, first, factor);
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
template <class Scores>
INLINE void write_weights(const AttentionTask& t, const AttentionScratch<Scores>& s, int64_t query, int64_t rows,
                          KeyRange keys) {
  for (int64_t r = 0; r < rows; ++r) {
    float* row = t.weights + (query + r - t.first_query) * t.weights_stride;
    for (int64_t j = keys.block; j < keys.block + kBlockKeys && j < t.keys; j += kLanes) {
      store_n(row + j, zero(), t.keys - j);
    }
  }
  if (keys.first == keys.last) return;
  copy_queries<Scores>(t, s.scaling.query, query, rows, s.query);
  block_scores<Scores>(t, s.query, s.scaling.score, query, rows, keys, s.keys, s.scores);
  const int64_t offset = keys.first - keys.block;
  for (int64_t r = 0; r < rows; ++r) {
    const float m = t.row_max[query + r - t.first_query], l = t.row_sum[query + r - t.first_query];
    if (l == 0.0f) continue;
    float* score = s.scores + r * kScoreStride + offset;
    float* row = t.weights + (query + r - t.first_query) * t.weights_stride;
    exponentials(score, round_up(keys.last - keys.first, kLanes), m, s.scaling.base,
                 [&](int64_t j, Vec p) INLINE_LAMBDA { store(score + j, p); });
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

template <class Scores, class Values>
void attention(const AttentionTask& t) noexcept {
  [[maybe_unused]] const typename Values::Mode mode;
  const AttentionScratch<Scores> s = split_scratch<Scores>(t);
  for (int64_t q = t.first_query; q < t.last_query; ++q) {
    t.row_max[q - t.first_query] = -kInfinity;
    t.row_sum[q - t.first_query] = 0.0f;
  }
  for (int64_t block = 0; block < t.keys; block += kBlockKeys) {
    if (t.stop && t.stop(t.call)) return;
    const KeyRange seen = visible_keys(t, t.first_query, t.last_query - t.first_query, block);
    if (seen.first == seen.last) continue;
    pack_keys<Scores>(t, block, s.keys);
    pack_values<Values>(t, block, s.values);
    each_query_block(t, block, [&](int64_t query, int64_t rows, KeyRange keys) {
      if (keys.first == keys.last) return;
      // Nothing of this query block was stored yet if the block of keys before this one was out of its sight.
      const bool first = block == 0 || (t.modifiers.windowed && query - t.modifiers.left >= block);
      attend_block<Scores, Values>(t, s, query, rows, keys, first);
    });
  }
  for (int64_t q = t.first_query; q < t.last_query; ++q) divide_by_sum(t, q);
  for (int64_t block = 0; t.weights && block < t.keys; block += kBlockKeys) {
    if (t.stop && t.stop(t.call)) return;
    pack_keys<Scores>(t, block, s.keys);
    each_query_block(t, block,
                     [&](int64_t query, int64_t rows, KeyRange keys) { write_weights(t, s, query, rows, keys); });
  }
  for (int64_t q = t.first_query; q < t.last_query; ++q) t.row_max[q - t.first_query] *= s.scaling.due;
}

}  // namespace
}  // namespace polysemy
