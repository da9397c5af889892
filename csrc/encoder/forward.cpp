// One graph for every schedule: a microbatch of sequences goes through all layers on a team of threads, and a team of
// one needs no barrier. Steps split either rows (many tokens: each thread keeps its own activations in its own cache
// and the only barriers are around attention) or columns (few tokens: each weight is read by one thread only).
#include "encoder/forward.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ops/attention.h"

namespace polysemy {
namespace {

// From this many rows per thread on, a team splits rows.
constexpr int64_t kRowsPerThread = 48;

// Rows that go through both products of the feed-forward layer together: their inputs, one block of activations and
// their outputs fit in L2.
constexpr int64_t kRowBlock = 192;

struct Sizes {  // floats of one microbatch's memory, in the order of Memory
  int64_t x, qkv, context, ffn, positions, scratch;
  int64_t per_microbatch() const { return 2 * x + qkv + context + ffn + positions; }
};

struct Memory {
  float *x, *sum, *qkv, *context, *ffn;
  int32_t* positions;
};

// Rows of activations lie one cache line further apart than their length: at 1024 floats (or 512, 2048) the six rows
// of a tile would otherwise compete for one set of the L1 cache.
int64_t stride_of(int64_t columns) { return round_up(columns, kLanes) + kLanes; }

class Pass {
 public:
  Pass(const KernelTable& kernels, const EncoderSpec& spec, const EncoderWeights& weights, const RaggedBatch& batch,
       const ForwardOutputs& outputs)
      : kernels_(kernels), spec_(spec), weights_(weights), batch_(batch), out_(outputs) {
    x_stride_ = stride_of(spec.hidden);
    width_ = spec.heads * spec.head_dim;
    qkv_stride_ = stride_of(3 * width_);
    context_stride_ = stride_of(width_);
    block_stride_ = stride_of(kBlockK);
    ffn_stride_ = stride_of(spec.ffn);
    last_layer_ = spec.layers;
    if (out_.pooling == Pooling::kNone) {
      while (last_layer_ > 0 && !out_.hidden[size_t(last_layer_)] && !out_.attentions[size_t(last_layer_ - 1)]) {
        --last_layer_;
      }
    }
    attention_.heads = attention_.kv_heads = spec.heads;
    attention_.dim = attention_.value_dim = spec.head_dim;
    attention_.query = attention_.key = attention_.value = {spec.head_dim, qkv_stride_};
    attention_.out = {spec.head_dim, context_stride_};
    attention_.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(spec.head_dim)));
    attention_starts_.assign(1, 0);
    for (int64_t i = 0; i < batch.sequences; ++i) {
      const int64_t n = length(i);
      attention_starts_.push_back(attention_starts_.back() + spec.heads * n * n);
    }
  }

  Sizes sizes(int64_t tokens) const {
    Sizes s{};
    s.x = tokens * x_stride_;
    s.qkv = tokens * qkv_stride_;
    s.context = tokens * context_stride_;
    s.ffn = tokens * std::max(block_stride_, ffn_stride_);
    s.positions = round_up(tokens, kLanes);
    s.scratch = round_up(attention_task_scratch(kTaskQueries, spec_.head_dim, spec_.head_dim), kLanes);
    return s;
  }

  // One microbatch, by one thread of the team that works on it.
  void run(const Microbatch& microbatch, float* memory, float* scratch, Barrier& barrier, int thread, int team) const {
    Member m{microbatch, carve(memory, microbatch.tokens), scratch, barrier, thread, team, {}, {}};
    m.by_rows = microbatch.tokens >= kRowsPerThread * team;
    m.rows = share(microbatch.tokens, thread, team);
    embed(m);
    for (int64_t layer = 0; layer < last_layer_; ++layer) run_layer(m, layer);
    if (out_.pooling != Pooling::kNone) pool(m);
  }

 private:
  // One thread's view of the microbatch.
  struct Member {
    const Microbatch& microbatch;
    Memory memory;
    float* scratch;
    Barrier& barrier;
    int thread, team;
    bool by_rows;
    Range rows;  // its share

    void meet() const { barrier.wait(team); }
    void meet_if_columns() const {
      if (!by_rows) barrier.wait(team);
    }
  };

  int64_t length(int64_t sequence) const { return batch_.offsets[sequence + 1] - batch_.offsets[sequence]; }

  Memory carve(float* p, int64_t tokens) const {
    const Sizes s = sizes(tokens);
    Memory m{};
    const auto take = [&p](int64_t floats) { return std::exchange(p, p + floats); };
    m.x = take(s.x);
    m.sum = take(s.x);
    m.qkv = take(s.qkv);
    m.context = take(s.context);
    m.ffn = take(s.ffn);
    m.positions = reinterpret_cast<int32_t*>(take(s.positions));
    return m;
  }

  // Calls f(sequence, its rows of the microbatch that are this thread's, row of the sequence's first token).
  template <class F>
  void each_sequence(const Member& m, F f) const {
    int64_t start = 0;
    for (int64_t sequence : m.microbatch.sequences) {
      const int64_t end = start + length(sequence);
      const Range mine{std::max(start, m.rows.first), std::min(end, m.rows.last)};
      if (mine.first < mine.last) f(sequence, mine, start);
      start = end;
    }
  }

  void embed(const Member& m) const {
    each_sequence(m, [&](int64_t sequence, Range rows, int64_t start) {
      const int64_t token = batch_.offsets[sequence] + rows.first - start;
      for (int64_t r = rows.first; r < rows.last; ++r) {
        m.memory.positions[r] = static_cast<int32_t>(spec_.position_offset + r - start);
      }
      EmbedTask t{};
      t.ids = batch_.ids + token;
      t.types = batch_.types ? batch_.types + token : nullptr;
      t.positions = m.memory.positions + rows.first;
      t.token_table = weights_.token_table;
      t.type_table = weights_.type_table;
      t.position_table = weights_.position_table;
      t.weight = weights_.embedding_norm.weight.data<float>();
      t.bias = weights_.embedding_norm.bias.data<float>();
      t.out = m.memory.x + rows.first * x_stride_;
      t.out_stride = x_stride_;
      t.rows = rows.last - rows.first;
      t.columns = spec_.hidden;
      t.eps = spec_.norm_eps;
      kernels_.embed(t);
    });
    emit_hidden(m, 0);
    m.meet_if_columns();
  }

  void emit_hidden(const Member& m, int64_t layer) const {
    float* out = out_.hidden[static_cast<size_t>(layer)];
    if (!out) return;
    each_sequence(m, [&](int64_t sequence, Range rows, int64_t start) {
      for (int64_t r = rows.first; r < rows.last; ++r) {
        std::copy_n(m.memory.x + r * x_stride_, spec_.hidden,
                    out + (batch_.offsets[sequence] + r - start) * spec_.hidden);
      }
    });
  }

  // When columns are split and heads come out even, a thread computes the queries, keys and values of its own heads and
  // attends with them at once: one barrier less.
  bool own_heads(const Member& m) const {
    return !m.by_rows && spec_.heads % m.team == 0 && spec_.head_dim % kLanes == 0;
  }

  void project_qkv(const Member& m, const LinearWeights& w) const {
    const int64_t panels = w.weight.panels();
    if (!own_heads(m)) {
      multiply(m, w, m.memory.x, x_stride_, m.memory.qkv, qkv_stride_, nullptr, Activation::kNone,
               share(panels, m.thread, m.team));
      return m.meet();
    }
    const Range heads = share(panels / 3, m.thread, m.team);
    for (int64_t part = 0; part < panels; part += panels / 3) {
      multiply(m, w, m.memory.x, x_stride_, m.memory.qkv, qkv_stride_, nullptr, Activation::kNone,
               {part + heads.first, part + heads.last});
    }
  }

  void multiply(const Member& m, const LinearWeights& w, const float* a, int64_t a_stride, float* c, int64_t c_stride,
                const float* residual, Activation activation) const {
    multiply(m, w, a, a_stride, c, c_stride, residual, activation, share(w.weight.panels(), m.thread, m.team));
  }

  // A product over this thread's part of the microbatch: its rows, or some columns of all rows.
  void multiply(const Member& m, const LinearWeights& w, const float* a, int64_t a_stride, float* c, int64_t c_stride,
                const float* residual, Activation activation, Range columns) const {
    const Range rows = m.by_rows ? m.rows : Range{0, m.microbatch.tokens};
    Linear op{};
    op.weight = &w.weight;
    op.a = a + rows.first * a_stride;
    op.a_stride = a_stride;
    op.rows = rows.last - rows.first;
    op.c = c + rows.first * c_stride;
    op.c_stride = c_stride;
    op.bias = w.bias.data<float>();
    op.residual = residual ? residual + rows.first * c_stride : nullptr;
    op.residual_stride = c_stride;
    op.activation = activation;
    linear(kernels_, op, m.by_rows ? Range{0, w.weight.panels()} : columns);
  }

  void normalize(const Member& m, const NormWeights& w) const {
    NormTask t{};
    t.x = m.memory.sum + m.rows.first * x_stride_;
    t.out = m.memory.x + m.rows.first * x_stride_;
    t.x_stride = t.out_stride = x_stride_;
    t.weight = w.weight.data<float>();
    t.bias = w.bias.data<float>();
    t.rows = m.rows.last - m.rows.first;
    t.columns = spec_.hidden;
    t.eps = spec_.norm_eps;
    kernels_.norm(t);
  }

  // Tasks of all sequences, heads and blocks of queries, dealt out to the team; or all tasks of this thread's heads.
  void attend(const Member& m, int64_t layer) const {
    const bool own = own_heads(m);
    const Range heads = own ? share(spec_.heads, m.thread, m.team) : Range{0, spec_.heads};
    const int64_t share_of_queries = round_up((m.microbatch.tokens + m.team - 1) / m.team, kBlockQueries);
    int64_t task = 0, start = 0;
    for (int64_t sequence : m.microbatch.sequences) {
      const int64_t n = length(sequence);
      const int64_t most = std::min(kTaskQueries, spec_.heads % m.team == 0 ? n : share_of_queries);
      AttentionSequence p{};
      p.query = m.memory.qkv + start * qkv_stride_;
      p.key = p.query + width_;
      p.value = p.key + width_;
      p.out = m.memory.context + start * context_stride_;
      p.queries = p.keys = n;
      float* weights = out_.attentions[static_cast<size_t>(layer)];
      p.weights = weights ? weights + attention_starts_[static_cast<size_t>(sequence)] : nullptr;
      for (int64_t head = heads.first; head < heads.last; ++head) {
        for (int64_t q = 0; q < n; q += most, ++task) {
          if (!own && task % m.team != m.thread) continue;
          kernels_.attention(attention_task(attention_, p, head, q, std::min(q + most, n), m.scratch));
        }
      }
      start += n;
    }
  }

  // Up, activation, down for some rows, one k-block of the second product after the other: the activations between
  // the two products are one block wide, stay in L2 and are never written to memory as [rows, ffn].
  void feed_forward_rows(const Member& m, const LayerWeights& w, Range rows) const {
    const float* x = m.memory.x + rows.first * x_stride_;
    float* block_out = m.memory.ffn + rows.first * block_stride_;
    Linear down{};
    down.weight = &w.ffn_down.weight;
    down.a = block_out;
    down.a_stride = block_stride_;
    down.rows = rows.last - rows.first;
    down.c = m.memory.sum + rows.first * x_stride_;
    down.c_stride = x_stride_;
    down.bias = w.ffn_down.bias.data<float>();
    down.residual = x;
    down.residual_stride = x_stride_;
    for (int64_t block = 0; block < down.weight->blocks(); ++block) {
      const int64_t first = block * kBlockK / kLanes;
      const int64_t last = std::min(first + kBlockK / kLanes, w.ffn_up.weight.panels());
      Linear up{};
      up.weight = &w.ffn_up.weight;
      up.a = x;
      up.a_stride = x_stride_;
      up.rows = down.rows;
      up.c = block_out - first * kLanes;  // the product writes columns from 16 * first on
      up.c_stride = block_stride_;
      up.bias = w.ffn_up.bias.data<float>();
      up.activation = spec_.activation;
      linear(kernels_, up, {first, last});
      linear_block(kernels_, down, block);
    }
  }

  void run_layer(const Member& m, int64_t layer) const {
    const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
    const Memory& mem = m.memory;
    project_qkv(m, w.qkv);
    attend(m, layer);
    m.meet();
    multiply(m, w.attention_output, mem.context, context_stride_, mem.sum, x_stride_, mem.x, Activation::kNone);
    m.meet_if_columns();
    normalize(m, w.attention_norm);
    m.meet_if_columns();
    if (m.by_rows) {
      const int64_t parts = (m.rows.last - m.rows.first + kRowBlock - 1) / kRowBlock;
      for (int64_t i = 0; i < parts; ++i) {
        const Range part = share(m.rows.last - m.rows.first, static_cast<int>(i), static_cast<int>(parts));
        feed_forward_rows(m, w, {m.rows.first + part.first, m.rows.first + part.last});
      }
    } else {
      multiply(m, w.ffn_up, mem.x, x_stride_, mem.ffn, ffn_stride_, nullptr, spec_.activation);
      m.meet();
      multiply(m, w.ffn_down, mem.ffn, ffn_stride_, mem.sum, x_stride_, mem.x, Activation::kNone);
      m.meet();
    }
    normalize(m, w.ffn_norm);
    emit_hidden(m, layer + 1);
    m.meet_if_columns();
  }

  void pool(const Member& m) const {
    m.meet();
    int64_t start = 0;
    for (size_t i = 0; i < m.microbatch.sequences.size(); ++i) {
      const int64_t sequence = m.microbatch.sequences[i], n = length(sequence);
      if (static_cast<int>(i % static_cast<size_t>(m.team)) == m.thread) {
        float* out = out_.pooled + sequence * spec_.hidden;
        kernels_.pool({m.memory.x + start * x_stride_, out, x_stride_, n, spec_.hidden, out_.pooling});
        if (out_.normalize) kernels_.l2_normalize({out, out, spec_.hidden, spec_.hidden, 1, spec_.hidden});
      }
      start += n;
    }
  }

  const KernelTable& kernels_;
  const EncoderSpec& spec_;
  const EncoderWeights& weights_;
  const RaggedBatch& batch_;
  const ForwardOutputs& out_;
  Attention attention_{};
  std::vector<int64_t> attention_starts_;
  int64_t x_stride_, width_, qkv_stride_, context_stride_, block_stride_, ffn_stride_, last_layer_;
};

}  // namespace

void forward(const KernelTable& kernels, const EncoderSpec& spec, const EncoderWeights& weights, WorkspacePool& pool,
             const RaggedBatch& batch, const ForwardOutputs& outputs, Schedule schedule, int threads) {
  if (batch.sequences == 0) return;
  const Plan plan = plan_schedule(spec, batch.offsets, batch.sequences, threads, schedule);
  const Pass pass(kernels, spec, weights, batch, outputs);
  const int team =
      plan.team ? threads : static_cast<int>(std::min<size_t>(static_cast<size_t>(threads), plan.microbatches.size()));
  const Sizes sizes = pass.sizes(plan.most_tokens);
  const int64_t microbatches_at_once = plan.team ? 1 : team;
  Buffer memory = pool.take(4 * (microbatches_at_once * sizes.per_microbatch() + team * sizes.scratch));
  float* scratch = memory.data<float>() + microbatches_at_once * sizes.per_microbatch();
  Queue queue(static_cast<int64_t>(plan.microbatches.size()));
  Barrier barrier;
  parallel(team, [&](int thread, int members) {
    float* own_scratch = scratch + thread * sizes.scratch;
    if (plan.team) {
      for (const Microbatch& microbatch : plan.microbatches) {
        pass.run(microbatch, memory.data<float>(), own_scratch, barrier, thread, members);
        barrier.wait(members);
      }
    } else {
      Barrier alone;
      for (int64_t i; queue.next(i);) {
        pass.run(plan.microbatches[static_cast<size_t>(i)], memory.data<float>() + thread * sizes.per_microbatch(),
                 own_scratch, alone, 0, 1);
      }
    }
  });
  pool.give_back(std::move(memory));
}

}  // namespace polysemy
