// Forward passes from several threads at once on one set of weights; each must give the bits of a pass alone.
#include "encoder/encoder.h"

#include <functional>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "encoder/parameters.h"
#include "trial.h"

namespace {

using namespace polysemy;
using namespace trial;

constexpr int kCallers = 3;

NormSpec random_norm(Random& random, int64_t chance) {
  if (random.below(chance)) return {};
  return {random.below(2) ? Norm::kLayer : Norm::kRms, 1e-5f, random.below(2) == 1};
}

AttentionSpec random_attention(Random& random) {
  AttentionSpec s;
  s.kv_heads = random.between(1, 2);
  s.heads = s.kv_heads * random.between(1, 2);
  s.head_dim = random.below(3) ? random.between(2, 24) : 16;
  s.scale = 0.25f;
  s.bias = random.below(2) == 1;
  s.output_bias = random.below(2) == 1;
  s.query_key_norm = random_norm(random, 3);
  for (int64_t i = 0; i < s.head_dim / 2 && random.below(2); ++i) {
    s.rotary.frequencies.push_back(1.0f / static_cast<float>(1 + i));
  }
  if (random.below(3) == 0) {
    s.position_bias.kind = PositionBias::kBuckets;
    s.position_bias.buckets = 8;
    s.position_bias.max_distance = 20;
  } else if (random.below(3) == 0) {
    s.position_bias.kind = PositionBias::kAlibi;
    for (int64_t h = 0; h < s.heads; ++h) s.position_bias.slopes.push_back(0.1f);
  } else if (random.below(2)) {
    s.position_bias = {.kind = PositionBias::kDisentangled,
                       .slopes = {},
                       .buckets = 8 * random.between(1, 6),  // in one panel, or in several
                       .max_distance = 20,
                       .norm = random_norm(random, 2),
                       .position_keys = random.below(3) > 0,
                       .position_queries = random.below(3) > 0,
                       .shared = random.below(2) == 1};
    return s;  // it takes no windows
  }
  if (random.below(3) == 0) s.left = random.below(20);
  if (random.below(3) == 0) s.right = random.below(20);
  return s;
}

EncoderSpec random_spec(Random& random) {
  EncoderSpec s;
  s.hidden = random.between(2, 60);
  s.max_positions = 200;
  const bool positions = random.below(2) == 1;
  s.embedding = {.vocab = 20,
                 .width = random.below(3) ? s.hidden : random.between(1, 40),
                 .scale = 1.5f,
                 .token_types = random.below(3),
                 .positions = positions,
                 .position_offset = random.below(3),
                 .padding_id = positions && random.below(2) ? 0 : -1,
                 .norm = random_norm(random, 2),
                 .projection_bias = random.below(2) == 1};
  LayerSpec layer;
  layer.attention = random_attention(random);
  layer.ffn = {.width = random.between(1, 8) == 1 ? random.between(384, 500) : random.between(1, 120),
               .activation = Activation::kGeluErf,
               .gated = random.below(2) == 1,
               .up_bias = random.below(2) == 1,
               .down_bias = random.below(2) == 1};
  for (NormSpec* norm :
       {&layer.attn_in, &layer.attn_post, &layer.attn_out, &layer.ffn_in, &layer.ffn_post, &layer.ffn_out}) {
    *norm = random_norm(random, 2);
  }
  for (int64_t i = random.between(0, 2); i > 0; --i) s.layers.push_back(layer);
  if (s.layers.size() == 2 && random.below(2)) {
    s.layers[1].weights = 1;
    if (random.below(2)) s.layers[1].attention = random_attention(random);
    // Tables are numbered whatever kind they are of.
    s.layers[1].attention.position_bias.table = s.layers[0].attention.position_bias.has_table() ? 1 : 0;
  }
  s.final_norm = random_norm(random, 2);
  return s;
}

// Tensors on blocks of exactly their size, made when they are asked for.
struct Tensors {
  Random& random;
  std::map<std::string, Floats> made{};

  Tensor operator()(const Parameter& p) {
    const auto found = made.try_emplace(p.name, p.rows * p.columns, random, 0.5f).first;
    return {.data = found->second.get(), .rows = p.rows, .columns = p.columns};
  }
};

struct Model {
  Tensors tensors;
  Encoder encoder;

  Model(const KernelTable& table, const EncoderSpec& spec, Precision precision, Random& random)
      : tensors{random}, encoder(table, spec, pack_weights(table, spec, precision, std::ref(tensors), 2)) {}
};

struct Batch {
  std::vector<int64_t> offsets{0};
  Block<int32_t> ids{0}, types{0};

  Batch(const EncoderSpec& spec, Random& random) {
    const int64_t sequences = random.between(0, 6), longest = random.below(4) ? 30 : spec.max_positions;
    for (int64_t i = 0; i < sequences; ++i) offsets.push_back(offsets.back() + random.between(0, longest));
    ids = Block<int32_t>(offsets.back());
    types = Block<int32_t>(offsets.back());
    for (int64_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(random.below(spec.embedding.vocab));
    for (int64_t i = 0; i < ids.size() && spec.embedding.token_types; ++i) {
      types[i] = static_cast<int32_t>(random.below(spec.embedding.token_types));
    }
  }
  int64_t sequences() const { return static_cast<int64_t>(offsets.size()) - 1; }
};

struct Results {
  std::vector<Floats> hidden, attentions, projections;
  Floats pooled;
  int64_t waits = 0;

  Results(const EncoderSpec& spec, const Batch& batch) : pooled(batch.sequences() * spec.hidden) {
    int64_t areas = 0;
    for (size_t i = 1; i < batch.offsets.size(); ++i) {
      areas += (batch.offsets[i] - batch.offsets[i - 1]) * (batch.offsets[i] - batch.offsets[i - 1]);
    }
    hidden.emplace_back(batch.ids.size() * spec.hidden);
    for (const LayerSpec& layer : spec.layers) {
      projections.emplace_back(batch.ids.size() * layer.attention.width());
      hidden.emplace_back(batch.ids.size() * spec.hidden);
      attentions.emplace_back(layer.attention.heads * areas);
    }
  }
  bool same_bits(const Results& other) const {
    bool same = pooled.same_bits(other.pooled);
    for (size_t i = 0; i < hidden.size(); ++i) same = same && hidden[i].same_bits(other.hidden[i]);
    for (size_t i = 0; i < attentions.size(); ++i) same = same && attentions[i].same_bits(other.attentions[i]);
    for (size_t i = 0; i < projections.size(); ++i) same = same && projections[i].same_bits(other.projections[i]);
    return same;
  }
};

Results run(const KernelTable& table, const Encoder& encoder, const Batch& batch, Schedule schedule, int threads) {
  Results results(encoder.spec(), batch);
  ForwardOutputs outputs;
  for (const Floats& states : results.hidden) outputs.hidden.push_back(states.get());
  for (const Floats& weights : results.attentions) outputs.attentions.push_back(weights.get());
  for (const Floats& rows : results.projections) outputs.projections.push_back(rows.get());
  outputs.pooled = results.pooled.get();
  outputs.pooling = Pooling::kMean;
  outputs.normalize = true;
  outputs.waits = &results.waits;
  const int32_t* types = encoder.spec().embedding.token_types ? batch.types.get() : nullptr;
  const RaggedBatch ragged{batch.ids.get(), types, batch.offsets.data(), batch.sequences()};
  encoder.check("encoder", ragged, batch.ids.size());
  encoder.forward(table, ragged, outputs, schedule, threads);
  return results;
}

void one_model(const KernelTable& table, Random& random) {
  const auto precision = static_cast<Precision>(random.below(2) ? 0 : random.below(kPrecisions));
  const Model model(table, random_spec(random), precision, random);
  const Encoder& encoder = model.encoder;
  std::vector<Batch> batches;
  std::vector<Results> alone;
  for (int i = 0; i < kCallers; ++i) {
    batches.emplace_back(encoder.spec(), random);
    alone.push_back(run(table, encoder, batches.back(), Schedule::kThroughput, 1));
  }
  std::vector<std::thread> callers;
  for (size_t i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      for (const Schedule schedule : {Schedule::kLatency, Schedule::kThroughput, Schedule::kAuto}) {
        const int threads = 1 + static_cast<int>(i);
        expect(run(table, encoder, batches[i], schedule, threads).same_bits(alone[i]), "same bits in company");
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

// ---- how often a team waits

LayerSpec post_norm_layer(int64_t heads, int64_t head_dim) {
  LayerSpec s;
  s.attention.heads = s.attention.kv_heads = heads;
  s.attention.head_dim = head_dim;
  s.attention.scale = 0.25f;
  s.ffn.width = 64;
  s.ffn.activation = Activation::kGeluErf;
  s.attn_out = s.ffn_out = {Norm::kLayer, 1e-5f, true};
  return s;
}

LayerSpec pre_norm_layer(int64_t heads, int64_t head_dim) {
  LayerSpec s = post_norm_layer(heads, head_dim);
  s.attn_in = s.ffn_in = std::exchange(s.attn_out, {});
  s.ffn_out = {};
  s.ffn.gated = true;
  s.attention.rotary.frequencies.assign(static_cast<size_t>(head_dim / 2), 0.5f);
  return s;
}

// Waits of a team of two per layer: those of four layers less those of two.
int64_t waits_per_layer(const LayerSpec& layer, int64_t tokens) {
  const KernelTable& table = default_kernels();
  Random random(1);
  int64_t waits[2];
  for (const int64_t layers : {2, 4}) {
    EncoderSpec s;
    s.hidden = 32;
    s.max_positions = 200;
    s.embedding.vocab = 20;
    s.embedding.width = 32;
    for (int64_t i = 0; i < layers; ++i) {
      s.layers.push_back(layer);
      s.layers.back().weights = i;
    }
    const Model model(table, s, Precision::kFloat32, random);
    Batch batch(s, random);
    batch.offsets = {0, tokens};
    batch.ids = Block<int32_t>(tokens);
    ForwardOutputs outputs;
    outputs.hidden.assign(static_cast<size_t>(layers + 1), nullptr);
    outputs.attentions.assign(static_cast<size_t>(layers), nullptr);
    outputs.projections.assign(static_cast<size_t>(layers), nullptr);
    const Floats pooled(s.hidden);
    outputs.pooled = pooled.get();
    outputs.pooling = Pooling::kMean;
    outputs.waits = &waits[layers / 4];
    model.encoder.forward(table, {batch.ids.get(), nullptr, batch.offsets.data(), 1}, outputs, Schedule::kLatency, 2);
  }
  expect((waits[1] - waits[0]) % 2 == 0, "all layers wait as often");
  return (waits[1] - waits[0]) / 2;
}

void expect_waits(const std::string& what, const LayerSpec& layer, int64_t tokens, int64_t expected) {
  const int64_t waits = waits_per_layer(layer, tokens);
  expect(waits == expected,
         what + ": expected " + std::to_string(expected) + " waits per layer, got " + std::to_string(waits));
}

// Each wait costs what a short text can't hide: a change that needs more is noticed here.
void count_waits() {
  constexpr int64_t by_rows = 150, by_columns = 20;
  expect_waits("post-norm by rows", post_norm_layer(2, 16), by_rows, 2);
  expect_waits("post-norm by columns, own heads", post_norm_layer(2, 16), by_columns, 6);
  expect_waits("post-norm by columns, shared heads", post_norm_layer(2, 10), by_columns, 7);
  expect_waits("pre-norm by rows", pre_norm_layer(2, 16), by_rows, 2);
  expect_waits("pre-norm by columns, own heads", pre_norm_layer(2, 16), by_columns, 6);
  expect_waits("pre-norm by columns, shared heads", pre_norm_layer(2, 10), by_columns, 8);
}

}  // namespace

int main() {
  count_waits();
  return trial::on_every_level(60, one_model);
}
