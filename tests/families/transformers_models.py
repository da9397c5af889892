"""Random checkpoints made by `transformers`, whose modelling code is the independent implementation."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from tiny_models import VOCAB
from torch.overrides import TorchFunctionMode

Arrays = list[NDArray[np.floating]]


class Case(NamedTuple):
    """A small model: its class and configuration class in transformers, by name, and the configuration."""

    name: str
    settings: dict[str, Any]
    model: str
    config: str = ""
    arguments: dict[str, Any] = {}  # noqa: RUF012

    @property
    def config_class(self) -> Any:
        return getattr(transformers, self.config or self.model.replace("Model", "Config"))

    def make(self) -> Any:
        return getattr(transformers, self.model)(self.config_class(**self.settings), **self.arguments)


class Built(NamedTuple):
    """A checkpoint in a folder, and the same model as `transformers` sees it, in float64 and in float32."""

    folder: Path
    exact: Any
    single: Any


def sizes(hidden: int, heads: int, layers: int, ffn: int, **more: Any) -> dict[str, Any]:
    """A configuration with BERT's names."""
    return {
        "vocab_size": 60,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "intermediate_size": ffn,
        "max_position_embeddings": 40,
    } | more


def bert(name: str, model: str, **settings: Any) -> Case:
    return Case(name, settings, model, arguments={"add_pooling_layer": False})


def _distil(**more: Any) -> dict[str, Any]:
    return {
        "vocab_size": 60,
        "dim": 48,
        "n_heads": 4,
        "n_layers": 2,
        "hidden_dim": 70,
        "max_position_embeddings": 40,
    } | more


def _t5(name: str, **more: Any) -> Case:
    settings = {
        "vocab_size": 60, "d_model": 40, "d_kv": 16, "d_ff": 70, "num_layers": 3, "num_heads": 3,
    } | more  # fmt: skip
    return Case(name, settings, "T5EncoderModel", "T5Config")


def _rotary(name: str, model: str, *shape: int, length: int = 200, **more: Any) -> Case:
    return Case(name, sizes(*shape, max_position_embeddings=length, **more), model)


_KINDS = ["sliding_attention", "full_attention", "sliding_attention"]
_LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 24, "rope_theta": 500.0,
}  # fmt: skip
_DEBERTA = {"relative_attention": True, "position_buckets": 16, "pos_att_type": ["c2p", "p2c"]}
_LINEAR = {"rope_type": "linear", "factor": 3.0, "rope_theta": 5000.0}
_YARN = {
    "rope_type": "yarn",
    "factor": 4.0,
    "original_max_position_embeddings": 50,
    "rope_theta": 800.0,
    "beta_fast": 8.0,
}
_BY_KIND = {"full_attention": _LINEAR, "sliding_attention": {"rope_type": "default", "rope_theta": 77.0}}

# Heads of odd and even width, every activation, windows and distances that end within the longest text.
_CASES = [
    bert("bert", "BertModel", **sizes(64, 4, 3, 96)),
    bert("bert-narrow-heads", "BertModel", **sizes(60, 12, 2, 100, hidden_act="gelu_new")),
    bert("bert-odd-heads", "BertModel", **sizes(51, 3, 2, 33, hidden_act="relu", layer_norm_eps=1e-5)),
    bert("bert-one-wide-head", "BertModel", **sizes(96, 1, 1, 17, hidden_act="silu", type_vocab_size=1)),
    bert("bert-quick-gelu", "BertModel", **sizes(32, 2, 2, 64, hidden_act="quick_gelu")),
    bert("roberta", "RobertaModel", **sizes(64, 4, 2, 96, type_vocab_size=1)),
    bert("roberta-pad-4", "RobertaModel", **sizes(32, 4, 1, 48, pad_token_id=4)),
    bert("xlm-roberta", "XLMRobertaModel", **sizes(40, 5, 2, 64, type_vocab_size=1)),
    bert("camembert", "CamembertModel", **sizes(40, 5, 2, 64, type_vocab_size=1)),
    Case("distilbert", _distil(), "DistilBertModel"),
    Case("distilbert-sinus", _distil(sinusoidal_pos_embds=True, activation="relu"), "DistilBertModel"),
    Case("electra", sizes(48, 4, 2, 64, embedding_size=48), "ElectraModel"),
    Case("electra-projected", sizes(48, 4, 2, 64, embedding_size=20), "ElectraModel"),
    _rotary(
        "modernbert", "ModernBertModel", 64, 4, 4, 96, local_attention=16, pad_token_id=0,
    ),
    _rotary(
        "modernbert-with-biases", "ModernBertModel", 52, 2, 3, 50, local_attention=9, pad_token_id=0,
        norm_bias=True, attention_bias=True, mlp_bias=True, norm_eps=1e-3, hidden_activation="silu",
        layer_types=_KINDS, rope_parameters=_BY_KIND,
    ),
    _rotary("modernbert-one-wide-head", "ModernBertModel", 128, 1, 2, 33, pad_token_id=0),
    _t5("t5"),
    _t5("t5-gated", feed_forward_proj="gated-gelu", d_kv=18, num_heads=2, layer_norm_epsilon=1e-4),
    _t5("t5-gated-silu", feed_forward_proj="gated-silu", d_kv=128, num_heads=1, num_layers=1),
    _t5("t5-few-buckets", relative_attention_num_buckets=8, relative_attention_max_distance=20, d_ff=33),
    Case(
        "mt5",
        {"vocab_size": 60, "d_model": 40, "d_kv": 8, "d_ff": 33, "num_layers": 2, "num_heads": 5},
        "MT5EncoderModel", "MT5Config",
    ),
    bert("mpnet", "MPNetModel", **sizes(64, 4, 2, 96, max_position_embeddings=202)),
    bert("mpnet-odd", "MPNetModel", **sizes(51, 3, 2, 33, hidden_act="relu", layer_norm_eps=1e-5)),
    bert("albert", "AlbertModel", **sizes(48, 4, 3, 70, embedding_size=20)),
    bert(
        "albert-groups", "AlbertModel",
        **sizes(36, 2, 5, 70, embedding_size=50, num_hidden_groups=2, hidden_act="gelu"),
    ),
    bert("ernie", "ErnieModel", **sizes(40, 2, 2, 64)),
    Case("deberta", sizes(64, 4, 2, 96, max_position_embeddings=160, **_DEBERTA), "DebertaV2Model"),
    Case(
        "deberta-shared",
        sizes(51, 3, 3, 70, share_att_key=True, norm_rel_ebd="layer_norm", position_biased_input=False,
              max_position_embeddings=200, type_vocab_size=2, **_DEBERTA | {"pos_att_type": "p2c|c2p"}),
        "DebertaV2Model",
    ),
    Case("deberta-c2p", sizes(48, 2, 2, 33, **_DEBERTA | {"pos_att_type": ["c2p"]}), "DebertaV2Model"),
    Case(
        "deberta-p2c",
        sizes(48, 3, 2, 33, layer_norm_eps=1e-3, **_DEBERTA | {"pos_att_type": ["p2c"], "position_buckets": 4}),
        "DebertaV2Model",
    ),
    _rotary("nomic", "NomicBertModel", 64, 4, 2, 96),
    _rotary("nomic-odd", "NomicBertModel", 36, 1, 2, 51, hidden_act="gelu", rope_parameters=_LLAMA3),
    _rotary("gte", "GteModel", 64, 4, 2, 96),
    _rotary("gte-without-types", "GteModel", 36, 1, 2, 51, type_vocab_size=0, hidden_act="silu"),
    _rotary("eurobert", "EuroBertModel", 64, 4, 3, 96, num_key_value_heads=2, pad_token_id=0),
    _rotary(
        "eurobert-with-biases", "EuroBertModel", 96, 2, 2, 35, head_dim=16, attention_bias=True, mlp_bias=True,
        pad_token_id=0, rms_norm_eps=1e-3, rope_parameters=_LLAMA3,
    ),
    _rotary("qwen3", "Qwen3Model", 64, 4, 3, 96, num_key_value_heads=2, head_dim=32),
    _rotary(
        "qwen3-sliding", "Qwen3Model", 51, 3, 3, 50, num_key_value_heads=1, head_dim=128, attention_bias=True,
        use_sliding_window=True, sliding_window=20, max_window_layers=1, hidden_act="gelu",
        rope_parameters=_LINEAR,
    ),
    _rotary(
        "gemma3", "Gemma3TextModel", 60, 3, 3, 96, num_key_value_heads=1, head_dim=32, layer_types=_KINDS,
        use_bidirectional_attention=True, sliding_window=24, query_pre_attn_scalar=20,
    ),
    _rotary(
        "gemma3-causal", "Gemma3TextModel", 64, 4, 7, 50, num_key_value_heads=2, head_dim=16, sliding_window=9,
        attention_bias=True, rms_norm_eps=1e-3, query_pre_attn_scalar=16,
    ),
    _rotary("qwen3-yarn", "Qwen3Model", 64, 4, 2, 50, num_key_value_heads=2, head_dim=32, rope_parameters=_YARN),
    _rotary(
        "modernbert-yarn", "ModernBertModel", 64, 2, 3, 50, local_attention=16, pad_token_id=0, layer_types=_KINDS,
        rope_parameters={
            "full_attention": _YARN | {"beta_slow": 0.5, "mscale": 2.0, "mscale_all_dim": 0.7},
            "sliding_attention": _YARN | {"attention_factor": 0.8},
        },
    ),
    _rotary(
        "eurobert-dynamic", "EuroBertModel", 64, 4, 2, 50, pad_token_id=0,
        rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 700.0},
    ),
    Case("clip", sizes(64, 4, 3, 96, max_position_embeddings=77), "CLIPTextModel"),
    Case("clip-odd", sizes(51, 3, 2, 33, hidden_act="gelu", layer_norm_eps=1e-3), "CLIPTextModel"),
]  # fmt: skip
CASES = {case.name: case for case in _CASES}


def build(case: str, folder: Path) -> Built:
    """Save the model of a case to a folder."""
    model = CASES[case].make()
    _fill(model)
    model.save_pretrained(folder)
    write_tokenizer(folder)
    exact, single = (
        type(model).from_pretrained(folder, attn_implementation="eager", dtype=dtype).eval()
        for dtype in (torch.float64, torch.float32)
    )
    return Built(folder, exact, single)


def write_tokenizer(folder: Path) -> None:
    """BERT's, with 60 words, whatever the model."""
    (folder / "vocab.txt").write_text("\n".join([*VOCAB, *(f"w{i}" for i in range(60 - len(VOCAB)))]) + "\n")
    settings = {"do_lower_case": True, "tokenizer_class": "BertTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _fill(model: Any) -> None:
    """A fresh model has zero biases and unit norms, which would hide a wrong name."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            linear = parameter.ndim == 2 and "embed" not in name and "bias" not in name
            parameter.normal_(0, 1.5 / parameter.shape[1] ** 0.5 if linear else 0.3, generator=generator)
            if "SelfAttention.q" in name:  # T5 has the scale of its scores in the queries' weights
                parameter.div_(model.config.d_kv**0.5)
            if parameter.ndim == 1 and name.endswith("weight"):
                # Few digits: some models add 1 to their norms, rounded to the dtype, which here is exact.
                parameter.mul_(1024).round_().div_(1024).add_(1)


def types_of(model: Any, ids: Sequence[int]) -> list[int]:
    """Token types of a pair of texts, as far as the model has them: zeros, then ones."""
    several = getattr(model.config, "type_vocab_size", 0) > 1
    return [int(several and i >= len(ids) // 2) for i in range(len(ids))]


def states_and_attentions(model: Any, ids: Sequence[int], types: Sequence[int] = ()) -> tuple[Arrays, Arrays]:
    """Of one sequence: layers + 1 arrays (tokens, hidden), and layers arrays (heads, tokens, tokens)."""
    mode = _NoNarrowing() if model.dtype == torch.float64 else nullcontext()
    given = {"token_type_ids": torch.tensor([list(types)])} if any(types) else {}
    with torch.no_grad(), mode:
        result = model(torch.tensor([list(ids)]), output_hidden_states=True, output_attentions=True, **given)
    hidden = [*result.hidden_states[:-1], result.last_hidden_state]  # after the final norm, if there is one
    return [x[0].numpy() for x in hidden], [x[0].numpy() for x in result.attentions]


def frequencies(model: Any, layer: int) -> NDArray[np.float32] | None:
    """Those of the rotary positions of a layer, as `transformers` computes them."""
    for module in model.modules():
        if type(module).__name__.endswith("RotaryEmbedding"):
            kinds = getattr(model.config, "layer_types", None)
            kind = f"{kinds[layer]}_inv_freq" if kinds else "inv_freq"
            return getattr(module, kind if hasattr(module, kind) else "inv_freq").numpy()
    return None


class _NoNarrowing(TorchFunctionMode):
    """In a model of float64 nothing is rounded to float32, which many models ask for.

    Angles of rotary positions are float32 by the definition of the models; their sines need not be.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        x = args[0] if args else None
        if not isinstance(x, torch.Tensor):
            return func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if x.dtype == torch.float32 and name in ("cos", "sin"):
            return func(x.double())
        if x.dtype == torch.float64:
            if name == "float" or (name in ("to", "type") and torch.float32 in (*args[1:], *kwargs.values())):
                return x
            if kwargs.get("dtype") == torch.float32:
                kwargs = kwargs | {"dtype": torch.float64}
        return func(*args, **kwargs)
