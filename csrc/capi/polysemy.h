/* polysemy's kernels for C and C++ programs: attention, norms, matrix products on float32 arrays.
 *
 * Conventions
 *   - Arrays are float32. Strides count elements, not bytes; the innermost dimension is contiguous unless it has a
 *     stride of its own. Input strides may be 0 (one row for all) or negative; rows of an output must not overlap.
 *   - A pointer may be NULL where its comment says so, and where the array has no elements.
 *   - An output must not overlap an input unless its comment says that it may be the same array.
 *   - num_threads: 0 = polysemy_get_num_threads(). Results do not depend on it.
 *   - Functions return POLYSEMY_OK or an error; then nothing was computed, and polysemy_last_error() says in words
 * which argument of which function was wrong. Nothing is ever printed.
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

/* Instruction set in use: the strongest that this CPU runs, or what the environment variable POLYSEMY_ISA names.
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
 * offsets: [sequences + 1], 0 or more, never decreasing; x: [offsets[sequences], columns]; out: [sequences, columns].
 */
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

#ifdef __cplusplus
}
#endif

#endif /* POLYSEMY_H */
