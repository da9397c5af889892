#include "ops/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/buffer.h"
#include "base/parallel.h"

namespace polysemy {
namespace {

struct TaskPlace {
  int64_t sequence, head, first_query, last_query;
};

// Long tasks, but enough of them to keep all threads busy to the end.
std::vector<TaskPlace> split(const Attention& op, int threads) {
  std::vector<TaskPlace> places;
  int64_t rows = 0;
  for (const AttentionSequence& s : op.sequences) rows += s.queries;
  const int64_t even = round_up(std::max<int64_t>(1, rows * op.heads / (4 * threads)), kBlockQueries);
  const int64_t most = threads == 1 ? kTaskQueries : std::min(kTaskQueries, std::max(2 * kBlockQueries, even));
  for (size_t i = 0; i < op.sequences.size(); ++i) {
    const AttentionSequence& s = op.sequences[i];
    for (int64_t h = 0; h < op.heads; ++h) {
      for (int64_t q = 0; q < s.queries; q += most) {
        places.push_back({.sequence = static_cast<int64_t>(i),
                          .head = h,
                          .first_query = q,
                          .last_query = std::min(q + most, s.queries)});
      }
    }
  }
  return places;
}

void write_lse(const Attention& op, const TaskPlace& place, const AttentionTask& task) {
  float* to = op.sequences[static_cast<size_t>(place.sequence)].lse + place.head * op.lse.head;
  for (int64_t q = place.first_query; q < place.last_query; ++q) {
    const float m = task.row_max[q - place.first_query], l = task.row_sum[q - place.first_query];
    to[q * op.lse.row] = l == 0.0f ? -std::numeric_limits<float>::infinity()
                                   : static_cast<float>(static_cast<double>(m) + std::log(static_cast<double>(l)));
  }
}

}  // namespace

void Attention::set_band(bool causal, int64_t left, int64_t right) {
  const auto limit = [](int64_t n) { return n < 0 || n > kUnlimited ? kUnlimited : n; };
  modifiers.left = limit(left);
  modifiers.right = causal ? 0 : limit(right);
  modifiers.windowed = causal || left >= 0 || right >= 0;
}

AttentionTask attention_task(const Attention& op, const AttentionSequence& sequence, int64_t head, int64_t first_query,
                             int64_t last_query, float* scratch) {
  const int64_t kv_head = head / (op.heads / op.kv_heads);
  AttentionTask t{};
  t.query = sequence.query + head * op.query.head;
  t.key = sequence.key + kv_head * op.key.head;
  t.value = sequence.value + kv_head * op.value.head;
  t.out = sequence.out + head * op.out.head;
  t.query_stride = op.query.row;
  t.key_stride = op.key.row;
  t.value_stride = op.value.row;
  t.out_stride = op.out.row;
  t.first_query = first_query;
  t.last_query = last_query;
  t.keys = sequence.keys;
  t.dim = op.dim;
  t.value_dim = op.value_dim;
  t.scale = op.scale;
  t.modifiers = op.modifiers;
  t.modifiers.keep = sequence.keep ? sequence.keep + head * op.mask_head : nullptr;
  t.modifiers.add = sequence.add ? sequence.add + head * op.mask_head : nullptr;
  t.modifiers.by_distance = op.by_distance ? op.by_distance + head * op.by_distance_head : nullptr;
  t.modifiers.alibi = op.alibi_slopes != nullptr;
  t.modifiers.alibi_slope = op.alibi_slopes ? op.alibi_slopes[head] : 0.0f;
  t.weights = sequence.weights ? sequence.weights + (head * sequence.queries + first_query) * sequence.keys : nullptr;
  t.weights_stride = sequence.keys;
  t.scratch = scratch;
  t.row_max = scratch + attention_scratch(op.dim, op.value_dim);
  t.row_sum = t.row_max + round_up(last_query - first_query, kLanes);
  return t;
}

void attention_parallel(const KernelTable& kernels, const Attention& op, int threads) {
  const std::vector<TaskPlace> places = split(op, threads);
  if (places.empty()) return;
  const int team = static_cast<int>(std::min<int64_t>(threads, static_cast<int64_t>(places.size())));
  const int64_t size = attention_task_scratch(op.dim, op.value_dim);
  const Buffer scratch = Buffer::of<float>(size * team);
  Queue queue(static_cast<int64_t>(places.size()));
  const Stop stop;
  parallel(team, [&](int thread, int) {
    for (int64_t i; queue.next(i);) {
      const TaskPlace& place = places[static_cast<size_t>(i)];
      const AttentionSequence& sequence = op.sequences[static_cast<size_t>(place.sequence)];
      AttentionTask task = attention_task(op, sequence, place.head, place.first_query, place.last_query,
                                          scratch.data<float>() + thread * size);
      task.precise = true;
      task.stop = [](const void* call) { return (*static_cast<const Stop*>(call))(); };
      task.call = &stop;
      attend(kernels, op.in, task);
      if (sequence.lse) write_lse(op, place, task);
    }
  });
}

}  // namespace polysemy
