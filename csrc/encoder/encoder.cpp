#include "encoder/encoder.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "ops/checks.h"

namespace polysemy {

Encoder::Encoder(const KernelTable& kernels, EncoderSpec spec, EncoderWeights weights)
    : spec_(std::move(spec)), weights_(std::move(weights)), rotary_(spec_), disentangled_(kernels, spec_, weights_) {}

void Encoder::check(const char* operation, const RaggedBatch& batch, int64_t ids) const {
  const int64_t* offsets = batch.offsets;
  validate_offsets(operation, "offsets", offsets, batch.sequences, ids);
  require(offsets[0] == 0 && batch.tokens() == ids, operation, ": offsets must start at 0 and end at ", ids,
          " (the number of ids), got ", offsets[0], " and ", batch.tokens());
  for (int64_t i = 0; i < batch.sequences; ++i) {
    const int64_t n = batch.length(i);
    require(n <= spec_.max_positions, operation, ": sequence ", i, " must have 0 to ", spec_.max_positions,
            " tokens, got ", n);
    const int64_t seen = batch.keys(i);
    require(seen >= std::min<int64_t>(1, n) && seen <= n, operation, ": seen must be 1 to ", n,
            ", the tokens of sequence ", i, ", got ", seen);
  }
  validate_ids(operation, "ids", batch.ids, ids, spec_.embedding.vocab);
  if (!batch.types) return;
  const int64_t types = spec_.embedding.token_types;
  require(types > 0, operation, ": types must be absent for an encoder without token types, got an array");
  validate_ids(operation, "types", batch.types, ids, types);
}

}  // namespace polysemy
