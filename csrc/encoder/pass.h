// One thread's way through the graph with one microbatch. The graph is in forward.cpp, its steps in steps.cpp.
#pragma once

#include <vector>

#include "encoder/activations.h"
#include "encoder/encoder.h"
#include "ops/attention.h"

namespace polysemy {

// What all threads of a forward pass share.
struct Call {
  Call(const KernelTable& kernels, const Encoder& encoder, const RaggedBatch& batch, const ForwardOutputs& outputs);

  const KernelTable& kernels;
  const EncoderSpec& spec;
  const EncoderWeights& weights;
  const RotaryTables& rotary;
  const DisentangledTables& disentangled;
  const RaggedBatch& batch;
  const ForwardOutputs& out;
  int64_t layers;                      // that are computed
  int64_t longest;                     // tokens of the longest sequence
  std::vector<DistanceBiases> biases;  // by table; empty for one of the other kind
  std::vector<DistanceBuckets> buckets;
  std::vector<Attention> attention;  // by layer
  std::vector<int64_t> squares;      // of all sequences before each, where attention weights are asked for

  // Rows of activations lie this far apart.
  int64_t x_stride, embedded_stride, qkv_stride, context_stride, ffn_stride;
  int64_t prepared_stride, prepared_block_stride;  // what products read; 0 where they read activations
  bool pre_norm, gated, prepares;
  int64_t sums_start;  // in a thread's scratch: behind that of attention

  int64_t floats(int64_t tokens) const;  // of one microbatch's memory
  int64_t scratch() const;               // of one thread's
};

class Pass {
 public:
  // memory: call.floats(microbatch.tokens) floats for the team; scratch: call.scratch() floats for this thread.
  Pass(const Call& call, const Microbatch& microbatch, float* memory, float* scratch, Member& member);
  void run();

 private:
  enum Buffers { kX, kSum, kNormed, kQkv, kContext, kFfn, kEmbedded, kPrepared, kPreparedBlock };

  void layer(size_t index);

  // Steps
  void embed();
  Activations& norm(const NormSpec& s, const NormWeights& w, Activations& x, Activations& out);
  void project_qkv(const AttentionSpec& s, const LinearWeights& w, Activations& x);
  void place_queries_and_keys(const AttentionSpec& s, const LayerWeights& w, const Angles* angles);
  void attend(size_t index);
  void project_context(const LinearWeights& w, bool join);
  void feed_forward(const FeedForwardSpec& s, const LayerWeights& w, Activations& x, bool join);
  void join(const NormSpec& post, const NormWeights& post_weights, const NormSpec& out, const NormWeights& out_weights);
  void emit_hidden(size_t number);
  void emit_projections(size_t index);
  void pool();

  // Parts of steps
  void embed_rows(int64_t sequence, Range rows, int64_t start, Activations& to);
  void multiply(const LinearWeights& w, Activations& x, Activations& c, Activations* residual,
                Activation activation = Activation::kNone);
  Activations& prepared(Activations& a, const LinearWeights& w);
  void prepare(const Activations& a, const Activations& to, Range rows, int64_t k) const;
  Linear product(const LinearWeights& w, const Activations& a, const Activations& c, const Activations* residual) const;
  void feed_forward_rows(const FeedForwardSpec& s, const LayerWeights& w, Activations& x, bool join, Range rows);
  void normalize(const NormSpec& s, const NormWeights& w, const Activations& x, const Activations* residual,
                 const Activations& out) const;
  void normalize_heads(const AttentionSpec& s, const NormWeights& w, Range rows, Range heads, int64_t column) const;
  void turn(const AttentionSpec& s, const Angles& angles, Range rows, int64_t start, Range heads, int64_t column) const;

  bool own_heads(const AttentionSpec& s) const;
  Range heads_of(int64_t heads, bool own) const { return own ? member_.share_of(heads) : Range{0, heads}; }
  Split split() const { return by_rows_ ? Split::kRows : Split::kColumns; }
  Activations& buffer(Buffers which) { return member_.buffer(which); }
  // Calls f(sequence, rows, row of its first token) for each sequence that has some of these rows of the microbatch.
  template <class F>
  void each_sequence(Range rows, F f) const;
  void emit(Activations& from, int64_t columns, float* out);

  const Call& call_;
  const Microbatch& microbatch_;
  float* scratch_;
  int32_t* positions_;
  Member& member_;
  bool by_rows_;
  Range rows_;  // this thread's share
};

}  // namespace polysemy
