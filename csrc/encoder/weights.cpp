#include "encoder/weights.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "encoder/parameters.h"

namespace polysemy {
namespace {

constexpr int64_t kCacheLine = 64;

// Matrices in the order of their use, one stream of weights; behind them all vectors.
struct Layout {
  int64_t matrices = 0, vectors = 0;  // bytes

  int64_t bytes() const { return matrices + vectors; }
  bool operator==(const Layout&) const = default;
};

using Targets = std::map<std::string, Target>;

// Walks the parameters twice: without memory it only measures; with memory it places everything, and tells where the
// parameters go if somebody asks.
class Arena {
 public:
  Arena(Precision precision, Targets* targets, std::list<JoinedRows>* joined)
      : precision_(precision), targets_(targets), joined_(joined) {}
  void use(std::byte* memory) {
    memory_ = memory;
    vectors_start_ = used_.matrices;
    used_ = {};
  }
  const Layout& used() const { return used_; }

  void table(const Tensor&, const std::string&, int64_t, int64_t) {}

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
    if (memory_ && targets_) add_targets(slot.weight, m, rows);
  }

 private:
  void add_targets(const Panels& panels, const Matrix& m, int64_t rows) {
    const auto whole_panels = [](const Matrix::Part& part) { return part.rows % kLanes == 0; };
    JoinedRows* joined = nullptr;
    if (!m.gated && !std::all_of(m.parts.begin(), m.parts.end() - 1, whole_panels)) {
      joined = &joined_->emplace_back();
      joined->to = panels;
      joined->rows = Buffer::of<float>(rows * m.columns);  // the system gives what is written to, and no more
      joined->missing = rows;
    }
    int64_t row = 0, index = 0;
    for (const Matrix::Part& part : m.parts) {
      const int64_t place = m.gated ? index : joined ? row : row / kLanes;
      targets_->emplace(part.name + ".weight", Target{.rows = part.rows,
                                                      .columns = m.columns,
                                                      .place = place,
                                                      .step = m.gated ? 2 : 1,
                                                      .panels = panels,
                                                      .joined = joined});
      row += part.rows;
      ++index;
    }
  }

  // Parts one after the other, or (gated) 16 of the first, 16 of the second, and so on.
  float* vector(const std::vector<Matrix::Part>& parts, int64_t columns, bool gated) {
    auto* const to =
        static_cast<float*>(take(used_.vectors, vectors_start_, columns * static_cast<int64_t>(sizeof(float))));
    if (!memory_ || !targets_) return to;
    int64_t at = 0, index = 0;
    for (const Matrix::Part& part : parts) {
      targets_->emplace(part.name, Target{.rows = part.rows,
                                          .columns = 1,
                                          .place = gated ? index : 0,
                                          .step = gated ? 2 : 1,
                                          .vector = gated ? to : to + at});
      at += part.rows;
      ++index;
    }
    return to;
  }

  void* take(int64_t& used, int64_t start, int64_t bytes) {
    const int64_t at = start + used;
    used += round_up(bytes, kCacheLine);
    return memory_ ? memory_ + at : nullptr;
  }

  const Precision precision_;
  Targets* const targets_;
  std::list<JoinedRows>* const joined_;
  std::byte* memory_ = nullptr;
  int64_t vectors_start_ = 0;
  Layout used_;
};

// Weights in an arena of their own. Vectors are zeros, also between them: equal weights, equal bytes.
EncoderWeights placed(const EncoderSpec& spec, Precision precision, Arena&& arena) {
  validate("EncoderSpec: ", spec);
  EncoderWeights w = empty_weights(spec);
  w.precision = precision;
  walk(spec, w, arena);
  const Layout measured = arena.used();
  w.arena = Buffer(std::max(measured.bytes(), kCacheLine));
  std::fill_n(w.arena.data(), kCacheLine, std::byte{});  // a model may have no more than that
  std::fill_n(w.arena.data() + measured.matrices, measured.vectors, std::byte{});
  arena.use(w.arena.data());
  walk(spec, w, arena);
  if (arena.used() != measured) throw std::logic_error("Encoder: the weights do not end where their memory does");
  return w;
}

// Sets the tables.
class Tables {
 public:
  explicit Tables(const FindTensor& find) : find_(find) {}
  void table(Tensor& slot, const std::string& name, int64_t rows, int64_t columns) {
    slot = find_({name, rows, columns, false, true});
    require(slot.rows == rows && slot.columns == columns, "Encoder: ", name, " must have shape (", rows, ", ", columns,
            "), got (", slot.rows, ", ", slot.columns, ")");
  }
  void norm(const NormWeights&, const NormSpec&, const std::string&, int64_t) {}
  void matrix(const LinearWeights&, const Matrix&) {}

 private:
  const FindTensor& find_;
};

void set_tables(const EncoderSpec& spec, EncoderWeights& w, const FindTensor& find) {
  Tables tables(find);
  walk(spec, w, tables);
}

void fill_vector(const KernelTable& kernels, const Target& to, int64_t first, const Tensor& rows) {
  const auto widen = [&](int64_t from, float* at, int64_t count) {
    kernels.widen({.from = rows.row(from), .dtype = rows.dtype, .to = at, .count = count});
  };
  if (to.step == 1) return widen(0, to.vector + first, rows.rows);
  for (int64_t i = 0; i < rows.rows; i += kLanes) {
    const int64_t panel = to.step * ((first + i) / kLanes) + to.place;
    widen(i, to.vector + panel * kLanes, std::min(kLanes, rows.rows - i));
  }
}

void fill_joined(const KernelTable& kernels, const Target& to, int64_t first, const Tensor& rows) {
  JoinedRows& joined = *to.joined;
  float* const all = joined.rows.data<float>();
  float* const at = all + (to.place + first) * rows.columns;
  kernels.widen({.from = rows.data, .dtype = rows.dtype, .to = at, .count = rows.rows * rows.columns});
  if (joined.missing.fetch_sub(rows.rows, std::memory_order_acq_rel) != rows.rows) return;
  joined.to.pack(kernels, {.data = all, .rows = joined.to.n, .columns = joined.to.k});
  joined.rows = {};
}

void fill(const KernelTable& kernels, Target& to, int64_t first, const Tensor& rows) {
  to.there += rows.rows;
  if (rows.rows == 0) return;
  if (to.vector) return fill_vector(kernels, to, first, rows);
  if (to.joined) return fill_joined(kernels, to, first, rows);
  to.panels.pack(kernels, rows, to.place + to.step * (first / kLanes), to.step);
}

}  // namespace

Packing::Packing(const EncoderSpec& spec, Precision precision)
    : spec_(spec), weights_(placed(spec, precision, Arena(precision, &targets_, &joined_))) {}

Target& Packing::checked(const std::string& name, int64_t first, const Tensor& rows) {
  const auto found = targets_.find(name);
  require(found != targets_.end(), "Encoder: weights must have no '", name, "', got one");
  Target& to = found->second;
  require(first == to.there && rows.rows <= to.rows - first && rows.columns == to.columns, "Encoder: ", name,
          " must have ", to.rows, " rows of ", to.columns, ", ", to.there, " of which are there, got ", rows.rows,
          " of ", rows.columns, " from ", first, " on");
  require(rows.rows % kLanes == 0 || first + rows.rows == to.rows, "Encoder: pieces of ", name,
          " must have a multiple of ", kLanes, " rows, got ", rows.rows);
  return to;
}

void Packing::put(const KernelTable& kernels, const std::string& name, int64_t first, const Tensor& rows) {
  fill(kernels, checked(name, first, rows), first, rows);
}

void Packing::put_all(const KernelTable& kernels, const FindTensor& find, int threads) {
  std::vector<std::pair<Target*, Tensor>> jobs;
  for (const Parameter& p : parameters(spec_)) {
    if (p.table) continue;
    Tensor rows = find(p);
    if (p.vector) std::swap(rows.rows, rows.columns);
    jobs.emplace_back(&checked(p.name, 0, rows), rows);
  }
  Queue queue(static_cast<int64_t>(jobs.size()));
  parallel(std::min(threads, static_cast<int>(std::max<size_t>(1, jobs.size()))), [&](int, int) {
    for (int64_t i; queue.next(i);) {
      const auto& [to, rows] = jobs[static_cast<size_t>(i)];
      fill(kernels, *to, 0, rows);
    }
  });
}

EncoderWeights Packing::finish(const FindTensor& find) {
  for (const auto& [name, to] : targets_) {
    require(to.there == to.rows, "Encoder: ", name, " must have ", to.rows, " rows, got ", to.there);
  }
  set_tables(spec_, weights_, find);
  targets_.clear();
  return std::move(weights_);
}

EncoderWeights pack_weights(const KernelTable& kernels, const EncoderSpec& spec, Precision precision,
                            const FindTensor& find, int threads) {
  Packing packing(spec, precision);
  packing.put_all(kernels, find, threads);
  return packing.finish(find);
}

EncoderWeights restore_weights(const EncoderSpec& spec, Precision precision, std::span<const std::byte> arena,
                               const FindTensor& find) {
  EncoderWeights w = placed(spec, precision, Arena(precision, nullptr, nullptr));
  require(static_cast<int64_t>(arena.size()) == w.arena.bytes(), "Encoder: packed must have ", w.arena.bytes(),
          " bytes, got ", arena.size());
  std::memcpy(w.arena.data(), arena.data(), arena.size());
  set_tables(spec, w, find);
  return w;
}

}  // namespace polysemy
