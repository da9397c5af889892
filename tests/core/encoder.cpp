// Forward passes from several threads at once on one set of weights; each must give the bits of a pass alone.
#include <map>
#include <thread>
#include <vector>

#include "encoder/forward.h"
#include "trial.h"

namespace {

using namespace polysemy;
using namespace trial;

constexpr int kCallers = 3;

struct Model {
  EncoderSpec spec{};
  std::map<std::string, Floats> tensors;
  EncoderWeights weights{};
  WorkspacePool pool;

  Model(const KernelTable& table, Random& random) {
    spec.heads = random.between(1, 4);
    spec.head_dim = random.between(1, 24);
    spec.hidden = spec.heads * spec.head_dim;
    spec.layers = random.between(1, 2);
    spec.ffn = random.between(1, 8) == 1 ? random.between(384, 500) : random.between(1, 120);
    spec.vocab = 20;
    spec.max_positions = 200;
    spec.position_offset = random.below(3);
    spec.token_types = random.below(3);
    spec.norm_eps = 1e-5f;
    spec.activation = Activation::kGeluErf;
    const FindTensor find = [&](const std::string& name, int64_t rows, int64_t columns) {
      const int64_t size = rows * (columns ? columns : 1);
      return tensors.try_emplace(name, size, random, 0.5f).first->second.get();
    };
    weights = pack_weights(table, spec, find, 2);
  }
};

struct Batch {
  std::vector<int64_t> offsets{0};
  Block<int32_t> ids{0}, types{0};

  Batch(const EncoderSpec& spec, Random& random) {
    const int64_t sequences = random.between(0, 6), longest = random.below(4) ? 30 : spec.max_positions;
    for (int64_t i = 0; i < sequences; ++i) offsets.push_back(offsets.back() + random.between(0, longest));
    ids = Block<int32_t>(offsets.back());
    types = Block<int32_t>(offsets.back());
    for (int64_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(random.below(spec.vocab));
    for (int64_t i = 0; i < ids.size() && spec.token_types; ++i) {
      types[i] = static_cast<int32_t>(random.below(spec.token_types));
    }
  }
  int64_t sequences() const { return static_cast<int64_t>(offsets.size()) - 1; }
};

struct Results {
  std::vector<Floats> hidden, attentions;
  Floats pooled;

  Results(const EncoderSpec& spec, const Batch& batch) : pooled(batch.sequences() * spec.hidden) {
    int64_t areas = 0;
    for (size_t i = 1; i < batch.offsets.size(); ++i) {
      areas += (batch.offsets[i] - batch.offsets[i - 1]) * (batch.offsets[i] - batch.offsets[i - 1]);
    }
    for (int64_t i = 0; i <= spec.layers; ++i) hidden.emplace_back(batch.ids.size() * spec.hidden);
    for (int64_t i = 0; i < spec.layers; ++i) attentions.emplace_back(spec.heads * areas);
  }
  bool same_bits(const Results& other) const {
    bool same = pooled.same_bits(other.pooled);
    for (size_t i = 0; i < hidden.size(); ++i) same = same && hidden[i].same_bits(other.hidden[i]);
    for (size_t i = 0; i < attentions.size(); ++i) same = same && attentions[i].same_bits(other.attentions[i]);
    return same;
  }
};

Results run(const KernelTable& table, Model& model, const Batch& batch, Schedule schedule, int threads) {
  Results results(model.spec, batch);
  ForwardOutputs outputs;
  for (const Floats& states : results.hidden) outputs.hidden.push_back(states.get());
  for (const Floats& weights : results.attentions) outputs.attentions.push_back(weights.get());
  outputs.pooled = results.pooled.get();
  outputs.pooling = Pooling::kMean;
  outputs.normalize = true;
  const int32_t* types = model.spec.token_types ? batch.types.get() : nullptr;
  const RaggedBatch ragged{batch.ids.get(), types, batch.offsets.data(), batch.sequences()};
  forward(table, model.spec, model.weights, model.pool, ragged, outputs, schedule, threads);
  return results;
}

void one_model(const KernelTable& table, Random& random) {
  Model model(table, random);
  std::vector<Batch> batches;
  std::vector<Results> alone;
  for (int i = 0; i < kCallers; ++i) {
    batches.emplace_back(model.spec, random);
    alone.push_back(run(table, model, batches.back(), Schedule::kThroughput, 1));
  }
  std::vector<std::thread> callers;
  for (size_t i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      for (const Schedule schedule : {Schedule::kLatency, Schedule::kThroughput, Schedule::kAuto}) {
        const int threads = 1 + static_cast<int>(i);
        expect(run(table, model, batches[i], schedule, threads).same_bits(alone[i]), "same bits in company");
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

}  // namespace

int main() { return trial::on_every_level(25, one_model); }
