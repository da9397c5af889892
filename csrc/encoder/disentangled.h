// Disentangled attention: scores get products of content with the embedding of a distance (PositionBiasSpec).
#pragma once

#include <memory>
#include <vector>

#include "base/parallel.h"
#include "encoder/spec.h"
#include "encoder/weights.h"
#include "ops/attention.h"

namespace polysemy {

// Row of the table for a distance i - j: half the buckets are for each direction.
int64_t disentangled_bucket(int64_t distance, int64_t buckets, int64_t max_distance);

// Buckets of all distances in texts of up to `longest` tokens.
class DistanceBuckets {
 public:
  DistanceBuckets() = default;
  DistanceBuckets(const PositionBiasSpec& spec, int64_t longest);
  const int32_t* zero() const { return buckets_.data() + longest_ - 1; }  // of distance 0, the others around it

 private:
  int64_t longest_ = 1;
  std::vector<int32_t> buckets_;
};

// What one layer makes of the table: keys and queries of each bucket, packed by head. They are the same for every text.
//
// A task makes the product of each of its tokens with each bucket that the text can need once. A strip of a few
// queries then gathers the numbers of all its keys: no bias of queries times keys exists beyond a strip.
class Disentangled {
 public:
  Disentangled(const KernelTable& kernels, const EncoderSpec& spec, const EncoderWeights& weights,
               const LayerSpec& layer);

  // Floats that `attend` needs behind the scratch of an attention task, for sequences of up to `longest` tokens.
  int64_t scratch(int64_t longest) const;

  // A task: a range of queries of one head.
  void attend(const KernelTable& kernels, const Attention& op, const AttentionSequence& sequence, int64_t head,
              Range queries, const DistanceBuckets& buckets, float* scratch) const;

 private:
  void pack_heads(const KernelTable& kernels, const float* rows, int64_t stride, int64_t heads,
                  std::vector<PackedWeight>& to) const;

  const PositionBiasSpec bias_;
  const int64_t dim_;
  std::vector<PackedWeight> keys_, queries_;  // [buckets, dim] by head; empty where there is no such product
};

// Those of all layers.
class DisentangledTables {
 public:
  DisentangledTables(const KernelTable& kernels, const EncoderSpec& spec, const EncoderWeights& weights);
  const Disentangled* of_layer(size_t layer) const { return by_layer_[layer]; }  // null where there is none
  int64_t scratch(int64_t longest) const;

 private:
  std::vector<std::unique_ptr<Disentangled>> tables_;
  std::vector<const Disentangled*> by_layer_;
};

}  // namespace polysemy
