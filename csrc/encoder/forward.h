// The forward pass of an encoder over a ragged batch.
#pragma once

#include <vector>

#include "encoder/schedule.h"
#include "encoder/weights.h"
#include "encoder/workspace.h"

namespace polysemy {

// Sequences packed one after the other: sequence i is rows offsets[i] to offsets[i + 1].
struct RaggedBatch {
  const int32_t* ids;
  const int32_t* types;  // or null: all zero
  const int64_t* offsets;
  int64_t sequences;
};

// Where results go; what is null or absent is not computed.
struct ForwardOutputs {
  std::vector<float*> hidden;      // [layers + 1], each [tokens, hidden] or null; 0 is the embedding output
  std::vector<float*> attentions;  // [layers], each [heads, n, n] per sequence, one after the other, or null
  float* pooled = nullptr;         // [sequences, hidden]
  Pooling pooling = Pooling::kNone;
  bool normalize = false;
};

// Stops after the last layer that an output needs. Ids were range-checked.
void forward(const KernelTable& kernels, const EncoderSpec& spec, const EncoderWeights& weights, WorkspacePool& pool,
             const RaggedBatch& batch, const ForwardOutputs& outputs, Schedule schedule, int threads);

}  // namespace polysemy
