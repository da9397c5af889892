// What kernels take: one plain struct each. Shapes were checked by the caller.
// Strides and leading dimensions are in elements; the innermost stride is 1 unless a field says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"

namespace polysemy {

// Lanes of a Vec, columns of a packed panel. Fixed for all levels: packed weights and sums look the same everywhere.
inline constexpr int64_t kLanes = 16;

// Products are summed over k in three steps: chains of kChain fused multiply-adds, the chains of a block of kBlockK,
// the blocks; each from zero and in order (docs/decisions/0007). A long chain rounds a large sum many times.
inline constexpr int kChain = 32;

// One block of one panel is 192 x 16 x 4 = 12 KB: that of a tile stays in L1 while rows stream by. The hidden sizes in
// use (384, 768, 1536, 3072) are whole blocks.
inline constexpr int64_t kBlockK = 192;
static_assert(kBlockK % kChain == 0);

// Attention visits keys in blocks of this length, counted from the first key of the sequence. Up to this length a
// softmax is one block and nothing is ever rescaled.
inline constexpr int64_t kBlockKeys = 512;

// Query rows that share one pass over a block of keys: their scores (24 x 512 x 4 = 48 KB) stay in L2.
inline constexpr int64_t kBlockQueries = 24;

inline constexpr int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

enum class Activation : int { kNone, kGeluErf, kGeluTanh, kRelu, kSilu, kTanh, kQuickGelu, kExp, kErf, kSigmoid };

// The name of each value stands at its number.
inline constexpr const char* kActivationNames[] = {"none", "gelu",       "gelu_tanh", "relu", "silu",
                                                   "tanh", "quick_gelu", "exp",       "erf",  "sigmoid"};

// C[rows, columns] = activation(A[rows, k] W[columns, k]^T + bias) + residual, or a part of the sum over k.
//
// A gated product has two panels for each 16 columns of C, one of the gate and one beside it:
// C = activation(A G^T + bias) * (A U^T + bias).
struct GemmTask {
  const void* a;         // [rows, k] float32, or what the precision of the weight prepares of it
  int64_t a_stride;      // in units of a float, of either
  const void* panels;    // packed (kernels/layout.h), from the first k of this task on
  int64_t panel_stride;  // in bytes
  float* c;
  int64_t c_stride;
  int64_t rows, columns, k;
  bool first, last;       // parts of a sum: the first starts from zero, the last ends with the epilogue
  const float* bias;      // by column of the panels, or null
  const float* residual;  // [rows, columns] or null; not with gated
  int64_t residual_stride;
  Activation activation;
  bool gated;
  float* sums;  // gated: scratch for the sums of kGatedPanels panels, [rows, sums_stride]
  int64_t sums_stride;
};
inline constexpr int64_t kGatedPanels = 4;

// Rows of activations -> what products of a precision read in their place.
struct PrepareTask {
  const float* x;  // [rows, k]
  int64_t x_stride;
  std::byte* out;
  int64_t out_stride;  // in bytes
  int64_t rows, k;
};

// Rows of a row-major weight -> panels (kernels/layout.h); columns beyond the last row are zero.
struct PackTask {
  const void* weight;  // [rows, k]
  DType dtype;
  int64_t weight_stride;
  void* packed;
  int64_t panel_stride;  // from one panel to the next, in bytes
  int64_t rows, k;
};

inline constexpr int64_t kUnlimited = int64_t{1} << 40;

// How a score is changed before the softmax. Kinds combine; what is absent costs nothing.
struct ScoreModifiers {
  const uint8_t* keep;            // mask, nonzero takes part; or null
  const float* add;               // mask, added; or null
  int64_t mask_row, mask_column;  // strides of the mask in use
  const float* by_distance;       // entry j - i is added to the score of query i and key j; points to entry 0; or null
  float alibi_slope;              // score -= slope * |i - j|
  bool alibi;
  int64_t left, right;  // key j takes part for query i when i - left <= j <= i + right; kUnlimited = no limit
  bool windowed;
};

// What the two products of attention are computed in.
enum class AttentionIn : int { kFloat32, kIntegers };
inline constexpr int kAttentions = 2;

// softmax(scale * Q K^T + modifiers) V for one head of one sequence and some of its queries.
struct AttentionTask {
  const float *query, *key, *value;  // row 0 of the head
  float* out;
  int64_t query_stride, key_stride, value_stride, out_stride;
  int64_t first_query, last_query, keys, dim, value_dim;
  float scale;
  bool precise;  // with few keys, sum scores in double
  ScoreModifiers modifiers;
  float* weights;  // [last_query - first_query, keys] rows of this task's queries, or null
  int64_t weights_stride;
  float* row_max;  // [last_query - first_query]: running maximum and sum; also the result for log-sum-exp
  float* row_sum;
  float* scratch;                  // attention_scratch(dim, value_dim) floats, 64-byte aligned
  bool (*stop)(const void* call);  // or null; asked once per block of keys, true: leave, with incomplete results
  const void* call;
};

inline constexpr int64_t attention_scratch(int64_t dim, int64_t value_dim) {
  return kBlockKeys * round_up(dim, 2) + kBlockKeys * round_up(value_dim, kLanes) +
         kBlockQueries * round_up(dim, kLanes) + kBlockQueries * (kBlockKeys + kLanes);
}

// y = norm(x + residual) * weight + bias by rows. x, residual and out may be the same memory.
struct NormTask {
  const float* x;
  const float* residual;  // or null
  const float* weight;    // or null
  const float* bias;      // or null
  float* out;
  int64_t x_stride, residual_stride, out_stride;
  int64_t rows, columns;
  float eps;
  bool rms;
};

struct Table {
  const void* data = nullptr;  // [ids, columns]; null = no such table
  DType dtype = DType::kFloat32;
};

// Rows of scale * token table + type table + position table, then a norm. Ids were range-checked.
struct EmbedTask {
  const int32_t *ids, *types, *positions;  // types: null = all zero
  Table tokens, type_table, position_table;
  float scale;                 // of the token table
  const float *weight, *bias;  // norm; weight null = no norm
  float* out;
  int64_t out_stride, rows, columns;
  float eps;
  bool rms;
};

// Numbers in 16 bits -> float32, which is exact.
struct WidenTask {
  const void* from;
  DType dtype;
  float* to;
  int64_t count;
};

enum class Pooling : int { kNone = -1, kMean, kCls, kMax, kSqrtLength, kWeightedMean, kLast };

// The name of each value stands at its number; kNone has none.
inline constexpr const char* kPoolingNames[] = {"mean", "cls", "max", "mean_sqrt_len", "weightedmean", "lasttoken"};

struct PoolTask {
  const float* x;  // [rows, columns] of one sequence
  float* out;      // [columns]
  int64_t x_stride, rows, columns;
  Pooling mode;
};

struct RowsTask {  // softmax and L2 normalisation by rows
  const float* x;
  float* out;
  int64_t x_stride, out_stride, rows, columns;
};

// out += x by rows.
struct AddTask {
  const float* x;
  float* out;
  int64_t x_stride, out_stride, rows, columns;
};

struct ElementsTask {
  const float* x;
  float* out;
  int64_t count;
  Activation kind;
};

// x[rows, heads, dim]: pairs (d, d + dim / 2) turn by the angle whose cosine and sine are given. out may be x.
struct RotaryTask {
  const float* x;
  float* out;
  int64_t x_row, x_head, out_row, out_head;  // strides
  const float *cosine, *sine;                // [rows, dim / 2]
  int64_t angle_stride;                      // from row to row of cosine and sine
  int64_t rows, heads, dim;
};

}  // namespace polysemy
