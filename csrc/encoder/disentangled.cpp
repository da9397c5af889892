#include "encoder/disentangled.h"

#include <algorithm>
#include <cmath>

namespace polysemy {
namespace {

// Queries whose scores get their numbers at a time: the strip stays in L2 next to the keys.
constexpr int64_t kStrip = 4 * kBlockQueries;

// The panels that hold the buckets of all distances in a text, from the first and the last of those.
Range panels_of(int64_t first, int64_t last) { return {first / kLanes, last / kLanes + 1}; }

// Rows of a product of content and the buckets of these panels lie this far apart.
int64_t width_of(Range panels) { return (panels.last - panels.first) * kLanes; }

// The rows of the table after its norm, as float32.
Buffer table_rows(const KernelTable& kernels, const EncoderSpec& spec, const EncoderWeights& weights,
                  const PositionBiasSpec& bias) {
  const Tensor& table = weights.position_biases[static_cast<size_t>(bias.table)];
  const NormWeights& norm = weights.position_norms[static_cast<size_t>(bias.table)];
  Buffer rows = Buffer::of<float>(table.rows * spec.hidden);
  float* const x = rows.data<float>();
  kernels.widen({.from = table.data, .dtype = table.dtype, .to = x, .count = table.rows * spec.hidden});
  if (bias.norm) {
    kernels.norm({.x = x,
                  .residual = nullptr,
                  .weight = norm.weight,
                  .bias = norm.bias,
                  .out = x,
                  .x_stride = spec.hidden,
                  .residual_stride = 0,
                  .out_stride = spec.hidden,
                  .rows = table.rows,
                  .columns = spec.hidden,
                  .eps = bias.norm.eps,
                  .rms = bias.norm.kind == Norm::kRms});
  }
  return rows;
}

}  // namespace

int64_t disentangled_bucket(int64_t distance, int64_t buckets, int64_t max_distance) {
  const int64_t half = buckets / 2, exact = half / 2, n = std::abs(distance);
  int64_t step = n;
  if (n > exact) {
    // In float32, as the models were trained: borders between buckets fall where this arithmetic has them.
    const auto log = [](float x) { return static_cast<float>(std::log(static_cast<double>(x))); };
    const float most = static_cast<float>(static_cast<double>(max_distance - 1) / static_cast<double>(exact));
    const float ratio = log(static_cast<float>(n) / static_cast<float>(exact)) / log(most);
    step = static_cast<int64_t>(std::ceil(ratio * static_cast<float>(exact - 1))) + exact;
  }
  return std::clamp(half + (distance < 0 ? -step : step), int64_t{0}, buckets - 1);
}

DistanceBuckets::DistanceBuckets(const PositionBiasSpec& spec, int64_t longest)
    : longest_(std::max<int64_t>(1, longest)) {
  for (int64_t d = 1 - longest_; d < longest_; ++d) {
    buckets_.push_back(static_cast<int32_t>(disentangled_bucket(d, spec.buckets, spec.max_distance)));
  }
}

Disentangled::Disentangled(const KernelTable& kernels, const EncoderSpec& spec, const EncoderWeights& weights,
                           const LayerSpec& layer)
    : bias_(layer.attention.position_bias), dim_(layer.attention.head_dim) {
  const AttentionSpec& s = layer.attention;
  const LayerWeights& w = weights.layers[static_cast<size_t>(layer.weights)];
  const Buffer rows = table_rows(kernels, spec, weights, bias_);
  const auto project = [&](const LinearWeights& by) {
    Buffer made = Buffer::of<float>(bias_.buckets * by.weight.n);
    linear_parallel(kernels,
                    {.weight = by.weight,
                     .a = rows.data<float>(),
                     .a_stride = spec.hidden,
                     .rows = bias_.buckets,
                     .c = made.data<float>(),
                     .c_stride = by.weight.n,
                     .bias = by.bias},
                    1);
    return made;
  };
  if (bias_.shared) {
    const Buffer all = project(w.qkv);
    const float* const queries = all.data<float>();
    if (bias_.position_keys) pack_heads(kernels, queries + s.query_width(), s.width(), s.kv_heads, keys_);
    if (bias_.position_queries) pack_heads(kernels, queries, s.width(), s.heads, queries_);
    return;
  }
  if (bias_.position_keys) {
    pack_heads(kernels, project(w.position_key).data<float>(), s.key_width(), s.kv_heads, keys_);
  }
  if (bias_.position_queries) {
    pack_heads(kernels, project(w.position_query).data<float>(), s.query_width(), s.heads, queries_);
  }
}

void Disentangled::pack_heads(const KernelTable& kernels, const float* rows, int64_t stride, int64_t heads,
                              std::vector<PackedWeight>& to) const {
  Buffer head = Buffer::of<float>(bias_.buckets * dim_);
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t b = 0; b < bias_.buckets; ++b) {
      std::copy_n(rows + b * stride + h * dim_, dim_, head.data<float>() + b * dim_);
    }
    to.emplace_back(bias_.buckets, dim_).pack(kernels, {.data = head.data(), .rows = bias_.buckets, .columns = dim_});
  }
}

int64_t Disentangled::scratch(int64_t longest) const {
  const int64_t length = std::max<int64_t>(1, longest);
  const auto bucket = [&](int64_t distance) {
    return disentangled_bucket(distance, bias_.buckets, bias_.max_distance);
  };
  const int64_t width = width_of(panels_of(bucket(1 - length), bucket(length - 1)));
  return (length + kStrip) * width + kStrip * round_up(length, kLanes);
}

void Disentangled::attend(const KernelTable& kernels, const Attention& op, const AttentionSequence& sequence,
                          int64_t head, Range queries, const DistanceBuckets& buckets, float* scratch) const {
  const int64_t n = sequence.keys, kv_head = head / (op.heads / op.kv_heads);
  const int32_t* const bucket = buckets.zero();
  const Range used = panels_of(bucket[1 - n], bucket[sequence.queries - 1]);
  const int64_t width = width_of(used), stride = round_up(n, kLanes), skipped = used.first * kLanes;
  float* const by_key = scratch + attention_task_scratch(dim_, dim_);  // [n, width]: query(b) key_j
  float* const by_query = by_key + n * width;                          // [kStrip, width]: query_i key(b)
  float* const strip = by_query + kStrip * width;                      // [kStrip, stride]

  const auto product = [&](const PackedWeight& weight, const float* a, int64_t a_stride, int64_t rows, float* c) {
    Linear whole{.weight = weight.panels(), .a = a, .a_stride = a_stride, .rows = rows, .c = c, .c_stride = width};
    Linear part = whole.of_panels(used);
    part.c = c;
    linear(kernels, part);
  };
  if (!queries_.empty()) {
    product(queries_[static_cast<size_t>(head)], sequence.key + kv_head * op.key.head, op.key.row, n, by_key);
  }
  for (int64_t first = queries.first; first < queries.last; first += kStrip) {
    const int64_t rows = std::min(kStrip, queries.last - first);
    AttentionTask task = attention_task(op, sequence, head, first, first + rows, scratch);
    task.query += first * task.query_stride;
    task.out += first * task.out_stride;
    task.first_query = 0;
    task.last_query = rows;
    if (!keys_.empty()) {
      product(keys_[static_cast<size_t>(kv_head)], task.query, task.query_stride, rows, by_query);
    }
    for (int64_t r = 0; r < rows; ++r) {
      const int32_t* const at = bucket + first + r;  // of key j: at[-j]
      const float* const mine = by_query + r * width;
      float* const to = strip + r * stride;
      for (int64_t j = 0; j < n; ++j) {
        const int64_t b = at[-j] - skipped;
        const float sum = (keys_.empty() ? 0.0f : mine[b]) + (queries_.empty() ? 0.0f : by_key[j * width + b]);
        to[j] = op.scale * sum;
      }
    }
    task.modifiers.add = strip;
    task.modifiers.mask_row = stride;
    task.modifiers.mask_column = 1;
    polysemy::attend(kernels, AttentionIn::kFloat32, task);
  }
}

DisentangledTables::DisentangledTables(const KernelTable& kernels, const EncoderSpec& spec,
                                       const EncoderWeights& weights) {
  for (const LayerSpec& layer : spec.layers) {
    by_layer_.push_back(nullptr);
    if (layer.attention.position_bias.kind != PositionBias::kDisentangled) continue;
    tables_.push_back(std::make_unique<Disentangled>(kernels, spec, weights, layer));
    by_layer_.back() = tables_.back().get();
  }
}

int64_t DisentangledTables::scratch(int64_t longest) const {
  int64_t most = 0;
  for (const auto& table : tables_) most = std::max(most, table->scratch(longest));
  return round_up(most, kLanes);
}

}  // namespace polysemy
