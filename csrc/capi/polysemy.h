/* polysemy's kernels for C and C++ programs: attention, norms, matrix products on float32 arrays, and whole encoders.
 *
 * Conventions
 *   - Arrays are float32. Strides count elements, not bytes; the innermost dimension is contiguous unless it has a
 *     stride of its own. Input strides may be 0 (one row for all) or negative; rows of an output must not overlap.
 *   - A pointer may be NULL where its comment says so, and where the array has no elements.
 *   - An output must not overlap an input unless its comment says that it may be the same array.
 *   - num_threads: 0 = polysemy_get_num_threads(). Results do not depend on it.
 *   - Functions return POLYSEMY_OK or an error; then nothing was computed, and polysemy_last_error() says in words why.
 *   - Options are ints that take the values of the enum named like them.
 *   - All functions may be called from any number of threads at the same time.
 *
 * The layout of structs and the meaning of arguments are fixed for one POLYSEMY_ABI_VERSION.
 */
#ifndef POLYSEMY_H
#define POLYSEMY_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(POLYSEMY_BUILDING_LIBRARY)
#define POLYSEMY_API __declspec(dllexport)
#elif defined(_WIN32) && !defined(POLYSEMY_STATIC)
#define POLYSEMY_API __declspec(dllimport)
#elif defined(POLYSEMY_BUILDING_LIBRARY)
#define POLYSEMY_API __attribute__((visibility("default")))
#else
#define POLYSEMY_API
#endif

#define POLYSEMY_ABI_VERSION 1

#ifdef __cplusplus
extern "C" {
#endif

typedef enum polysemy_status {
  POLYSEMY_OK = 0,
  POLYSEMY_ERROR_ARGUMENT = 1, /* a pointer, size, stride or option that can't be */
  POLYSEMY_ERROR_MEMORY = 2,   /* scratch memory or a packed weight could not be allocated */
  POLYSEMY_ERROR_INTERNAL = 3  /* anything else */
} polysemy_status;

/* ---- library ---------------------------------------------------------------------------------------------------- */

/* POLYSEMY_ABI_VERSION of the loaded library: compare it with that of the header. */
POLYSEMY_API int polysemy_abi_version(void);
/* Version of the package, e.g. "0.1.0". */
POLYSEMY_API const char* polysemy_version(void);
/* What was wrong with the last call of this thread that failed. Never NULL; valid until this thread's next failure. */
POLYSEMY_API const char* polysemy_last_error(void);

/* Instruction set in use: the best one for this CPU, or what the environment variable POLYSEMY_ISA names.
 * NULL with an error message if that variable names an impossible one: every kernel then fails, too. */
POLYSEMY_API const char* polysemy_isa(void);
/* The instruction sets that this CPU can run, weakest first; NULL for an index outside. */
POLYSEMY_API const char* polysemy_isa_name(int index);

/* Threads of a call with num_threads = 0. Default: least of CPU affinity, cgroup quota and physical cores, or
 * OMP_NUM_THREADS; less where omp_set_num_threads allows the calling thread less. */
POLYSEMY_API int polysemy_get_num_threads(void);
/* Sets it for the whole process, 1 to 1024; 0 goes back to the default. */
POLYSEMY_API polysemy_status polysemy_set_num_threads(int num_threads);

/* ---- attention -------------------------------------------------------------------------------------------------- */

typedef enum polysemy_mask_kind {
  POLYSEMY_MASK_NONE = 0,
  POLYSEMY_MASK_KEEP = 1, /* uint8_t: key j takes part for query i where it is not 0 */
  POLYSEMY_MASK_ADD = 2   /* float: added to the scaled score */
} polysemy_mask_kind;

/* out = softmax(scale * Q K^T + modifiers) V. Fill it with polysemy_sdpa_init first. */
typedef struct polysemy_sdpa_args {
  size_t struct_size; /* set by polysemy_sdpa_init */

  int64_t batch, heads, kv_heads; /* heads is a multiple of kv_heads: heads / kv_heads neighbours share keys */
  int64_t q_len, k_len;
  int64_t dim, value_dim; /* at most 4096 each */

  const float* query;       /* [batch, heads, q_len, dim] */
  const float* key;         /* [batch, kv_heads, k_len, dim] */
  const float* value;       /* [batch, kv_heads, k_len, value_dim] */
  float* out;               /* [batch, heads, q_len, value_dim] */
  int64_t query_strides[3]; /* batch, head, row */
  int64_t key_strides[3];
  int64_t value_strides[3];
  int64_t out_strides[3];

  float scale;             /* 0 = 1 / sqrt(dim) */
  int32_t causal;          /* not 0: key j takes part for query i only if j <= i */
  int64_t window_left;     /* key j takes part only if i - window_left <= j; -1 = unlimited */
  int64_t window_right;    /* and only if j <= i + window_right; -1 = unlimited */
  const float* alibi;      /* [heads] or NULL: alibi[h] * |i - j| is subtracted from the score */
  int32_t mask_kind;       /* polysemy_mask_kind */
  int32_t num_threads;     /* 0 = default */
  const void* mask;        /* [batch, heads, q_len, k_len] */
  int64_t mask_strides[4]; /* batch, head, row, column; 0 where one entry holds for all */

  float* weights; /* [batch, heads, q_len, k_len] contiguous, or NULL: receives the probabilities */
  float* lse;     /* [batch, heads, q_len] contiguous, or NULL: receives log(sum(exp(score))), -inf without keys */
} polysemy_sdpa_args;

/* All sizes 0, no mask, no window, default scale, nothing beside out. size: sizeof(polysemy_sdpa_args). */
POLYSEMY_API polysemy_status polysemy_sdpa_init(polysemy_sdpa_args* args, size_t size);
/* Sets the strides of query, key, value and out as of contiguous arrays, from the sizes. */
POLYSEMY_API polysemy_status polysemy_sdpa_set_contiguous(polysemy_sdpa_args* args);
/* Memory grows linearly with the lengths. A query for which no key takes part gives zeros. */
POLYSEMY_API polysemy_status polysemy_sdpa_f32(const polysemy_sdpa_args* args);

/* ---- rows of a matrix ------------------------------------------------------------------------------------------- */

/* out = (h - mean(h)) / sqrt(var(h) + eps) * weight + bias by rows, h = x + residual.
 * x, residual, out: [rows, columns]; weight, bias: [columns]. residual, weight, bias: or NULL. out may be x. */
POLYSEMY_API polysemy_status polysemy_layer_norm_f32(int64_t rows, int64_t columns, const float* x, int64_t x_stride,
                                                     const float* residual, int64_t residual_stride,
                                                     const float* weight, const float* bias, float eps, float* out,
                                                     int64_t out_stride, int num_threads);

/* out = h / sqrt(mean(h^2) + eps) * weight by rows, h = x + residual. As polysemy_layer_norm_f32, without a bias. */
POLYSEMY_API polysemy_status polysemy_rms_norm_f32(int64_t rows, int64_t columns, const float* x, int64_t x_stride,
                                                   const float* residual, int64_t residual_stride, const float* weight,
                                                   float eps, float* out, int64_t out_stride, int num_threads);

/* out = exp(x - max(x)) / sum by rows. A row of -inf gives zeros. out may be x. */
POLYSEMY_API polysemy_status polysemy_softmax_f32(int64_t rows, int64_t columns, const float* x, int64_t x_stride,
                                                  float* out, int64_t out_stride, int num_threads);

/* out = x / |x| by rows. A row of zeros stays zero. out may be x. */
POLYSEMY_API polysemy_status polysemy_l2_normalize_f32(int64_t rows, int64_t columns, const float* x, int64_t x_stride,
                                                       float* out, int64_t out_stride, int num_threads);

typedef enum polysemy_pooling {
  POLYSEMY_POOL_MEAN = 0,
  POLYSEMY_POOL_CLS = 1, /* first row */
  POLYSEMY_POOL_MAX = 2,
  POLYSEMY_POOL_MEAN_SQRT_LEN = 3, /* sum / sqrt(rows) */
  POLYSEMY_POOL_WEIGHTED_MEAN = 4, /* weights 1, 2, 3, ... */
  POLYSEMY_POOL_LAST = 5
} polysemy_pooling;

/* out[i] = pooled rows offsets[i] to offsets[i + 1] of x; no rows give zeros.
 * offsets: [sequences + 1], 0 or more, never decreasing; x: [offsets[sequences], columns]; out: [sequences, columns] */
POLYSEMY_API polysemy_status polysemy_pool_f32(int pooling, int64_t sequences, int64_t columns, const float* x,
                                               int64_t x_stride, const int64_t* offsets, float* out, int num_threads);

/* ---- elements --------------------------------------------------------------------------------------------------- */

typedef enum polysemy_activation {
  POLYSEMY_ACTIVATION_NONE = 0,
  POLYSEMY_ACTIVATION_GELU = 1,      /* x / 2 * (1 + erf(x / sqrt(2))) */
  POLYSEMY_ACTIVATION_GELU_TANH = 2, /* x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) */
  POLYSEMY_ACTIVATION_RELU = 3,
  POLYSEMY_ACTIVATION_SILU = 4, /* x / (1 + exp(-x)) */
  POLYSEMY_ACTIVATION_TANH = 5,
  POLYSEMY_ACTIVATION_QUICK_GELU = 6 /* x / (1 + exp(-1.702 x)) */
} polysemy_activation;

/* out = activation(x). out may be x. */
POLYSEMY_API polysemy_status polysemy_activation_f32(int activation, int64_t count, const float* x, float* out,
                                                     int num_threads);

/* ---- matrix products -------------------------------------------------------------------------------------------- */

/* c = op(a) op(b), op(a): [m, k], op(b): [k, n], c: [m, n]. transpose_a, transpose_b: 0 or 1. With 1 a is stored as
 * [k, m], b as [n, k]: that is the layout of weights. A transposed a and a plain b are copied into the other order
 * first. b is packed in every call: where it serves many calls, polysemy_linear_f32 spares that. */
POLYSEMY_API polysemy_status polysemy_matmul_f32(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k,
                                                 const float* a, int64_t a_stride, const float* b, int64_t b_stride,
                                                 float* c, int64_t c_stride, int num_threads);
/* The same by its older name, until version 1.0. */
POLYSEMY_API polysemy_status polysemy_gemm_f32(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k,
                                               const float* a, int64_t a_stride, const float* b, int64_t b_stride,
                                               float* c, int64_t c_stride, int num_threads);

/* A weight matrix in the order in which the kernels read it. Never changes; may be shared by threads. */
typedef struct polysemy_weight polysemy_weight;

/* Packs weight, [n, k] (outputs, inputs), into a new object; it is copied. *packed is NULL after an error. */
POLYSEMY_API polysemy_status polysemy_weight_create_f32(int64_t n, int64_t k, const float* weight,
                                                        int64_t weight_stride, polysemy_weight** packed);
/* What products of a packed weight are computed in. */
typedef enum polysemy_precision {
  POLYSEMY_PRECISION_FLOAT32 = 0,
  POLYSEMY_PRECISION_BFLOAT16 = 1, /* weights and inputs rounded to it, sums in float32 */
  POLYSEMY_PRECISION_FLOAT16 = 2,  /* weights stored in it, arithmetic of float32 */
  POLYSEMY_PRECISION_INT8 = 3,     /* 8-bit integers with a scale for each 192 inputs, exact sums */
  POLYSEMY_PRECISION_INT16 = 4     /* the same with integers of 12.7 bits, in twice the memory */
} polysemy_precision;

/* The same in one of polysemy_precision: rounded once, here. Inputs and outputs of products stay float32. */
POLYSEMY_API polysemy_status polysemy_weight_create_in(int64_t n, int64_t k, const float* weight, int64_t weight_stride,
                                                       int precision, polysemy_weight** packed);
/* Frees it; NULL is allowed. */
POLYSEMY_API void polysemy_weight_destroy(polysemy_weight* packed);
/* n and k of a packed weight; 0 for NULL. */
POLYSEMY_API int64_t polysemy_weight_rows(const polysemy_weight* packed);
POLYSEMY_API int64_t polysemy_weight_columns(const polysemy_weight* packed);

/* out = activation(x W^T + bias) + residual. x: [rows, k], bias: [n] or NULL, residual: [rows, n] or NULL,
 * out: [rows, n]. Each row of out is the same whatever the other rows are. */
POLYSEMY_API polysemy_status polysemy_linear_f32(int64_t rows, const float* x, int64_t x_stride,
                                                 const polysemy_weight* weight, const float* bias,
                                                 const float* residual, int64_t residual_stride, int activation,
                                                 float* out, int64_t out_stride, int num_threads);

/* ---- encoder ---------------------------------------------------------------------------------------------------- */

/* An encoder is described by a spec and made of tensors; polysemy_encoder_parameters says which ones a spec wants. The
 * records below say what the graph computes; 0 and NULL mean "absent" but for what a comment says. Numbers outside the
 * ranges that comments give, and floats that are not finite, are refused by the name of their field. */

typedef enum polysemy_norm {
  POLYSEMY_NORM_NONE = 0,
  POLYSEMY_NORM_LAYER = 1, /* (x - mean(x)) / sqrt(var(x) + eps) * weight + bias */
  POLYSEMY_NORM_RMS = 2    /* x / sqrt(mean(x^2) + eps) * weight + bias */
} polysemy_norm;

typedef struct polysemy_norm_spec {
  int32_t kind; /* polysemy_norm */
  float eps;    /* 2^-126 (less would be 0) to 1, without 1 */
  int32_t bias; /* 1: it has one; 0: it has none. So are all fields of this name */
} polysemy_norm_spec;

typedef enum polysemy_position_bias {
  POLYSEMY_POSITION_BIAS_NONE = 0,
  POLYSEMY_POSITION_BIAS_ALIBI = 1,       /* -slope * |distance| */
  POLYSEMY_POSITION_BIAS_BUCKETS = 2,     /* a learned number for each bucket of distances */
  POLYSEMY_POSITION_BIAS_DISENTANGLED = 3 /* products of content with learned embeddings of the buckets */
} polysemy_position_bias;

/* A number that is added to a score by the distance of key and query, or by that and one of the two. */
typedef struct polysemy_position_bias_spec {
  int32_t kind;         /* polysemy_position_bias */
  const float* slopes;  /* ALiBi: [heads] */
  int64_t table;        /* both kinds of buckets: the number of their table, which layers of the same kind, buckets,
                           max_distance and heads may share. Layers use numbers first in the order 0, 1, 2, ... */
  int64_t buckets;      /* half of them for later keys; half of each half for single distances, the rest grow in size.
                           A multiple of 4, at most 4096 */
  int64_t max_distance; /* from here on all distances are in the last bucket of their side. buckets / 4 + 1 or more,
                           disentangled: buckets / 4 + 2 or more */
  polysemy_norm_spec norm;                 /* disentangled: of the table's rows; kind 0 where there is none */
  int32_t position_keys, position_queries; /* disentangled: whether queries meet embeddings, and keys do; 0 or 1 */
  int32_t shared;                          /* disentangled, 1: the layer's own projections make both */
} polysemy_position_bias_spec;

/* Features d and d + pairs of each head turn by the angle position * frequencies[d]. */
typedef struct polysemy_rotary_spec {
  const float* frequencies; /* [pairs], radians per token */
  int64_t pairs;            /* at most head_dim / 2; 0: no rotation */
} polysemy_rotary_spec;

typedef struct polysemy_attention_spec {
  int64_t heads, kv_heads;           /* heads is 1 to 4096 and a multiple of kv_heads; kv_heads 0: as many */
  int64_t head_dim;                  /* 1 to 4096; heads * head_dim at most 2^20 */
  float scale;                       /* of the scores; 0 = 1 / sqrt(head_dim) */
  int32_t bias, output_bias;         /* of queries, keys and values; of the output */
  polysemy_norm_spec query_key_norm; /* of each head's queries and keys, before they turn */
  polysemy_rotary_spec rotary;
  polysemy_position_bias_spec position_bias;
  int64_t left, right; /* token i attends to tokens i - left to i + right; -1 = unlimited, which disentangled position
                          biases ask for. Causal: right = 0 */
} polysemy_attention_spec;

/* down(activation(up(x))), or gated: down(activation(gate(x)) * up(x)). */
typedef struct polysemy_feed_forward_spec {
  int64_t width;              /* 1 to 2^20 */
  int32_t activation;         /* polysemy_activation */
  int32_t gated;              /* 0 or 1 */
  int32_t up_bias, down_bias; /* up_bias: of the gate, too */
} polysemy_feed_forward_spec;

/* x = attn_out(x + attn_post(attention(attn_in(x)))), then x = ffn_out(x + ffn_post(ffn(ffn_in(x)))).
 * Fill it with polysemy_layer_spec_init first. */
typedef struct polysemy_layer_spec {
  size_t struct_size; /* set by polysemy_layer_spec_init */
  int64_t weights;    /* the number of its set of weights, which layers of the same shapes may share; layers use
                         numbers first in the order 0, 1, 2, ... -1: the next one, its own */
  polysemy_attention_spec attention;
  polysemy_feed_forward_spec ffn;
  polysemy_norm_spec attn_in, attn_post, attn_out, ffn_in, ffn_post, ffn_out;
} polysemy_layer_spec;

/* projection(norm(scale * token + type + position)). */
typedef struct polysemy_embedding_spec {
  int64_t vocab;           /* ids are 0 to vocab - 1; 1 to 2^24 */
  int64_t width;           /* of the tables; 0: hidden. Where it is another number, a projection follows the norm */
  float scale;             /* of the token's row */
  int32_t positions;       /* 1: there is a table of positions */
  int64_t token_types;     /* rows of their table, at most 2^16 */
  int64_t position_offset; /* rows of the table of positions before that of the first token, at most 2^16 */
  int64_t padding_id;      /* a token with this id has this row of that table, and is not counted; -1: none */
  polysemy_norm_spec norm;
  int32_t projection_bias;
} polysemy_embedding_spec;

/* Fill it with polysemy_encoder_spec_init first. */
typedef struct polysemy_encoder_spec {
  size_t struct_size;    /* set by polysemy_encoder_spec_init */
  int64_t hidden;        /* width of a hidden state, 1 to 2^16 */
  int64_t max_positions; /* tokens of the longest sequence, 1 to 2^24 */
  polysemy_embedding_spec embedding;
  const polysemy_layer_spec* layers; /* [layer_count] */
  int64_t layer_count;               /* at most 4096; 0: a static embedding */
  polysemy_norm_spec final_norm;
} polysemy_encoder_spec;

/* No layers, no norms, scale 1, no padding id. size: sizeof(polysemy_encoder_spec). */
POLYSEMY_API polysemy_status polysemy_encoder_spec_init(polysemy_encoder_spec* spec, size_t size);
/* Weights of its own, attention to all tokens, no norms, no biases. size: sizeof(polysemy_layer_spec). */
POLYSEMY_API polysemy_status polysemy_layer_spec_init(polysemy_layer_spec* layer, size_t size);

typedef struct polysemy_parameter {
  char name[64];
  int64_t rows, columns; /* outputs and inputs of a linear layer; a vector has one row */
} polysemy_parameter;

/* *count = number of tensors that an encoder of this spec is made of. list: NULL, or [capacity]: receives the first
 * ones, in the order of their use. */
POLYSEMY_API polysemy_status polysemy_encoder_parameters(const polysemy_encoder_spec* spec, polysemy_parameter* list,
                                                         int64_t capacity, int64_t* count);

typedef enum polysemy_dtype { POLYSEMY_FLOAT32 = 0, POLYSEMY_FLOAT16 = 1, POLYSEMY_BFLOAT16 = 2 } polysemy_dtype;

typedef struct polysemy_tensor {
  const char* name; /* of a polysemy_parameter */
  const void* data; /* [rows, columns], contiguous */
  int32_t dtype;    /* polysemy_dtype */
  int64_t rows, columns;
} polysemy_tensor;

/* An encoder with its packed weights. Never changes; may be shared by threads. */
typedef struct polysemy_encoder polysemy_encoder;

/* Makes an encoder from each of its parameters once, in any order. Everything is copied: spec, arrays and names need
 * not outlive the call. 16-bit numbers are widened, tables of tokens, positions, types when they are looked up.
 * *encoder is NULL after an error. */
POLYSEMY_API polysemy_status polysemy_encoder_create(const polysemy_encoder_spec* spec, const polysemy_tensor* tensors,
                                                     int64_t count, polysemy_encoder** encoder);
/* The same with its matrix products in one of polysemy_precision. All else stays float32. */
POLYSEMY_API polysemy_status polysemy_encoder_create_in(const polysemy_encoder_spec* spec,
                                                        const polysemy_tensor* tensors, int64_t count, int precision,
                                                        polysemy_encoder** encoder);
/* Frees it; NULL is allowed. */
POLYSEMY_API void polysemy_encoder_destroy(polysemy_encoder* encoder);

/* Who computes what; results do not depend on it. */
typedef enum polysemy_schedule {
  POLYSEMY_SCHEDULE_AUTO = 0,
  POLYSEMY_SCHEDULE_THROUGHPUT = 1, /* each thread takes sequences of its own */
  POLYSEMY_SCHEDULE_LATENCY = 2     /* all threads share each sequence */
} polysemy_schedule;

/* Where the results of a layer go. */
typedef struct polysemy_layer_output {
  int64_t layer; /* each at most once */
  float* out;    /* contiguous, of the shape that polysemy_encoder_args gives */
} polysemy_layer_output;

/* A ragged batch: sequence i is ids[offsets[i]] to ids[offsets[i + 1] - 1]. tokens = offsets[sequences].
 * Only what is asked for is computed. Fill it with polysemy_encoder_args_init first. */
typedef struct polysemy_encoder_args {
  size_t struct_size; /* set by polysemy_encoder_args_init */

  int64_t sequences;
  const int64_t* offsets; /* [sequences + 1], from 0, never decreasing */
  const int32_t* ids;     /* [tokens] */
  const int32_t* types;   /* [tokens] or NULL: all 0 */

  const polysemy_layer_output* hidden; /* [hidden_count]: hidden states, [tokens, hidden], of layers 0 (embeddings) to
                                          layer_count (after final_norm) */
  int64_t hidden_count;
  const polysemy_layer_output* attentions; /* [attention_count]: probabilities of layers 1 to layer_count, for each
                                              sequence [heads, length, length], one after the other */
  int64_t attention_count;
  const polysemy_layer_output* projections; /* [projection_count]: of layers 1 to layer_count, [tokens, (heads +
                                               2 * kv_heads) * head_dim]: the queries, then the keys, then the values of
                                               each token as attention reads them: after their norm and rotation; the
                                               scale of the scores is not in them */
  int64_t projection_count;
  float* pooled;     /* [sequences, hidden] or NULL: a vector for each sequence; one without tokens has zeros */
  int32_t pooling;   /* polysemy_pooling */
  int32_t normalize; /* 1: vectors have length 1; 0: they keep theirs */

  int32_t schedule;    /* polysemy_schedule */
  int32_t num_threads; /* 0 = default */
} polysemy_encoder_args;

/* No sequences, no outputs. size: sizeof(polysemy_encoder_args). */
POLYSEMY_API polysemy_status polysemy_encoder_args_init(polysemy_encoder_args* args, size_t size);
/* One pass over a batch; stops after the last layer that an output needs. Sequences may be empty, outputs must not
 * overlap. A sequence has the same results in every batch. */
POLYSEMY_API polysemy_status polysemy_encoder_forward(const polysemy_encoder* encoder,
                                                      const polysemy_encoder_args* args);

#ifdef __cplusplus
}
#endif

#endif /* POLYSEMY_H */
