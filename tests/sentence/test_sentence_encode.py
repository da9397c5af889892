"""`polysemy.SentenceTransformer` against sentence-transformers, module by module and argument by argument."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polysemy
import pytest
import sentence_transformers
import torch
from campaigns.common import python
from polysemy import SentenceTransformer, TruncationWarning
from sentence_models import HIDDEN, ROUNDING, save, shake
from sentence_transformers.base.modules import Dense, Router
from sentence_transformers.sentence_transformer import modules
from sentence_transformers.util import quantize_embeddings

TEXTS = ["we sat on the bank of the river", "money", "i deposited money in the bank , new york !", "a b c"]
UNIT = 2.0**-24
MODES = ["mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
Modules = Callable[[], list[Any]]

CHAINS: dict[str, Modules] = {mode: (lambda mode=mode: [modules.Pooling(HIDDEN, mode)]) for mode in MODES} | {
    "several": lambda: [modules.Pooling(HIDDEN, ("cls", "mean", "max")), modules.Normalize()],
    "dense": lambda: [
        modules.Pooling(HIDDEN),
        shake(Dense(HIDDEN, 20, activation_function=torch.nn.Tanh()), 1),
        shake(Dense(20, 30, bias=False, activation_function=torch.nn.Identity()), 2),
        modules.Normalize(),
    ],
    "residual": lambda: [
        modules.Pooling(HIDDEN),
        shake(Dense(HIDDEN, HIDDEN, use_residual=True), 1),
        shake(Dense(HIDDEN, 20, use_residual=True, activation_function=torch.nn.GELU()), 2),
        shake(modules.LayerNorm(20), 3),
    ],
    "layers-unseen": lambda: [shake(modules.WeightedLayerPooling(HIDDEN, 3, 1), 4), modules.Pooling(HIDDEN)],
}


def close(got: Any, want: Any) -> bool:
    a, b = np.asarray(got), np.asarray(want)
    return a.shape == b.shape and float(np.abs(a - b).max()) <= ROUNDING * max(1.0, float(np.abs(b).max()))


@pytest.mark.parametrize("chain", CHAINS)
def test_modules(chain: str, tmp_path: Path) -> None:
    theirs = save(tmp_path, *CHAINS[chain]())
    ours = SentenceTransformer(tmp_path / "model")
    assert close(ours.encode(TEXTS), theirs.encode(TEXTS))
    assert close(ours.encode(TEXTS[0]), theirs.encode(TEXTS[0]))
    dim = theirs.get_embedding_dimension()
    assert ours.get_sentence_embedding_dimension() == ours.get_embedding_dimension() == dim


def test_a_sum_of_layers(tmp_path: Path) -> None:
    mixed = modules.WeightedLayerPooling(HIDDEN, 3, 1, torch.nn.Parameter(torch.tensor([1.0, 2.0, 0.5])))
    save(tmp_path, mixed, modules.Pooling(HIDDEN, "max"))
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"output_hidden_states": True}))
    theirs = sentence_transformers.SentenceTransformer(str(tmp_path / "model"), device="cpu")
    assert "all_layer_embeddings" in theirs.forward(theirs.preprocess(TEXTS))
    assert close(SentenceTransformer(tmp_path / "model").encode(TEXTS), theirs.encode(TEXTS))


@pytest.mark.parametrize("mode", MODES)
def test_prompts_left_out_of_pooling(mode: Any, tmp_path: Path) -> None:
    pooling = modules.Pooling(HIDDEN, (mode, "mean"), include_prompt=False)
    theirs = save(tmp_path, pooling, prompts={"query": "query : passage "})
    ours = SentenceTransformer(tmp_path / "model")
    for text in (TEXTS, TEXTS[1]):
        assert close(ours.encode_query(text), theirs.encode_query(text))
        assert close(ours.encode(text), theirs.encode(text))
    alone = ours.encode_query(TEXTS[2])
    assert alone.tobytes() == ours.encode_query(TEXTS)[2].tobytes()


def test_router(tmp_path: Path) -> None:
    side = [shake(Dense(HIDDEN, 20), seed) for seed in (1, 2)]
    router = Router.for_query_document([side[0]], [side[1], modules.Normalize()])
    theirs = save(tmp_path, modules.Pooling(HIDDEN), router)
    ours = SentenceTransformer(tmp_path / "model")
    for method in ("encode", "encode_query", "encode_document"):
        assert close(getattr(ours, method)(TEXTS), getattr(theirs, method)(TEXTS))
    assert not close(ours.encode_query(TEXTS), ours.encode_document(TEXTS))
    assert [encoder is ours.encoder for encoder in ours._routes.values()] == [
        True,
        False,
    ]  # none is loaded twice


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, SentenceTransformer]:
    folder = tmp_path_factory.mktemp("model")
    prompts = {"query": "query : ", "passage": "passage : ", "other": "we "}
    theirs = save(folder, modules.Pooling(HIDDEN), prompts=prompts, similarity_fn_name="dot")
    return theirs, SentenceTransformer(folder / "model", device="cpu")


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"normalize_embeddings": True},
        {"truncate_dim": 10},
        {"truncate_dim": 10, "normalize_embeddings": True, "batch_size": 1},
        {"prompt": "money "},
        {"prompt_name": "other", "show_progress_bar": False, "device": "cpu"},
        {"convert_to_numpy": False},
        {"convert_to_tensor": True},
    ],
)
def test_arguments(pair: tuple[Any, SentenceTransformer], arguments: dict[str, Any]) -> None:
    theirs, ours = pair
    for method in ("encode", "encode_query", "encode_document"):
        got, want = getattr(ours, method)(TEXTS, **arguments), getattr(theirs, method)(TEXTS, **arguments)
        assert len(got) == len(want)
        assert isinstance(got, torch.Tensor) == bool(arguments.get("convert_to_tensor"))
        assert isinstance(got, list) == (arguments.get("convert_to_numpy") is False)
        assert all(close(a, b) for a, b in zip(got, want, strict=True))
    assert not close(ours.encode_query(TEXTS), ours.encode(TEXTS))


@pytest.mark.parametrize("precision", ["binary", "ubinary", "int8", "uint8"])
def test_output_precisions(pair: tuple[Any, SentenceTransformer], precision: Any) -> None:
    """Bit for bit what sentence-transformers makes of the same float32 vectors; signs agree with its own, too."""
    theirs, ours = pair
    got, want = ours.encode(TEXTS, precision=precision), quantize_embeddings(ours.encode(TEXTS), precision)
    assert got.dtype == want.dtype and got.shape == want.shape and (got == want).all()
    if precision.endswith("binary"):
        assert (got == theirs.encode(TEXTS, precision=precision)).all()


def test_token_embeddings(pair: tuple[Any, SentenceTransformer]) -> None:
    theirs, ours = pair
    got, want = (m.encode(TEXTS, output_value="token_embeddings") for m in (ours, theirs))
    assert all(close(a, b) for a, b in zip(got, want, strict=True))


def test_similarities(pair: tuple[Any, SentenceTransformer]) -> None:
    theirs, ours = pair
    a, b = ours.encode(TEXTS), ours.encode(TEXTS[::-1])
    assert ours.similarity_fn_name == "dot"
    for name in ("dot", "cosine", "euclidean", "manhattan"):
        theirs.similarity_fn_name = ours.similarity_fn_name = name
        for method in ("similarity", "similarity_pairwise"):
            got, want = (np.asarray(getattr(model, method)(a, b)) for model in (ours, theirs))
            # Sums of HIDDEN terms, here and there; the largest is that of a vector and itself, or of signs that agree.
            assert np.abs(got - want).max() <= 2 * HIDDEN * UNIT * max(1.0, float(np.abs(want).max())), name


def test_smaller_things(pair: tuple[Any, SentenceTransformer]) -> None:
    theirs, ours = pair
    assert ours.max_seq_length == theirs.max_seq_length and ours.prompts == theirs.prompts
    assert ours.encode([]).shape[0] == 0
    got, want = ours.tokenize(TEXTS), theirs.tokenize(TEXTS)
    assert all((got[name] == want[name].numpy()).all() for name in ("input_ids", "attention_mask"))
    with ours.truncate_sentence_embeddings(7):
        assert ours.encode(TEXTS).shape == (4, 7) and ours.get_sentence_embedding_dimension() == 7
    assert ours.encode(TEXTS).shape == (4, HIDDEN) and ours.to("cpu").eval() is ours
    with pytest.warns(TruncationWarning):
        ours.encode("money " * 60)


def test_a_model_that_cuts_its_vectors(tmp_path: Path) -> None:
    """The folder says how long they are, and any argument may say otherwise; the encoder gives what the model gives."""
    theirs = save(tmp_path, modules.Pooling(HIDDEN), modules.Normalize(), truncate_dim=10)
    ours = SentenceTransformer(tmp_path / "model")
    assert ours.truncate_dim == theirs.truncate_dim == 10
    assert ours.get_embedding_dimension() == theirs.get_embedding_dimension() == 10
    for arguments in ({}, {"normalize_embeddings": True}, {"truncate_dim": 20}, {"truncate_dim": 5}):
        assert close(ours.encode(TEXTS, **arguments), theirs.encode(TEXTS, **arguments))
    with ours.truncate_embeddings(None), theirs.truncate_embeddings(None):
        whole = ours.encode(TEXTS)
        assert whole.shape == (4, HIDDEN) and close(whole, theirs.encode(TEXTS))
    other, same = (st(str(tmp_path / "model"), truncate_dim=30) for st in (SentenceTransformer, type(theirs)))
    assert close(other.encode(TEXTS), same.encode(TEXTS)) and other.get_embedding_dimension() == 30
    encoder = polysemy.Encoder.from_pretrained(tmp_path / "model")
    assert encoder.dim == 10 and encoder.encode([]).shape == (0, 10)
    assert (encoder.encode(TEXTS) == ours.encode(TEXTS)).all()
    assert (encoder.forward(TEXTS).pooled == encoder.encode(TEXTS)).all()
    assert (encoder.encode(TEXTS, truncate_dim=HIDDEN) == whole).all()
    for vectors in (encoder.encode(TEXTS, truncate_dim=20), encoder.encode(TEXTS, normalize=True)):
        assert close(np.linalg.norm(vectors.astype(np.float64), axis=1), np.ones(4)), "cut, then normalised"


def test_a_similarity_for_other_models(tmp_path: Path) -> None:
    """That of a folder, where it is none for sentence vectors, is left out."""
    save(tmp_path, modules.Pooling(HIDDEN))
    path = tmp_path / "model" / "config_sentence_transformers.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"similarity_fn_name": "maxsim"}))
    theirs = sentence_transformers.SentenceTransformer(str(tmp_path / "model"), device="cpu")
    ours = SentenceTransformer(tmp_path / "model")
    assert ours.similarity_fn_name == theirs.similarity_fn_name == "cosine"


def test_few_texts(pair: tuple[Any, SentenceTransformer]) -> None:
    _, ours = pair
    for precision in ("binary", "ubinary", "int8", "uint8", "float32"):
        got, of_two = ours.encode([], precision=precision), ours.encode(TEXTS[:2], precision=precision)
        assert got.shape == (0, of_two.shape[1]) and got.dtype == of_two.dtype
    for texts in (TEXTS[0], TEXTS[:1]):
        with pytest.raises(
            ValueError, match=r"^encode: precision must be float32, binary or ubinary for one text"
        ):
            ours.encode(texts, precision="int8")
    assert ours.tokenize([])["input_ids"].shape == (0, 0)
    assert (ours.tokenize(TEXTS[0])["input_ids"] == ours.tokenize(TEXTS[:1])["input_ids"]).all()
    for call in (ours.tokenize, ours.encode):
        with pytest.warns(TruncationWarning) as seen:
            call("money " * 60)
        assert [w.filename for w in seen] == [__file__]


def test_token_embeddings_as_tensors(pair: tuple[Any, SentenceTransformer]) -> None:
    _, ours = pair
    arrays = ours.encode(TEXTS, output_value="token_embeddings")
    tensors = ours.encode(TEXTS, output_value="token_embeddings", convert_to_tensor=True)
    assert all(isinstance(tensor, torch.Tensor) for tensor in tensors)
    assert all((tensor.numpy() == array).all() for tensor, array in zip(tensors, arrays, strict=True))
    with pytest.raises(ValueError, match="precision must be 'float32' for token_embeddings"):
        ours.encode(TEXTS, output_value="token_embeddings", precision="int8")


@pytest.mark.parametrize(
    ("arguments", "error", "word"),
    [
        ({"device": "cuda"}, ValueError, "device"),
        ({"output_value": None}, ValueError, "output_value"),
        ({"precision": "int4"}, ValueError, "precision"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"prompt_name": "nothing"}, ValueError, "prompt_name"),
        ({"pool": {"input": 1}}, ValueError, "pool"),
        ({"wrong": 1}, TypeError, "wrong"),
    ],
)
def test_refusals(
    pair: tuple[Any, SentenceTransformer], arguments: dict[str, Any], error: type[Exception], word: str
) -> None:
    with pytest.raises(error, match=word):
        pair[1].encode(TEXTS, **arguments)
    with pytest.raises(error if word == "device" else Exception, match=word):
        polysemy.SentenceTransformer(pair[1].encoder.card.folder, **{word: arguments[word]})


def test_it_travels(tmp_path: Path) -> None:
    """By the names of its encoders, one for each route, with what was set on it."""
    router = Router.for_query_document([shake(Dense(HIDDEN, 20), 1)], [shake(Dense(HIDDEN, 20), 2)])
    save(tmp_path, modules.Pooling(HIDDEN), router)
    ours = SentenceTransformer(tmp_path / "model", prompts={"query": "query: "}, num_threads=2)
    ours.truncate_dim = 12
    queries, documents = ours.encode_query(TEXTS).tobytes(), ours.encode_document(TEXTS).tobytes()
    data = pickle.dumps(ours)
    assert len(data) < 2000
    near = (pickle.loads(data), copy.deepcopy(ours), copy.copy(ours))
    assert all(model.encoder is ours.encoder and model._routes == ours._routes for model in near)
    assert b"route" in data
    code = (
        "import pickle, sys; model, texts = pickle.loads(bytes.fromhex(sys.argv[1])), sys.argv[2:];"
        "print(model.encode_query(texts).tobytes().hex(), model.encode_document(texts).tobytes().hex())"
    )
    done = python(code, data.hex(), *TEXTS)
    assert done.stdout.split() == [queries.hex(), documents.hex()], done.stderr
