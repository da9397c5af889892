# cython: language_level=3, freethreading_compatible=True
"""The kernels for Cython code: ``from polysemy.cython_ops cimport sdpa_f32, layer_norm_f32, gemm_f32``.

There is nothing here for Python code, which finds the same kernels in `polysemy.ops`. The functions are declared in
``cython_ops.pxd`` and explained in ``polysemy.h``.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int64_t

from polysemy import _core


# A module of its own would carry a second core with a second thread setting. So each function here only forwards to
# the one inside the extension that the Python functions use.
cdef extern from "capi/capsule.h" namespace "polysemy::capi" nogil:
    const char *kCapsule
    ctypedef struct Table:
        const char *(*last_error)() noexcept nogil
        const char *(*isa)() noexcept nogil
        int (*get_num_threads)() noexcept nogil
        int (*set_num_threads)(int) noexcept nogil
        int (*sdpa_init)(sdpa_args *, size_t) noexcept nogil
        int (*sdpa_set_contiguous)(sdpa_args *) noexcept nogil
        int (*sdpa_f32)(const sdpa_args *) noexcept nogil
        int (*layer_norm_f32)(
            int64_t, int64_t, const float *, int64_t, const float *, int64_t, const float *, const float *, float,
            float *, int64_t, int) noexcept nogil
        int (*rms_norm_f32)(
            int64_t, int64_t, const float *, int64_t, const float *, int64_t, const float *, float, float *, int64_t,
            int) noexcept nogil
        int (*softmax_f32)(int64_t, int64_t, const float *, int64_t, float *, int64_t, int) noexcept nogil
        int (*l2_normalize_f32)(int64_t, int64_t, const float *, int64_t, float *, int64_t, int) noexcept nogil
        int (*pool_f32)(
            int, int64_t, int64_t, const float *, int64_t, const int64_t *, float *, int) noexcept nogil
        int (*activation_f32)(int, int64_t, const float *, float *, int) noexcept nogil
        int (*gemm_f32)(
            int, int, int64_t, int64_t, int64_t, const float *, int64_t, const float *, int64_t, float *, int64_t,
            int) noexcept nogil
        int (*weight_create_f32)(int64_t, int64_t, const float *, int64_t, packed_weight **) noexcept nogil
        void (*weight_destroy)(packed_weight *) noexcept nogil
        int (*linear_f32)(
            int64_t, const float *, int64_t, const packed_weight *, const float *, const float *, int64_t, int,
            float *, int64_t, int) noexcept nogil

cdef const Table *core = <const Table *> PyCapsule_GetPointer(_core._C_API, kCapsule)


cdef const char *last_error() noexcept nogil:
    return core.last_error()


cdef const char *isa() noexcept nogil:
    return core.isa()


cdef int get_num_threads() noexcept nogil:
    return core.get_num_threads()


cdef int set_num_threads(int num_threads) noexcept nogil:
    return core.set_num_threads(num_threads)


cdef int sdpa_init(sdpa_args *args, size_t size) noexcept nogil:
    return core.sdpa_init(args, size)


cdef int sdpa_set_contiguous(sdpa_args *args) noexcept nogil:
    return core.sdpa_set_contiguous(args)


cdef int sdpa_f32(const sdpa_args *args) noexcept nogil:
    return core.sdpa_f32(args)


cdef int layer_norm_f32(
    int64_t rows, int64_t columns, const float *x, int64_t x_stride, const float *residual, int64_t residual_stride,
    const float *weight, const float *bias, float eps, float *out, int64_t out_stride, int num_threads,
) noexcept nogil:
    return core.layer_norm_f32(
        rows, columns, x, x_stride, residual, residual_stride, weight, bias, eps, out, out_stride, num_threads)


cdef int rms_norm_f32(
    int64_t rows, int64_t columns, const float *x, int64_t x_stride, const float *residual, int64_t residual_stride,
    const float *weight, float eps, float *out, int64_t out_stride, int num_threads,
) noexcept nogil:
    return core.rms_norm_f32(
        rows, columns, x, x_stride, residual, residual_stride, weight, eps, out, out_stride, num_threads)


cdef int softmax_f32(
    int64_t rows, int64_t columns, const float *x, int64_t x_stride, float *out, int64_t out_stride, int num_threads,
) noexcept nogil:
    return core.softmax_f32(rows, columns, x, x_stride, out, out_stride, num_threads)


cdef int l2_normalize_f32(
    int64_t rows, int64_t columns, const float *x, int64_t x_stride, float *out, int64_t out_stride, int num_threads,
) noexcept nogil:
    return core.l2_normalize_f32(rows, columns, x, x_stride, out, out_stride, num_threads)


cdef int pool_f32(
    int pooling, int64_t sequences, int64_t columns, const float *x, int64_t x_stride, const int64_t *offsets,
    float *out, int num_threads,
) noexcept nogil:
    return core.pool_f32(pooling, sequences, columns, x, x_stride, offsets, out, num_threads)


cdef int activation_f32(
    int activation, int64_t count, const float *x, float *out, int num_threads,
) noexcept nogil:
    return core.activation_f32(activation, count, x, out, num_threads)


cdef int gemm_f32(
    int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t a_stride,
    const float *b, int64_t b_stride, float *c, int64_t c_stride, int num_threads,
) noexcept nogil:
    return core.gemm_f32(transpose_a, transpose_b, m, n, k, a, a_stride, b, b_stride, c, c_stride, num_threads)


cdef int weight_create_f32(
    int64_t n, int64_t k, const float *weight, int64_t weight_stride, packed_weight **packed,
) noexcept nogil:
    return core.weight_create_f32(n, k, weight, weight_stride, packed)


cdef void weight_destroy(packed_weight *packed) noexcept nogil:
    core.weight_destroy(packed)


cdef int linear_f32(
    int64_t rows, const float *x, int64_t x_stride, const packed_weight *weight, const float *bias,
    const float *residual, int64_t residual_stride, int activation, float *out, int64_t out_stride, int num_threads,
) noexcept nogil:
    return core.linear_f32(
        rows, x, x_stride, weight, bias, residual, residual_stride, activation, out, out_stride, num_threads)
