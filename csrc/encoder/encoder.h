// A transformer encoder: its spec, its packed weights, and the memory of its passes.
#pragma once

#include "encoder/batch.h"
#include "encoder/disentangled.h"
#include "encoder/positions.h"
#include "encoder/schedule.h"
#include "encoder/spec.h"
#include "encoder/weights.h"
#include "encoder/workspace.h"

namespace polysemy {

// Does not change once it is made: any number of threads may use one encoder.
class Encoder {
 public:
  // Of the weights of an encoder with this spec, see pack_weights and restore_weights.
  Encoder(const KernelTable& kernels, EncoderSpec spec, EncoderWeights weights);

  const EncoderSpec& spec() const { return spec_; }
  const EncoderWeights& weights() const { return weights_; }
  const RotaryTables& rotary() const { return rotary_; }
  const DisentangledTables& disentangled() const { return disentangled_; }

  // Throws ArgumentError unless offsets, lengths, ids and types are those of a batch for this encoder. `ids` is the
  // number of ids there are; `operation` begins the messages.
  void check(const char* operation, const RaggedBatch& batch, int64_t ids) const;

  // One pass over a batch that was checked; stops after the last layer that an output needs. Results depend neither on
  // the schedule nor on threads.
  void forward(const KernelTable& kernels, const RaggedBatch& batch, const ForwardOutputs& outputs, Schedule schedule,
               int threads) const;

 private:
  EncoderSpec spec_;
  EncoderWeights weights_;
  RotaryTables rotary_;
  DisentangledTables disentangled_;
  mutable WorkspacePool workspaces_;
};

}  // namespace polysemy
