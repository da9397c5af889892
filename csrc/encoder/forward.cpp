// One graph for every encoder and every schedule: a microbatch goes through all layers on a team of threads, and a team
// of one needs no barrier.
#include <algorithm>
#include <utility>

#include "encoder/pass.h"
#include "ops/blocking.h"

namespace polysemy {
namespace {

// Rows of activations lie one cache line further apart than their length: at 1024 floats (or 512, 2048) the six rows
// of a tile would otherwise compete for one set of the L1 cache.
int64_t stride_of(int64_t columns) { return round_up(columns, kLanes) + kLanes; }

// Attention joins in where linear layers lose more than it does (docs/decisions/0014).
AttentionIn attention_in(Precision precision) {
  const bool exact = precision == Precision::kFloat32 || precision == Precision::kFloat16;
  return exact ? AttentionIn::kFloat32 : AttentionIn::kIntegers;
}

Attention attention_of(const AttentionSpec& s, const std::vector<DistanceBiases>& biases, int64_t qkv_stride,
                       int64_t context_stride, Precision precision) {
  Attention op{};
  op.heads = s.heads;
  op.kv_heads = s.kv_heads;
  op.dim = op.value_dim = s.head_dim;
  op.query = op.key = op.value = {s.head_dim, qkv_stride};
  op.out = {s.head_dim, context_stride};
  op.scale = s.scale;
  op.in = attention_in(precision);
  op.modifiers.left = s.left;
  op.modifiers.right = s.right;
  op.modifiers.windowed = s.left < kUnlimited || s.right < kUnlimited;
  const PositionBiasSpec& bias = s.position_bias;
  if (bias.kind == PositionBias::kAlibi) op.alibi_slopes = bias.slopes.data();
  if (bias.kind == PositionBias::kBuckets) {
    const DistanceBiases& table = biases[static_cast<size_t>(bias.table)];
    op.by_distance = table.zero();
    op.by_distance_head = table.stride();
  }
  return op;
}

int64_t layers_needed(const ForwardOutputs& out) {
  auto layers = static_cast<int64_t>(out.attentions.size());
  if (out.pooling != Pooling::kNone) return layers;
  const auto wanted = [&](size_t layer) {
    return out.hidden[layer] || out.attentions[layer - 1] || out.projections[layer - 1];
  };
  while (layers > 0 && !wanted(static_cast<size_t>(layers))) --layers;
  return layers;
}

// Calls f with the description of each table, in the order of their numbers.
template <class F>
void each_table(const EncoderSpec& spec, F f) {
  int64_t next = 0;
  for (const LayerSpec& layer : spec.layers) {
    const PositionBiasSpec& bias = layer.attention.position_bias;
    if (bias.has_table() && bias.table == next) f(bias), ++next;
  }
}

std::vector<DistanceBiases> biases_of(const KernelTable& kernels, const EncoderSpec& spec,
                                      const EncoderWeights& weights, int64_t longest) {
  std::vector<DistanceBiases> biases;
  each_table(spec, [&](const PositionBiasSpec& bias) {
    if (bias.kind != PositionBias::kBuckets) return void(biases.emplace_back());
    biases.emplace_back(bias, weights.position_biases[biases.size()], kernels, longest);
  });
  return biases;
}

std::vector<DistanceBuckets> buckets_of(const EncoderSpec& spec, int64_t longest) {
  std::vector<DistanceBuckets> buckets;
  each_table(spec, [&](const PositionBiasSpec& bias) {
    if (bias.kind != PositionBias::kDisentangled) return void(buckets.emplace_back());
    buckets.emplace_back(bias, longest);
  });
  return buckets;
}

std::vector<int64_t> squares_of(const RaggedBatch& batch, const ForwardOutputs& out) {
  std::vector<int64_t> squares;
  if (std::all_of(out.attentions.begin(), out.attentions.end(), [](const float* weights) { return !weights; })) {
    return squares;
  }
  int64_t sum = 0;
  for (int64_t i = 0; i < batch.sequences; ++i) {
    squares.push_back(sum);
    sum += batch.square(i);
  }
  return squares;
}

int64_t longest_of(const RaggedBatch& batch) {
  int64_t longest = 0;
  for (int64_t i = 0; i < batch.sequences; ++i) longest = std::max(longest, batch.length(i));
  return longest;
}

}  // namespace

Call::Call(const KernelTable& table, const Encoder& encoder, const RaggedBatch& ragged, const ForwardOutputs& outputs)
    : kernels(table),
      spec(encoder.spec()),
      weights(encoder.weights()),
      rotary(encoder.rotary()),
      disentangled(encoder.disentangled()),
      batch(ragged),
      out(outputs),
      layers(layers_needed(outputs)),
      longest(longest_of(ragged)),
      biases(biases_of(table, spec, weights, longest)),
      buckets(buckets_of(spec, longest)),
      squares(squares_of(ragged, outputs)) {
  rotary.prepare(longest);
  int64_t qkv = 0, context = 0, ffn = kBlockK, dim = 0;
  pre_norm = gated = false;
  for (const LayerSpec& layer : spec.layers) {
    qkv = std::max(qkv, layer.attention.width());
    context = std::max(context, layer.attention.query_width());
    dim = std::max(dim, layer.attention.head_dim);
    ffn = std::max(ffn, layer.ffn.width);
    pre_norm = pre_norm || layer.attn_in || layer.ffn_in;
    gated = gated || layer.ffn.gated;
  }
  x_stride = stride_of(spec.hidden);
  embedded_stride = spec.projects() ? stride_of(spec.embedding.width) : 0;
  qkv_stride = stride_of(qkv);
  context_stride = stride_of(context);
  ffn_stride = stride_of(ffn);
  prepares = polysemy::prepares(kernels, weights.precision);
  const auto prepared = [&](int64_t k) {
    return prepares ? polysemy::prepared_stride(kernels, weights.precision, k) : 0;
  };
  prepared_stride = prepared(std::max({spec.hidden, spec.embedding.width, context, ffn}));
  prepared_block_stride = prepared(kBlockK);
  for (const LayerSpec& layer : spec.layers) {
    attention.push_back(attention_of(layer.attention, biases, qkv_stride, context_stride, weights.precision));
  }
  sums_start = attention_task_scratch(dim, dim) + disentangled.scratch(longest);
}

int64_t Call::floats(int64_t tokens) const {
  const int64_t rows = (pre_norm ? 3 : 2) * x_stride + embedded_stride + qkv_stride + context_stride + ffn_stride +
                       prepared_stride + prepared_block_stride;
  return tokens * rows + round_up(tokens, kLanes);
}

int64_t Call::scratch() const { return sums_start + (gated ? kSumsPerThread : 0); }

Pass::Pass(const Call& call, const Microbatch& microbatch, float* memory, float* scratch, Member& member)
    : call_(call),
      microbatch_(microbatch),
      scratch_(scratch),
      member_(member),
      by_rows_(microbatch.tokens >= kRowsPerThread * member.team()),
      rows_(member.share_of(microbatch.tokens)) {
  const auto place = [&](Buffers which, int64_t stride) {
    buffer(which) = {.data = memory, .stride = stride};
    memory += microbatch.tokens * stride;
  };
  place(kX, call.x_stride);
  place(kSum, call.x_stride);
  place(kNormed, call.pre_norm ? call.x_stride : 0);
  place(kQkv, call.qkv_stride);
  place(kContext, call.context_stride);
  place(kFfn, call.ffn_stride);
  if (by_rows_) buffer(kFfn).stride = stride_of(kBlockK);  // one block of activations
  place(kEmbedded, call.embedded_stride);
  place(kPrepared, call.prepared_stride);
  place(kPreparedBlock, call.prepared_block_stride);
  positions_ = reinterpret_cast<int32_t*>(memory);
}

void Pass::layer(size_t index) {
  const LayerSpec& s = call_.spec.layers[index];
  const LayerWeights& w = call_.weights.layers[static_cast<size_t>(s.weights)];
  Activations& h = norm(s.attn_in, w.attn_in, buffer(kX), buffer(kNormed));
  project_qkv(s.attention, w.qkv, h);
  place_queries_and_keys(s.attention, w, call_.rotary.of_layer(index));
  emit_projections(index);
  attend(index);
  project_context(w.attention_output, !s.attn_post);
  join(s.attn_post, w.attn_post, s.attn_out, w.attn_out);
  Activations& g = norm(s.ffn_in, w.ffn_in, buffer(kX), buffer(kNormed));
  feed_forward(s.ffn, w, g, !s.ffn_post);
  join(s.ffn_post, w.ffn_post, s.ffn_out, w.ffn_out);
}

void Pass::run() {
  embed();
  const size_t layers = call_.spec.layers.size();
  for (size_t i = 0; i < static_cast<size_t>(call_.layers); ++i) {
    emit_hidden(i);
    layer(i);
    if (member_.stopped()) return;
  }
  if (static_cast<size_t>(call_.layers) == layers)
    norm(call_.spec.final_norm, call_.weights.final_norm, buffer(kX), buffer(kX));
  emit_hidden(static_cast<size_t>(call_.layers));
  if (call_.out.pooling != Pooling::kNone) pool();
}

void Encoder::forward(const KernelTable& kernels, const RaggedBatch& batch, const ForwardOutputs& outputs,
                      Schedule schedule, int threads) const {
  if (batch.sequences == 0) return;
  const Plan plan = plan_schedule(spec_, batch, threads, schedule);
  const Call call(kernels, *this, batch, outputs);
  const auto count = static_cast<int64_t>(plan.microbatches.size());
  const int team = plan.team ? threads : static_cast<int>(std::min<int64_t>(threads, count));
  const int64_t size = call.floats(plan.most_tokens), scratch_size = call.scratch();
  const int64_t at_once = plan.team ? 1 : team;
  Buffer memory = workspaces_.take(static_cast<int64_t>(sizeof(float)) * (at_once * size + team * scratch_size));
  float* const floats = memory.data<float>();
  Queue queue(count);
  const Stop stop;
  Barrier barrier(stop);
  parallel(team, [&](int thread, int members) {
    float* const scratch = floats + at_once * size + thread * scratch_size;
    if (plan.team) {
      for (const Microbatch& microbatch : plan.microbatches) {
        Member member(thread, members, barrier);
        Pass(call, microbatch, floats, scratch, member).run();
        if (outputs.waits && thread == 0 && &microbatch == &plan.microbatches[0]) *outputs.waits = member.waits();
        member.meet();
        if (member.stopped()) return;
      }
    } else {
      Barrier alone(stop);
      for (int64_t i; queue.next(i);) {
        Member member(0, 1, alone);
        Pass(call, plan.microbatches[static_cast<size_t>(i)], floats + thread * size, scratch, member).run();
      }
    }
  });
  workspaces_.give_back(std::move(memory));
}

}  // namespace polysemy
