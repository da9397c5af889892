#include "encoder/schedule.h"

#include <algorithm>
#include <numeric>

namespace polysemy {
namespace {

// Activations of a microbatch should stay in the core's L2: about 128 rows of 384 floats (and as many of a block of the
// feed-forward layer), fewer rows when they are longer.
constexpr int64_t kMicrobatchFloats = 128 * 384;
constexpr int64_t kFewestRows = 48;

// Sharing one microbatch costs barriers and uneven heads; own microbatches win until they are this much out of balance.
constexpr double kTeamOverhead = 1.10;

int64_t microbatch_tokens(const EncoderSpec& spec) { return std::max(kFewestRows, kMicrobatchFloats / spec.hidden); }

// Multiply-adds of one token and one pair of tokens in a layer, on the average of all layers.
struct Cost {
  double token = 0.0, pair = 0.0;

  explicit Cost(const EncoderSpec& spec) {
    for (const LayerSpec& layer : spec.layers) {
      const AttentionSpec& a = layer.attention;
      token += static_cast<double>(spec.hidden * (a.width() + a.query_width()) +
                                   spec.hidden * layer.ffn.width * (layer.ffn.gated ? 3 : 2));
      pair += 4.0 * static_cast<double>(a.query_width());  // counts double: softmax takes as long as the products
    }
    if (spec.layers.empty()) token = 1.0;
  }
  double of(int64_t length) const {
    const auto n = static_cast<double>(length);
    return n * (token + n * pair);
  }
};

struct Bin {
  Microbatch microbatch;
  double cost = 0;
};

// Longest first, each into the emptiest bin: nearly equal loads.
std::vector<Bin> fill_bins(const Cost& cost, const RaggedBatch& batch, int64_t bins) {
  std::vector<int64_t> order(static_cast<size_t>(batch.sequences));
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto length = [&](int64_t i) { return batch.length(i); };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return length(a) > length(b); });
  std::vector<Bin> filled(static_cast<size_t>(bins));
  const auto fuller = [](const Bin& a, const Bin& b) { return a.cost > b.cost; };
  for (int64_t i : order) {  // filled is a heap with the emptiest bin in front
    std::pop_heap(filled.begin(), filled.end(), fuller);
    Bin& bin = filled.back();
    bin.microbatch.sequences.push_back(i);
    bin.microbatch.tokens += length(i);
    bin.cost += cost.of(length(i));
    std::push_heap(filled.begin(), filled.end(), fuller);
  }
  std::erase_if(filled, [](const Bin& bin) { return bin.microbatch.sequences.empty(); });
  return filled;
}

// How long the slowest thread works when threads take bins, largest first.
double slowest(std::vector<Bin>& bins, int threads) {
  std::stable_sort(bins.begin(), bins.end(), [](const Bin& a, const Bin& b) { return a.cost > b.cost; });
  std::vector<double> load(static_cast<size_t>(threads), 0.0);
  for (const Bin& bin : bins) *std::min_element(load.begin(), load.end()) += bin.cost;
  return *std::max_element(load.begin(), load.end());
}

}  // namespace

Plan plan_schedule(const EncoderSpec& spec, const RaggedBatch& batch, int threads, Schedule wanted) {
  const Cost cost(spec);
  const int64_t sequences = batch.sequences, tokens = batch.tokens(), target = microbatch_tokens(spec);
  const auto bins_for = [&](int64_t workers) {
    const int64_t per_worker = target * workers;
    return workers * std::max<int64_t>(1, (tokens + per_worker - 1) / per_worker);
  };
  std::vector<Bin> bins = fill_bins(cost, batch, std::min(bins_for(threads), std::max<int64_t>(1, sequences)));
  double all = 0;
  for (const Bin& bin : bins) all += bin.cost;
  const bool balanced = slowest(bins, threads) <= all / threads * kTeamOverhead;
  Plan plan;
  plan.team = threads > 1 && (wanted == Schedule::kLatency || (wanted == Schedule::kAuto && !balanced));
  if (plan.team) {  // microbatches of the whole team: the threads divide their rows
    const int64_t most = target * threads;
    bins = fill_bins(cost, batch,
                     std::min(std::max<int64_t>(1, (tokens + most - 1) / most), std::max<int64_t>(1, sequences)));
  }
  plan.most_tokens = 0;
  for (Bin& bin : bins) {
    plan.most_tokens = std::max(plan.most_tokens, bin.microbatch.tokens);
    plan.microbatches.push_back(std::move(bin.microbatch));
  }
  return plan;
}

}  // namespace polysemy
