"""One forward pass over inputs that were read."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from .output import EncoderOutput

if TYPE_CHECKING:
    from ..model.network import Network
    from ..model.pooling import Plan
    from ..text.inputs import Inputs
    from ..text.tokenizer import TextTokenizer

__all__ = ["forward_pass"]


def forward_pass(
    network: Network,
    read: Inputs,
    tokenizer: TextTokenizer | None,
    *,
    layers: Collection[int],
    attentions: Collection[int] = (),
    projections: Collection[int] = (),
    plan: Plan | None = None,
    num_threads: int,
) -> EncoderOutput:
    """One pass over all inputs. Without a ``plan`` there are no sentence vectors."""
    batch = read.batch
    results = network.run(
        batch.ids,
        batch.offsets,
        batch.types,
        plan=plan,
        layers=layers,
        attentions=attentions,
        projections=projections,
        num_threads=num_threads,
    )
    return EncoderOutput(
        network.spec,
        batch,
        hidden=results.hidden,
        attentions=results.attentions,
        projections=results.projections,
        pooled=results.pooled,
        tokenizer=tokenizer,
        encodings=read.encodings,
        truncated=read.tokens_cut,
    )
