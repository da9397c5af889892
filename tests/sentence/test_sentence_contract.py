"""What scripts written for sentence-transformers do with a model of sentences and with vectors, beside encoding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polysemy
import polysemy.util as ours
import pytest
import sentence_transformers
import torch
from numpy.typing import NDArray
from sentence_models import HIDDEN, ROUNDING, save
from sentence_transformers import util as theirs
from sentence_transformers.sentence_transformer import modules
from sentence_transformers.sentence_transformer.evaluation import TripletEvaluator

TEXTS = ["we sat on the bank of the river", "money", "i deposited money in the bank , new york !", "a b c"]
UNIT = 2.0**-24
DIM = 24


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    folder = tmp_path_factory.mktemp("model")
    want = save(folder, modules.Pooling(HIDDEN), prompts={"query": "query : "})
    return polysemy.SentenceTransformer(folder / "model"), want


def close(got: Any, want: Any, bound: float = ROUNDING) -> bool:
    a, b = np.asarray(got), np.asarray(want)
    return a.shape == b.shape and float(np.abs(a - b).max(initial=0)) <= bound * max(
        1.0, float(np.abs(b).max())
    )


def vectors(count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)


def test_processes_that_a_script_starts(pair: tuple[Any, Any]) -> None:
    """There is nothing to start: results are the same."""
    model, _ = pair
    want = model.encode(TEXTS)
    pool = model.start_multi_process_pool(["cpu"] * 4)
    for asked in ({"pool": pool, "chunk_size": 2}, {"device": ["cpu", "cpu"]}, {"chunk_size": 10}):
        assert model.encode(TEXTS, **asked).tobytes() == want.tobytes()
    model.stop_multi_process_pool(pool)
    with pytest.raises(ValueError, match=r"^start_multi_process_pool: device must be 'cpu', got cuda:1"):
        model.start_multi_process_pool(["cpu", "cuda:1"])
    with pytest.raises(ValueError, match="pool is not supported"):
        model.encode(TEXTS, pool={"processes": [1]})
    for size in (0, -1):
        with pytest.raises(ValueError, match="chunk_size must be at least 1"):
            model.encode(TEXTS, chunk_size=size)


def test_texts_that_say_what_they_are(pair: tuple[Any, Any]) -> None:
    """As inputs of several kinds do in sentence-transformers; so may pairs."""
    alone, two = {"text": TEXTS[0]}, {"text": ("money", "bank")}
    for given in (alone, [alone], [TEXTS[1], alone], [two]):
        got, want = (model.encode(given, prompt="the ") for model in pair)
        assert close(got, want)
    with pytest.raises(TypeError, match=r"^encode: inputs\[0\] must be a str, got dict"):
        pair[0].encode([{"text": "a", "image": "b"}])


def test_arguments_by_their_place(pair: tuple[Any, Any]) -> None:
    given = (None, None, 8, False, "sentence_embedding", "float32", True, True, "cpu", True, 10)
    for method in ("encode", "encode_query", "encode_document"):
        got, want = (getattr(model, method)(TEXTS, *given) for model in pair)
        assert isinstance(got, torch.Tensor) and close(got, want), method


def test_tokens_as_tensors(pair: tuple[Any, Any]) -> None:
    got, want = (m.encode(TEXTS, output_value="token_embeddings", convert_to_numpy=False) for m in pair)
    assert all(isinstance(a, torch.Tensor) and close(a, b) for a, b in zip(got, want, strict=True))


def test_evaluation(pair: tuple[Any, Any], tmp_path: Path) -> None:
    evaluator = TripletEvaluator(TEXTS, TEXTS[1:] + TEXTS[:1], TEXTS[2:] + TEXTS[:2])
    got, want = (model.evaluate(evaluator, str(tmp_path / str(i))) for i, model in enumerate(pair))
    assert got == want and [*(tmp_path / "0").iterdir()]
    assert pair[0].cpu() is pair[0]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [({"truncate_dim": 0}, ValueError), ({"truncate_dim": "5"}, TypeError), ({"prompts": ["a"]}, TypeError)],
)
def test_wrong_settings(wrong: dict[str, Any], error: type[Exception], pair: tuple[Any, Any]) -> None:
    with pytest.raises(error, match=f"^SentenceTransformer: {next(iter(wrong))} must be"):
        polysemy.SentenceTransformer(pair[0].encoder.card.folder, **wrong)


def test_names_of_similarities(pair: tuple[Any, Any]) -> None:
    mine, other = polysemy.SimilarityFunction, sentence_transformers.SimilarityFunction
    assert mine.possible_values() == other.possible_values()
    assert {each.name for each in mine} == {each.name for each in other} and mine.DOT is mine.DOT_PRODUCT
    a, b = vectors(4, 0), vectors(4, 1)
    for each in mine:
        for convert in ("to_similarity_fn", "to_similarity_pairwise_fn"):
            sides = ([a, b], [b, a]) if "maxsim" in each.value else (a, b)
            got, want = (getattr(kind, convert)(each.value)(*sides) for kind in (mine, other))
            assert close(got, want, 8 * DIM * UNIT)
    model = polysemy.SentenceTransformer(pair[0].encoder.card.folder, similarity_fn_name=mine.EUCLIDEAN)
    assert model.similarity_fn_name == "euclidean"
    for convert in (mine.to_similarity_fn, mine.to_similarity_pairwise_fn):
        with pytest.raises(
            ValueError, match=r"^SimilarityFunction: the name must be one of .*, got 'jaccard'$"
        ):
            convert("jaccard")
    for wrong in ("jaccard", ["dot"]):
        with pytest.raises(ValueError, match=r"^SentenceTransformer: similarity_fn_name must be one of "):
            model.similarity_fn_name = wrong


def test_tensors_of_other_kinds() -> None:
    """Of bfloat16, and those that a gradient is wanted of."""
    a, b = (torch.from_numpy(vectors(5, seed)) for seed in (0, 1))
    half = [x.bfloat16() for x in (a, b)]
    exact = [x.float().numpy() for x in half]
    for name in ("cos_sim", "dot_score", "euclidean_sim", "pairwise_cos_sim"):
        function = getattr(ours, name)
        assert (function(*half).numpy() == function(*exact)).all()
        assert (function(a.clone().requires_grad_(), b).numpy() == function(a.numpy(), b.numpy())).all()
    assert ours.semantic_search(*half, top_k=2) == ours.semantic_search(*exact, top_k=2)
    assert (ours.quantize_embeddings(half[0], "int8") == theirs.quantize_embeddings(half[0], "int8")).all()


def test_one_vector_beside_many() -> None:
    a, b = vectors(1, 0), vectors(5, 1)
    for name in (name for name in ours.__all__ if name.startswith("pairwise_")):
        alone = [(a[0], b)] if name != "pairwise_angle_sim" else []  # theirs takes no vector of one axis
        for sides in ((a, b), (b, a), *alone):
            got, want = getattr(ours, name)(*sides), getattr(theirs, name)(*sides)
            assert close(got, want, 8 * DIM * UNIT), name


def test_a_search_by_a_function_of_tensors() -> None:
    a, b = (torch.from_numpy(vectors(n, n)) for n in (4, 30))
    asked: dict[str, Any] = {"score_function": lambda x, y: torch.mm(x, y.T), "top_k": 3}
    for got, want in zip(
        ours.semantic_search(a, b, **asked), theirs.semantic_search(a, b, **asked), strict=True
    ):
        assert [hit["corpus_id"] for hit in got] == [hit["corpus_id"] for hit in want]
    mined = [u.paraphrase_mining_embeddings(b, **asked) for u in (ours, theirs)]
    assert [pair[1:] for pair in mined[0]] == [pair[1:] for pair in mined[1]]


def test_a_search_in_sparse_tensors_by_a_function_of_tensors() -> None:
    """It gets each side as the caller has it, sparse or dense."""
    a, b = (torch.from_numpy(vectors(n, n)) for n in (4, 30))
    want = ours.semantic_search(a, b, top_k=3, score_function=ours.dot_score)
    kinds: list[tuple[bool, bool]] = []

    def score(x: Any, y: Any) -> Any:
        kinds.append((x.is_sparse, y.is_sparse))
        return x.to_dense() @ y.to_dense().T

    for left, right in ((a.to_sparse(), b), (a, b.to_sparse()), (a.to_sparse(), b.to_sparse())):
        kinds.clear()
        got = ours.semantic_search(left, right, top_k=3, score_function=score)
        assert [[hit["corpus_id"] for hit in hits] for hits in got] == [
            [hit["corpus_id"] for hit in hits] for hits in want
        ]
        assert {*kinds} == {(left.is_sparse, right.is_sparse)}


def test_masks_of_many_vectors() -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.normal(size=(n, 6, DIM)).astype(np.float32) for n in (3, 5))
    masks = [torch.from_numpy(rng.random(x.shape[:2]) < 0.6) for x in (a, b)]
    for mask in masks:
        mask[:, 0] = True
    for name in ("maxsim", "mean_maxsim"):
        asked: dict[str, Any] = {
            "a_mask": masks[0],
            "b_mask": masks[1],
            "chunk_elements": 100,
            "device": "cpu",
        }
        got = getattr(ours, name)(a, b, **asked)
        want = getattr(theirs, name)(torch.from_numpy(a), torch.from_numpy(b), **asked)
        assert close(got, want, 8 * DIM * UNIT)
        assert (getattr(ours, name)(a, b, masks[0], masks[1]) == got).all()
        for wrong, error in (
            ({"a_mask": masks[1]}, ValueError),
            ({"chunk_elements": 0}, ValueError),
            ({"device": "cuda"}, ValueError),
        ):
            with pytest.raises(error, match=r"^maxsim: "):
                getattr(ours, name)(a, b, **wrong)
