"""The engines that can take part: where their code is, what they need, and the options they run with."""

from __future__ import annotations

from dataclasses import dataclass

from bench.machine import versions


@dataclass(frozen=True, slots=True)
class Engine:
    name: str
    module: str  # below bench.engines.backends
    form: str  # which form of the engine its Backend is asked for
    needs: tuple[str, ...]  # distributions at run time; the first one's version is the engine's
    install: tuple[str, ...]  # for pip
    imports: tuple[str, ...]  # what a program using it imports, for the cold-start measurement
    options: str  # what was done to make it fast
    approximate: str = ""  # why its float32 output is further from ours than rounding explains

    def missing(self) -> list[str]:
        return [name for name, version in versions(self.needs).items() if version is None]

    def version(self) -> str:
        return "not installed" if self.missing() else str(versions(self.needs[:1])[self.needs[0]])


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
        Engine("polysemy", "ours", "", ("polysemy",), (), ("polysemy",), "defaults"),
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
            "",
            ("openvino", "onnx", "safetensors", "tokenizers"),
            ("openvino", "onnx"),
            ("openvino", "tokenizers"),
            "latency hint, one stream, float32 inference precision, denormals flushed, shared inputs and "
            "outputs, no mask input where all lengths are equal",
        ),
        Engine(
            "ctranslate2",
            "ctranslate2_",
            "",
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
    )
}
OURS = "polysemy"


def one_per_library(names: list[str]) -> list[str]:
    """The first form of each library: what a cold start can show."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(ENGINES[name].module, name)
    return list(first.values())
