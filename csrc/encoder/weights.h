// The parameters of an encoder in the form that the forward pass reads.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "base/tensor.h"
#include "encoder/spec.h"
#include "ops/linear.h"

namespace polysemy {

struct Parameter;

struct NormWeights {
  const float* weight = nullptr;
  const float* bias = nullptr;  // or null
};

struct LinearWeights {
  Panels weight;
  const float* bias = nullptr;  // by column of the panels, or null
};

struct LayerWeights {
  NormWeights attn_in, attn_post, attn_out, ffn_in, ffn_post, ffn_out, query_norm, key_norm;
  LinearWeights qkv;  // all heads' queries, then keys, then values
  LinearWeights attention_output, ffn_up, ffn_down;
  LinearWeights position_key, position_query;  // of a disentangled bias
};

struct EncoderWeights {
  Buffer arena;                     // all but the tables, in the order of use: huge pages from end to end
  Tensor tokens, positions, types;  // kept by whoever made the encoder; without data where there are none
  std::vector<Tensor> position_biases;
  std::vector<NormWeights> position_norms;  // of those tables
  NormWeights embedding_norm, final_norm;
  LinearWeights projection;
  std::vector<LayerWeights> layers;           // by LayerSpec::weights
  Precision precision = Precision::kFloat32;  // of all matrices
};

// Where a parameter lies; throws when there is none.
using FindTensor = std::function<Tensor(const Parameter&)>;

// Packs everything but the tables, matrices on several threads. Pages of mapped tensors leave the memory of the process
// as soon as they are packed. Throws ArgumentError for a tensor of another shape.
EncoderWeights pack_weights(const KernelTable& kernels, const EncoderSpec& spec, Precision precision,
                            const FindTensor& find, int threads);

// The same from the arena that such weights have had. Only tables are looked for. Throws ArgumentError for an arena of
// another size.
EncoderWeights restore_weights(const EncoderSpec& spec, Precision precision, std::span<const std::byte> arena,
                               const FindTensor& find);

}  // namespace polysemy
