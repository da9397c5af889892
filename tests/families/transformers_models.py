"""Random checkpoints made by `transformers`, whose modelling code is the independent implementation."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from family_case import found
from numpy.typing import NDArray
from tiny_models import VOCAB
from torch.overrides import TorchFunctionMode

Arrays = list[NDArray[np.floating]]


class Built(NamedTuple):
    """A checkpoint in a folder, and the same model as `transformers` sees it, in float64 and in float32."""

    folder: Path
    exact: Any
    single: Any


CASES = {case.name: case for module in found() for case in module.CASES}


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
