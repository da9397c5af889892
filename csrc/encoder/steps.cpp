// Steps split either rows (many tokens: each thread keeps its own activations in its own cache, and the only barriers
// are around attention) or columns (few tokens: each weight is read by one thread only).
#include <algorithm>

#include "encoder/pass.h"
#include "ops/blocking.h"

namespace polysemy {

template <class F>
void Pass::each_sequence(Range rows, F f) const {
  int64_t start = 0;
  for (const int64_t sequence : microbatch_.sequences) {
    const int64_t end = start + call_.batch.length(sequence);
    const Range part{std::max(start, rows.first), std::min(end, rows.last)};
    if (part.first < part.last) f(sequence, part, start);
    start = end;
  }
}

// ---- embeddings, norms

void Pass::embed() {
  Activations &x = buffer(kX), &to = call_.spec.projects() ? buffer(kEmbedded) : x;
  member_.step({writes(to, Split::kRows)});
  each_sequence(rows_, [&](int64_t sequence, Range rows, int64_t start) { embed_rows(sequence, rows, start, to); });
  if (call_.spec.projects()) multiply(call_.weights.projection, to, x, nullptr);
}

void Pass::embed_rows(int64_t sequence, Range rows, int64_t start, Activations& to) {
  const EmbeddingSpec& s = call_.spec.embedding;
  const int64_t first = call_.batch.offsets[sequence];
  const int32_t* ids = call_.batch.ids + first;
  int64_t next = s.position_offset;
  for (int64_t r = start; r < rows.last; ++r) {
    const bool padding = ids[r - start] == s.padding_id;
    if (r >= rows.first) positions_[r] = static_cast<int32_t>(padding ? s.padding_id : next);
    next += padding ? 0 : 1;
  }
  const EncoderWeights& w = call_.weights;
  const auto table = [](const Tensor& t) { return Table{t.data, t.dtype}; };
  const int64_t skipped = rows.first - start;
  call_.kernels.embed({.ids = ids + skipped,
                       .types = call_.batch.types ? call_.batch.types + first + skipped : nullptr,
                       .positions = positions_ + rows.first,
                       .tokens = table(w.tokens),
                       .type_table = table(w.types),
                       .position_table = table(w.positions),
                       .scale = s.scale,
                       .weight = w.embedding_norm.weight,
                       .bias = w.embedding_norm.bias,
                       .out = to.row(rows.first),
                       .out_stride = to.stride,
                       .rows = rows.last - rows.first,
                       .columns = s.width,
                       .eps = s.norm.eps,
                       .rms = s.norm.kind == Norm::kRms});
}

void Pass::normalize(const NormSpec& s, const NormWeights& w, const Activations& x, const Activations* residual,
                     const Activations& out) const {
  call_.kernels.norm({.x = x.row(rows_.first),
                      .residual = residual ? residual->row(rows_.first) : nullptr,
                      .weight = w.weight,
                      .bias = w.bias,
                      .out = out.row(rows_.first),
                      .x_stride = x.stride,
                      .residual_stride = residual ? residual->stride : 0,
                      .out_stride = out.stride,
                      .rows = rows_.last - rows_.first,
                      .columns = call_.spec.hidden,
                      .eps = s.eps,
                      .rms = s.kind == Norm::kRms});
}

// The rows after the norm: x itself where there is none.
Activations& Pass::norm(const NormSpec& s, const NormWeights& w, Activations& x, Activations& out) {
  if (!s) return x;
  member_.step({reads(x, Split::kRows), writes(out, Split::kRows)});
  normalize(s, w, x, nullptr, out);
  return out;
}

// ---- products

// What products read in the place of rows of `a`: those themselves in float32.
Activations& Pass::prepared(Activations& a, const LinearWeights& w) {
  if (!call_.prepares) return a;
  Activations& to = buffer(kPrepared);
  member_.step({reads(a, Split::kRows), writes(to, Split::kRows)});
  prepare(a, to, rows_, w.weight.k);
  return to;
}

void Pass::prepare(const Activations& a, const Activations& to, Range rows, int64_t k) const {
  polysemy::prepare(call_.kernels, call_.weights.precision, a.row(rows.first), a.stride, to.row(rows.first), to.stride,
                    rows.last - rows.first, k);
}

Linear Pass::product(const LinearWeights& w, const Activations& a, const Activations& c,
                     const Activations* residual) const {
  const Range rows = by_rows_ ? rows_ : Range{0, microbatch_.tokens};
  return {.weight = w.weight,
          .a = a.row(rows.first),
          .a_stride = a.stride,
          .rows = rows.last - rows.first,
          .c = c.row(rows.first),
          .c_stride = c.stride,
          .bias = w.bias,
          .residual = residual ? residual->row(rows.first) : nullptr,
          .residual_stride = residual ? residual->stride : 0,
          .sums = w.weight.gated ? scratch_ + call_.sums_start : nullptr};
}

// c = activation(x W + bias) + residual: this thread's rows, or its share of the columns of all rows.
void Pass::multiply(const LinearWeights& w, Activations& x, Activations& c, Activations* residual,
                    Activation activation) {
  Activations& a = prepared(x, w);
  const Split whole = by_rows_ ? Split::kRows : Split::kAny;
  if (residual) {
    member_.step({reads(a, whole), reads(*residual, split()), writes(c, split())});
  } else {
    member_.step({reads(a, whole), writes(c, split())});
  }
  Linear op = product(w, a, c, residual);
  op.activation = activation;
  if (by_rows_) return linear(call_.kernels, op);
  const int64_t unit = w.weight.gated ? 2 : 1;
  const Range units = member_.share_of(w.weight.count() / unit);
  linear(call_.kernels, op.of_panels({units.first * unit, units.last * unit}));
}

// ---- attention

// When columns are split and heads come out even, a thread computes the queries, keys and values of its own heads and
// attends with them at once: one barrier less.
bool Pass::own_heads(const AttentionSpec& s) const {
  const int team = member_.team();
  return !by_rows_ && s.heads % team == 0 && s.kv_heads % team == 0 && s.head_dim % kLanes == 0;
}

void Pass::project_qkv(const AttentionSpec& s, const LinearWeights& w, Activations& x) {
  Activations& qkv = buffer(kQkv);
  if (!own_heads(s)) return multiply(w, x, qkv, nullptr);
  Activations& a = prepared(x, w);
  member_.step({reads(a, Split::kAny), writes(qkv, Split::kHeads)});
  const Linear op = product(w, a, qkv, nullptr);
  int64_t panel = 0;
  for (const int64_t heads : {s.heads, s.kv_heads, s.kv_heads}) {
    const Range own = member_.share_of(heads);
    const int64_t panels = s.head_dim / kLanes;
    linear(call_.kernels, op.of_panels({panel + own.first * panels, panel + own.last * panels}));
    panel += heads * panels;
  }
}

void Pass::normalize_heads(const AttentionSpec& s, const NormWeights& w, Range rows, Range heads,
                           int64_t column) const {
  const Activations& qkv = member_.buffer(kQkv);
  for (int64_t r = rows.first; r < rows.last; ++r) {
    float* const x = qkv.row(r) + column + heads.first * s.head_dim;
    call_.kernels.norm({.x = x,
                        .residual = nullptr,
                        .weight = w.weight,
                        .bias = w.bias,
                        .out = x,
                        .x_stride = s.head_dim,
                        .residual_stride = 0,
                        .out_stride = s.head_dim,
                        .rows = heads.last - heads.first,
                        .columns = s.head_dim,
                        .eps = s.query_key_norm.eps,
                        .rms = s.query_key_norm.kind == Norm::kRms});
  }
}

// Rows of one sequence; start is that of its first token.
void Pass::turn(const AttentionSpec& s, const Angles& angles, Range rows, int64_t start, Range heads,
                int64_t column) const {
  const Activations& qkv = member_.buffer(kQkv);
  for (int64_t r = rows.first; r < rows.last;) {
    const int64_t position = r - start;
    const int64_t count = std::min(rows.last - r, Angles::kBlock - position % Angles::kBlock);
    float* const x = qkv.row(r) + column + heads.first * s.head_dim;
    call_.kernels.rotary({.x = x,
                          .out = x,
                          .x_row = qkv.stride,
                          .x_head = s.head_dim,
                          .out_row = qkv.stride,
                          .out_head = s.head_dim,
                          .cosine = angles.cosine(position),
                          .sine = angles.sine(position),
                          .angle_stride = angles.stride(),
                          .rows = count,
                          .heads = heads.last - heads.first,
                          .dim = 2 * angles.pairs()});
    r += count;
  }
}

// The norm of queries and keys, and their rotation.
void Pass::place_queries_and_keys(const AttentionSpec& s, const LayerWeights& w, const Angles* angles) {
  if (!s.query_key_norm && !angles) return;
  const bool own = own_heads(s);
  const Split split = own ? Split::kHeads : Split::kRows;
  member_.step({reads(buffer(kQkv), split), writes(buffer(kQkv), split)});
  const Range queries = heads_of(s.heads, own), keys = heads_of(s.kv_heads, own);
  const Range rows = own ? Range{0, microbatch_.tokens} : rows_;
  if (s.query_key_norm) {
    normalize_heads(s, w.query_norm, rows, queries, 0);
    normalize_heads(s, w.key_norm, rows, keys, s.query_width());
  }
  if (!angles) return;
  each_sequence(rows, [&](int64_t, Range part, int64_t start) {
    turn(s, *angles, part, start, queries, 0);
    turn(s, *angles, part, start, keys, s.query_width());
  });
}

// Tasks of all sequences, heads and blocks of queries, dealt out to the team; or all tasks of this thread's heads.
void Pass::attend(size_t index) {
  const AttentionSpec& s = call_.spec.layers[index].attention;
  const bool own = own_heads(s);
  const Split split = own ? Split::kHeads : Split::kAny;
  Activations &qkv = buffer(kQkv), &context = buffer(kContext);
  member_.step({reads(qkv, split), writes(context, split)});
  const int team = member_.team();
  const Range heads = heads_of(s.heads, own);
  const int64_t share_of_queries = round_up((microbatch_.tokens + team - 1) / team, kBlockQueries);
  float* const weights = call_.out.attentions[index];
  int64_t task = 0, start = 0;
  for (const int64_t sequence : microbatch_.sequences) {
    const int64_t n = call_.batch.length(sequence);
    const int64_t most = std::min(kTaskQueries, s.heads % team == 0 ? n : share_of_queries);
    AttentionSequence one{};
    one.query = qkv.row(start);
    one.key = one.query + s.query_width();
    one.value = one.key + s.key_width();
    one.out = context.row(start);
    one.queries = n;
    one.keys = call_.batch.keys(sequence);
    one.weights = weights ? weights + s.heads * call_.squares[static_cast<size_t>(sequence)] : nullptr;
    for (int64_t head = heads.first; head < heads.last; ++head) {
      for (int64_t q = 0; q < n; q += most, ++task) {
        if (!own && task % team != member_.thread()) continue;
        const Attention& op = call_.attention[index];
        const int64_t last = std::min(q + most, n);
        if (const Disentangled* positions = call_.disentangled.of_layer(index)) {
          const DistanceBuckets& buckets = call_.buckets[static_cast<size_t>(s.position_bias.table)];
          positions->attend(call_.kernels, op, one, head, {q, last}, buckets, scratch_);
        } else {
          polysemy::attend(call_.kernels, op.in, attention_task(op, one, head, q, last, scratch_));
        }
      }
    }
    start += n;
  }
}

// ---- the ends of a block

// sum = W context, and the residual stream where nothing comes between.
void Pass::project_context(const LinearWeights& w, bool join) {
  multiply(w, buffer(kContext), buffer(kSum), join ? &buffer(kX) : nullptr);
}

// Up, activation, down for some rows, one k-block of the second product after the other: the activations between
// the two products are one block wide, stay in L2 and are never written to memory as [rows, ffn].
void Pass::feed_forward_rows(const FeedForwardSpec& s, const LayerWeights& w, Activations& x, bool join, Range rows) {
  const Range part{rows.first - rows_.first, rows.last - rows_.first};
  const Activations &inner = member_.buffer(kFfn), &read = call_.prepares ? member_.buffer(kPreparedBlock) : inner;
  const Linear down = product(w.ffn_down, read, buffer(kSum), join ? &buffer(kX) : nullptr).of_rows(part);
  Linear up = product(w.ffn_up, x, inner, nullptr).of_rows(part);
  up.activation = s.activation;
  const int64_t panels = kBlockK / kLanes * (s.gated ? 2 : 1);
  for (int64_t block = 0; block < down.weight.blocks(); ++block) {
    Linear some = up.of_panels({block * panels, std::min((block + 1) * panels, up.weight.count())});
    some.c = up.c;
    linear(call_.kernels, some);
    if (call_.prepares) prepare(inner, read, rows, std::min(kBlockK, w.ffn_down.weight.k - block * kBlockK));
    linear_block(call_.kernels, down, block);
  }
}

// sum = W act(W x), and the residual stream where nothing comes between.
void Pass::feed_forward(const FeedForwardSpec& s, const LayerWeights& w, Activations& x, bool join) {
  Activations &inner = buffer(kFfn), &sum = buffer(kSum), *residual = join ? &buffer(kX) : nullptr;
  if (!by_rows_) {
    multiply(w.ffn_up, x, inner, nullptr, s.activation);
    return multiply(w.ffn_down, inner, sum, residual);
  }
  Activations& a = prepared(x, w.ffn_up);
  member_.step({reads(a, Split::kRows), reads(buffer(kX), Split::kRows), writes(inner, Split::kRows),
                writes(sum, Split::kRows)});
  const int64_t count = rows_.last - rows_.first, parts = (count + kBlockRows - 1) / kBlockRows;
  for (int64_t i = 0; i < parts; ++i) {
    const Range part = share(count, static_cast<int>(i), static_cast<int>(parts));
    feed_forward_rows(s, w, a, join, {rows_.first + part.first, rows_.first + part.last});
  }
}

// x = out(x + post(sum)), where sum has x already if nothing comes between.
void Pass::join(const NormSpec& post, const NormWeights& post_weights, const NormSpec& out,
                const NormWeights& out_weights) {
  Activations &x = buffer(kX), &sum = buffer(kSum);
  if (!post && !out) return std::swap(x, sum);
  member_.step({reads(sum, Split::kRows), writes(sum, Split::kRows), reads(x, Split::kRows), writes(x, Split::kRows)});
  if (post) normalize(post, post_weights, sum, nullptr, sum);
  if (out) return normalize(out, out_weights, sum, post ? &x : nullptr, x);
  call_.kernels.add({.x = sum.row(rows_.first),
                     .out = x.row(rows_.first),
                     .x_stride = sum.stride,
                     .out_stride = x.stride,
                     .rows = rows_.last - rows_.first,
                     .columns = call_.spec.hidden});
}

// ---- results

// out: [tokens, columns], in the order of the batch.
void Pass::emit(Activations& from, int64_t columns, float* out) {
  member_.step({reads(from, Split::kRows)});
  each_sequence(rows_, [&](int64_t sequence, Range rows, int64_t start) {
    for (int64_t r = rows.first; r < rows.last; ++r) {
      std::copy_n(from.row(r), columns, out + (call_.batch.offsets[sequence] + r - start) * columns);
    }
  });
}

void Pass::emit_hidden(size_t number) {
  if (float* const out = call_.out.hidden[number]) emit(buffer(kX), call_.spec.hidden, out);
}

void Pass::emit_projections(size_t index) {
  if (float* const out = call_.out.projections[index]) {
    emit(buffer(kQkv), call_.spec.layers[index].attention.width(), out);
  }
}

void Pass::pool() {
  Activations& x = buffer(kX);
  member_.step({reads(x, Split::kAny)});
  const int64_t hidden = call_.spec.hidden;
  int64_t start = 0;
  for (size_t i = 0; i < microbatch_.sequences.size(); ++i) {
    const int64_t sequence = microbatch_.sequences[i], n = call_.batch.length(sequence);
    if (static_cast<int>(i % static_cast<size_t>(member_.team())) == member_.thread()) {
      float* const out = call_.out.pooled + sequence * hidden;
      call_.kernels.pool({x.row(start), out, x.stride, n, hidden, call_.out.pooling});
      if (call_.out.normalize) call_.kernels.l2_normalize({out, out, hidden, hidden, 1, hidden});
    }
    start += n;
  }
}

}  // namespace polysemy
