#include "encoder/positions.h"

#include <algorithm>
#include <cmath>

namespace polysemy {

Angles::Angles(const RotarySpec& spec, int64_t max_positions)
    : frequencies_(spec.frequencies), blocks_(static_cast<size_t>((max_positions + kBlock - 1) / kBlock)) {}

Angles::Blocks::~Blocks() {
  for (const std::atomic<const Buffer*>& block : *this) delete block.load();
}

void Angles::prepare(int64_t positions) const {
  for (int64_t start = 0; start < positions; start += kBlock) {
    std::atomic<const Buffer*>& place = blocks_[static_cast<size_t>(start / kBlock)];
    if (place.load(std::memory_order_acquire)) continue;
    auto block = std::make_unique<Buffer>(Buffer::of<float>(kBlock * stride()));
    for (int64_t i = 0; i < kBlock; ++i) {
      float* const cosines = block->data<float>() + i * stride();
      for (int64_t d = 0; d < pairs(); ++d) {
        const double angle = static_cast<double>(static_cast<float>(start + i) * frequencies_[static_cast<size_t>(d)]);
        cosines[d] = static_cast<float>(std::cos(angle));
        cosines[pairs() + d] = static_cast<float>(std::sin(angle));
      }
    }
    const Buffer* none = nullptr;  // another thread may have been faster: the same numbers
    if (place.compare_exchange_strong(none, block.get(), std::memory_order_acq_rel)) block.release();
  }
}

RotaryTables::RotaryTables(const EncoderSpec& spec) {
  std::vector<const RotarySpec*> known;
  for (const LayerSpec& layer : spec.layers) {
    const RotarySpec& rotary = layer.attention.rotary;
    if (!rotary) {
      by_layer_.push_back(nullptr);
      continue;
    }
    const auto found = std::find_if(known.begin(), known.end(), [&](const RotarySpec* r) { return *r == rotary; });
    const auto index = static_cast<size_t>(found - known.begin());
    if (found == known.end()) {
      known.push_back(&rotary);
      tables_.push_back(std::make_unique<Angles>(rotary, spec.max_positions));
    }
    by_layer_.push_back(tables_[index].get());
  }
}

void RotaryTables::prepare(int64_t positions) const {
  for (const auto& table : tables_) table->prepare(positions);
}

int64_t distance_bucket(int64_t distance, int64_t buckets, int64_t max_distance) {
  const int64_t half = buckets / 2, exact = half / 2, n = std::abs(distance);
  const int64_t side = distance > 0 ? half : 0;
  if (n < exact) return side + n;
  // In float32, as the models were trained: borders between buckets fall where this arithmetic has them.
  const float ratio = std::log(static_cast<float>(n) / static_cast<float>(exact)) /
                      static_cast<float>(std::log(static_cast<double>(max_distance) / static_cast<double>(exact)));
  const int64_t grown = exact + static_cast<int64_t>(ratio * static_cast<float>(half - exact));
  return side + std::min(grown, half - 1);
}

DistanceBiases::DistanceBiases(const PositionBiasSpec& spec, const Tensor& table, const KernelTable& kernels,
                               int64_t longest)
    : longest_(std::max<int64_t>(1, longest)),
      stride_(2 * longest_ - 1),
      data_(Buffer::of<float>(table.columns * stride_)) {
  const int64_t heads = table.columns;
  const Buffer wide = Buffer::of<float>(table.rows * heads);
  kernels.widen({.from = table.data, .dtype = table.dtype, .to = wide.data<float>(), .count = table.rows * heads});
  for (int64_t distance = 1 - longest_; distance < longest_; ++distance) {
    const float* row = wide.data<float>() + distance_bucket(distance, spec.buckets, spec.max_distance) * heads;
    for (int64_t h = 0; h < heads; ++h) data_.data<float>()[h * stride_ + longest_ - 1 + distance] = row[h];
  }
}

}  // namespace polysemy
