// The C interface: attention on strided arrays.
#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "capi/guard.h"
#include "dispatch/registry.h"
#include "ops/checks.h"

using namespace polysemy;
using capi::Argument;
using capi::Axes;
using capi::Axis;

namespace {

using Args = polysemy_sdpa_args;

// Elements of the batch that one pass works on: bounds the list of sequences, whatever the batch.
constexpr int64_t kSequencesPerPass = 4096;

Argument argument(const char* name) { return {"sdpa_f32", name}; }

// What does not depend on the arrays.
Attention described(const char* function, const Args& a) {
  Argument{function, "batch"}.at_least(a.batch, 0);
  Argument{function, "q_len"}.at_least(a.q_len, 0);
  Argument{function, "k_len"}.at_least(a.k_len, 0);
  Attention op{};
  op.heads = a.heads;
  op.kv_heads = a.kv_heads;
  op.dim = a.dim;
  op.value_dim = a.value_dim;
  validate(function, op);
  return op;
}

void check_arrays(const Args& a) {
  const auto axes = [&](int64_t heads, int64_t rows, int64_t columns, const int64_t* s) {
    return Axes{Axis{a.batch, s[0]}, Axis{heads, s[1]}, Axis{rows, s[2]}, Axis{columns, 1}};
  };
  argument("query").input(a.query, axes(a.heads, a.q_len, a.dim, a.query_strides));
  argument("key").input(a.key, axes(a.kv_heads, a.k_len, a.dim, a.key_strides));
  argument("value").input(a.value, axes(a.kv_heads, a.k_len, a.value_dim, a.value_strides));
  argument("out").output(a.out, axes(a.heads, a.q_len, a.value_dim, a.out_strides));
  if (a.alibi) argument("alibi").input(a.alibi, capi::vector(a.heads));
  if (a.weights) {
    const int64_t count = capi::elements("sdpa_f32", "weights", {a.batch, a.heads, a.q_len, a.k_len});
    argument("weights").output(a.weights, capi::vector(count));
  }
  if (a.lse) {
    argument("lse").output(a.lse, capi::vector(capi::elements("sdpa_f32", "lse", {a.batch, a.heads, a.q_len})));
  }
  if (a.mask_kind == POLYSEMY_MASK_NONE) return;
  require(a.mask_kind == POLYSEMY_MASK_KEEP || a.mask_kind == POLYSEMY_MASK_ADD,
          "sdpa_f32: mask_kind must be 0, 1 or 2, got ", a.mask_kind);
  const int64_t* s = a.mask_strides;
  argument("mask").input(a.mask, {Axis{a.batch, s[0]}, Axis{a.heads, s[1]}, Axis{a.q_len, s[2]}, Axis{a.k_len, s[3]}},
                         a.mask_kind == POLYSEMY_MASK_ADD ? 4 : 1);
}

void set_options(Attention& op, const Args& a) {
  op.query = {.head = a.query_strides[1], .row = a.query_strides[2]};
  op.key = {.head = a.key_strides[1], .row = a.key_strides[2]};
  op.value = {.head = a.value_strides[1], .row = a.value_strides[2]};
  op.out = {.head = a.out_strides[1], .row = a.out_strides[2]};
  op.lse = {.head = a.q_len, .row = 1};
  op.scale =
      a.scale != 0.0f ? a.scale : static_cast<float>(1.0 / std::sqrt(static_cast<double>(std::max<int64_t>(1, a.dim))));
  op.alibi_slopes = a.alibi;
  op.mask_head = a.mask_strides[1];
  op.modifiers.mask_row = a.mask_strides[2];
  op.modifiers.mask_column = a.mask_strides[3];
  op.set_band(a.causal != 0, a.window_left, a.window_right);
}

// Strides that lead to no element become 0: they may be any number, and from a null pointer there is no way anywhere.
template <size_t count>
void settle(int64_t (&strides)[count], const int64_t (&sizes)[4]) {
  const bool empty = std::find(sizes, sizes + 4, int64_t{0}) != sizes + 4;
  for (size_t i = 0; i < count; ++i) {
    if (empty || sizes[i] == 1) strides[i] = 0;
  }
}

AttentionSequence sequence(const Args& a, int64_t b) {
  AttentionSequence s{};
  s.query = a.query + b * a.query_strides[0];
  s.key = a.key + b * a.key_strides[0];
  s.value = a.value + b * a.value_strides[0];
  s.out = a.out + b * a.out_strides[0];
  s.queries = a.q_len;
  s.keys = a.k_len;
  const int64_t mask = b * a.mask_strides[0];
  if (a.mask_kind == POLYSEMY_MASK_KEEP) s.keep = static_cast<const uint8_t*>(a.mask) + mask;
  if (a.mask_kind == POLYSEMY_MASK_ADD) s.add = static_cast<const float*>(a.mask) + mask;
  if (a.weights) s.weights = a.weights + b * a.heads * a.q_len * a.k_len;
  if (a.lse) s.lse = a.lse + b * a.heads * a.q_len;
  return s;
}

void attend(Args a) {
  constexpr const char* function = "sdpa_f32";
  Attention op = described(function, a);
  check_arrays(a);
  const int threads = resolve_threads(a.num_threads);
  const KernelTable& table = default_kernels();
  const bool nothing_to_write = a.value_dim == 0 && !a.weights && !a.lse;
  if (a.batch == 0 || a.heads == 0 || a.q_len == 0 || nothing_to_write) return;
  settle(a.query_strides, {a.batch, a.heads, a.q_len, a.dim});
  settle(a.key_strides, {a.batch, a.kv_heads, a.k_len, a.dim});
  settle(a.value_strides, {a.batch, a.kv_heads, a.k_len, a.value_dim});
  settle(a.out_strides, {a.batch, a.heads, a.q_len, a.value_dim});
  settle(a.mask_strides, {a.mask_kind == POLYSEMY_MASK_NONE ? 0 : a.batch, a.heads, a.q_len, a.k_len});
  set_options(op, a);
  for (int64_t first = 0; first < a.batch; first += kSequencesPerPass) {
    const int64_t last = std::min(a.batch, first + kSequencesPerPass);
    op.sequences.clear();
    for (int64_t b = first; b < last; ++b) op.sequences.push_back(sequence(a, b));
    if (first == 0) validate(function, op);  // after that all is alike, and half a result is no longer an error
    attention_parallel(table, op, threads);
  }
}

const Args& known(const char* function, const Args* args) { return capi::known(function, "args", args, "sdpa_init"); }

}  // namespace

extern "C" {

polysemy_status polysemy_sdpa_init(polysemy_sdpa_args* args, size_t size) {
  return capi::guarded([&] {
    Args& a = capi::initialised("sdpa_init", "args", args, size);
    a.window_left = a.window_right = -1;
  });
}

polysemy_status polysemy_sdpa_set_contiguous(polysemy_sdpa_args* args) {
  return capi::guarded([&] {
    const Args a = known("sdpa_set_contiguous", args);
    described("sdpa_set_contiguous", a);
    const auto set = [](int64_t* strides, const char* name, int64_t heads, int64_t rows, int64_t columns) {
      strides[0] = capi::elements("sdpa_set_contiguous", name, {rows, columns, heads});
      strides[1] = capi::elements("sdpa_set_contiguous", name, {rows, columns});
      strides[2] = columns;
    };
    set(args->query_strides, "query", a.heads, a.q_len, a.dim);
    set(args->key_strides, "key", a.kv_heads, a.k_len, a.dim);
    set(args->value_strides, "value", a.kv_heads, a.k_len, a.value_dim);
    set(args->out_strides, "out", a.heads, a.q_len, a.value_dim);
  });
}

polysemy_status polysemy_sdpa_f32(const polysemy_sdpa_args* args) {
  return capi::guarded([&] { attend(known("sdpa_f32", args)); });
}
}
