// The parameters of an encoder in the form that the forward pass reads.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <span>
#include <string>
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

// Parts of a matrix that meet within a panel: float32 rows, which wait for each other.
struct JoinedRows {
  Panels to;
  Buffer rows;
  std::atomic<int64_t> missing;
};

// Where a parameter goes that is no table. A vector has rows of one number.
struct Target {
  int64_t rows, columns;
  int64_t place;                 // of a vector: among those of its matrix, (gated) 0 or 1; else its first panel
  int64_t step;                  // from panel to panel
  float* vector = nullptr;       // or null: a matrix
  Panels panels = {};            // of the whole matrix
  JoinedRows* joined = nullptr;  // or null: place is a panel that is its own; otherwise it is a row of these
  int64_t there = 0;             // rows that have come
};

// Weights in the making: their memory is there, and rows of parameters come in any order of the parameters.
class Packing {
 public:
  // Throws ArgumentError for a spec that can't be.
  Packing(const EncoderSpec& spec, Precision precision);

  // Packs the next rows of a parameter, from `first` on: a multiple of 16, and so is their number but for the last
  // ones. They may be gone afterwards. One thread at a time brings those of one parameter. Throws ArgumentError for
  // rows that have another form, or are none.
  void put(const KernelTable& kernels, const std::string& name, int64_t first, const Tensor& rows);

  // All parameters but the tables, on several threads, which may be stopped.
  void put_all(const KernelTable& kernels, const FindTensor& find, int threads);

  // The weights, once all rows have come; `find` gives the tables. Throws ArgumentError when some have not.
  EncoderWeights finish(const FindTensor& find);

  const EncoderSpec& spec() const { return spec_; }

 private:
  Target& checked(const std::string& name, int64_t first, const Tensor& rows);

  EncoderSpec spec_;
  std::list<JoinedRows> joined_;
  std::map<std::string, Target> targets_;
  EncoderWeights weights_;
};

// Packs everything but the tables, on several threads. Throws ArgumentError for a tensor of another shape.
EncoderWeights pack_weights(const KernelTable& kernels, const EncoderSpec& spec, Precision precision,
                            const FindTensor& find, int threads);

// The same from the arena that such weights have had. Only tables are looked for. Throws ArgumentError for an arena of
// another size.
EncoderWeights restore_weights(const EncoderSpec& spec, Precision precision, std::span<const std::byte> arena,
                               const FindTensor& find);

}  // namespace polysemy
