"""The default model against sentence-transformers and a float64 run of transformers, on real texts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from polysemy import Encoder
from polysemy.errors import TruncationWarning
from sentence_transformers import SentenceTransformer
from transformers import BertModel

ROOT = Path(__file__).parents[2]
#: So many texts of the fixture are single lines; the others are such lines joined at random.
ONE_LINE = 124

pytestmark = pytest.mark.filterwarnings("ignore::polysemy.errors.TruncationWarning")


@pytest.fixture(scope="module")
def theirs(default: Encoder) -> SentenceTransformer:
    torch.set_num_threads(1)
    return SentenceTransformer(str(default.card.folder), device="cpu")


@pytest.fixture(scope="module")
def exact(default: Encoder) -> BertModel:
    torch.set_num_threads(1)
    model = BertModel.from_pretrained(
        default.card.folder, attn_implementation="eager", torch_dtype=torch.float64
    )
    return model.eval()


def test_card(default: Encoder) -> None:
    card = default.card
    assert card.name == "sentence-transformers/all-MiniLM-L6-v2" and card.model_type == "bert"
    weights = Path(str(card.folder)) / "model.safetensors"
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == card.sha256
    assert (default.dim, default.max_seq_length, len(default.spec.layers)) == (384, 256, 6)


def test_embeddings_equal_sentence_transformers(
    default: Encoder, theirs: SentenceTransformer, texts: list[str]
) -> None:
    expected = theirs.encode(texts, batch_size=32, show_progress_bar=False)
    assert len(texts) > 300
    assert np.abs(default.encode(texts) - expected).max() < 1e-6


def test_truncated_texts_are_cut_where_theirs_are(default: Encoder, theirs: SentenceTransformer) -> None:
    long = ["the bank of the river " * count for count in (50, 51, 52, 200)]
    with pytest.warns(TruncationWarning, match="encode: 3 of 4 texts"):
        got = default.encode(long)
    assert np.abs(got - theirs.encode(long)).max() < 1e-6


class Errors(NamedTuple):
    """Against float64, by layer."""

    largest: NDArray[np.float64]
    rms: NDArray[np.float64]


def layer_errors(states_of: Callable[[int], list[Any]], exact: BertModel, ids: list[torch.Tensor]) -> Errors:
    largest, squares, count = np.zeros(7), np.zeros(7), 0
    for i, tokens in enumerate(ids):
        with torch.no_grad():
            expected = exact(tokens, output_hidden_states=True).hidden_states
        for layer, (state, oracle) in enumerate(zip(states_of(i), expected, strict=True)):
            error = np.abs(np.asarray(state, dtype=np.float64) - oracle[0].numpy())
            largest[layer] = max(largest[layer], error.max())
            squares[layer] += (error**2).sum()
        count += expected[0].numel()
    return Errors(largest, np.sqrt(squares / count))


def our_errors(encoder: Encoder, exact: BertModel, texts: list[str]) -> tuple[Errors, list[torch.Tensor]]:
    output = encoder.forward(texts, layers=range(7))
    ids = [torch.tensor(output.ids(i)[None].astype(np.int64)) for i in range(len(texts))]
    return layer_errors(lambda i: [output.hidden_state(i, layer) for layer in range(7)], exact, ids), ids


def test_hidden_states_of_every_layer(default: Encoder, exact: BertModel, texts: list[str]) -> None:
    """At most 3.1e-6, and 2.4e-7 rms: the best that float32 engines were measured at, for the last layer."""
    corpus = (ROOT / "bench" / "data" / "texts.txt").read_text("utf-8").splitlines()
    some = [*texts[:ONE_LINE], *corpus[::3]]
    assert len(some) > 200
    errors, _ = our_errors(default, exact, some)
    assert (errors.largest <= 3.1e-6).all(), errors
    assert (errors.rms <= 2.4e-7).all(), errors


def test_hidden_states_of_texts_that_no_one_wrote(
    default: Encoder, exact: BertModel, texts: list[str]
) -> None:
    """Lines of many scripts at random, up to 256 tokens: one feature of layer 5 magnifies errors twentyfold
    there, so torch's float32 error is the measure of the largest."""
    some = texts[ONE_LINE:][-60::4]
    errors, ids = our_errors(default, exact, some)
    single = BertModel.from_pretrained(default.card.folder, attn_implementation="eager").eval()

    def states(i: int) -> list[Any]:
        with torch.no_grad():
            return [state[0].numpy() for state in single(ids[i], output_hidden_states=True).hidden_states]

    theirs = layer_errors(states, exact, ids)
    assert (errors.largest <= theirs.largest).all(), (errors, theirs)
    assert (errors.rms <= np.minimum(theirs.rms, 2.4e-7)).all(), (errors, theirs)


def test_hidden_states_of_pairs(default: Encoder, exact: BertModel, texts: list[str]) -> None:
    """With token types; the bounds are those of `test_hidden_states_of_every_layer`."""
    pairs = [*zip(texts[:ONE_LINE:3], texts[1:ONE_LINE:3], strict=False)]
    output = default.forward(pairs)
    assert any(types.any() for types in map(output.token_types, range(len(pairs))))
    for i in range(len(pairs)):
        ids, types = (torch.tensor(x[None].astype(np.int64)) for x in (output.ids(i), output.token_types(i)))
        with torch.no_grad():
            expected = exact(ids, token_type_ids=types).last_hidden_state[0].numpy()
        assert np.abs(output.hidden_state(i) - expected).max() <= 3.1e-6


def test_attention_weights(default: Encoder, exact: BertModel, texts: list[str]) -> None:
    some = texts[:40:5]
    output = default.forward(some, attentions=range(1, 7))
    for i in range(len(some)):
        with torch.no_grad():
            ids = torch.tensor(output.ids(i)[None].astype(np.int64))
            weights = exact(ids, output_attentions=True).attentions
        for layer, expected in enumerate(weights, start=1):
            got = output.attention(i, layer)
            assert np.abs(got - expected[0].numpy()).max() <= 3.1e-6


def test_token_vectors_of_theirs(default: Encoder, theirs: SentenceTransformer, texts: list[str]) -> None:
    expected = theirs.encode(texts[:20], output_value="token_embeddings")
    output = default.forward(texts[:20])
    for i in range(20):
        assert np.abs(output.hidden_state(i) - expected[i].numpy()).max() < 1e-5


def test_truncate_dim(default: Encoder, theirs: SentenceTransformer, texts: list[str]) -> None:
    cut = theirs.encode(texts[:20], truncate_dim=64)
    cut /= np.linalg.norm(cut, axis=1, keepdims=True)
    assert np.abs(default.encode(texts[:20], truncate_dim=64) - cut).max() < 1e-6
