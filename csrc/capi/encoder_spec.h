// From the records of the C header to those of the encoder.
#pragma once

#include "capi/guard.h"
#include "encoder/spec.h"

namespace polysemy::capi {

// A validated spec; `function` begins the messages.
EncoderSpec spec_from(const char* function, const polysemy_encoder_spec* spec);

}  // namespace polysemy::capi
