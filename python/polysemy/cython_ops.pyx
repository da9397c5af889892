# cython: language_level=3, freethreading_compatible=True
"""The kernels for Cython code: ``from polysemy.cython_ops cimport core``.

There is nothing here for Python code, which finds the same kernels in `polysemy.ops`.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer

from polysemy import _core

core = <const polysemy_api *> PyCapsule_GetPointer(_core._C_API, POLYSEMY_CAPSULE)
