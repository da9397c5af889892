// An encoder as data: records that say what the graph computes. Python's dataclasses in polysemy.model.spec mirror them
// field by field; each_field lists the fields for whoever converts them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/tasks.h"

namespace polysemy {

enum class Norm : int { kNone, kLayer, kRms };
inline constexpr const char* kNormNames[] = {"none", "layer", "rms"};

struct NormSpec {
  Norm kind = Norm::kNone;
  float eps = 0.0f;
  bool bias = false;

  explicit operator bool() const { return kind != Norm::kNone; }
  bool operator==(const NormSpec&) const = default;
};

// Features d and d + pairs of each head turn by the angle position * frequencies[d] (Su et al., arXiv:2104.09864).
struct RotarySpec {
  std::vector<float> frequencies;  // in radians per token, one for each pair; none: no rotation

  explicit operator bool() const { return !frequencies.empty(); }
  bool operator==(const RotarySpec&) const = default;
};

enum class PositionBias : int { kNone, kAlibi, kBuckets, kDisentangled };
inline constexpr const char* kPositionBiasNames[] = {"none", "alibi", "buckets", "disentangled"};

// A number that is added to a score by the distance of key and query, or by that and one of the two.
struct PositionBiasSpec {
  PositionBias kind = PositionBias::kNone;
  std::vector<float> slopes;  // alibi, by head: -slope * |distance| (Press et al., arXiv:2108.12409)
  // Buckets: entry (bucket, head) of table number `table`; half of the buckets are for later keys, half of each half
  // for single distances, the rest grow up to max_distance (Raffel et al., arXiv:1910.10683).
  int64_t table = 0, buckets = 0, max_distance = 0;
  // Disentangled (He et al., arXiv:2006.03654): row b of the table, after its norm, is the embedding of bucket b, from
  // which each layer makes keys and queries of their own. The score of query i and key j gets the scaled products
  // query_i key(b) and query(b) key_j, b the bucket of i - j. Of `buckets` rows half are for earlier keys; half of each
  // half for single distances, the rest grow up to max_distance.
  NormSpec norm;
  bool position_keys = false, position_queries = false;  // which products there are
  bool shared = false;  // the layer's own projections make them; otherwise further ones

  bool has_table() const { return kind == PositionBias::kBuckets || kind == PositionBias::kDisentangled; }
  bool operator==(const PositionBiasSpec&) const = default;
};

struct AttentionSpec {
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  float scale = 0.0f;  // of the scores
  bool bias = false;   // of queries, keys and values
  bool output_bias = false;
  NormSpec query_key_norm;  // of each head's queries and keys, before they turn
  RotarySpec rotary;
  PositionBiasSpec position_bias;
  // Token i attends to tokens i - left to i + right. Causal: right = 0.
  int64_t left = kUnlimited, right = kUnlimited;

  int64_t query_width() const { return heads * head_dim; }
  int64_t key_width() const { return kv_heads * head_dim; }
  int64_t width() const { return query_width() + 2 * key_width(); }  // queries, keys, values
  bool operator==(const AttentionSpec&) const = default;
};

// down(activation(up(x))), or gated: down(activation(gate(x)) * up(x)).
struct FeedForwardSpec {
  int64_t width = 0;
  Activation activation = Activation::kNone;
  bool gated = false;
  bool up_bias = false;  // of the gate, too
  bool down_bias = false;

  bool operator==(const FeedForwardSpec&) const = default;
};

// x is the residual stream:
//   x = attn_out(x + attn_post(attention(attn_in(x))));  x = ffn_out(x + ffn_post(ffn(ffn_in(x))))
struct LayerSpec {
  int64_t weights = 0;  // which set of weights; layers may share one
  AttentionSpec attention;
  FeedForwardSpec ffn;
  NormSpec attn_in, attn_post, attn_out, ffn_in, ffn_post, ffn_out;

  bool operator==(const LayerSpec&) const = default;
};

// projection(norm(scale * token + type + position)), each part where there is one.
struct EmbeddingSpec {
  int64_t vocab = 0;
  int64_t width = 0;        // of the tables; where it is not that of the hidden states, a projection follows the norm
  float scale = 1.0f;       // of the token's row
  int64_t token_types = 0;  // rows of their table
  bool positions = false;   // a table of positions
  int64_t position_offset = 0;  // its rows before that of the first token
  int64_t padding_id = -1;      // a token with this id has this row of the table, and is not counted; -1: none
  NormSpec norm;
  bool projection_bias = false;

  bool operator==(const EmbeddingSpec&) const = default;
};

struct EncoderSpec {
  int64_t hidden = 0;
  int64_t max_positions = 0;  // tokens of the longest sequence
  EmbeddingSpec embedding;
  std::vector<LayerSpec> layers;  // none: a static embedding
  NormSpec final_norm;

  bool projects() const { return embedding.width != hidden; }
  int64_t position_rows() const { return embedding.positions ? embedding.position_offset + max_positions : 0; }
  bool operator==(const EncoderSpec&) const = default;
};

// Calls f(name, field) for every field of a record.
template <class F>
void each_field(NormSpec& s, F f) {
  f("kind", s.kind), f("eps", s.eps), f("bias", s.bias);
}
template <class F>
void each_field(RotarySpec& s, F f) {
  f("frequencies", s.frequencies);
}
template <class F>
void each_field(PositionBiasSpec& s, F f) {
  f("kind", s.kind), f("slopes", s.slopes), f("table", s.table), f("buckets", s.buckets);
  f("max_distance", s.max_distance), f("norm", s.norm), f("position_keys", s.position_keys);
  f("position_queries", s.position_queries), f("shared", s.shared);
}
template <class F>
void each_field(AttentionSpec& s, F f) {
  f("heads", s.heads), f("kv_heads", s.kv_heads), f("head_dim", s.head_dim), f("scale", s.scale), f("bias", s.bias);
  f("output_bias", s.output_bias), f("query_key_norm", s.query_key_norm), f("rotary", s.rotary);
  f("position_bias", s.position_bias), f("left", s.left), f("right", s.right);
}
template <class F>
void each_field(FeedForwardSpec& s, F f) {
  f("width", s.width), f("activation", s.activation), f("gated", s.gated), f("up_bias", s.up_bias);
  f("down_bias", s.down_bias);
}
template <class F>
void each_field(LayerSpec& s, F f) {
  f("weights", s.weights), f("attention", s.attention), f("ffn", s.ffn), f("attn_in", s.attn_in);
  f("attn_post", s.attn_post), f("attn_out", s.attn_out), f("ffn_in", s.ffn_in), f("ffn_post", s.ffn_post);
  f("ffn_out", s.ffn_out);
}
template <class F>
void each_field(EmbeddingSpec& s, F f) {
  f("vocab", s.vocab), f("width", s.width), f("scale", s.scale), f("token_types", s.token_types);
  f("positions", s.positions), f("position_offset", s.position_offset), f("padding_id", s.padding_id);
  f("norm", s.norm), f("projection_bias", s.projection_bias);
}
template <class F>
void each_field(EncoderSpec& s, F f) {
  f("hidden", s.hidden), f("max_positions", s.max_positions), f("embedding", s.embedding), f("layers", s.layers);
  f("final_norm", s.final_norm);
}

// Limits of what a spec has lists of.
inline constexpr int64_t kMostLayers = int64_t{1} << 12;
inline constexpr int64_t kMostHeads = int64_t{1} << 12;
inline constexpr int64_t kMostHeadDim = int64_t{1} << 12;

// Throws ArgumentError for the first field that is out of range or contradicts another one. Its path in the spec
// follows `root` in the message: "EncoderSpec: ", or "encoder_create: spec.", as the caller knows it.
void validate(const std::string& root, const EncoderSpec& spec);

}  // namespace polysemy
