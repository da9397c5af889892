// Which thread computes which sequences. Results don't depend on it.
#pragma once

#include <cstdint>
#include <vector>

#include "encoder/batch.h"
#include "encoder/spec.h"

namespace polysemy {

enum class Schedule { kAuto, kThroughput, kLatency };

// Sequences that go through all layers together.
struct Microbatch {
  std::vector<int64_t> sequences;
  int64_t tokens = 0;
};

struct Plan {
  std::vector<Microbatch> microbatches;
  bool team;  // all threads work on one microbatch after the other; otherwise each thread takes microbatches of its own
  int64_t most_tokens;
};

Plan plan_schedule(const EncoderSpec& spec, const RaggedBatch& batch, int threads, Schedule wanted);

}  // namespace polysemy
