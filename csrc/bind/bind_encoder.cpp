// The encoder: its spec, its weights, and the forward pass.
#include <pybind11/stl.h>

#include <map>
#include <memory>

#include "base/parallel.h"
#include "bind/arrays.h"
#include "bind/module.h"
#include "bind/names.h"
#include "bind/packed.h"
#include "bind/records.h"
#include "bind/unlocked.h"
#include "encoder/encoder.h"
#include "encoder/parameters.h"

namespace polysemy {
namespace {

Schedule schedule_from(const std::string& name) {
  if (name == "auto") return Schedule::kAuto;
  if (name == "throughput") return Schedule::kThroughput;
  if (name == "latency") return Schedule::kLatency;
  throw ArgumentError(concat("forward: schedule must be 'auto', 'throughput' or 'latency', got '", name, "'"));
}

template <class T>
Tensor tensor_of(const py::handle& object, const char* name, std::initializer_list<int64_t> shape, DType dtype) {
  const auto v = view<const T>(object, "Encoder", name, shape);
  const bool vector = shape.size() == 1;
  return {.data = v.data, .dtype = dtype, .rows = vector ? 1 : v.shape[0], .columns = v.shape[vector ? 0 : 1]};
}

// An array as it is stored: float32, float16, or the bits of bfloat16 as uint16.
Tensor tensor_from(const py::handle& object, const char* name, std::initializer_list<int64_t> shape) {
  if (py::isinstance<py::array_t<uint16_t>>(object)) return tensor_of<uint16_t>(object, name, shape, DType::kBFloat16);
  if (py::isinstance<py::array>(object) &&
      py::reinterpret_borrow<py::array>(object).dtype().equal(py::dtype("float16"))) {
    return tensor_of<uint16_t>(object.attr("view")("uint16"), name, shape,
                               DType::kFloat16);  // no type of C++ is float16
  }
  return tensor_of<float>(object, name, shape, DType::kFloat32);
}

// Those of a spec by name, or its tables alone.
std::map<std::string, Tensor> tensors_of(const EncoderSpec& spec, const py::dict& weights, bool tables_alone) {
  std::map<std::string, Tensor> tensors;
  for (const Parameter& p : parameters(spec)) {
    if (tables_alone && !p.table) continue;
    const char* name = p.name.c_str();
    require(weights.contains(name), "Encoder: weights must have '", p.name, "'");
    const py::object array = weights[name];
    tensors.emplace(p.name,
                    p.vector ? tensor_from(array, name, {p.columns}) : tensor_from(array, name, {p.rows, p.columns}));
  }
  return tensors;
}

struct BoundEncoder {
  py::dict tables;  // used where they are
  std::unique_ptr<const Encoder> encoder;

  // make: the weights, from tables and (unless `tables_alone`) all else.
  template <class Make>
  BoundEncoder(const EncoderSpec& spec, const py::dict& weights, bool tables_alone, Make make) {
    const std::map<std::string, Tensor> tensors = tensors_of(spec, weights, tables_alone);
    for (const Parameter& p : parameters(spec)) {
      if (p.table) tables[p.name.c_str()] = weights[p.name.c_str()];
    }
    const KernelTable& table = default_kernels();
    const FindTensor find = [&](const Parameter& p) { return tensors.at(p.name); };
    unlocked([&] { encoder = std::make_unique<Encoder>(table, spec, make(table, find)); });
  }

  static std::unique_ptr<BoundEncoder> made(const EncoderSpec& spec, const py::dict& weights,
                                            const std::string& precision, const py::object& packed) {
    const auto stored = enum_of<Precision>(precision, "Encoder: precision");
    if (packed.is_none()) {
      const int threads = get_num_threads();
      return std::make_unique<BoundEncoder>(spec, weights, false,
                                            [&](const KernelTable& kernels, const FindTensor& find) {
                                              return pack_weights(kernels, spec, stored, find, threads);
                                            });
    }
    const auto bytes = packed_bytes(packed, "Encoder");
    return std::make_unique<BoundEncoder>(spec, weights, true, [&](const KernelTable&, const FindTensor& find) {
      return restore_weights(spec, stored, bytes, find);
    });
  }

  py::dict forward(const py::object& ids, const py::object& offsets, const py::object& types, const py::object& seen,
                   const std::vector<int64_t>& layers, const std::vector<int64_t>& attentions,
                   const std::vector<int64_t>& projections, const std::optional<std::string>& pooling, bool normalize,
                   const std::string& schedule, int64_t num_threads, const std::optional<std::string>& isa) const {
    const auto id = view<const int32_t>(ids, "forward", "ids", {kAnySize});
    const auto type = optional_view<const int32_t>(types, "forward", "types", {id.size});
    const auto starts = view<const int64_t>(offsets, "forward", "offsets", {kAnySize});
    require(starts.size >= 1, "forward: offsets must have at least one element, got none");
    const auto keys = optional_view<const int64_t>(seen, "forward", "seen", {starts.size - 1});
    require(!keys.data || attentions.empty(), "forward: seen must be absent where attentions are wanted, got an array");
    const RaggedBatch batch{id.data, type.data, starts.data, starts.size - 1, keys.data};
    encoder->check("forward", batch, id.size);

    ForwardOutputs out;
    out.pooling = pooling ? enum_of<Pooling>(*pooling, "forward: pooling") : Pooling::kNone;
    out.normalize = normalize;
    py::dict result;
    result["hidden"] = hidden_arrays(layers, id.size, out);
    result["attentions"] = layer_arrays("attentions", attentions, out.attentions, [&](const AttentionSpec& s) {
      return py::array_t<float>(s.heads * batch.squares());
    });
    result["projections"] = layer_arrays("projections", projections, out.projections, [&](const AttentionSpec& s) {
      return py::array_t<float>({id.size, s.width()});
    });
    result["pooled"] = py::none();
    if (pooling) {
      py::array_t<float> array({batch.sequences, encoder->spec().hidden});
      out.pooled = array.mutable_data();
      result["pooled"] = array;
    }
    const Schedule wanted = schedule_from(schedule);
    const int threads = resolve_threads(num_threads);
    const KernelTable& table = kernels_of(isa);
    unlocked([&] { encoder->forward(table, batch, out, wanted, threads); });
    return result;
  }

 private:
  int64_t layer_count() const { return static_cast<int64_t>(encoder->spec().layers.size()); }

  py::dict hidden_arrays(const std::vector<int64_t>& wanted, int64_t tokens, ForwardOutputs& out) const {
    py::dict arrays;
    const int64_t layers = layer_count();
    out.hidden.assign(static_cast<size_t>(layers + 1), nullptr);
    for (const int64_t layer : wanted) {
      require(layer >= 0 && layer <= layers, "forward: layers must be 0 to ", layers, ", got ", layer);
      py::array_t<float> array({tokens, encoder->spec().hidden});
      out.hidden[static_cast<size_t>(layer)] = array.mutable_data();
      arrays[py::int_(layer)] = array;
    }
    return arrays;
  }

  // An array made of the attention of each layer that is wanted, and where they are.
  template <class Make>
  py::dict layer_arrays(const char* name, const std::vector<int64_t>& wanted, std::vector<float*>& out,
                        Make make) const {
    py::dict arrays;
    const int64_t layers = layer_count();
    out.assign(static_cast<size_t>(layers), nullptr);
    for (const int64_t layer : wanted) {
      require(layer >= 1 && layer <= layers, "forward: ", name, " must be 1 to ", layers, ", got ", layer);
      const auto index = static_cast<size_t>(layer - 1);
      py::array_t<float> array = make(encoder->spec().layers[index].attention);
      out[index] = array.mutable_data();
      arrays[py::int_(layer)] = array;
    }
    return arrays;
  }
};

struct BoundPacking {
  std::unique_ptr<Packing> packing;  // until it is finished

  BoundPacking(const EncoderSpec& spec, const std::string& precision) {
    const auto stored = enum_of<Precision>(precision, "Encoder: precision");
    unlocked([&] { packing = std::make_unique<Packing>(spec, stored); });
  }

  void put(const std::string& name, int64_t first, const py::object& rows) {
    require(packing != nullptr, "Packing: put must come before finish");
    const bool vector = py::isinstance<py::array>(rows) && py::reinterpret_borrow<py::array>(rows).ndim() == 1;
    Tensor tensor =
        vector ? tensor_from(rows, name.c_str(), {kAnySize}) : tensor_from(rows, name.c_str(), {kAnySize, kAnySize});
    if (vector) std::swap(tensor.rows, tensor.columns);
    const KernelTable& table = default_kernels();
    unlocked([&] { packing->put(table, name, first, tensor); });
  }

  std::vector<std::string> tables() const {
    require(packing != nullptr, "Packing: tables must be asked for before finish");
    std::vector<std::string> names;
    for (const Parameter& p : parameters(packing->spec())) {
      if (p.table) names.push_back(p.name);
    }
    return names;
  }

  std::unique_ptr<BoundEncoder> finish(const py::dict& tables) {
    require(packing != nullptr, "Packing: finish must come once");
    const std::unique_ptr<Packing> last = std::move(packing);
    return std::make_unique<BoundEncoder>(
        last->spec(), tables, true, [&](const KernelTable&, const FindTensor& find) { return last->finish(find); });
  }
};

// Name and shape.
using NamedShape = std::pair<std::string, py::typing::Tuple<int, py::ellipsis>>;

std::vector<NamedShape> parameter_list(const EncoderSpec& spec) {
  std::vector<NamedShape> list;
  for (const Parameter& p : parameters(spec)) {
    py::list shape;
    if (!p.vector) shape.append(p.rows);
    shape.append(p.columns);
    list.emplace_back(p.name, py::tuple(shape));
  }
  return list;
}

}  // namespace

void bind_encoder(py::module_& m) {
  bind_record<NormSpec>(m, "NormSpec");
  bind_record<RotarySpec>(m, "RotarySpec");
  bind_record<PositionBiasSpec>(m, "PositionBiasSpec");
  bind_record<AttentionSpec>(m, "AttentionSpec");
  bind_record<FeedForwardSpec>(m, "FeedForwardSpec");
  bind_record<LayerSpec>(m, "LayerSpec");
  bind_record<EmbeddingSpec>(m, "EmbeddingSpec");
  bind_record<EncoderSpec>(m, "EncoderSpec", [](const EncoderSpec& spec) { validate("EncoderSpec: ", spec); });
  m.def("parameters", &parameter_list, py::arg("spec"));
  py::class_<BoundEncoder>(m, "Encoder",
                           "An encoder with its packed weights; immutable, shared by any number of threads.")
      .def(py::init(&BoundEncoder::made), py::arg("spec"), py::arg("weights"), py::arg("precision") = "float32",
           py::arg("packed") = py::none())
      .def_property_readonly("tables", [](const BoundEncoder& e) { return e.tables.attr("copy")(); })
      .def_property_readonly("packed",
                             [](const py::object& self) {
                               const Buffer& arena = self.cast<const BoundEncoder&>().encoder->weights().arena;
                               return packed_state(arena.data(), arena.bytes(), self);
                             })
      .def_property_readonly("weight_bytes", [](const BoundEncoder& e) { return e.encoder->weights().arena.bytes(); })
      .def("forward", &BoundEncoder::forward, py::arg("ids"), py::arg("offsets"), py::arg("types") = py::none(),
           py::kw_only(), py::arg("seen") = py::none(), py::arg("layers") = std::vector<int64_t>{},
           py::arg("attentions") = std::vector<int64_t>{}, py::arg("projections") = std::vector<int64_t>{},
           py::arg("pooling") = py::none(), py::arg("normalize") = false, py::arg("schedule") = "auto",
           py::arg("num_threads") = 0, py::arg("isa") = py::none());
  py::class_<BoundPacking>(m, "Packing", "The weights of an encoder while they come in.")
      .def(py::init<const EncoderSpec&, const std::string&>(), py::arg("spec"), py::arg("precision"))
      .def_property_readonly("tables", &BoundPacking::tables)
      .def("put", &BoundPacking::put, py::arg("name"), py::arg("first"), py::arg("rows"))
      .def("finish", &BoundPacking::finish, py::arg("tables"));
}

}  // namespace polysemy
