// The parameters of an encoder in the form that the forward pass reads.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "encoder/spec.h"
#include "ops/linear.h"

namespace polysemy {

struct NormWeights {
  Buffer weight, bias;
};

struct LinearWeights {
  PackedWeight weight;
  Buffer bias;
};

struct LayerWeights {
  LinearWeights qkv;  // rows: all heads' queries, then keys, then values
  LinearWeights attention_output, ffn_up, ffn_down;
  NormWeights attention_norm, ffn_norm;
};

struct EncoderWeights {
  Buffer packed;  // all packed weights in the order of their use, one region: huge pages from end to end
  const float *token_table, *position_table, *type_table;  // kept by whoever made the engine; type_table may be null
  NormWeights embedding_norm;
  std::vector<LayerWeights> layers;
};

// The row-major tensor of a canonical name; throws when there is none of that shape. columns = 0: a vector.
using FindTensor = std::function<const float*(const std::string& name, int64_t rows, int64_t columns)>;

// Told when a matrix has been packed, by the thread that did it.
using TensorPacked = std::function<void(const float* tensor, int64_t count)>;

// Packs everything but the embedding tables, matrices in parallel.
EncoderWeights pack_weights(const KernelTable& kernels, const EncoderSpec& spec, const FindTensor& find, int threads,
                            const TensorPacked& packed = {});

}  // namespace polysemy
