// What attention needs to know of positions: angles of rotary embeddings, biases by distance.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "encoder/batch.h"
#include "encoder/spec.h"
#include "encoder/weights.h"

namespace polysemy {

// Cosine and sine of position * frequency, the product rounded to float32 as other implementations do. Blocks of
// positions are computed when they are first needed, and kept; any number of threads may ask for them.
class Angles {
 public:
  static constexpr int64_t kBlock = 256;  // positions

  Angles(const RotarySpec& spec, int64_t max_positions);

  // Makes sure that the first positions are there; throws std::bad_alloc.
  void prepare(int64_t positions) const;

  int64_t pairs() const { return static_cast<int64_t>(frequencies_.size()); }
  int64_t stride() const { return 2 * pairs(); }  // from position to position within a block
  // Of a position that was prepared; positions up to the end of its block follow.
  const float* cosine(int64_t position) const {
    return blocks_[static_cast<size_t>(position / kBlock)].load(std::memory_order_acquire)->data<float>() +
           position % kBlock * stride();
  }
  const float* sine(int64_t position) const { return cosine(position) + pairs(); }

 private:
  struct Blocks : std::vector<std::atomic<const Buffer*>> {
    using vector::vector;
    ~Blocks();
  };

  std::vector<float> frequencies_;
  mutable Blocks blocks_;
};

// The angles of all layers; layers with the same frequencies share theirs.
class RotaryTables {
 public:
  explicit RotaryTables(const EncoderSpec& spec);
  const Angles* of_layer(size_t layer) const { return by_layer_[layer]; }  // null where nothing turns
  void prepare(int64_t positions) const;

 private:
  std::vector<std::unique_ptr<Angles>> tables_;
  std::vector<const Angles*> by_layer_;
};

// Bucket of a distance j - i.
int64_t distance_bucket(int64_t distance, int64_t buckets, int64_t max_distance);

// Biases of one table by head and distance, for sequences of up to `longest` tokens.
class DistanceBiases {
 public:
  DistanceBiases() = default;
  DistanceBiases(const PositionBiasSpec& spec, const Tensor& table, const KernelTable& kernels, int64_t longest);
  int64_t stride() const { return stride_; }                                // from head to head
  const float* zero() const { return data_.data<float>() + longest_ - 1; }  // head 0, distance 0

 private:
  int64_t longest_ = 1, stride_ = 1;
  Buffer data_;
};

}  // namespace polysemy
