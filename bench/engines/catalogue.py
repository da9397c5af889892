"""The engines that can take part: where their code is, what they need, and the options they run with."""

from __future__ import annotations

from bench.engines.engine import FLOAT32, Engine
from bench.engines.reduced import REDUCED

_TORCH = ("torch", "transformers", "safetensors", "tokenizers")
_ONNX = ("onnxruntime", "onnx", "safetensors", "tokenizers")
_ORT = (
    "all graph optimisations, spinning threads, denormals flushed, no mask input where all lengths are equal"
)
_BERT = ("torch", "transformers.models.bert.modeling_bert", "tokenizers")

EXPORTED = "onnxruntime-exported"  # for families that graph.py does not write
ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("polysemy", "ours", "float32", ("polysemy",), (), ("polysemy",), "defaults"),
        Engine(
            "torch",
            "torch_",
            "eager",
            _TORCH,
            ("torch", "transformers"),
            _BERT,
            "sdpa attention, inference_mode, denormals flushed, no mask where all lengths are equal",
        ),
        Engine(
            "torch-compile",
            "torch_",
            "compiled",
            _TORCH,
            ("torch", "transformers"),
            _BERT,
            "as torch, with torch.compile and frozen (packed) weights; compiled before the clock starts",
        ),
        Engine(
            "onnxruntime",
            "onnxruntime_",
            "plain",
            _ONNX,
            ("onnxruntime", "onnx"),
            ("onnxruntime", "tokenizers"),
            _ORT,
        ),
        Engine(
            "onnxruntime-fused",
            "onnxruntime_",
            "fused",
            _ONNX,
            ("onnxruntime", "onnx"),
            ("onnxruntime", "tokenizers"),
            _ORT + "; graph fused by onnxruntime.transformers (Attention, SkipLayerNormalization, BiasGelu)",
        ),
        Engine(
            "onnxruntime-mha",
            "onnxruntime_",
            "mha",
            _ONNX,
            ("onnxruntime", "onnx"),
            ("onnxruntime", "tokenizers"),
            _ORT + "; as fused, but with MultiHeadAttention",
        ),
        Engine(
            EXPORTED,
            "onnxruntime_",
            "exported",
            ("onnxruntime", "onnx", "onnxscript", "torch", "transformers"),
            ("onnxruntime", "onnx", "onnxscript", "torch", "transformers"),
            ("onnxruntime", "tokenizers"),
            _ORT + "; the graph of torch.onnx.export, for exactly the shape of each work",
        ),
        Engine(
            "openvino",
            "openvino_",
            "float32",
            ("openvino", "onnx", "safetensors", "tokenizers"),
            ("openvino", "onnx"),
            ("openvino", "tokenizers"),
            "latency hint, one stream, float32 inference precision, denormals flushed, shared inputs and "
            "outputs, no mask input where all lengths are equal",
        ),
        Engine(
            "ctranslate2",
            "ctranslate2_",
            "float32",
            ("ctranslate2", "torch", "transformers", "tokenizers"),
            ("ctranslate2", "torch", "transformers"),
            ("ctranslate2", "tokenizers"),
            "compute type float32, its own choice of BLAS (packed MKL on Intel), inputs as StorageView",
        ),
        Engine(
            "llama.cpp",
            "llama_cpp_",
            "",
            ("llama-cpp-python", "gguf", "safetensors", "tokenizers"),
            ("llama-cpp-python", "gguf"),
            ("llama_cpp", "tokenizers"),
            "float32 GGUF, built from source for this CPU, one micro-batch per batch; flash attention off, "
            "as it rounds keys and values to half precision",
            "its GELU is the tanh form from a table in half precision",
        ),
        *REDUCED,
    )
}
OURS = "polysemy"
OURS_IN = {FLOAT32: OURS, "16-bit": "polysemy-bfloat16", "8-bit": "polysemy-int8"}
"""By class of precisions, the mode of ours that the others of the class are compared with."""


def is_ours(name: str) -> bool:
    return ENGINES[name].module == ENGINES[OURS].module


def class_of(name: str) -> str:
    return ENGINES[name].kind


def modes(kind: str) -> list[str]:
    """Our modes in a class of precisions, first that of `OURS_IN`."""
    return [name for name in ENGINES if is_ours(name) and class_of(name) == kind]


OTHERS = [name for name in ENGINES if not is_ours(name) and name != EXPORTED]
"""The other engines, without the one that only families need."""


def others(kind: str) -> list[str]:
    """Those of `OTHERS` in a class of precisions."""
    return [name for name in OTHERS if class_of(name) == kind]


def one_per_library(names: list[str]) -> list[str]:
    """The first form of each library: what a cold start can show."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(ENGINES[name].module, name)
    return list(first.values())
