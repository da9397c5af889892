// Attention on arrays of any strides: dense ones, whose leading axes broadcast, and ragged ones, whose sequences are
// rows one below the other.
#include <pybind11/stl.h>

#include <algorithm>
#include <array>

#include "bind/arrays.h"
#include "bind/module.h"
#include "bind/operand.h"
#include "bind/run.h"

namespace polysemy {
namespace {

constexpr const char* kName = "scaled_dot_product_attention";

using Window = std::optional<std::array<int64_t, 2>>;

// Query, key, value and out. Of their last three axes two are heads and rows (counted from the last one, which is 1):
// (..., heads, length, dim) where they are dense, (tokens, heads, dim) where they are ragged.
struct Arrays {
  Operand<float> query, key, value;
  Target out;
  int head, row;

  Arrays(const py::object& q, const py::object& k, const py::object& v, const py::object& o, bool ragged)
      : query(q, kName, "query", 3),
        key(k, kName, "key", 3),
        value(v, kName, "value", 3),
        out(o, kName, "out", 3),
        head(ragged ? 2 : 3),
        row(ragged ? 3 : 2) {
    require(!ragged || out.batch.empty(), kName, ": out must have 3 axes with q_offsets, got ", out.batch.size() + 3);
  }

  int64_t out_extent(int axis) const { return out.shape[static_cast<size_t>(3 - axis)]; }

  // All but the sequences; sizes that don't fit each other are refused.
  Attention operation() const {
    const int64_t kv_heads = key.extent(head) == 1 ? value.extent(head) : key.extent(head);
    Attention op{};
    op.heads = out_extent(head);
    op.kv_heads = kv_heads;
    op.dim = query.extent(1);
    op.value_dim = out_extent(1);
    query.expect(head, op.heads, true);
    query.expect(row, out_extent(row));
    key.expect(head, kv_heads, true);
    key.expect(1, op.dim);
    value.expect(head, kv_heads, true);
    value.expect(row, key.extent(row));
    value.expect(1, op.value_dim);
    for (const auto* operand : {&query, &key, &value}) operand->expect_contiguous_rows();
    op.query = {.head = query.stride(head), .row = query.stride(row)};
    op.key = {.head = key.stride(head), .row = key.stride(row)};
    op.value = {.head = value.stride(head), .row = value.stride(row)};
    op.out = {.head = op.value_dim, .row = op.value_dim};
    (head > row ? op.out.head : op.out.row) *= out_extent(std::min(head, row));
    return op;
  }
};

// The mask of all sequences, broadcast to (batch..., heads, queries, keys); T: uint8_t or float.
template <class T>
void set_mask(Attention& op, const py::object& array, const Shape& batch, int64_t queries, int64_t keys,
              const T* AttentionSequence::*field) {
  const Operand<T> mask(array, kName, "mask", 3);
  mask.expect(3, op.heads, true);
  mask.expect(2, queries, true);
  mask.expect(1, keys, true);
  op.mask_head = mask.stride(3);
  op.modifiers.mask_row = mask.stride(2);
  op.modifiers.mask_column = mask.stride(1);
  const auto starts = mask.starts(batch);
  for (size_t i = 0; i < starts.size(); ++i) op.sequences[i].*field = starts[i];
}

void set_mask(Attention& op, const py::object& mask, const Shape& batch, int64_t queries, int64_t keys) {
  if (mask.is_none()) return;
  if (py::isinstance<py::array_t<uint8_t>>(mask)) {
    set_mask(op, mask, batch, queries, keys, &AttentionSequence::keep);
  } else {
    set_mask(op, mask, batch, queries, keys, &AttentionSequence::add);
  }
}

// One sequence for each element of the batch axes.
void add_dense(Attention& op, const Arrays& a, const py::object& weights, const py::object& lse) {
  const int64_t queries = a.out_extent(a.row), keys = a.key.extent(a.row);
  const auto query = a.query.starts(a.out.batch), key = a.key.starts(a.out.batch), value = a.value.starts(a.out.batch);
  float* probabilities = a.out.beside(weights, kName, "weights", {op.heads, queries, keys});
  float* log_sums = a.out.beside(lse, kName, "lse", {op.heads, queries});
  op.lse = {.head = queries, .row = 1};
  op.sequences.resize(query.size());
  for (size_t i = 0; i < query.size(); ++i) {
    const int64_t rows = static_cast<int64_t>(i) * op.heads * queries;
    op.sequences[i] = {.query = query[i],
                       .key = key[i],
                       .value = value[i],
                       .out = a.out.data + rows * op.value_dim,
                       .queries = queries,
                       .keys = keys,
                       .keep = nullptr,
                       .add = nullptr,
                       .weights = probabilities ? probabilities + rows * keys : nullptr,
                       .lse = log_sums ? log_sums + rows : nullptr};
  }
}

// One sequence for each pair of neighbouring offsets.
void add_ragged(Attention& op, const Arrays& a, const py::object& q_offsets, const py::object& k_offsets,
                const py::object& weights, const py::object& lse) {
  const auto q = view<const int64_t>(q_offsets, kName, "q_offsets", {kAnySize});
  require(q.size >= 1, kName, ": q_offsets must have at least one element, got none");
  const auto k = k_offsets.is_none() ? q : view<const int64_t>(k_offsets, kName, "k_offsets", {q.size});
  validate_offsets(kName, "q_offsets", q.data, q.size - 1, a.query.extent(a.row));
  validate_offsets(kName, "k_offsets", k.data, k.size - 1, a.key.extent(a.row));
  const auto probabilities = optional_view<float>(weights, kName, "weights", {kAnySize});
  float* log_sums = optional_view<float>(lse, kName, "lse", {a.out_extent(a.row), op.heads}).data;
  op.lse = {.head = 1, .row = op.heads};
  int64_t used = 0;
  for (int64_t i = 0; i + 1 < q.size; ++i) {
    const int64_t first = q.data[i], first_key = k.data[i];
    AttentionSequence s{};
    s.query = a.query.data() + first * op.query.row;
    s.key = a.key.data() + first_key * op.key.row;
    s.value = a.value.data() + first_key * op.value.row;
    s.out = a.out.data + first * op.out.row;
    s.queries = q.data[i + 1] - first;
    s.keys = k.data[i + 1] - first_key;
    s.lse = log_sums ? log_sums + first * op.lse.row : nullptr;
    if (probabilities.data) {
      int64_t count = 0;
      require(!__builtin_mul_overflow(s.queries, s.keys, &count) && !__builtin_mul_overflow(count, op.heads, &count) &&
                  count <= probabilities.size - used,
              kName, ": weights must have one element for each head, query and key, got ", probabilities.size);
      s.weights = probabilities.data + used;
      used += count;
    }
    op.sequences.push_back(s);
  }
  require(used == probabilities.size, kName, ": weights must have ", used, " elements, got ", probabilities.size);
}

void bound_attention(const py::object& query, const py::object& key, const py::object& value, const py::object& out,
                     float scale, const py::object& q_offsets, const py::object& k_offsets, bool causal,
                     const Window& window, const py::object& alibi_slopes, const py::object& mask,
                     const py::object& weights, const py::object& lse, int64_t num_threads,
                     const std::optional<std::string>& isa) {
  const bool ragged = !q_offsets.is_none();
  require(ragged || k_offsets.is_none(), kName, ": k_offsets must be None without q_offsets");
  const Arrays arrays(query, key, value, out, ragged);
  Attention op = arrays.operation();
  if (arrays.out.size == 0 && weights.is_none() && lse.is_none()) return validate(kName, op);  // nothing to write
  op.scale = scale;
  op.alibi_slopes = optional_view<const float>(alibi_slopes, kName, "alibi_slopes", {op.heads}).data;
  op.set_band(causal, window ? (*window)[0] : -1, window ? (*window)[1] : -1);
  if (ragged) {
    add_ragged(op, arrays, q_offsets, k_offsets, weights, lse);
    int64_t queries = 0, keys = 0;  // of the longest sequences
    for (const AttentionSequence& s : op.sequences) {
      queries = std::max(queries, s.queries);
      keys = std::max(keys, s.keys);
    }
    set_mask(op, mask, {static_cast<int64_t>(op.sequences.size())}, queries, keys);
  } else {
    add_dense(op, arrays, weights, lse);
    set_mask(op, mask, arrays.out.batch, arrays.out_extent(arrays.row), arrays.key.extent(arrays.row));
  }
  run(kName, attention_parallel, op, num_threads, isa);
}

}  // namespace

void bind_attention(py::module_& m) {
  const py::none none;
  m.def("attention", &bound_attention, py::arg("query"), py::arg("key"), py::arg("value"), py::arg("out"),
        py::arg("scale"), py::arg("q_offsets") = none, py::arg("k_offsets") = none, py::arg("causal") = false,
        py::arg("window") = none, py::arg("alibi_slopes") = none, py::arg("mask") = none, py::arg("weights") = none,
        py::arg("lse") = none, py::arg("num_threads") = 0, py::kw_only(), py::arg("isa") = none);
}

}  // namespace polysemy
