// Row operations and matrix products on arrays.
#include <pybind11/stl.h>

#include <cstring>

#include "bind/arrays.h"
#include "bind/module.h"
#include "bind/names.h"
#include "bind/operand.h"
#include "bind/packed.h"
#include "bind/run.h"
#include "ops/search.h"

namespace polysemy {
namespace {

using Name = std::optional<std::string>;

// Floats packed between two polls for Ctrl-C: a few milliseconds of work.
constexpr int64_t kFloatsPerStep = int64_t{1} << 22;
// Floats that are packed with the interpreter lock: some microseconds, in which nobody misses it.
constexpr int64_t kAtOnce = int64_t{1} << 14;

struct BoundWeight {
  PackedWeight packed;

  // Of the state that `state` gave.
  explicit BoundWeight(const py::tuple& state) {
    const char* const who = "PackedWeight";
    require(state.size() == 4, who, ": the state must have 4 values, got ", state.size());
    const auto stored = enum_of<Precision>(state[2].cast<std::string>(), "PackedWeight: precision");
    packed = PackedWeight(state[0].cast<int64_t>(), state[1].cast<int64_t>(), stored);
    const auto bytes = packed_bytes(state[3], who);
    require(static_cast<int64_t>(bytes.size()) == packed.bytes(), who, ": packed must have ", packed.bytes(),
            " bytes, got ", bytes.size());
    std::memcpy(packed.panels().data, bytes.data(), bytes.size());
  }

  static py::tuple state(const py::object& self) {
    const Panels& panels = self.cast<const BoundWeight&>().packed.panels();
    return py::make_tuple(panels.n, panels.k, kPrecisionNames[static_cast<size_t>(panels.precision)],
                          packed_state(panels.data, panels.bytes(), self));
  }

  BoundWeight(const py::object& weight, const std::string& precision) {
    const auto w = view<const float>(weight, "PackedWeight", "weight", {kAnySize, kAnySize});
    const auto stored = enum_of<Precision>(precision, "PackedWeight: precision");
    const int64_t n = w.shape[0], k = w.shape[1];
    const int64_t step = round_up(kFloatsPerStep / std::max<int64_t>(1, k) + 1, kLanes);
    const auto pack = [&] {
      packed = PackedWeight(n, k, stored);
      const Stop stop;
      for (int64_t first = 0; first < n && !stop(); first += step) {
        const Tensor rows{.data = w.data + first * k, .rows = std::min(step, n - first), .columns = k};
        packed.panels().pack(default_kernels(), rows, first / kLanes);
      }
    };
    if (w.size <= kAtOnce) {
      pack();
    } else {
      unlocked(pack);
    }
  }
};

template <size_t count>
py::tuple names(const char* const (&table)[count]) {
  py::tuple result(count);
  for (size_t i = 0; i < count; ++i) result[i] = py::str(table[i]);
  return result;
}

void bound_linear(const py::object& x, const BoundWeight& weight, const py::object& bias, const py::object& residual,
                  const Name& activation, const py::object& out, int64_t num_threads, const Name& isa) {
  const int64_t n = weight.packed.n(), k = weight.packed.k();
  const auto a = rows_view<const float>(x, "linear", "x", kAnySize, k);
  const int64_t m = a.shape[0];
  const auto b = optional_view<const float>(bias, "linear", "bias", {n});
  const auto r =
      residual.is_none() ? View<const float>{} : rows_view<const float>(residual, "linear", "residual", m, n);
  const auto c = rows_view<float>(out, "linear", "out", m, n);
  const Linear op{
      .weight = weight.packed.panels(),
      .a = a.data,
      .a_stride = k,
      .rows = m,
      .c = c.data,
      .c_stride = n,
      .bias = b.data,
      .residual = r.data,
      .residual_stride = n,
      .activation = activation ? enum_of<Activation>(*activation, "linear: activation") : Activation::kNone};
  run("linear", linear_parallel, op, num_threads, isa);
}

void bound_matmul(const py::object& a, const py::object& b, const py::object& out, int64_t num_threads,
                  const Name& isa) {
  const Operand<float> left(a, "matmul", "a", 2), right(b, "matmul", "b", 2);
  const Target target(out, "matmul", "out", 2);
  Matmul op{};
  op.rows = target.shape[0];
  op.columns = op.c_stride = target.shape[1];
  op.k = left.extent(1);
  left.expect(2, op.rows);
  right.expect(1, op.columns);
  right.expect(2, op.k);
  op.a = {.row = left.stride(2), .column = left.stride(1)};
  op.b = {.row = right.stride(2), .column = right.stride(1)};
  const auto left_at = left.starts(target.batch), right_at = right.starts(target.batch);
  op.products.reserve(left_at.size());
  for (size_t i = 0; i < left_at.size(); ++i) {
    op.products.push_back(
        {.a = left_at[i], .b = right_at[i], .c = target.data + static_cast<int64_t>(i) * op.rows * op.columns});
  }
  run("matmul", matmul_parallel, op, num_threads, isa);
}

void bound_norm(const py::object& x, const py::object& weight, const py::object& bias, const py::object& residual,
                float eps, const py::object& out, bool rms, int64_t num_threads, const Name& isa) {
  const char* name = rms ? "rms_norm" : "layer_norm";
  const auto a = rows_view<const float>(x, name, "x", kAnySize, kAnySize);
  const int64_t m = a.shape[0], n = a.shape[1];
  NormTask task{};
  task.x = a.data;
  task.weight = optional_view<const float>(weight, name, "weight", {n}).data;
  task.bias = optional_view<const float>(bias, name, "bias", {n}).data;
  if (!residual.is_none()) task.residual = rows_view<const float>(residual, name, "residual", m, n).data;
  task.out = rows_view<float>(out, name, "out", m, n).data;
  task.x_stride = task.residual_stride = task.out_stride = task.columns = n;
  task.rows = m;
  task.eps = eps;
  task.rms = rms;
  run(name, norm_parallel, task, num_threads, isa);
}

void bound_activation(const py::object& x, const std::string& kind, const py::object& out, int64_t num_threads,
                      const Name& isa) {
  const py::array from = array_of<const float>(x, "activation", "x"), to = array_of<float>(out, "activation", "out");
  require(from.size() == to.size(), "activation: out must have the size of x, which is ", from.size(), ", got ",
          to.size());
  const ElementsTask task{.x = contiguous_data<const float>(from, "activation", "x"),
                          .out = contiguous_data<float>(to, "activation", "out"),
                          .count = from.size(),
                          .kind = enum_of<Activation>(kind, "activation: kind")};
  run("activation", elements_parallel, task, num_threads, isa);
}

using RowsOperation = void (*)(const KernelTable&, const RowsTask&, int);

void bound_rows(const char* name, RowsOperation operation, const py::object& x, const py::object& out,
                int64_t num_threads, const Name& isa) {
  const auto a = rows_view<const float>(x, name, "x", kAnySize, kAnySize);
  const auto c = rows_view<float>(out, name, "out", a.shape[0], a.shape[1]);
  const RowsTask task{.x = a.data,
                      .out = c.data,
                      .x_stride = a.shape[1],
                      .out_stride = a.shape[1],
                      .rows = a.shape[0],
                      .columns = a.shape[1]};
  run(name, operation, task, num_threads, isa);
}

void bound_embed(const py::object& ids, const py::object& positions, const py::object& types,
                 const py::object& token_table, const py::object& position_table, const py::object& type_table,
                 const py::object& norm_weight, const py::object& norm_bias, float eps, const py::object& out,
                 int64_t num_threads, const Name& isa) {
  const auto tokens = view<const float>(token_table, "embed", "token_table", {kAnySize, kAnySize});
  const int64_t columns = tokens.shape[1];
  const auto position_rows = optional_view<const float>(position_table, "embed", "position_table", {kAnySize, columns});
  const auto type_rows = optional_view<const float>(type_table, "embed", "type_table", {kAnySize, columns});
  const auto id = view<const int32_t>(ids, "embed", "ids", {kAnySize});
  const auto position = optional_view<const int32_t>(positions, "embed", "positions", {id.size});
  const auto type = optional_view<const int32_t>(types, "embed", "types", {id.size});
  EmbedTask task{};
  task.ids = id.data;
  task.positions = position.data;
  task.types = type.data;
  task.tokens = {.data = tokens.data};
  task.position_table = {.data = position_rows.data};
  task.type_table = {.data = type_rows.data};
  task.scale = 1.0f;
  task.weight = optional_view<const float>(norm_weight, "embed", "norm_weight", {columns}).data;
  task.bias = optional_view<const float>(norm_bias, "embed", "norm_bias", {columns}).data;
  task.out = view<float>(out, "embed", "out", {id.size, columns}).data;
  task.rows = id.size;
  task.columns = task.out_stride = columns;
  task.eps = eps;
  validate("embed", task);
  const int threads = resolve_threads(num_threads);
  const KernelTable& table = kernels_of(isa);
  unlocked([&] {
    validate_ids("embed", "ids", id.data, id.size, tokens.shape[0]);
    validate_ids("embed", "positions", position.data, position.size, position_rows.shape[0]);
    validate_ids("embed", "types", type.data, type.size, type_rows.shape[0]);
    embed_parallel(table, task, threads);
  });
}

void bound_pool(const py::object& x, const py::object& offsets, const std::string& mode, const py::object& out,
                int64_t num_threads, const Name& isa) {
  const auto a = view<const float>(x, "pool", "x", {kAnySize, kAnySize});
  const auto starts = view<const int64_t>(offsets, "pool", "offsets", {kAnySize});
  require(starts.size >= 1, "pool: offsets must have at least one element, got none");
  validate_offsets("pool", "offsets", starts.data, starts.size - 1, a.shape[0]);
  const auto c = view<float>(out, "pool", "out", {starts.size - 1, a.shape[1]});
  const PoolTask task{.x = a.data,
                      .out = c.data,
                      .x_stride = a.shape[1],
                      .rows = 0,
                      .columns = a.shape[1],
                      .mode = enum_of<Pooling>(mode, "pool: mode")};
  validate("pool", task);
  const int threads = resolve_threads(num_threads);
  const KernelTable& table = kernels_of(isa);
  unlocked([&] { pool_parallel(table, task, starts.data, starts.size - 1, threads); });
}

void bound_rotary(const py::object& x, const py::object& cosine, const py::object& sine, const py::object& out,
                  int64_t num_threads, const Name& isa) {
  const auto a = view<const float>(x, "rotary", "x", {kAnySize, kAnySize, kAnySize});
  const int64_t rows = a.shape[0], dim = a.shape[2];
  RotaryTask task{};
  task.x = a.data;
  task.cosine = view<const float>(cosine, "rotary", "cosine", {rows, dim / 2}).data;
  task.sine = view<const float>(sine, "rotary", "sine", {rows, dim / 2}).data;
  task.out = view<float>(out, "rotary", "out", {rows, a.shape[1], dim}).data;
  task.rows = rows;
  task.heads = a.shape[1];
  task.dim = task.x_head = task.out_head = dim;
  task.x_row = task.out_row = task.heads * dim;
  task.angle_stride = dim / 2;
  run("rotary", rotary_parallel, task, num_threads, isa);
}

void bound_keep_largest(const py::object& products, int64_t first, const py::object& best, const py::object& places,
                        int64_t num_threads) {
  const auto a = view<const float>(products, "keep_largest", "products", {kAnySize, kAnySize});
  const auto b = view<float>(best, "keep_largest", "best", {a.shape[1], kAnySize});
  const auto p = view<int64_t>(places, "keep_largest", "places", {a.shape[1], b.shape[1]});
  require(b.shape[1] >= 1, "keep_largest: best must have at least one column, got none");
  const Largest task{.products = a.data,
                     .rows = a.shape[0],
                     .queries = a.shape[1],
                     .first = first,
                     .best = b.data,
                     .places = p.data,
                     .k = b.shape[1]};
  const int threads = resolve_threads(num_threads);
  unlocked([&] { keep_largest(task, threads); });
}

}  // namespace

void bind_ops(py::module_& m) {
  // May be given by position: a call with keywords makes a string of the name of every argument, half a microsecond.
  const auto threads = [] { return py::arg("num_threads") = 0; };
  const auto isa = [] { return py::arg("isa") = py::none(); };
  py::class_<BoundWeight>(m, "PackedWeight", "A (n, k) float32 weight in the order that the kernels read it.")
      .def(py::init<const py::object&, const std::string&>(), py::arg("weight"), py::arg("precision") = "float32")
      .def_property_readonly("shape", [](const BoundWeight& w) { return py::make_tuple(w.packed.n(), w.packed.k()); })
      .def_property_readonly("nbytes", [](const BoundWeight& w) { return w.packed.bytes(); })
      .def(py::pickle(&BoundWeight::state, [](const py::tuple& state) { return BoundWeight(state); }));
  m.attr("ACTIVATIONS") = names(kActivationNames);
  m.attr("PRECISIONS") = names(kPrecisionNames);
  m.attr("POOLINGS") = names(kPoolingNames);
  m.def("linear", &bound_linear, py::arg("x"), py::arg("weight"), py::arg("bias"), py::arg("residual"),
        py::arg("activation"), py::arg("out"), threads(), py::kw_only(), isa());
  m.def("matmul", &bound_matmul, py::arg("a"), py::arg("b"), py::arg("out"), threads(), py::kw_only(), isa());
  m.def("layer_norm", &bound_norm, py::arg("x"), py::arg("weight"), py::arg("bias"), py::arg("residual"),
        py::arg("eps"), py::arg("out"), py::arg("rms") = false, threads(), py::kw_only(), isa());
  m.def("activation", &bound_activation, py::arg("x"), py::arg("kind"), py::arg("out"), threads(), py::kw_only(),
        isa());
  m.def(
      "softmax",
      [](const py::object& x, const py::object& out, int64_t num_threads, const Name& isa_name) {
        bound_rows("softmax", softmax_parallel, x, out, num_threads, isa_name);
      },
      py::arg("x"), py::arg("out"), threads(), py::kw_only(), isa());
  m.def(
      "l2_normalize",
      [](const py::object& x, const py::object& out, int64_t num_threads, const Name& isa_name) {
        bound_rows("l2_normalize", l2_normalize_parallel, x, out, num_threads, isa_name);
      },
      py::arg("x"), py::arg("out"), threads(), py::kw_only(), isa());
  m.def("embed", &bound_embed, py::arg("ids"), py::arg("positions"), py::arg("types"), py::arg("token_table"),
        py::arg("position_table"), py::arg("type_table"), py::arg("norm_weight"), py::arg("norm_bias"), py::arg("eps"),
        py::arg("out"), threads(), py::kw_only(), isa());
  m.def("pool", &bound_pool, py::arg("x"), py::arg("offsets"), py::arg("mode"), py::arg("out"), threads(),
        py::kw_only(), isa());
  m.def("keep_largest", &bound_keep_largest, py::arg("products"), py::arg("first"), py::arg("best"), py::arg("places"),
        threads());
  m.def("rotary", &bound_rotary, py::arg("x"), py::arg("cosine"), py::arg("sine"), py::arg("out"), threads(),
        py::kw_only(), isa());
}

}  // namespace polysemy
