"""The kernels for Cython code, which cimports them: see ``cython_ops.pxd``. Python code uses `polysemy.ops`."""
