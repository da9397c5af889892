#include "encoder/weights.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "encoder/parameters.h"

namespace polysemy {
namespace {

constexpr int64_t kCacheLine = 64;

// A matrix and the tensors that fill it.
struct Job {
  Panels to;
  std::vector<Tensor> parts;
  Buffer joined;  // memory to lay parts together in that share a panel
};

// Walks the parameters twice: without memory it only measures; with memory it places everything and notes which
// matrices are to be filled.
class Arena {
 public:
  Arena(const KernelTable& kernels, const FindTensor& find) : kernels_(kernels), find_(find) {}
  void use(std::byte* memory) {
    memory_ = memory;
    used_ = 0;
  }
  int64_t used() const { return used_; }
  const std::vector<Job>& jobs() const { return jobs_; }

  void table(Tensor& slot, const std::string& name, int64_t rows, int64_t columns) {
    if (memory_) slot = found({name, rows, columns, false});
  }

  void norm(NormWeights& slot, const NormSpec& spec, const std::string& name, int64_t columns) {
    if (!spec) return;
    slot.weight = vector({{name + ".weight", columns}}, columns);
    if (spec.bias) slot.bias = vector({{name + ".bias", columns}}, columns);
  }

  void matrix(LinearWeights& slot, const Matrix& m) {
    int64_t rows = 0;
    for (const Matrix::Part& part : m.parts) rows += part.rows;
    const int64_t outputs = m.gated ? m.parts[0].rows : rows;
    slot.weight = {.dtype = DType::kFloat32, .n = outputs, .k = m.columns, .gated = m.gated};
    slot.weight.data = take(slot.weight.bytes());
    if (m.bias) bias(slot, m);
    if (!memory_) return;
    Job job{slot.weight, {}, {}};
    for (const Matrix::Part& part : m.parts) {
      job.parts.push_back(found({part.name + ".weight", part.rows, m.columns, false}));
    }
    const auto whole_panels = [](const Tensor& t) { return t.rows % kLanes == 0; };
    if (!m.gated && !std::all_of(job.parts.begin(), job.parts.end() - 1, whole_panels)) {
      job.joined = Buffer::of<float>(rows * m.columns);
    }
    jobs_.push_back(std::move(job));
  }

 private:
  void bias(LinearWeights& slot, const Matrix& m) {
    std::vector<Matrix::Part> parts;
    for (const Matrix::Part& part : m.parts) parts.push_back({part.name + ".bias", part.rows});
    const int64_t columns = slot.weight.count() * kLanes;
    float* const to = vector(m.gated ? std::vector<Matrix::Part>{} : parts, columns);
    slot.bias = to;
    if (!m.gated || !memory_) return;
    Buffer row = Buffer::of<float>(columns);  // 16 of the gate, 16 of the other, and so on
    for (size_t which = 0; which < parts.size(); ++which) {
      widen(found({parts[which].name, 1, parts[which].rows, true}), row.data<float>());
      for (int64_t i = 0; i < parts[which].rows; ++i) {
        to[(2 * (i / kLanes) + static_cast<int64_t>(which)) * kLanes + i % kLanes] = row.data<float>()[i];
      }
    }
  }

  // Vectors one after the other, zeros behind them.
  float* vector(const std::vector<Matrix::Part>& parts, int64_t columns) {
    float* const to = static_cast<float*>(take(columns * static_cast<int64_t>(sizeof(float))));
    if (!to) return to;
    std::fill_n(to, columns, 0.0f);
    int64_t at = 0;
    for (const Matrix::Part& part : parts) {
      widen(found({part.name, 1, part.rows, true}), to + at);
      at += part.rows;
    }
    return to;
  }

  void widen(const Tensor& from, float* to) const {
    kernels_.widen({.from = from.data, .dtype = from.dtype, .to = to, .count = from.columns});
  }

  Tensor found(const Parameter& p) const {
    const Tensor t = find_(p);
    require(t.rows == p.rows && t.columns == p.columns, "Encoder: ", p.name, " must have shape (", p.rows, ", ",
            p.columns, "), got (", t.rows, ", ", t.columns, ")");
    return t;
  }

  void* take(int64_t bytes) {
    const int64_t start = used_;
    used_ += round_up(bytes, kCacheLine);
    return memory_ ? memory_ + start : nullptr;
  }

  const KernelTable& kernels_;
  const FindTensor& find_;
  std::byte* memory_ = nullptr;
  int64_t used_ = 0;
  std::vector<Job> jobs_;
};

void fill(const KernelTable& kernels, const Job& job) {
  const Panels& to = job.to;
  if (to.gated) {
    for (size_t i = 0; i < job.parts.size(); ++i) to.pack(kernels, job.parts[i], static_cast<int64_t>(i), 2);
    return;
  }
  if (!job.joined.data()) {
    int64_t row = 0;
    for (const Tensor& part : job.parts) {
      to.pack(kernels, part, row / kLanes);
      row += part.rows;
    }
    return;
  }
  float* at = job.joined.data<float>();
  for (const Tensor& part : job.parts) {
    const int64_t count = part.rows * part.columns;
    kernels.widen({.from = part.data, .dtype = part.dtype, .to = at, .count = count});
    at += count;
  }
  to.pack(kernels, {.data = job.joined.data(), .rows = to.n, .columns = to.k});
}

void fill_all(const KernelTable& kernels, const std::vector<Job>& jobs, int threads) {
  Queue queue(static_cast<int64_t>(jobs.size()));
  parallel(std::min(threads, static_cast<int>(std::max<size_t>(1, jobs.size()))), [&](int, int) {
    for (int64_t i; queue.next(i);) {
      const Job& job = jobs[static_cast<size_t>(i)];
      fill(kernels, job);
      for (const Tensor& part : job.parts) {
        if (part.mapped) leave_pages(part.data, static_cast<size_t>(part.bytes()));
      }
    }
  });
}

}  // namespace

EncoderWeights pack_weights(const KernelTable& kernels, const EncoderSpec& spec, const FindTensor& find, int threads) {
  EncoderWeights w = empty_weights(spec);
  Arena arena(kernels, find);
  walk(spec, w, arena);
  const int64_t size = arena.used();
  w.arena = Buffer(std::max(size, kCacheLine));
  arena.use(w.arena.data());
  walk(spec, w, arena);
  if (arena.used() != size) throw std::logic_error("Encoder: the weights do not end where their memory does");
  fill_all(kernels, arena.jobs(), threads);
  return w;
}

}  // namespace polysemy
