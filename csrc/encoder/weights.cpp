#include "encoder/weights.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/check.h"
#include "encoder/parameters.h"

namespace polysemy {
namespace {

constexpr int64_t kCacheLine = 64;

// A matrix and the tensors that fill it.
struct MatrixJob {
  Panels to;
  std::vector<Tensor> parts;
  int64_t joined = 0;  // floats of memory to lay parts together in that share a panel
};

// Vectors one after the other, or (gated) 16 of the first, 16 of the second, and so on; zeros where they end.
struct VectorJob {
  float* to;
  int64_t columns;
  std::vector<Tensor> parts;
  bool gated;
};

// Matrices in the order of their use, one stream of weights; behind them all vectors.
struct Layout {
  int64_t matrices = 0, vectors = 0;  // bytes

  int64_t bytes() const { return matrices + vectors; }
  bool operator==(const Layout&) const = default;
};

// Walks the parameters twice: without memory it only measures; with memory it places everything and notes what is to
// be filled, unless it is: `filled`.
class Arena {
 public:
  Arena(Precision precision, const FindTensor& find, bool filled)
      : precision_(precision), find_(find), filled_(filled) {}
  void use(std::byte* memory) {
    memory_ = memory;
    vectors_start_ = used_.matrices;
    used_ = {};
  }
  const Layout& used() const { return used_; }
  const std::vector<MatrixJob>& matrices() const { return matrices_; }
  const std::vector<VectorJob>& vectors() const { return vectors_; }

  void table(Tensor& slot, const std::string& name, int64_t rows, int64_t columns) {
    if (memory_) slot = found({name, rows, columns, false});
  }

  void norm(NormWeights& slot, const NormSpec& spec, const std::string& name, int64_t columns) {
    if (!spec) return;
    slot.weight = vector({{name + ".weight", columns}}, columns, false);
    if (spec.bias) slot.bias = vector({{name + ".bias", columns}}, columns, false);
  }

  void matrix(LinearWeights& slot, const Matrix& m) {
    int64_t rows = 0;
    std::vector<Matrix::Part> biases;
    for (const Matrix::Part& part : m.parts) {
      rows += part.rows;
      biases.push_back({part.name + ".bias", part.rows});
    }
    slot.weight = {.precision = precision_, .n = m.gated ? m.parts[0].rows : rows, .k = m.columns, .gated = m.gated};
    slot.weight.data = take(used_.matrices, 0, slot.weight.bytes());
    if (m.bias) slot.bias = vector(biases, slot.weight.count() * kLanes, m.gated);
    if (!memory_ || filled_) return;
    MatrixJob job{slot.weight, {}};
    for (const Matrix::Part& part : m.parts) {
      job.parts.push_back(found({part.name + ".weight", part.rows, m.columns, false}));
    }
    const auto whole_panels = [](const Tensor& t) { return t.rows % kLanes == 0; };
    if (!m.gated && !std::all_of(job.parts.begin(), job.parts.end() - 1, whole_panels)) {
      job.joined = rows * m.columns;
    }
    matrices_.push_back(std::move(job));
  }

 private:
  float* vector(const std::vector<Matrix::Part>& parts, int64_t columns, bool gated) {
    void* const to = take(used_.vectors, vectors_start_, columns * static_cast<int64_t>(sizeof(float)));
    if (!memory_ || filled_) return static_cast<float*>(to);
    VectorJob job{static_cast<float*>(to), columns, {}, gated};
    for (const Matrix::Part& part : parts) job.parts.push_back(found({part.name, 1, part.rows, true}));
    vectors_.push_back(std::move(job));
    return vectors_.back().to;
  }

  Tensor found(const Parameter& p) const {
    const Tensor t = find_(p);
    require(t.rows == p.rows && t.columns == p.columns, "Encoder: ", p.name, " must have shape (", p.rows, ", ",
            p.columns, "), got (", t.rows, ", ", t.columns, ")");
    return t;
  }

  void* take(int64_t& used, int64_t start, int64_t bytes) {
    const int64_t at = start + used;
    used += round_up(bytes, kCacheLine);
    return memory_ ? memory_ + at : nullptr;
  }

  const Precision precision_;
  const FindTensor& find_;
  const bool filled_;
  std::byte* memory_ = nullptr;
  int64_t vectors_start_ = 0;
  Layout used_;
  std::vector<MatrixJob> matrices_;
  std::vector<VectorJob> vectors_;
};

// joined: memory for job.joined floats.
void fill(const KernelTable& kernels, const MatrixJob& job, float* joined) {
  const Panels& to = job.to;
  if (to.gated) {
    for (size_t i = 0; i < job.parts.size(); ++i) to.pack(kernels, job.parts[i], static_cast<int64_t>(i), 2);
    return;
  }
  if (!job.joined) {
    int64_t row = 0;
    for (const Tensor& part : job.parts) {
      to.pack(kernels, part, row / kLanes);
      row += part.rows;
    }
    return;
  }
  float* at = joined;
  for (const Tensor& part : job.parts) {
    const int64_t count = part.rows * part.columns;
    kernels.widen({.from = part.data, .dtype = part.dtype, .to = at, .count = count});
    at += count;
  }
  to.pack(kernels, {.data = joined, .rows = to.n, .columns = to.k});
}

void fill(const KernelTable& kernels, const VectorJob& job) {
  std::fill_n(job.to, round_up(job.columns, kLanes),
              0.0f);  // to the end of its cache lines: equal weights, equal bytes
  const Buffer row = Buffer::of<float>(job.gated ? job.columns : 0);
  float* at = job.to;
  for (size_t i = 0; i < job.parts.size(); ++i) {
    const Tensor& part = job.parts[i];
    float* const wide = job.gated ? row.data<float>() : at;
    kernels.widen({.from = part.data, .dtype = part.dtype, .to = wide, .count = part.columns});
    at += part.columns;
    for (int64_t j = 0; job.gated && j < part.columns; ++j) {
      job.to[(2 * (j / kLanes) + static_cast<int64_t>(i)) * kLanes + j % kLanes] = wide[j];
    }
  }
}

void fill_all(const KernelTable& kernels, const std::vector<MatrixJob>& jobs, int threads) {
  const int most = std::min(threads, static_cast<int>(std::max<size_t>(1, jobs.size())));
  int64_t largest = 0;
  for (const MatrixJob& job : jobs) largest = std::max(largest, job.joined);
  const Buffer joined = Buffer::of<float>(most * largest);  // the system gives what is written to, and no more
  Queue queue(static_cast<int64_t>(jobs.size()));
  parallel(most, [&](int thread, int) {
    for (int64_t i; queue.next(i);) {
      const MatrixJob& job = jobs[static_cast<size_t>(i)];
      fill(kernels, job, joined.data<float>() + thread * largest);
      for (const Tensor& part : job.parts) {
        if (part.mapped) leave_pages(part.data, static_cast<size_t>(part.bytes()));
      }
    }
  });
}

// Weights in an arena of their own.
EncoderWeights placed(const EncoderSpec& spec, Precision precision, Arena& arena) {
  EncoderWeights w = empty_weights(spec);
  w.precision = precision;
  walk(spec, w, arena);
  const Layout measured = arena.used();
  w.arena = Buffer(std::max(measured.bytes(), kCacheLine));
  std::fill_n(w.arena.data(), kCacheLine, std::byte{});  // a model may have no more than that
  arena.use(w.arena.data());
  walk(spec, w, arena);
  if (arena.used() != measured) throw std::logic_error("Encoder: the weights do not end where their memory does");
  return w;
}

}  // namespace

EncoderWeights pack_weights(const KernelTable& kernels, const EncoderSpec& spec, Precision precision,
                            const FindTensor& find, int threads) {
  Arena arena(precision, find, false);
  EncoderWeights w = placed(spec, precision, arena);
  fill_all(kernels, arena.matrices(), threads);
  for (const VectorJob& job : arena.vectors()) fill(kernels, job);
  return w;
}

EncoderWeights restore_weights(const EncoderSpec& spec, Precision precision, std::span<const std::byte> arena,
                               const FindTensor& find) {
  Arena places(precision, find, true);
  EncoderWeights w = placed(spec, precision, places);
  require(static_cast<int64_t>(arena.size()) == w.arena.bytes(), "Encoder: packed must have ", w.arena.bytes(),
          " bytes, got ", arena.size());
  std::memcpy(w.arena.data(), arena.data(), arena.size());
  return w;
}

}  // namespace polysemy
