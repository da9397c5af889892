// Attention over a list of sequences, all heads.
#pragma once

#include <vector>

#include "kernels/table.h"

namespace polysemy {

struct HeadStrides {  // strides in elements
  int64_t head, row;
};

// Where one sequence starts (its head 0, row 0) and how long it is.
struct AttentionSequence {
  const float *query, *key, *value;
  float* out;
  int64_t queries, keys;
  const uint8_t* keep;  // masks: or null
  const float* add;
  float* weights;  // [heads, queries, keys] or null
  float* lse;      // or null
};

struct Attention {
  std::vector<AttentionSequence> sequences;
  int64_t heads, kv_heads, dim, value_dim;
  HeadStrides query, key, value, out, lse;
  float scale;
  AttentionIn in;
  ScoreModifiers modifiers;   // pointers and slope are set per sequence and head
  int64_t mask_head;          // stride of a mask between heads
  const float* alibi_slopes;  // [heads] or null
  const float* by_distance;   // bias of head 0 for distance j - i = 0, the others around it; or null
  int64_t by_distance_head;   // stride from head to head

  // Which keys take part by their place: key j for query i when i - left <= j <= i + right, a negative one being no
  // limit, and when j <= i if causal.
  void set_band(bool causal, int64_t left, int64_t right);
};

// Queries per task at most. A task packs the keys and values that it meets, so it should have many queries.
inline constexpr int64_t kTaskQueries = 768;

// Floats of scratch that any task needs: its block buffers and its row statistics. Whole cache lines.
inline int64_t attention_task_scratch(int64_t dim, int64_t value_dim) {
  return round_up(attention_scratch(dim, value_dim) + 2 * round_up(kTaskQueries, kLanes), kLanes);
}

// The task of one head and a range of queries. weights: this head's rows from first_query on, or null.
AttentionTask attention_task(const Attention& op, const AttentionSequence& sequence, int64_t head, int64_t first_query,
                             int64_t last_query, float* scratch);

void attention_parallel(const KernelTable& kernels, const Attention& op, int threads);

}  // namespace polysemy
