#include "encoder/encoder.h"

#include <utility>

#include "base/check.h"

namespace polysemy {
namespace {

EncoderSpec validated(EncoderSpec spec) {
  validate(spec);
  return spec;
}

}  // namespace

Encoder::Encoder(const KernelTable& kernels, EncoderSpec spec, Precision precision, const FindTensor& find, int threads)
    : spec_(validated(std::move(spec))),
      weights_(pack_weights(kernels, spec_, precision, find, threads)),
      rotary_(spec_),
      disentangled_(kernels, spec_, weights_) {}

void Encoder::check(const RaggedBatch& batch, int64_t ids) const {
  const int64_t* offsets = batch.offsets;
  require(offsets[0] == 0 && batch.tokens() == ids, "forward: offsets must start at 0 and end at ", ids,
          " (the number of ids), got ", offsets[0], " and ", batch.tokens());
  for (int64_t i = 0; i < batch.sequences; ++i) {
    const int64_t n = batch.length(i);
    require(n >= 0 && n <= spec_.max_positions, "forward: sequence ", i, " must have 0 to ", spec_.max_positions,
            " tokens, got ", n);
  }
  const int64_t vocab = spec_.embedding.vocab, types = spec_.embedding.token_types;
  for (int64_t i = 0; i < ids; ++i) {
    require(batch.ids[i] >= 0 && batch.ids[i] < vocab, "forward: ids[", i, "] must be 0 to ", vocab - 1, ", got ",
            batch.ids[i]);
  }
  if (!batch.types) return;
  require(types > 0, "forward: types must be absent for an encoder without token types, got an array");
  for (int64_t i = 0; i < ids; ++i) {
    require(batch.types[i] >= 0 && batch.types[i] < types, "forward: types[", i, "] must be 0 to ", types - 1, ", got ",
            batch.types[i]);
  }
}

}  // namespace polysemy
