// Attention on flat buffers: each problem (a sequence, or one element of the batch dimensions) is given by offsets, so
// that broadcast, ragged and grouped inputs are all used where they lie. Every address is checked before any is read.
#include <pybind11/stl.h>

#include <array>

#include "base/parallel.h"
#include "bind/arrays.h"
#include "bind/module.h"
#include "bind/operand.h"
#include "bind/unlocked.h"
#include "ops/attention.h"

namespace polysemy {
namespace {

using Strides = std::array<int64_t, 2>;
using MaskStrides = std::array<int64_t, 3>;

// start + sum of (extent - 1) * stride, plus one, must not leave the buffer. Extents of zero touch nothing.
struct Span {
  const char* name;
  int64_t size;

  void check(int64_t start, std::initializer_list<std::pair<int64_t, int64_t>> extents) const {
    int64_t last = start;
    for (const auto& [extent, stride] : extents) {
      if (extent == 0) return;
      int64_t reach = 0;
      require(stride >= 0 && !__builtin_mul_overflow(extent - 1, stride, &reach) &&
                  !__builtin_add_overflow(last, reach, &last),
              "attention: ", name, " has a stride of ", stride, ", which must be 0 or more and within the buffer");
    }
    require(start >= 0 && last < size, "attention: ", name, " needs elements ", start, " to ", last,
            " but its buffer has ", size);
  }
};

void check_sizes(int64_t heads, int64_t kv_heads, int64_t dim, int64_t v_dim) {
  require(heads >= 0 && kv_heads >= 0 && dim >= 0 && v_dim >= 0,
          "attention: heads, kv_heads, dim and v_dim must be 0 or more");
  require(dim <= 4096 && v_dim <= 4096, "attention: dim and v_dim must be at most 4096, got ", dim, " and ", v_dim);
  require(kv_heads > 0 ? heads % kv_heads == 0 : heads == 0, "attention: heads (", heads,
          ") must be a multiple of kv_heads (", kv_heads, ")");
}

// Which keys take part by their place. left, right: -1 is no limit.
void set_band(Attention& op, bool causal, const std::optional<Strides>& window) {
  const auto limit = [](int64_t n) { return n < 0 || n > kUnlimited ? kUnlimited : n; };
  op.modifiers.left = window ? limit((*window)[0]) : kUnlimited;
  op.modifiers.right = window ? limit((*window)[1]) : kUnlimited;
  if (causal) op.modifiers.right = 0;
  op.modifiers.windowed = causal || window.has_value();
}

void run(const Attention& op, int64_t num_threads, const std::optional<std::string>& isa) {
  const int threads = resolve_threads(num_threads);
  const KernelTable& table = kernels_of(isa);
  unlocked([&] { attention_parallel(table, op, threads); });
}

View<const int64_t> offsets_view(const py::object& object, const char* name, int64_t problems) {
  return view<const int64_t>(object, "attention", name, {problems});
}

void bound_attention(const py::object& q, const py::object& k, const py::object& v, const py::object& out,
                     const py::object& q_offsets, const py::object& k_offsets, const py::object& v_offsets,
                     const py::object& out_offsets, const py::object& q_lens, const py::object& k_lens, int64_t heads,
                     int64_t kv_heads, int64_t dim, int64_t v_dim, Strides q_strides, Strides k_strides,
                     Strides v_strides, Strides out_strides, float scale, bool causal,
                     const std::optional<Strides>& window, const py::object& alibi_slopes, const py::object& mask,
                     const py::object& mask_offsets, MaskStrides mask_strides, const py::object& weights,
                     const py::object& weights_offsets, const py::object& lse, const py::object& lse_offsets,
                     int64_t num_threads, const std::optional<std::string>& isa) {
  check_sizes(heads, kv_heads, dim, v_dim);
  const auto query = view<const float>(q, "attention", "q", {kAnySize});
  const auto key = view<const float>(k, "attention", "k", {kAnySize});
  const auto value = view<const float>(v, "attention", "v", {kAnySize});
  const auto result = view<float>(out, "attention", "out", {kAnySize});
  const auto queries = view<const int64_t>(q_lens, "attention", "q_lens", {kAnySize});
  const int64_t problems = queries.size;
  const auto keys = offsets_view(k_lens, "k_lens", problems);
  const auto q_at = offsets_view(q_offsets, "q_offsets", problems),
             k_at = offsets_view(k_offsets, "k_offsets", problems);
  const auto v_at = offsets_view(v_offsets, "v_offsets", problems);
  const auto out_at = offsets_view(out_offsets, "out_offsets", problems);
  View<const uint8_t> keep;
  View<const float> add;
  View<const int64_t> mask_at, weights_at, lse_at;
  if (!mask.is_none()) {
    if (py::isinstance<py::array_t<uint8_t>>(mask)) {
      keep = view<const uint8_t>(mask, "attention", "mask", {kAnySize});
    } else {
      add = view<const float>(mask, "attention", "mask", {kAnySize});
    }
    mask_at = offsets_view(mask_offsets, "mask_offsets", problems);
  }
  const auto probabilities = optional_view<float>(weights, "attention", "weights", {kAnySize});
  if (!weights.is_none()) weights_at = offsets_view(weights_offsets, "weights_offsets", problems);
  const auto log_sums = optional_view<float>(lse, "attention", "lse", {kAnySize});
  if (!lse.is_none()) lse_at = offsets_view(lse_offsets, "lse_offsets", problems);

  Attention op{};
  op.heads = heads;
  op.kv_heads = kv_heads;
  op.dim = dim;
  op.value_dim = v_dim;
  op.query = {q_strides[0], q_strides[1]};
  op.key = {k_strides[0], k_strides[1]};
  op.value = {v_strides[0], v_strides[1]};
  op.out = {out_strides[0], out_strides[1]};
  op.scale = scale;
  op.mask_head = mask_strides[0];
  op.modifiers.mask_row = mask_strides[1];
  op.modifiers.mask_column = mask_strides[2];
  op.alibi_slopes = optional_view<const float>(alibi_slopes, "attention", "alibi_slopes", {heads}).data;
  set_band(op, causal, window);

  for (int64_t p = 0; p < problems; ++p) {
    const int64_t n = queries.data[p], m = keys.data[p];
    require(n >= 0 && m >= 0, "attention: lengths of problem ", p, " must be 0 or more, got ", n, " and ", m);
    if (heads > 0) {
      Span{"q", query.size}.check(q_at.data[p], {{heads, q_strides[0]}, {n, q_strides[1]}, {dim, 1}});
      Span{"k", key.size}.check(k_at.data[p], {{kv_heads, k_strides[0]}, {m, k_strides[1]}, {dim, 1}});
      Span{"v", value.size}.check(v_at.data[p], {{kv_heads, v_strides[0]}, {m, v_strides[1]}, {v_dim, 1}});
      Span{"out", result.size}.check(out_at.data[p], {{heads, out_strides[0]}, {n, out_strides[1]}, {v_dim, 1}});
    }
    AttentionSequence problem{};
    problem.query = query.data + q_at.data[p];
    problem.key = key.data + k_at.data[p];
    problem.value = value.data + v_at.data[p];
    problem.out = result.data + out_at.data[p];
    problem.queries = n;
    problem.keys = m;
    if (keep.data || add.data) {
      Span{"mask", keep.size + add.size}.check(mask_at.data[p],
                                               {{heads, mask_strides[0]}, {n, mask_strides[1]}, {m, mask_strides[2]}});
      problem.keep = keep.data ? keep.data + mask_at.data[p] : nullptr;
      problem.add = add.data ? add.data + mask_at.data[p] : nullptr;
    }
    if (probabilities.data) {
      Span{"weights", probabilities.size}.check(weights_at.data[p], {{heads, n * m}, {n, m}, {m, 1}});
      problem.weights = probabilities.data + weights_at.data[p];
    }
    if (log_sums.data) {
      Span{"lse", log_sums.size}.check(lse_at.data[p], {{heads, n}, {n, 1}});
      problem.lse = log_sums.data + lse_at.data[p];
    }
    op.sequences.push_back(problem);
  }
  run(op, num_threads, isa);
}

// The mask of all problems, broadcast to (batch..., heads, queries, keys); T: uint8_t or float.
template <class T>
void set_mask(Attention& op, const py::object& array, const Shape& batch, int64_t queries, int64_t keys,
              const T* AttentionSequence::*field) {
  const Operand<T> mask(array, "attention", "mask", 3);
  mask.expect(3, op.heads, true);
  mask.expect(2, queries, true);
  mask.expect(1, keys, true);
  op.mask_head = mask.stride(3);
  op.modifiers.mask_row = mask.stride(2);
  op.modifiers.mask_column = mask.stride(1);
  const auto starts = mask.starts(batch);
  for (size_t i = 0; i < starts.size(); ++i) op.sequences[i].*field = starts[i];
}

void bound_attention_dense(const py::object& q, const py::object& k, const py::object& v, const py::object& out,
                           int64_t kv_heads, float scale, bool causal, const std::optional<Strides>& window,
                           const py::object& alibi_slopes, const py::object& mask, const py::object& weights,
                           const py::object& lse, int64_t num_threads, const std::optional<std::string>& isa) {
  const Operand<float> query(q, "attention", "q", 3), key(k, "attention", "k", 3), value(v, "attention", "v", 3);
  const Target target(out, "attention", "out", 3);
  const int64_t heads = target.shape[0], queries = target.shape[1], keys = key.extent(2);
  Attention op{};
  op.heads = heads;
  op.kv_heads = kv_heads;
  op.dim = query.extent(1);
  op.value_dim = target.shape[2];
  check_sizes(heads, kv_heads, op.dim, op.value_dim);
  query.expect(3, heads, true);
  query.expect(2, queries);
  key.expect(3, kv_heads, true);
  key.expect(1, op.dim);
  value.expect(3, kv_heads, true);
  value.expect(2, keys);
  value.expect(1, op.value_dim);
  for (const auto* operand : {&query, &key, &value}) operand->expect_contiguous_rows();
  op.query = {query.stride(3), query.stride(2)};
  op.key = {key.stride(3), key.stride(2)};
  op.value = {value.stride(3), value.stride(2)};
  op.out = {queries * op.value_dim, op.value_dim};
  op.scale = scale;
  op.alibi_slopes = optional_view<const float>(alibi_slopes, "attention", "alibi_slopes", {heads}).data;
  set_band(op, causal, window);

  const auto q_at = query.starts(target.batch), k_at = key.starts(target.batch), v_at = value.starts(target.batch);
  const auto problems = static_cast<int64_t>(q_at.size());
  float* probabilities = target.beside(weights, "attention", "weights", {heads, queries, keys});
  float* log_sums = target.beside(lse, "attention", "lse", {heads, queries});
  op.sequences.resize(q_at.size());
  for (int64_t i = 0; i < problems; ++i) {
    AttentionSequence& problem = op.sequences[static_cast<size_t>(i)];
    problem.query = q_at[static_cast<size_t>(i)];
    problem.key = k_at[static_cast<size_t>(i)];
    problem.value = v_at[static_cast<size_t>(i)];
    problem.out = target.data + i * heads * queries * op.value_dim;
    problem.queries = queries;
    problem.keys = keys;
    problem.weights = probabilities ? probabilities + i * heads * queries * keys : nullptr;
    problem.lse = log_sums ? log_sums + i * heads * queries : nullptr;
  }
  if (!mask.is_none()) {
    if (py::isinstance<py::array_t<uint8_t>>(mask)) {
      set_mask(op, mask, target.batch, queries, keys, &AttentionSequence::keep);
    } else {
      set_mask(op, mask, target.batch, queries, keys, &AttentionSequence::add);
    }
  }
  run(op, num_threads, isa);
}

}  // namespace

void bind_attention(py::module_& m) {
  const py::none none;
  m.def("attention", &bound_attention, py::arg("q"), py::arg("k"), py::arg("v"), py::arg("out"), py::kw_only(),
        py::arg("q_offsets"), py::arg("k_offsets"), py::arg("v_offsets"), py::arg("out_offsets"), py::arg("q_lens"),
        py::arg("k_lens"), py::arg("heads"), py::arg("kv_heads"), py::arg("dim"), py::arg("v_dim"),
        py::arg("q_strides"), py::arg("k_strides"), py::arg("v_strides"), py::arg("out_strides"), py::arg("scale"),
        py::arg("causal") = false, py::arg("window") = none, py::arg("alibi_slopes") = none, py::arg("mask") = none,
        py::arg("mask_offsets") = none, py::arg("mask_strides") = MaskStrides{0, 0, 0}, py::arg("weights") = none,
        py::arg("weights_offsets") = none, py::arg("lse") = none, py::arg("lse_offsets") = none,
        py::arg("num_threads") = 0, py::arg("isa") = none);
  m.def("attention_dense", &bound_attention_dense, py::arg("q"), py::arg("k"), py::arg("v"), py::arg("out"),
        py::arg("kv_heads"), py::arg("scale"), py::kw_only(), py::arg("causal") = false, py::arg("window") = none,
        py::arg("alibi_slopes") = none, py::arg("mask") = none, py::arg("weights") = none, py::arg("lse") = none,
        py::arg("num_threads") = 0, py::arg("isa") = none);
}

}  // namespace polysemy
