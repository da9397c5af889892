// The encoder engine: packed weights and the forward pass.
#include <pybind11/stl.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "base/parallel.h"
#include "bind/arrays.h"
#include "bind/module.h"
#include "encoder/forward.h"

namespace polysemy {
namespace {

// Sizes beyond these are not models but mistakes, and products of them could overflow.
constexpr int64_t kMostPerField = int64_t{1} << 24;

int64_t field(const py::dict& spec, const char* name, int64_t least) {
  require(spec.contains(name), "Engine: spec has no ", name);
  const int64_t value = spec[name].cast<int64_t>();
  require(value >= least && value <= kMostPerField, "Engine: spec.", name, " must be ", least, " to ", kMostPerField,
          ", got ", value);
  return value;
}

EncoderSpec spec_from(const py::dict& d) {
  EncoderSpec s{};
  s.hidden = field(d, "hidden", 1);
  s.layers = field(d, "layers", 0);
  s.heads = field(d, "heads", 1);
  s.head_dim = field(d, "head_dim", 1);
  s.ffn = field(d, "ffn", 1);
  s.vocab = field(d, "vocab", 1);
  s.max_positions = field(d, "max_positions", 1);
  s.position_offset = field(d, "position_offset", 0);
  s.token_types = field(d, "token_types", 0);
  require(d.contains("norm_eps"), "Engine: spec has no norm_eps");
  s.norm_eps = d["norm_eps"].cast<float>();
  s.activation = activation_of(static_cast<int>(field(d, "activation", 0)), "Engine");
  return s;
}

Schedule schedule_from(const std::string& name) {
  if (name == "auto") return Schedule::kAuto;
  if (name == "throughput") return Schedule::kThroughput;
  if (name == "latency") return Schedule::kLatency;
  throw ArgumentError(concat("forward: schedule must be 'auto', 'throughput' or 'latency', got '", name, "'"));
}

class Engine {
 public:
  Engine(const py::dict& spec, const py::dict& weights, const std::vector<std::string>& mapped)
      : spec_(spec_from(spec)), kept_(weights) {
    // All tensors are checked while the interpreter is held; packing then runs without it.
    std::map<std::string, const float*> found;
    const EncoderSpec& s = spec_;
    const FindTensor check = [&](const std::string& name, int64_t rows, int64_t columns) {
      require(weights.contains(name.c_str()), "Engine: weights have no '", name, "'");
      const py::object tensor = weights[name.c_str()];
      const auto v = columns == 0 ? view<const float>(tensor, "Engine", name.c_str(), {rows})
                                  : view<const float>(tensor, "Engine", name.c_str(), {rows, columns});
      return v.data;
    };
    std::set<const float*> views;
    for (const std::string& name : mapped) {
      require(weights.contains(name.c_str()), "Engine: mapped must be names of weights, got '", name, "'");
      views.insert(contiguous_data<const float>(array_of<const float>(weights[name.c_str()], "Engine", name.c_str()),
                                                "Engine", name.c_str()));
    }
    weights_ = pack_weights(default_kernels(), s, check, get_num_threads(), [&](const float* tensor, int64_t count) {
      if (views.count(tensor)) leave_pages(tensor, static_cast<size_t>(count) * sizeof(float));
    });
  }

  py::dict forward_arrays(const py::object& ids, const py::object& offsets, const py::object& types,
                          const std::vector<int64_t>& layers, const std::vector<int64_t>& attentions, int pooling,
                          bool normalize, const std::string& schedule, int64_t num_threads,
                          const std::optional<std::string>& isa) {
    const auto id = view<const int32_t>(ids, "forward", "ids", {kAnySize});
    const auto type = optional_view<const int32_t>(types, "forward", "types", {id.size});
    const auto starts = view<const int64_t>(offsets, "forward", "offsets", {kAnySize});
    check(id, type, starts);
    const int64_t sequences = starts.size - 1;

    ForwardOutputs out;
    py::dict hidden, weights, result;
    out.hidden.assign(static_cast<size_t>(spec_.layers + 1), nullptr);
    out.attentions.assign(static_cast<size_t>(spec_.layers), nullptr);
    for (const int64_t layer : layers) {
      require(layer >= 0 && layer <= spec_.layers, "forward: layers must be 0 to ", spec_.layers, ", got ", layer);
      py::array_t<float> array({id.size, spec_.hidden});
      out.hidden[static_cast<size_t>(layer)] = array.mutable_data();
      hidden[py::int_(layer)] = array;
    }
    for (const int64_t layer : attentions) {
      require(layer >= 1 && layer <= spec_.layers, "forward: attentions must be 1 to ", spec_.layers, ", got ", layer);
      int64_t total = 0;
      for (int64_t i = 0; i < sequences; ++i) {
        const int64_t n = starts.data[i + 1] - starts.data[i];
        total += spec_.heads * n * n;
      }
      py::array_t<float> array(total);
      out.attentions[static_cast<size_t>(layer - 1)] = array.mutable_data();
      weights[py::int_(layer)] = array;
    }
    py::object pooled = py::none();
    out.pooling = pooling_of(pooling, "forward");
    out.normalize = normalize;
    if (out.pooling != Pooling::kNone) {
      py::array_t<float> array({sequences, spec_.hidden});
      out.pooled = array.mutable_data();
      pooled = array;
    }
    result["hidden"] = hidden;
    result["attentions"] = weights;
    result["pooled"] = pooled;
    const RaggedBatch batch{id.data, type.data, starts.data, sequences};
    const Schedule wanted = schedule_from(schedule);
    const int threads = resolve_threads(num_threads);
    const KernelTable& table = kernels_of(isa);
    const py::gil_scoped_release release;
    forward(table, spec_, weights_, workspaces_, batch, out, wanted, threads);
    return result;
  }

 private:
  void check(const View<const int32_t>& ids, const View<const int32_t>& types,
             const View<const int64_t>& offsets) const {
    require(offsets.size >= 1 && offsets.data[0] == 0 && offsets.data[offsets.size - 1] == ids.size,
            "forward: offsets must start at 0 and end at ", ids.size, " (the number of ids)");
    for (int64_t i = 0; i + 1 < offsets.size; ++i) {
      const int64_t n = offsets.data[i + 1] - offsets.data[i];
      require(n >= 0 && n <= spec_.max_positions, "forward: sequence ", i, " must have 0 to ", spec_.max_positions,
              " tokens, got ", n);
    }
    for (int64_t i = 0; i < ids.size; ++i) {
      require(ids.data[i] >= 0 && ids.data[i] < spec_.vocab, "forward: ids[", i, "] must be 0 to ", spec_.vocab - 1,
              ", got ", ids.data[i]);
    }
    require(!types.data || spec_.token_types > 0, "forward: types were given, but this encoder has no token types");
    for (int64_t i = 0; i < types.size; ++i) {
      require(types.data[i] >= 0 && types.data[i] < spec_.token_types, "forward: types[", i, "] must be 0 to ",
              spec_.token_types - 1, ", got ", types.data[i]);
    }
  }

  EncoderSpec spec_;
  py::dict kept_;  // owns the embedding tables
  EncoderWeights weights_;
  WorkspacePool workspaces_;
};

}  // namespace

void bind_encoder(py::module_& m) {
  py::class_<Engine>(m, "Engine", "Packed weights of one encoder; immutable, shared by any number of threads.")
      .def(py::init<const py::dict&, const py::dict&, const std::vector<std::string>&>(), py::arg("spec"),
           py::arg("weights"), py::arg("mapped") = std::vector<std::string>{})
      .def("forward", &Engine::forward_arrays, py::arg("ids"), py::arg("offsets"), py::arg("types") = py::none(),
           py::kw_only(), py::arg("layers") = std::vector<int64_t>{}, py::arg("attentions") = std::vector<int64_t>{},
           py::arg("pooling") = -1, py::arg("normalize") = false, py::arg("schedule") = "auto",
           py::arg("num_threads") = 0, py::arg("isa") = py::none());
}

}  // namespace polysemy
