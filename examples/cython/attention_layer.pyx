# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One attention layer of a transformer encoder, without the interpreter lock from the first product to the last norm."""

import numpy as np

from libc.stdint cimport int64_t
from polysemy.cython_ops cimport core, sdpa_args


cdef int forward(
    const float *x, int64_t rows, int64_t hidden, int64_t heads, const float *qkv_weight, const float *out_weight,
    const float *gamma, const float *beta, float *qkv, float *mixed, float *out,
) noexcept nogil:
    """out = layer_norm(x + attention(x Wqkv^T) Wout^T). Gives 0 or the code of the first error."""
    cdef sdpa_args args
    # Query, key and value of one token lie side by side, the heads of each within it.
    cdef int64_t width = 3 * hidden
    cdef int status = core.matmul_f32(0, 1, rows, width, hidden, x, hidden, qkv_weight, hidden, qkv, width, 0)
    if status:
        return status

    status = core.sdpa_init(&args, sizeof(args))
    if status:
        return status
    args.batch = 1
    args.heads = args.kv_heads = heads
    args.q_len = args.k_len = rows
    args.dim = args.value_dim = hidden // heads
    args.query, args.key, args.value, args.out = qkv, qkv + hidden, qkv + 2 * hidden, mixed
    # Strides are those of batch, head and row; the one sequence needs none between sequences, which init left at 0.
    args.query_strides[1] = args.key_strides[1] = args.value_strides[1] = args.out_strides[1] = args.dim
    args.query_strides[2] = args.key_strides[2] = args.value_strides[2] = width
    args.out_strides[2] = hidden
    status = core.sdpa_f32(&args)
    if status:
        return status

    status = core.matmul_f32(0, 1, rows, hidden, hidden, mixed, hidden, out_weight, hidden, out, hidden, 0)
    if status:
        return status
    return core.layer_norm_f32(rows, hidden, out, hidden, x, hidden, gamma, beta, 1e-12, out, hidden, 0)


def attention_layer(
    const float[:, ::1] x, int64_t heads, const float[:, ::1] qkv_weight, const float[:, ::1] out_weight,
    const float[::1] gamma, const float[::1] beta,
):
    """x (tokens, hidden) -> (tokens, hidden), post-norm. qkv_weight (3 hidden, hidden), out_weight (hidden, hidden)."""
    cdef int64_t rows = x.shape[0], hidden = x.shape[1]
    cdef int status
    if rows < 1 or heads < 1 or hidden % heads or qkv_weight.shape[0] != 3 * hidden or qkv_weight.shape[1] != hidden \
            or out_weight.shape[0] != hidden or out_weight.shape[1] != hidden or gamma.shape[0] != hidden \
            or beta.shape[0] != hidden:
        raise ValueError("attention_layer: shapes and heads do not fit each other")
    qkv_array = np.empty((rows, 3 * hidden), dtype=np.float32)
    mixed_array = np.empty((rows, hidden), dtype=np.float32)
    out_array = np.empty((rows, hidden), dtype=np.float32)
    cdef float[:, ::1] qkv = qkv_array, mixed = mixed_array, out = out_array
    with nogil:
        status = forward(&x[0, 0], rows, hidden, heads, &qkv_weight[0, 0], &out_weight[0, 0], &gamma[0], &beta[0],
                         &qkv[0, 0], &mixed[0, 0], &out[0, 0])
    if status:
        raise RuntimeError(core.last_error().decode())
    return out_array
