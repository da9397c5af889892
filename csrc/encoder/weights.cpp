#include "encoder/weights.h"

#include <algorithm>
#include <utility>

namespace polysemy {
namespace {

Buffer copy(const float* from, int64_t count) {
  Buffer to = Buffer::of<float>(count);
  std::copy_n(from, count, to.data<float>());
  return to;
}

// A weight whose output features come from several matrices, one below the other.
struct Source {
  const float* weight;
  int64_t rows;
};

// Places every weight and notes where it comes from; filling them is work that threads share.
class Packer {
 public:
  Packer(const EncoderSpec& spec, const FindTensor& find, float* memory) : spec_(spec), find_(find), memory_(memory) {}

  LinearWeights linear(const std::string& name, int64_t n, int64_t k) {
    LinearWeights w{place(n, k), copy(find_(name + ".bias", n, 0), n)};
    sources_.push_back({{find_(name + ".weight", n, k), n}});
    return w;
  }

  LinearWeights qkv(const std::string& attention) {
    const int64_t n = spec_.heads * spec_.head_dim, k = spec_.hidden;
    LinearWeights w{place(3 * n, k), Buffer::of<float>(3 * n)};
    std::vector<Source> parts;
    float* bias = w.bias.data<float>();
    for (const char* part : {".query", ".key", ".value"}) {
      bias = std::copy_n(find_(attention + part + ".bias", n, 0), n, bias);
      parts.push_back({find_(attention + part + ".weight", n, k), n});
    }
    sources_.push_back(parts);
    return w;
  }

  NormWeights norm(const std::string& name) {
    return {copy(find_(name + ".weight", spec_.hidden, 0), spec_.hidden),
            copy(find_(name + ".bias", spec_.hidden, 0), spec_.hidden)};
  }

  std::vector<std::vector<Source>> take_sources() { return std::move(sources_); }

 private:
  PackedWeight place(int64_t n, int64_t k) {
    return {n, k, std::exchange(memory_, memory_ + PackedWeight::packed_size(n, k))};
  }

  const EncoderSpec& spec_;
  const FindTensor& find_;
  float* memory_;
  std::vector<std::vector<Source>> sources_;
};

void fill(const KernelTable& kernels, PackedWeight& weight, const std::vector<Source>& parts) {
  const bool aligned = std::all_of(parts.begin(), parts.end(), [](const Source& s) { return s.rows % kLanes == 0; });
  if (aligned || parts.size() == 1) {
    int64_t first = 0;
    for (const Source& s : parts) {
      weight.fill(kernels, s.weight, weight.k(), first, s.rows);
      first += s.rows;
    }
    return;
  }
  Buffer joined = Buffer::of<float>(weight.n() * weight.k());  // parts that share a panel are laid together first
  float* to = joined.data<float>();
  for (const Source& s : parts) to = std::copy_n(s.weight, s.rows * weight.k(), to);
  weight.fill(kernels, joined.data<float>(), weight.k(), 0, weight.n());
}

}  // namespace

EncoderWeights pack_weights(const KernelTable& kernels, const EncoderSpec& spec, const FindTensor& find, int threads,
                            const TensorPacked& packed) {
  const int64_t width = spec.heads * spec.head_dim;
  const int64_t layer_size =
      PackedWeight::packed_size(3 * width, spec.hidden) + PackedWeight::packed_size(spec.hidden, width) +
      PackedWeight::packed_size(spec.ffn, spec.hidden) + PackedWeight::packed_size(spec.hidden, spec.ffn);
  EncoderWeights w;
  w.packed = Buffer::of<float>(spec.layers * layer_size);
  Packer packer(spec, find, w.packed.data<float>());
  w.token_table = find("embeddings.token", spec.vocab, spec.hidden);
  w.position_table = find("embeddings.position", spec.position_offset + spec.max_positions, spec.hidden);
  w.type_table = spec.token_types ? find("embeddings.type", spec.token_types, spec.hidden) : nullptr;
  w.embedding_norm = packer.norm("embeddings.norm");
  w.layers.reserve(static_cast<size_t>(spec.layers));
  for (int64_t i = 0; i < spec.layers; ++i) {
    const std::string layer = "layers." + std::to_string(i);
    LayerWeights l;
    l.qkv = packer.qkv(layer + ".attention");
    l.attention_output = packer.linear(layer + ".attention.output", spec.hidden, spec.heads * spec.head_dim);
    l.attention_norm = packer.norm(layer + ".attention.norm");
    l.ffn_up = packer.linear(layer + ".ffn.up", spec.ffn, spec.hidden);
    l.ffn_down = packer.linear(layer + ".ffn.down", spec.hidden, spec.ffn);
    l.ffn_norm = packer.norm(layer + ".ffn.norm");
    w.layers.push_back(std::move(l));
  }
  std::vector<PackedWeight*> targets;
  for (LayerWeights& l : w.layers) {
    for (LinearWeights* x : {&l.qkv, &l.attention_output, &l.ffn_up, &l.ffn_down}) targets.push_back(&x->weight);
  }
  const std::vector<std::vector<Source>> sources = packer.take_sources();
  Queue queue(static_cast<int64_t>(targets.size()));
  parallel(std::min(threads, static_cast<int>(std::max<size_t>(1, targets.size()))), [&](int, int) {
    for (int64_t i; queue.next(i);) {
      PackedWeight& weight = *targets[static_cast<size_t>(i)];
      const std::vector<Source>& parts = sources[static_cast<size_t>(i)];
      fill(kernels, weight, parts);
      for (const Source& s : parts) {
        if (packed) packed(s.weight, s.rows * weight.k());
      }
    }
  });
  return w;
}

}  // namespace polysemy
