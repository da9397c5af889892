"""python setup.py build_ext --inplace"""

from Cython.Build import cythonize
from polysemy import get_include
from setuptools import Extension, setup

setup(
    name="attention-layer",
    ext_modules=cythonize(
        [Extension("attention_layer", ["attention_layer.pyx"], include_dirs=[get_include()])]
    ),
)
