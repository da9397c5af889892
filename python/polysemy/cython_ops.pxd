# polysemy's kernels for Cython code, without the interpreter lock:
#
#     from polysemy.cython_ops cimport core
#     cdef int status = core.softmax_f32(rows, columns, x, columns, out, columns, 0)
#
# The functions are those of polysemy.h, which explains their arguments, without the prefix polysemy_. They run in the
# core that the Python functions use, so that polysemy.set_num_threads holds for them, too, and nothing is linked;
# compile with the folder polysemy.get_include(). Each gives 0, or an error code: core.last_error() then says what is
# wrong.

from libc.stdint cimport int32_t, int64_t

cdef extern from "polysemy_api.h" nogil:
    const char *POLYSEMY_CAPSULE

    enum: POLYSEMY_OK
    enum: POLYSEMY_ERROR_ARGUMENT
    enum: POLYSEMY_ERROR_MEMORY
    enum: POLYSEMY_ERROR_INTERNAL

    enum: POLYSEMY_MASK_NONE
    enum: POLYSEMY_MASK_KEEP
    enum: POLYSEMY_MASK_ADD

    enum: POLYSEMY_POOL_MEAN
    enum: POLYSEMY_POOL_CLS
    enum: POLYSEMY_POOL_MAX
    enum: POLYSEMY_POOL_MEAN_SQRT_LEN
    enum: POLYSEMY_POOL_WEIGHTED_MEAN
    enum: POLYSEMY_POOL_LAST

    enum: POLYSEMY_ACTIVATION_NONE
    enum: POLYSEMY_ACTIVATION_GELU
    enum: POLYSEMY_ACTIVATION_GELU_TANH
    enum: POLYSEMY_ACTIVATION_RELU
    enum: POLYSEMY_ACTIVATION_SILU
    enum: POLYSEMY_ACTIVATION_TANH
    enum: POLYSEMY_ACTIVATION_QUICK_GELU

    enum: POLYSEMY_PRECISION_FLOAT32
    enum: POLYSEMY_PRECISION_BFLOAT16
    enum: POLYSEMY_PRECISION_FLOAT16
    enum: POLYSEMY_PRECISION_INT8
    enum: POLYSEMY_PRECISION_INT16

    ctypedef struct sdpa_args "polysemy_sdpa_args":
        size_t struct_size
        int64_t batch, heads, kv_heads, q_len, k_len, dim, value_dim
        const float *query
        const float *key
        const float *value
        float *out
        int64_t query_strides[3]
        int64_t key_strides[3]
        int64_t value_strides[3]
        int64_t out_strides[3]
        float scale
        int32_t causal
        int64_t window_left, window_right
        const float *alibi
        int32_t mask_kind, num_threads
        const void *mask
        int64_t mask_strides[4]
        float *weights
        float *lse

    ctypedef struct packed_weight "polysemy_weight":
        pass

    enum: POLYSEMY_NORM_NONE
    enum: POLYSEMY_NORM_LAYER
    enum: POLYSEMY_NORM_RMS

    enum: POLYSEMY_POSITION_BIAS_NONE
    enum: POLYSEMY_POSITION_BIAS_ALIBI
    enum: POLYSEMY_POSITION_BIAS_BUCKETS

    enum: POLYSEMY_FLOAT32
    enum: POLYSEMY_FLOAT16
    enum: POLYSEMY_BFLOAT16

    enum: POLYSEMY_SCHEDULE_AUTO
    enum: POLYSEMY_SCHEDULE_THROUGHPUT
    enum: POLYSEMY_SCHEDULE_LATENCY

    ctypedef struct norm_spec "polysemy_norm_spec":
        int32_t kind
        float eps
        int32_t bias

    ctypedef struct position_bias_spec "polysemy_position_bias_spec":
        int32_t kind
        const float *slopes
        int64_t table, buckets, max_distance
        norm_spec norm
        int32_t position_keys, position_queries, shared

    ctypedef struct rotary_spec "polysemy_rotary_spec":
        const float *frequencies
        int64_t pairs

    ctypedef struct attention_spec "polysemy_attention_spec":
        int64_t heads, kv_heads, head_dim
        float scale
        int32_t bias, output_bias
        norm_spec query_key_norm
        rotary_spec rotary
        position_bias_spec position_bias
        int64_t left, right

    ctypedef struct feed_forward_spec "polysemy_feed_forward_spec":
        int64_t width
        int32_t activation, gated, up_bias, down_bias

    ctypedef struct layer_spec "polysemy_layer_spec":
        size_t struct_size
        int64_t weights
        attention_spec attention
        feed_forward_spec ffn
        norm_spec attn_in, attn_post, attn_out, ffn_in, ffn_post, ffn_out

    ctypedef struct embedding_spec "polysemy_embedding_spec":
        int64_t vocab, width
        float scale
        int32_t positions
        int64_t token_types, position_offset, padding_id
        norm_spec norm
        int32_t projection_bias

    ctypedef struct encoder_spec "polysemy_encoder_spec":
        size_t struct_size
        int64_t hidden, max_positions
        embedding_spec embedding
        const layer_spec *layers
        int64_t layer_count
        norm_spec final_norm

    ctypedef struct parameter "polysemy_parameter":
        char name[64]
        int64_t rows, columns

    ctypedef struct tensor "polysemy_tensor":
        const char *name
        const void *data
        int32_t dtype
        int64_t rows, columns

    ctypedef struct packed_encoder "polysemy_encoder":
        pass

    ctypedef struct layer_output "polysemy_layer_output":
        int64_t layer
        float *out

    ctypedef struct encoder_args "polysemy_encoder_args":
        size_t struct_size
        int64_t sequences
        const int64_t *offsets
        const int32_t *ids
        const int32_t *types
        const layer_output *hidden
        int64_t hidden_count
        const layer_output *attentions
        int64_t attention_count
        const layer_output *projections
        int64_t projection_count
        float *pooled
        int32_t pooling, normalize, schedule, num_threads

    ctypedef struct polysemy_api "polysemy_api_1":
        int (*abi_version)() noexcept nogil
        const char *(*version)() noexcept nogil
        const char *(*last_error)() noexcept nogil
        const char *(*isa)() noexcept nogil
        const char *(*isa_name)(int index) noexcept nogil
        int (*get_num_threads)() noexcept nogil
        int (*set_num_threads)(int num_threads) noexcept nogil

        int (*sdpa_init)(sdpa_args *args, size_t size) noexcept nogil
        int (*sdpa_set_contiguous)(sdpa_args *args) noexcept nogil
        int (*sdpa_f32)(const sdpa_args *args) noexcept nogil

        int (*layer_norm_f32)(
            int64_t rows, int64_t columns, const float *x, int64_t x_stride, const float *residual,
            int64_t residual_stride, const float *weight, const float *bias, float eps, float *out,
            int64_t out_stride, int num_threads) noexcept nogil
        int (*rms_norm_f32)(
            int64_t rows, int64_t columns, const float *x, int64_t x_stride, const float *residual,
            int64_t residual_stride, const float *weight, float eps, float *out, int64_t out_stride,
            int num_threads) noexcept nogil
        int (*softmax_f32)(
            int64_t rows, int64_t columns, const float *x, int64_t x_stride, float *out, int64_t out_stride,
            int num_threads) noexcept nogil
        int (*l2_normalize_f32)(
            int64_t rows, int64_t columns, const float *x, int64_t x_stride, float *out, int64_t out_stride,
            int num_threads) noexcept nogil
        int (*pool_f32)(
            int pooling, int64_t sequences, int64_t columns, const float *x, int64_t x_stride,
            const int64_t *offsets, float *out, int num_threads) noexcept nogil
        int (*activation_f32)(int activation, int64_t count, const float *x, float *out, int num_threads) noexcept nogil

        int (*matmul_f32)(
            int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t a_stride,
            const float *b, int64_t b_stride, float *c, int64_t c_stride, int num_threads) noexcept nogil
        int (*weight_create_f32)(
            int64_t n, int64_t k, const float *weight, int64_t weight_stride, packed_weight **packed) noexcept nogil
        int (*weight_create_in)(
            int64_t n, int64_t k, const float *weight, int64_t weight_stride, int precision,
            packed_weight **packed) noexcept nogil
        void (*weight_destroy)(packed_weight *packed) noexcept nogil
        int64_t (*weight_rows)(const packed_weight *packed) noexcept nogil
        int64_t (*weight_columns)(const packed_weight *packed) noexcept nogil
        int (*linear_f32)(
            int64_t rows, const float *x, int64_t x_stride, const packed_weight *weight, const float *bias,
            const float *residual, int64_t residual_stride, int activation, float *out, int64_t out_stride,
            int num_threads) noexcept nogil

        int (*encoder_spec_init)(encoder_spec *spec, size_t size) noexcept nogil
        int (*layer_spec_init)(layer_spec *layer, size_t size) noexcept nogil
        int (*encoder_parameters)(
            const encoder_spec *spec, parameter *list, int64_t capacity, int64_t *count) noexcept nogil
        int (*encoder_create)(
            const encoder_spec *spec, const tensor *tensors, int64_t count, packed_encoder **encoder) noexcept nogil
        int (*encoder_create_in)(
            const encoder_spec *spec, const tensor *tensors, int64_t count, int precision,
            packed_encoder **encoder) noexcept nogil
        void (*encoder_destroy)(packed_encoder *encoder) noexcept nogil
        int (*encoder_args_init)(encoder_args *args, size_t size) noexcept nogil
        int (*encoder_forward)(const packed_encoder *encoder, const encoder_args *args) noexcept nogil

cdef const polysemy_api *core
