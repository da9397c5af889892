"""Rows of the catalogue for engines in reduced precision; the name of each says which."""

from __future__ import annotations

from bench.engines.engine import Engine

_SHARED = ("safetensors", "tokenizers")


def _row(
    name: str, module: str, form: str, packages: tuple[str, ...], imported: str, options: str, precision: str
) -> Engine:
    needs, imports = (*packages, *_SHARED), (imported, "tokenizers")
    return Engine(name, module, form, needs, packages, imports, options, precision=precision)


def _ours(precision: str, options: str) -> Engine:
    return Engine(
        f"polysemy-{precision}",
        "ours",
        precision,
        ("polysemy",),
        (),
        ("polysemy",),
        options,
        precision=precision,
    )


def _onnxruntime(form: str, options: str) -> Engine:
    options = (
        f"{options}: the fused graph by onnxruntime.quantization.quantize_dynamic; otherwise as in float32"
    )
    packages = ("onnxruntime", "onnx")
    return _row(f"onnxruntime-{form}", "onnxruntime_", form, packages, "onnxruntime", options, "int8")


def _openvino(form: str, precision: str, options: str) -> Engine:
    packages = ("openvino", "nncf", "onnx") if precision == "int8" else ("openvino", "onnx")
    return _row(f"openvino-{form}", "openvino_", form, packages, "openvino", options, precision)


REDUCED = (
    _ours("bfloat16", "defaults"),
    _ours("float16", "defaults; float32 arithmetic on weights stored in 16 bits"),
    _ours("int16", "defaults; integers of 12.7 bits with scales"),
    _openvino(
        "bfloat16", "bfloat16",
        "as it comes: its own choice of inference precision, bfloat16 where the CPU multiplies it; otherwise as in "
        "float32",
    ),
    _ours("int8", "defaults"),
    _onnxruntime("int8", "dynamic activations, weights per tensor, the function's defaults"),
    _onnxruntime("int8-channels", "dynamic activations, weights per channel"),
    _onnxruntime("int8-channels-7bit", "dynamic activations, weights per channel in 7 bits (reduce_range)"),
    _openvino(
        "int8-weights", "int8",
        "weights by nncf.compress_weights (INT8_ASYM), activations dynamic in groups of 32, all else in its own choice "
        "of inference precision",
    ),
    _openvino(
        "int8-calibrated", "int8",
        "weights and activations by nncf.quantize (transformer, mixed preset, SmoothQuant), calibrated on 300 of the "
        "benchmarks' texts, all else in its own choice of inference precision",
    ),
    _row(
        "ctranslate2-int8", "ctranslate2_", "int8", ("ctranslate2", "torch", "transformers"), "ctranslate2",
        "compute type int8, otherwise as in float32", "int8",
    ),
)  # fmt: skip
