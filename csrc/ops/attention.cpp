#include "ops/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/buffer.h"
#include "base/parallel.h"

namespace polysemy {
namespace {

struct TaskPlace {
  int64_t problem, head, first_query, last_query;
};

// Long tasks, but enough of them to keep all threads busy to the end.
std::vector<TaskPlace> split(const Attention& op, int threads) {
  std::vector<TaskPlace> places;
  int64_t rows = 0;
  for (const AttentionSequence& p : op.sequences) rows += p.queries;
  const int64_t even = round_up(std::max<int64_t>(1, rows * op.heads / (4 * threads)), kBlockQueries);
  const int64_t most = threads == 1 ? kTaskQueries : std::min(kTaskQueries, std::max(2 * kBlockQueries, even));
  for (size_t p = 0; p < op.sequences.size(); ++p) {
    for (int64_t h = 0; h < op.heads; ++h) {
      for (int64_t q = 0; q < op.sequences[p].queries; q += most) {
        places.push_back({static_cast<int64_t>(p), h, q, std::min(q + most, op.sequences[p].queries)});
      }
    }
  }
  return places;
}

void write_lse(const AttentionSequence& problem, const TaskPlace& place, const AttentionTask& task) {
  float* to = problem.lse + place.head * problem.queries;
  for (int64_t q = place.first_query; q < place.last_query; ++q) {
    const float m = task.row_max[q - place.first_query], l = task.row_sum[q - place.first_query];
    to[q] = l == 0.0f ? -std::numeric_limits<float>::infinity()
                      : static_cast<float>(static_cast<double>(m) + std::log(static_cast<double>(l)));
  }
}

}  // namespace

int64_t attention_task_scratch(int64_t queries, int64_t dim, int64_t value_dim) {
  return attention_scratch(dim, value_dim) + 2 * round_up(queries, kLanes);
}

AttentionTask attention_task(const Attention& op, const AttentionSequence& problem, int64_t head, int64_t first_query,
                             int64_t last_query, float* scratch) {
  const int64_t kv_head = head / (op.heads / op.kv_heads);
  AttentionTask t{};
  t.query = problem.query + head * op.query.head;
  t.key = problem.key + kv_head * op.key.head;
  t.value = problem.value + kv_head * op.value.head;
  t.out = problem.out + head * op.out.head;
  t.query_stride = op.query.row;
  t.key_stride = op.key.row;
  t.value_stride = op.value.row;
  t.out_stride = op.out.row;
  t.first_query = first_query;
  t.last_query = last_query;
  t.keys = problem.keys;
  t.dim = op.dim;
  t.value_dim = op.value_dim;
  t.scale = op.scale;
  t.modifiers = op.modifiers;
  t.modifiers.keep = problem.keep ? problem.keep + head * op.mask_head : nullptr;
  t.modifiers.add = problem.add ? problem.add + head * op.mask_head : nullptr;
  t.modifiers.by_distance = op.by_distance ? op.by_distance + head * op.by_distance_head : nullptr;
  t.modifiers.alibi = op.alibi_slopes != nullptr;
  t.modifiers.alibi_slope = op.alibi_slopes ? op.alibi_slopes[head] : 0.0f;
  t.weights = problem.weights ? problem.weights + (head * problem.queries + first_query) * problem.keys : nullptr;
  t.weights_stride = problem.keys;
  t.scratch = scratch;
  t.row_max = scratch + attention_scratch(op.dim, op.value_dim);
  t.row_sum = t.row_max + round_up(last_query - first_query, kLanes);
  return t;
}

void attention_parallel(const KernelTable& kernels, const Attention& op, int threads) {
  const std::vector<TaskPlace> places = split(op, threads);
  if (places.empty()) return;
  const int team = static_cast<int>(std::min<int64_t>(threads, static_cast<int64_t>(places.size())));
  const int64_t size = attention_task_scratch(kTaskQueries, op.dim, op.value_dim);
  const Buffer scratch = Buffer::of<float>(size * team);
  Queue queue(static_cast<int64_t>(places.size()));
  const Stop stop;
  parallel(team, [&](int thread, int) {
    for (int64_t i; queue.next(i);) {
      const TaskPlace& place = places[static_cast<size_t>(i)];
      const AttentionSequence& problem = op.sequences[static_cast<size_t>(place.problem)];
      AttentionTask task = attention_task(op, problem, place.head, place.first_query, place.last_query,
                                          scratch.data<float>() + thread * size);
      task.precise = true;
      task.stop = [](const void* call) { return (*static_cast<const Stop*>(call))(); };
      task.call = &stop;
      kernels.attention(task);
      if (problem.lse) write_lse(problem, place, task);
    }
  });
}

}  // namespace polysemy
