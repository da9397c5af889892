// THE list of an encoder's parameters. Names, shapes, the arena, placing, filling and counting walk it.
#pragma once

#include <string>
#include <vector>

#include "encoder/spec.h"
#include "encoder/weights.h"

namespace polysemy {

struct Parameter {
  std::string name;
  int64_t rows, columns;
  bool vector;         // [columns]; otherwise [rows, columns]
  bool table = false;  // used where it is
};

// A packed matrix whose outputs come from several parameters: one below the other, or (gated) panel beside panel.
struct Matrix {
  struct Part {
    std::string name;  // without ".weight" or ".bias"
    int64_t rows;
  };
  std::vector<Part> parts;
  int64_t columns;
  bool bias;
  bool gated;
};

template <class Visitor>
void walk_layer(const EncoderSpec& s, const LayerSpec& layer, LayerWeights& w, Visitor& visit) {
  const std::string name = "layers." + std::to_string(layer.weights);
  const AttentionSpec& a = layer.attention;
  const std::string attention = name + ".attention", ffn = name + ".ffn";
  const FeedForwardSpec& f = layer.ffn;
  visit.norm(w.attn_in, layer.attn_in, name + ".attn_in", s.hidden);
  visit.matrix(w.qkv, {{{attention + ".query", a.query_width()},
                        {attention + ".key", a.key_width()},
                        {attention + ".value", a.key_width()}},
                       s.hidden,
                       a.bias,
                       false});
  const PositionBiasSpec& p = a.position_bias;
  if (p.kind == PositionBias::kDisentangled && !p.shared) {
    if (p.position_keys) {
      visit.matrix(w.position_key, {{{attention + ".position_key", a.key_width()}}, s.hidden, a.bias, false});
    }
    if (p.position_queries) {
      visit.matrix(w.position_query, {{{attention + ".position_query", a.query_width()}}, s.hidden, a.bias, false});
    }
  }
  visit.norm(w.query_norm, a.query_key_norm, attention + ".query_norm", a.head_dim);
  visit.norm(w.key_norm, a.query_key_norm, attention + ".key_norm", a.head_dim);
  visit.matrix(w.attention_output, {{{attention + ".output", s.hidden}}, a.query_width(), a.output_bias, false});
  visit.norm(w.attn_post, layer.attn_post, name + ".attn_post", s.hidden);
  visit.norm(w.attn_out, layer.attn_out, name + ".attn_out", s.hidden);
  visit.norm(w.ffn_in, layer.ffn_in, name + ".ffn_in", s.hidden);
  if (f.gated) {
    visit.matrix(w.ffn_up, {{{ffn + ".gate", f.width}, {ffn + ".up", f.width}}, s.hidden, f.up_bias, true});
  } else {
    visit.matrix(w.ffn_up, {{{ffn + ".up", f.width}}, s.hidden, f.up_bias, false});
  }
  visit.matrix(w.ffn_down, {{{ffn + ".down", s.hidden}}, f.width, f.down_bias, false});
  visit.norm(w.ffn_post, layer.ffn_post, name + ".ffn_post", s.hidden);
  visit.norm(w.ffn_out, layer.ffn_out, name + ".ffn_out", s.hidden);
}

// Calls, in the order of their use in a pass:
//   visit.table(slot, name, rows, columns)  for a table whose rows are looked up
//   visit.norm(slot, spec, name, columns)   for a norm
//   visit.matrix(slot, matrix)              for a linear layer
// with slot the place in weights, whose vectors have the right lengths.
template <class Visitor>
void walk(const EncoderSpec& s, EncoderWeights& w, Visitor& visit) {
  const EmbeddingSpec& e = s.embedding;
  visit.table(w.tokens, "embeddings.token", e.vocab, e.width);
  if (e.positions) visit.table(w.positions, "embeddings.position", s.position_rows(), e.width);
  if (e.token_types) visit.table(w.types, "embeddings.type", e.token_types, e.width);
  visit.norm(w.embedding_norm, e.norm, "embeddings.norm", e.width);
  if (s.projects()) {
    visit.matrix(w.projection, {{{"embeddings.projection", s.hidden}}, e.width, e.projection_bias, false});
  }
  size_t owned = 0, tables = 0;
  for (const LayerSpec& layer : s.layers) {
    const PositionBiasSpec& bias = layer.attention.position_bias;
    if (bias.has_table() && bias.table == static_cast<int64_t>(tables)) {
      const std::string name = "position_bias." + std::to_string(tables);
      const bool numbers = bias.kind == PositionBias::kBuckets;
      visit.table(w.position_biases[tables], name, bias.buckets, numbers ? layer.attention.heads : s.hidden);
      if (!numbers) visit.norm(w.position_norms[tables], bias.norm, name + ".norm", s.hidden);
      ++tables;
    }
    if (layer.weights != static_cast<int64_t>(owned)) continue;  // those of a layer before it
    walk_layer(s, layer, w.layers[owned], visit);
    ++owned;
  }
  visit.norm(w.final_norm, s.final_norm, "final_norm", s.hidden);
}

// Weights whose vectors have the lengths that the spec asks for, and nothing in them yet.
EncoderWeights empty_weights(const EncoderSpec& spec);

// Every parameter, in the order of its use.
std::vector<Parameter> parameters(const EncoderSpec& spec);

}  // namespace polysemy
