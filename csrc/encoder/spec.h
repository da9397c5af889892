// An encoder as data. Python's EncoderSpec has the same fields.
#pragma once

#include "kernels/table.h"

namespace polysemy {

struct EncoderSpec {
  int64_t hidden, layers, heads, head_dim, ffn;
  int64_t vocab, max_positions, position_offset, token_types;
  float norm_eps;
  Activation activation;
};

}  // namespace polysemy
