// The bits of two encoders, in every precision: the same on every level with fused multiply-adds, of any processor.
// Constants, because the program for another processor runs in another emulator.
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "encoder/encoder.h"
#include "encoder/parameters.h"
#include "trial.h"

namespace {

using namespace polysemy;
using namespace trial;

// FNV-1a, 64 bits.
class Hash {
 public:
  void add(const void* data, int64_t size) {
    for (int64_t i = 0; i < size; ++i) {
      value_ = (value_ ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001B3u;
    }
  }
  void add(const Floats& numbers) { add(numbers.get(), numbers.size() * static_cast<int64_t>(sizeof(float))); }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xCBF29CE484222325u;
};

constexpr NormSpec kLayerNorm{Norm::kLayer, 1e-5f, true}, kRmsNorm{Norm::kRms, 1e-6f, false};

EncoderSpec of_layers(int64_t hidden, const LayerSpec& layer) {
  EncoderSpec s;
  s.hidden = hidden;
  s.max_positions = 200;
  s.embedding = {.vocab = 50,
                 .width = hidden,
                 .scale = 1.0f,
                 .token_types = 2,
                 .positions = true,
                 .position_offset = 0,
                 .padding_id = -1,
                 .norm = kLayerNorm,
                 .projection_bias = false};
  s.layers = {layer, layer};
  s.layers[1].weights = 1;
  return s;
}

// Biases, norms after both halves, GELU.
EncoderSpec plain() {
  LayerSpec layer;
  layer.attention.heads = layer.attention.kv_heads = 3;
  layer.attention.head_dim = 20;
  layer.attention.scale = 0.25f;
  layer.attention.bias = layer.attention.output_bias = true;
  layer.ffn = {.width = 250, .activation = Activation::kGeluErf, .gated = false, .up_bias = true, .down_bias = true};
  layer.attn_out = layer.ffn_out = kLayerNorm;
  return of_layers(60, layer);
}

// Norms before both halves, of queries and of keys, rotary positions, fewer keys, a window, gates.
EncoderSpec modern() {
  LayerSpec layer;
  layer.attention.heads = 4;
  layer.attention.kv_heads = 2;
  layer.attention.head_dim = 16;
  layer.attention.scale = 0.25f;
  layer.attention.query_key_norm = kRmsNorm;
  for (int i = 0; i < 8; ++i) layer.attention.rotary.frequencies.push_back(1.0f / static_cast<float>(1 << i));
  layer.attention.left = layer.attention.right = 40;
  layer.ffn = {.width = 200, .activation = Activation::kSilu, .gated = true, .up_bias = false, .down_bias = false};
  layer.attn_in = layer.ffn_in = kRmsNorm;
  EncoderSpec s = of_layers(72, layer);
  s.final_norm = kRmsNorm;
  return s;
}

// Parameters that depend on their names alone.
struct Tensors {
  std::map<std::string, Floats> made{};

  Tensor operator()(const Parameter& p) {
    Hash name;
    name.add(p.name.data(), static_cast<int64_t>(p.name.size()));
    Random random(name.value());
    const auto found = made.try_emplace(p.name, p.rows * p.columns, random, 0.5f).first;
    return {.data = found->second.get(), .rows = p.rows, .columns = p.columns};
  }
};

uint64_t bits_of(const KernelTable& table, const EncoderSpec& spec, Precision precision) {
  Tensors tensors;
  const Encoder encoder(table, spec, pack_weights(table, spec, precision, std::ref(tensors), 2));
  const std::vector<int64_t> offsets{0, 1, 8, 25, 25, 172};
  const int64_t sequences = static_cast<int64_t>(offsets.size()) - 1, tokens = offsets.back();
  Random random(1);
  const Block<int32_t> ids(tokens), types(tokens);
  for (int64_t i = 0; i < tokens; ++i) {
    ids[i] = static_cast<int32_t>(random.below(spec.embedding.vocab));
    types[i] = static_cast<int32_t>(random.below(2));
  }
  std::vector<Floats> hidden;
  ForwardOutputs outputs;
  for (size_t i = 0; i <= spec.layers.size(); ++i) {
    outputs.hidden.push_back(hidden.emplace_back(tokens * spec.hidden).get());
    if (i) outputs.attentions.push_back(nullptr), outputs.projections.push_back(nullptr);
  }
  const Floats pooled(sequences * spec.hidden);
  outputs.pooled = pooled.get();
  outputs.pooling = Pooling::kMean;
  outputs.normalize = true;
  const RaggedBatch batch{ids.get(), types.get(), offsets.data(), sequences};
  encoder.check("encoder", batch, tokens);
  encoder.forward(table, batch, outputs, Schedule::kThroughput, 2);
  Hash hash;
  for (const Floats& states : hidden) hash.add(states);
  hash.add(pooled);
  return hash.value();
}

struct Expected {
  const char* what;
  EncoderSpec (*spec)();
  uint64_t bits[kPrecisions];
};

// In the order of base/precisions.inc.
const Expected kExpected[] = {
    {"plain",
     plain,
     {0x0135fb669ee3f284, 0x067b23f962172d5a, 0xb888ecaee1e7cc58, 0x2132b5facefac0f8, 0x7708e148376d383e}},
    {"modern",
     modern,
     {0xec8775d380befba3, 0x4246520d5caf8f54, 0x2a855d41b309a2ea, 0x334c5d9133e37280, 0x644880ca48938588}},
};

}  // namespace

int main() {
  bool same = true;
  int levels = 0;
  for (const std::string& name : usable_isas()) {
    const KernelTable& table = kernels(name);
    if (!table.fused) continue;
    ++levels;
    for (const Expected& expected : kExpected) {
      for (int i = 0; i < kPrecisions; ++i) {
        const uint64_t found = bits_of(table, expected.spec(), static_cast<Precision>(i));
        if (found == expected.bits[i]) continue;
        same = false;
        std::fprintf(stderr, "%s, %s, %s: expected %#018llx, got %#018llx\n", name.c_str(), expected.what,
                     kPrecisionNames[i], static_cast<unsigned long long>(expected.bits[i]),
                     static_cast<unsigned long long>(found));
      }
    }
  }
  std::printf("%d fused levels\n", levels);
  expect(same, "bits");
  return 0;
}
