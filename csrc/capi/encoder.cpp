// The C interface: encoders.
#include "encoder/encoder.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/parallel.h"
#include "capi/encoder_spec.h"
#include "dispatch/registry.h"
#include "encoder/parameters.h"

using namespace polysemy;
using capi::Argument;
using capi::matrix;

struct polysemy_encoder {
  std::vector<Buffer> tables;
  std::unique_ptr<const Encoder> encoder;
};

namespace {

static_assert(int{POLYSEMY_FLOAT32} == static_cast<int>(DType::kFloat32));
static_assert(int{POLYSEMY_FLOAT16} == static_cast<int>(DType::kFloat16));
static_assert(int{POLYSEMY_BFLOAT16} == static_cast<int>(DType::kBFloat16));
static_assert(int{POLYSEMY_SCHEDULE_AUTO} == static_cast<int>(Schedule::kAuto));
static_assert(int{POLYSEMY_SCHEDULE_THROUGHPUT} == static_cast<int>(Schedule::kThroughput));
static_assert(int{POLYSEMY_SCHEDULE_LATENCY} == static_cast<int>(Schedule::kLatency));
static_assert(int{POLYSEMY_POOL_LAST} == static_cast<int>(Pooling::kLast));

using Tensors = std::map<std::string, Tensor, std::less<>>;

// The tensors of a spec by name: each once, in its shape, and no other.
Tensors checked(const char* function, const EncoderSpec& spec, const polysemy_tensor* given, int64_t count) {
  Argument{function, "count"}.at_least(count, 0);
  Argument{function, "tensors"}.records(given, count);
  const std::vector<Parameter> wanted = parameters(spec);
  std::map<std::string_view, const Parameter*> unseen;
  for (const Parameter& p : wanted) unseen.emplace(p.name, &p);
  Tensors tensors;
  for (int64_t i = 0; i < count; ++i) {
    const polysemy_tensor& t = given[i];
    require(t.name != nullptr, function, ": tensors[", i, "].name must not be null");
    const auto found = unseen.find(t.name);
    require(found != unseen.end(), function, ": tensors[", i, "].name must be that of a parameter, each once, got '",
            t.name, "'");
    const Parameter& p = *found->second;
    require(t.rows == p.rows && t.columns == p.columns, function, ": ", p.name, " must have shape (", p.rows, ", ",
            p.columns, "), got (", t.rows, ", ", t.columns, ")");
    require(t.dtype >= POLYSEMY_FLOAT32 && t.dtype <= POLYSEMY_BFLOAT16, function, ": dtype of ", p.name,
            " must be 0 to 2, got ", t.dtype);
    const auto dtype = static_cast<DType>(t.dtype);
    Argument{function, p.name.c_str()}.input(t.data, matrix(t.rows, t.columns, t.columns), size_of(dtype));
    tensors.emplace(p.name, Tensor{.data = t.data, .dtype = dtype, .rows = t.rows, .columns = t.columns});
    unseen.erase(found);
  }
  for (const Parameter& p : wanted) {
    require(!unseen.contains(p.name), function, ": tensors must have '", p.name, "'");
  }
  return tensors;
}

std::unique_ptr<polysemy_encoder> create(const char* function, const polysemy_encoder_spec* given,
                                         const polysemy_tensor* tensors, int64_t count, int precision) {
  EncoderSpec spec = capi::spec_from(function, given);
  Tensors found = checked(function, spec, tensors, count);
  const Precision products = capi::checked_precision(function, precision);
  const KernelTable& table = default_kernels();
  auto made = std::make_unique<polysemy_encoder>();
  for (const Parameter& p : parameters(spec)) {
    if (!p.table) continue;  // packed, which copies it
    Tensor& t = found.at(p.name);
    made->tables.emplace_back(t.bytes());
    std::memcpy(made->tables.back().data(), t.data, static_cast<size_t>(t.bytes()));
    t.data = made->tables.back().data();
  }
  EncoderWeights weights = pack_weights(
      table, spec, products, [&](const Parameter& p) { return found.at(p.name); }, get_num_threads());
  made->encoder = std::make_unique<const Encoder>(table, std::move(spec), std::move(weights));
  return made;
}

void create_into(const char* function, const polysemy_encoder_spec* spec, const polysemy_tensor* tensors, int64_t count,
                 int precision, polysemy_encoder** encoder) {
  require(encoder != nullptr, function, ": encoder must not be null");
  *encoder = nullptr;
  *encoder = create(function, spec, tensors, count, precision).release();
}

// ---- forward

constexpr const char* kForward = "encoder_forward";

RaggedBatch checked_batch(const Encoder& encoder, const polysemy_encoder_args& a) {
  Argument{kForward, "sequences"}.at_least(a.sequences, 0);
  const int64_t offsets = capi::elements(kForward, "offsets", {a.sequences}) + 1;
  Argument{kForward, "offsets"}.input(a.offsets, capi::vector(offsets), sizeof(int64_t));
  const int64_t tokens = a.offsets[a.sequences];
  require(tokens >= 0, kForward, ": offsets must end at 0 or more, got ", tokens);
  Argument{kForward, "ids"}.input(a.ids, capi::vector(tokens));
  if (a.types) Argument{kForward, "types"}.input(a.types, capi::vector(tokens));
  const RaggedBatch batch{.ids = a.ids, .types = a.types, .offsets = a.offsets, .sequences = a.sequences};
  encoder.check(kForward, batch, tokens);
  return batch;
}

// Pointers by layer from `first` on; elements(layer): how many are written there.
template <class Elements>
std::vector<float*> layer_outputs(const char* name, const polysemy_layer_output* wanted, int64_t count, int64_t first,
                                  int64_t last, Elements elements) {
  std::vector<float*> outputs(static_cast<size_t>(last - first + 1), nullptr);
  require(count >= 0 && count <= last - first + 1, kForward, ": number of ", name, " must be 0 to ", last - first + 1,
          ", got ", count);
  Argument{kForward, name}.records(wanted, count);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t layer = wanted[i].layer;
    require(layer >= first && layer <= last, kForward, ": ", name, "[", i, "].layer must be ", first, " to ", last,
            ", got ", layer);
    float*& out = outputs[static_cast<size_t>(layer - first)];
    require(out == nullptr, kForward, ": ", name, "[", i, "].layer must be another one than those before it, got ",
            layer);
    const std::string place = concat(name, "[", i, "].out");
    Argument{kForward, place.c_str()}.output(wanted[i].out, capi::vector(elements(layer)));
    out = wanted[i].out;
  }
  return outputs;
}

ForwardOutputs checked_outputs(const EncoderSpec& spec, const RaggedBatch& batch, const polysemy_encoder_args& a) {
  const auto layers = static_cast<int64_t>(spec.layers.size());
  ForwardOutputs out;
  out.hidden = layer_outputs("hidden", a.hidden, a.hidden_count, 0, layers, [&](int64_t) {
    return capi::elements(kForward, "hidden", {batch.tokens(), spec.hidden});
  });
  out.attentions = layer_outputs("attentions", a.attentions, a.attention_count, 1, layers, [&](int64_t layer) {
    const int64_t heads = spec.layers[static_cast<size_t>(layer - 1)].attention.heads;
    return capi::elements(kForward, "attentions", {heads, batch.squares()});
  });
  out.projections = layer_outputs("projections", a.projections, a.projection_count, 1, layers, [&](int64_t layer) {
    const int64_t width = spec.layers[static_cast<size_t>(layer - 1)].attention.width();
    return capi::elements(kForward, "projections", {batch.tokens(), width});
  });
  require(a.pooling >= POLYSEMY_POOL_MEAN && a.pooling <= POLYSEMY_POOL_LAST, kForward,
          ": pooling must be 0 to 5, got ", a.pooling);
  require(a.normalize == 0 || a.normalize == 1, kForward, ": normalize must be 0 or 1, got ", a.normalize);
  if (a.pooled) {
    const int64_t count = capi::elements(kForward, "pooled", {batch.sequences, spec.hidden});
    Argument{kForward, "pooled"}.output(a.pooled, capi::vector(count));
    out.pooled = a.pooled;
    out.pooling = static_cast<Pooling>(a.pooling);
    out.normalize = a.normalize == 1;
  }
  return out;
}

void forward(const polysemy_encoder* made, const polysemy_encoder_args* args) {
  require(made != nullptr, kForward, ": encoder must not be null");
  const polysemy_encoder_args& a = capi::known(kForward, "args", args, "encoder_args_init");
  const Encoder& encoder = *made->encoder;
  const RaggedBatch batch = checked_batch(encoder, a);
  const ForwardOutputs outputs = checked_outputs(encoder.spec(), batch, a);
  require(a.schedule >= POLYSEMY_SCHEDULE_AUTO && a.schedule <= POLYSEMY_SCHEDULE_LATENCY, kForward,
          ": schedule must be 0 to 2, got ", a.schedule);
  const int threads = resolve_threads(a.num_threads);
  encoder.forward(default_kernels(), batch, outputs, static_cast<Schedule>(a.schedule), threads);
}

}  // namespace

extern "C" {

polysemy_status polysemy_encoder_parameters(const polysemy_encoder_spec* spec, polysemy_parameter* list,
                                            int64_t capacity, int64_t* count) {
  return capi::guarded([&] {
    constexpr const char* function = "encoder_parameters";
    require(count != nullptr, function, ": count must not be null");
    Argument{function, "capacity"}.at_least(capacity, 0);
    const std::vector<Parameter> all = parameters(capi::spec_from(function, spec));
    *count = static_cast<int64_t>(all.size());
    for (int64_t i = 0; list && i < std::min(capacity, *count); ++i) {
      const Parameter& p = all[static_cast<size_t>(i)];
      list[i] = {.name = {}, .rows = p.rows, .columns = p.columns};
      if (p.name.size() >= sizeof list[i].name) throw std::logic_error("encoder_parameters: a name is too long");
      std::memcpy(list[i].name, p.name.c_str(), p.name.size() + 1);
    }
  });
}

polysemy_status polysemy_encoder_create(const polysemy_encoder_spec* spec, const polysemy_tensor* tensors,
                                        int64_t count, polysemy_encoder** encoder) {
  return capi::guarded(
      [&] { create_into("encoder_create", spec, tensors, count, POLYSEMY_PRECISION_FLOAT32, encoder); });
}

polysemy_status polysemy_encoder_create_in(const polysemy_encoder_spec* spec, const polysemy_tensor* tensors,
                                           int64_t count, int precision, polysemy_encoder** encoder) {
  return capi::guarded([&] { create_into("encoder_create_in", spec, tensors, count, precision, encoder); });
}

void polysemy_encoder_destroy(polysemy_encoder* encoder) { delete encoder; }

polysemy_status polysemy_encoder_args_init(polysemy_encoder_args* args, size_t size) {
  return capi::guarded([&] { capi::initialised("encoder_args_init", "args", args, size); });
}

polysemy_status polysemy_encoder_forward(const polysemy_encoder* encoder, const polysemy_encoder_args* args) {
  return capi::guarded([&] { forward(encoder, args); });
}
}
