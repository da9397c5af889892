"""Single operations next to NumPy, SciPy, torch and ONNX Runtime: `python -m bench.kernels --help`."""
