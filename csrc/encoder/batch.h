// What a forward pass takes and gives.
#pragma once

#include <vector>

#include "kernels/tasks.h"

namespace polysemy {

// Sequences packed one after the other: sequence i is rows offsets[i] to offsets[i + 1].
struct RaggedBatch {
  const int32_t* ids;
  const int32_t* types;  // or null: all zero
  const int64_t* offsets;
  int64_t sequences;
  const int64_t* seen = nullptr;  // [sequences]: the tokens that all others look at, from the first on; null: every one

  int64_t tokens() const { return offsets[sequences]; }
  int64_t length(int64_t sequence) const { return offsets[sequence + 1] - offsets[sequence]; }
  int64_t keys(int64_t sequence) const { return seen ? seen[sequence] : length(sequence); }
  int64_t square(int64_t sequence) const { return length(sequence) * length(sequence); }

  // Pairs of tokens of the same sequence: attention weights of one head.
  int64_t squares() const {
    int64_t sum = 0;
    for (int64_t i = 0; i < sequences; ++i) sum += square(i);
    return sum;
  }
};

// Where results go; what is null or absent is not computed.
struct ForwardOutputs {
  std::vector<float*> hidden;      // [layers + 1], each [tokens, hidden] or null; 0 is the embedding output
  std::vector<float*> attentions;  // [layers], each [heads, n, n] per sequence, one after the other, or null
  // [layers], each [tokens, AttentionSpec::width] or null: queries, keys and values of each token as attention reads
  // them, after their norm and rotation, before the scale.
  std::vector<float*> projections;
  float* pooled = nullptr;  // [sequences, hidden]
  Pooling pooling = Pooling::kNone;
  bool normalize = false;
  int64_t* waits = nullptr;  // how often the threads of the first microbatch waited for each other
};

}  // namespace polysemy
