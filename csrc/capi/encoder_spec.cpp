#include "capi/encoder_spec.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace polysemy::capi {
namespace {

// The numbers of the header are those of the core.
static_assert(int{POLYSEMY_NORM_NONE} == static_cast<int>(Norm::kNone));
static_assert(int{POLYSEMY_NORM_LAYER} == static_cast<int>(Norm::kLayer));
static_assert(int{POLYSEMY_NORM_RMS} == static_cast<int>(Norm::kRms));
static_assert(int{POLYSEMY_POSITION_BIAS_ALIBI} == static_cast<int>(PositionBias::kAlibi));
static_assert(int{POLYSEMY_POSITION_BIAS_BUCKETS} == static_cast<int>(PositionBias::kBuckets));
static_assert(int{POLYSEMY_POSITION_BIAS_DISENTANGLED} == static_cast<int>(PositionBias::kDisentangled));
static_assert(int{POLYSEMY_ACTIVATION_QUICK_GELU} == static_cast<int>(Activation::kQuickGelu));

// Reads one record; messages name its fields by their path from the spec on.
class Reader {
 public:
  Reader(const char* function, std::string path) : function_(function), path_(std::move(path)) {}

  Reader in(const char* field) const { return {function_, path_ + field + "."}; }

  bool flag(const char* field, int32_t value) const { return number(field, value, 1) == 1; }

  template <class E>
  E option(const char* field, int32_t value, E last) const {
    return static_cast<E>(number(field, value, static_cast<int>(last)));
  }

  // Elements that are there to be copied: their number is bounded before any of them is read.
  template <class T>
  void array(const char* field, const T* data, int64_t count, int64_t most) const {
    require(count >= 0 && count <= most, function_, ": number of ", path_, field, " must be 0 to ", most, ", got ",
            count);
    const std::string name = path_ + field;
    Argument{function_, name.c_str()}.records(data, count);
  }

  std::vector<float> floats(const char* field, const float* data, int64_t count, int64_t most) const {
    array(field, data, count, most);
    return {data, data + count};
  }

 private:
  int number(const char* field, int32_t value, int most) const {
    require(value >= 0 && value <= most, function_, ": ", path_, field, " must be 0 ", most == 1 ? "or " : "to ", most,
            ", got ", value);
    return value;
  }

  const char* function_;
  std::string path_;
};

NormSpec norm(const Reader& r, const polysemy_norm_spec& s) {
  return {.kind = r.option("kind", s.kind, Norm::kRms), .eps = s.eps, .bias = r.flag("bias", s.bias)};
}

PositionBiasSpec position_bias(const Reader& r, const polysemy_position_bias_spec& s, int64_t heads) {
  const auto kind = r.option("kind", s.kind, PositionBias::kDisentangled);
  const int64_t slopes = kind == PositionBias::kAlibi ? heads : 0;
  return {.kind = kind,
          .slopes = r.floats("slopes", s.slopes, slopes, kMostHeads),
          .table = s.table,
          .buckets = s.buckets,
          .max_distance = s.max_distance,
          .norm = norm(r.in("norm"), s.norm),
          .position_keys = r.flag("position_keys", s.position_keys),
          .position_queries = r.flag("position_queries", s.position_queries),
          .shared = r.flag("shared", s.shared)};
}

int64_t limit(int64_t value) { return value == -1 ? kUnlimited : value; }

AttentionSpec attention(const Reader& r, const polysemy_attention_spec& s) {
  const double dim = static_cast<double>(s.head_dim > 0 ? s.head_dim : 1);
  return {.heads = s.heads,
          .kv_heads = s.kv_heads != 0 ? s.kv_heads : s.heads,
          .head_dim = s.head_dim,
          .scale = s.scale != 0.0f ? s.scale : static_cast<float>(1.0 / std::sqrt(dim)),
          .bias = r.flag("bias", s.bias),
          .output_bias = r.flag("output_bias", s.output_bias),
          .query_key_norm = norm(r.in("query_key_norm"), s.query_key_norm),
          .rotary = {r.in("rotary").floats("frequencies", s.rotary.frequencies, s.rotary.pairs, kMostHeadDim / 2)},
          .position_bias = position_bias(r.in("position_bias"), s.position_bias, s.heads),
          .left = limit(s.left),
          .right = limit(s.right)};
}

FeedForwardSpec feed_forward(const Reader& r, const polysemy_feed_forward_spec& s) {
  return {.width = s.width,
          .activation = r.option("activation", s.activation, Activation::kQuickGelu),
          .gated = r.flag("gated", s.gated),
          .up_bias = r.flag("up_bias", s.up_bias),
          .down_bias = r.flag("down_bias", s.down_bias)};
}

LayerSpec layer(const Reader& r, const polysemy_layer_spec& s, int64_t own_weights) {
  return {.weights = s.weights != -1 ? s.weights : own_weights,
          .attention = attention(r.in("attention"), s.attention),
          .ffn = feed_forward(r.in("ffn"), s.ffn),
          .attn_in = norm(r.in("attn_in"), s.attn_in),
          .attn_post = norm(r.in("attn_post"), s.attn_post),
          .attn_out = norm(r.in("attn_out"), s.attn_out),
          .ffn_in = norm(r.in("ffn_in"), s.ffn_in),
          .ffn_post = norm(r.in("ffn_post"), s.ffn_post),
          .ffn_out = norm(r.in("ffn_out"), s.ffn_out)};
}

EmbeddingSpec embedding(const Reader& r, const polysemy_embedding_spec& s, int64_t hidden) {
  return {.vocab = s.vocab,
          .width = s.width != 0 ? s.width : hidden,
          .scale = s.scale,
          .token_types = s.token_types,
          .positions = r.flag("positions", s.positions),
          .position_offset = s.position_offset,
          .padding_id = s.padding_id,
          .norm = norm(r.in("norm"), s.norm),
          .projection_bias = r.flag("projection_bias", s.projection_bias)};
}

}  // namespace

EncoderSpec spec_from(const char* function, const polysemy_encoder_spec* given) {
  const polysemy_encoder_spec& s = known(function, "spec", given, "encoder_spec_init");
  const Reader r(function, "spec.");
  EncoderSpec spec{.hidden = s.hidden,
                   .max_positions = s.max_positions,
                   .embedding = embedding(r.in("embedding"), s.embedding, s.hidden),
                   .layers = {},
                   .final_norm = norm(r.in("final_norm"), s.final_norm)};
  r.array("layers", s.layers, s.layer_count, kMostLayers);
  int64_t own_weights = 0;
  for (int64_t i = 0; i < s.layer_count; ++i) {
    const std::string name = concat("spec.layers[", i, "]");
    const polysemy_layer_spec& made = known(function, name.c_str(), &s.layers[i], "layer_spec_init");
    spec.layers.push_back(layer(Reader(function, name + "."), made, own_weights));
    own_weights = std::max(own_weights, std::min(spec.layers.back().weights, i) + 1);
  }
  validate(concat(function, ": spec."), spec);
  return spec;
}

}  // namespace polysemy::capi

using namespace polysemy;

extern "C" {

polysemy_status polysemy_encoder_spec_init(polysemy_encoder_spec* spec, size_t size) {
  return capi::guarded([&] {
    polysemy_encoder_spec& s = capi::initialised("encoder_spec_init", "spec", spec, size);
    s.embedding.scale = 1.0f;
    s.embedding.padding_id = -1;
  });
}

polysemy_status polysemy_layer_spec_init(polysemy_layer_spec* layer, size_t size) {
  return capi::guarded([&] {
    polysemy_layer_spec& s = capi::initialised("layer_spec_init", "layer", layer, size);
    s.weights = -1;
    s.attention.left = s.attention.right = -1;
  });
}
}
