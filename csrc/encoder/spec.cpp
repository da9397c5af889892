#include "encoder/spec.h"

#include <cmath>
#include <map>
#include <string>

#include "base/check.h"

namespace polysemy {
namespace {

// Upper limits keep a hostile configuration from costing time, and products of sizes from overflowing. They are far
// above any encoder that fits a machine: 2^16 x 2^20 floats in one matrix are 256 GiB.
constexpr int64_t kMostHidden = int64_t{1} << 16;
constexpr int64_t kMostWidth = int64_t{1} << 20;
constexpr int64_t kMostIds = int64_t{1} << 24;
constexpr int64_t kMostOffset = int64_t{1} << 16;
constexpr int64_t kMostTokenTypes = int64_t{1} << 16;
constexpr int64_t kMostBuckets = int64_t{1} << 12;

// The smallest normal number: less would be 0 for a constant row, and 0 / 0.
constexpr float kLeastEps = 0x1p-126f;

// How messages begin: with the place of a field, after whatever leads to the spec.
using Path = std::string;

void in_range(const Path& path, int64_t value, int64_t least, int64_t most) {
  require(value >= least && value <= most, path, " must be in ", least, "..", most, ", got ", value);
}

void check_norm(const Path& path, const NormSpec& s) {
  if (!s) return;
  require(s.eps >= kLeastEps && s.eps < 1.0f, path, ".eps must be at least 2^-126 and less than 1, got ", s.eps);
}

void finite(const Path& path, const std::vector<float>& values) {
  for (const float value : values) {
    require(std::isfinite(value), path, " must be finite, got ", value);
  }
}

void check_bias(const Path& path, const PositionBiasSpec& s, int64_t heads) {
  finite(path + ".slopes", s.slopes);
  if (s.kind == PositionBias::kAlibi) {
    require(static_cast<int64_t>(s.slopes.size()) == heads, path, ".slopes must have one value for each of ", heads,
            " heads, got ", s.slopes.size());
  }
  if (!s.has_table()) return;
  in_range(path + ".table", s.table, 0, kMostLayers);
  in_range(path + ".buckets", s.buckets, 4, kMostBuckets);
  require(s.buckets % 4 == 0, path, ".buckets must be a multiple of 4, got ", s.buckets);
  in_range(path + ".max_distance", s.max_distance, s.buckets / 4 + (s.kind == PositionBias::kDisentangled ? 2 : 1),
           kMostIds);
  check_norm(path + ".norm", s.norm);
}

void check_attention(const Path& path, const AttentionSpec& s) {
  in_range(path + ".heads", s.heads, 1, kMostHeads);
  in_range(path + ".kv_heads", s.kv_heads, 1, s.heads);
  require(s.heads % s.kv_heads == 0, path, ".kv_heads must divide the ", s.heads, " heads, got ", s.kv_heads);
  in_range(path + ".head_dim", s.head_dim, 1, kMostHeadDim);
  in_range(path + ".heads * head_dim", s.query_width(), 1, kMostWidth);
  require(std::isfinite(s.scale), path, ".scale must be finite, got ", s.scale);
  check_norm(path + ".query_key_norm", s.query_key_norm);
  const auto pairs = static_cast<int64_t>(s.rotary.frequencies.size());
  require(2 * pairs <= s.head_dim, path, ".rotary.frequencies must have at most ", s.head_dim / 2,
          " values, half of head_dim, got ", pairs);
  finite(path + ".rotary.frequencies", s.rotary.frequencies);
  check_bias(path + ".position_bias", s.position_bias, s.heads);
  require(s.position_bias.kind != PositionBias::kDisentangled || (s.left == kUnlimited && s.right == kUnlimited), path,
          ".left and right must be unlimited with a disentangled position_bias, got ", s.left, " and ", s.right);
  in_range(path + ".left", s.left, 0, kUnlimited);
  in_range(path + ".right", s.right, 0, kUnlimited);
}

void check_layer(const Path& path, const LayerSpec& s) {
  check_attention(path + ".attention", s.attention);
  in_range(path + ".ffn.width", s.ffn.width, 1, kMostWidth);
  check_norm(path + ".attn_in", s.attn_in);
  check_norm(path + ".attn_post", s.attn_post);
  check_norm(path + ".attn_out", s.attn_out);
  check_norm(path + ".ffn_in", s.ffn_in);
  check_norm(path + ".ffn_post", s.ffn_post);
  check_norm(path + ".ffn_out", s.ffn_out);
}

// Whether a set of weights made for one layer serves another: the same matrices and vectors.
bool same_weights(const LayerSpec& a, const LayerSpec& b) {
  const auto same = [](const NormSpec& x, const NormSpec& y) { return bool(x) == bool(y) && x.bias == y.bias; };
  const AttentionSpec &p = a.attention, &q = b.attention;
  const bool disentangled = p.position_bias.kind == PositionBias::kDisentangled;
  if (disentangled != (q.position_bias.kind == PositionBias::kDisentangled)) return false;
  if (disentangled && p.position_bias != q.position_bias) return false;
  return p.heads == q.heads && p.kv_heads == q.kv_heads && p.head_dim == q.head_dim && p.bias == q.bias &&
         p.output_bias == q.output_bias && same(p.query_key_norm, q.query_key_norm) && a.ffn.width == b.ffn.width &&
         a.ffn.gated == b.ffn.gated && a.ffn.up_bias == b.ffn.up_bias && a.ffn.down_bias == b.ffn.down_bias &&
         same(a.attn_in, b.attn_in) && same(a.attn_post, b.attn_post) && same(a.attn_out, b.attn_out) &&
         same(a.ffn_in, b.ffn_in) && same(a.ffn_post, b.ffn_post) && same(a.ffn_out, b.ffn_out);
}

// Numbers are first used in order.
void in_order(const Path& path, int64_t number, size_t used) {
  require(number >= 0 && number <= static_cast<int64_t>(used), path, " must be one of those before it or ", used,
          ", the next, got ", number);
}

void check_shared(const Path& root, const EncoderSpec& s) {
  std::map<int64_t, size_t> weights, tables;
  for (size_t i = 0; i < s.layers.size(); ++i) {
    const LayerSpec& layer = s.layers[i];
    in_order(concat(root, "layers[", i, "].weights"), layer.weights, weights.size());
    const LayerSpec& owner = s.layers[weights.try_emplace(layer.weights, i).first->second];
    require(same_weights(layer, owner), root, "layers[", i, "] shares weights ", layer.weights,
            " and must have the shapes of the layer before it that has them");
    const PositionBiasSpec& bias = layer.attention.position_bias;
    if (!bias.has_table()) continue;
    in_order(concat(root, "layers[", i, "].attention.position_bias.table"), bias.table, tables.size());
    const AttentionSpec& other = s.layers[tables.try_emplace(bias.table, i).first->second].attention;
    require(bias == other.position_bias && layer.attention.heads == other.heads, root, "layers[", i,
            "] shares position_bias.table ", bias.table, " and must have its kind, buckets, max_distance and heads");
  }
}

}  // namespace

void validate(const std::string& root, const EncoderSpec& s) {
  in_range(root + "hidden", s.hidden, 1, kMostHidden);
  in_range(root + "max_positions", s.max_positions, 1, kMostIds);
  const EmbeddingSpec& e = s.embedding;
  in_range(root + "embedding.vocab", e.vocab, 1, kMostIds);
  in_range(root + "embedding.width", e.width, 1, kMostHidden);
  require(std::isfinite(e.scale), root, "embedding.scale must be finite, got ", e.scale);
  in_range(root + "embedding.token_types", e.token_types, 0, kMostTokenTypes);
  in_range(root + "embedding.position_offset", e.position_offset, 0, kMostOffset);
  in_range(root + "embedding.padding_id", e.padding_id, -1, e.positions ? s.position_rows() - 1 : -1);
  check_norm(root + "embedding.norm", e.norm);
  require(static_cast<int64_t>(s.layers.size()) <= kMostLayers, root, "layers must be at most ", kMostLayers, ", got ",
          s.layers.size());
  for (size_t i = 0; i < s.layers.size(); ++i) {
    check_layer(concat(root, "layers[", i, "]"), s.layers[i]);
  }
  check_norm(root + "final_norm", s.final_norm);
  check_shared(root, s);
}

}  // namespace polysemy
