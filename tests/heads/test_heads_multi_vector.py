"""`polysemy.MultiVectorEncoder` against sentence-transformers', for each form of folder and each setting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentence_transformers
import torch
from multi_vector_models import DIM, authors, change, modules, pylate
from polysemy import MultiVectorEncoder, TruncationWarning
from polysemy.errors import PolysemyError
from sentence_transformers.multi_vector_encoder import evaluation

TEXTS = ["we sat on the bank of the river .", "Money", "i deposited money , in the bank - new york !", "x"]
LONG = " ".join(["water on the loan , banking"] * 9)
UNIT = 2.0**-24
# Of vectors of length 1. Errors of a sum of 64 terms walk at random, 8 units; there are seven such sums on the way,
# and both sides round.
CLOSE = 2 * 7 * 8 * UNIT
Make = Callable[[Path], Path]

FORMS: dict[str, Make] = {
    "authors": lambda p: authors(p / "m"),
    "authors-set": lambda p: authors(
        p / "m", query_maxlen=12, doc_maxlen=14, attend_to_mask_tokens=True, mask_punctuation=False,
        query_token_id="[unused1]", doc_token_id="[unused0]",
    ),
    "pylate": lambda p: pylate(p / "m"),
    "pylate-attend": lambda p: pylate(p / "m", attend_to_expansion_tokens=True, skiplist_words=None),
    "pylate-plain": lambda p: pylate(
        p / "m", do_query_expansion=False, query_prefix="", document_prefix="bank "
    ),
    "pylate-prompts": lambda p: pylate(p / "m", residual=True, prompts={"query": "money ", "document": "x "}),
    "pylate-modernbert": lambda p: pylate(p / "m", "ModernBert"),
    "pylate-roberta": lambda p: pylate(p / "m", "Roberta"),
    "modules": modules,
    "modules-fixed": lambda p: modules(p, "ModernBert", query_expansion={"strategy": "fixed", "length": 12}),
    "modules-min": lambda p: modules(
        p, query_expansion={"strategy": "min", "length": 12, "attend": True, "token": "[unused0]"},
        skipped={"skiplist_words": ["bank", "nowhere"], "skiplist_tasks": ["query"]},
    ),
    "modules-cut": lambda p: modules(p, "Roberta", query_length=9),
}  # fmt: skip


def close(got: list[Any], want: list[Any]) -> bool:
    """Arrays of unit vectors, of as many tokens."""
    pairs = [(a, np.asarray(b)) for a, b in zip(got, want, strict=True)]
    return all(a.shape == b.shape and np.abs(a - b).max(initial=0) <= CLOSE for a, b in pairs)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {form: make(tmp_path_factory.mktemp(form)) for form, make in FORMS.items()}


@pytest.mark.filterwarnings("ignore::polysemy.TruncationWarning")
@pytest.mark.parametrize("form", FORMS)
def test_vectors_and_scores(form: str, folders: dict[str, Path]) -> None:
    ours = MultiVectorEncoder(folders[form])
    theirs = sentence_transformers.MultiVectorEncoder(str(folders[form]), device="cpu")
    texts = [*TEXTS, LONG]
    for method in ("encode", "encode_query", "encode_document"):
        got, want = getattr(ours, method)(texts), getattr(theirs, method)(texts)
        assert close(got, want), method
        assert close([getattr(ours, method)(texts[2])], [getattr(theirs, method)(texts[2])])
    assert ours.dim == ours.get_embedding_dimension() == theirs.get_embedding_dimension() == DIM
    queries, documents = ours.encode_query(texts), ours.encode_document(texts)
    want = theirs.similarity(theirs.encode_query(texts), theirs.encode_document(texts)).numpy()
    most = max(map(len, queries))  # vectors of length 1
    assert np.abs(ours.similarity(queries, documents) - want).max() <= CLOSE * most
    assert np.abs(ours.similarity_pairwise(queries, documents) - np.diagonal(want)).max() <= CLOSE * most


@pytest.mark.filterwarnings("ignore::polysemy.TruncationWarning")
@pytest.mark.parametrize("form", ["authors", "pylate", "pylate-attend", "modules-fixed", "modules-min"])
def test_same_bits_alone_and_in_batches(form: str, folders: dict[str, Path]) -> None:
    rng = np.random.default_rng(len(form))
    words = ["bank", "money", "river", "loan", "water", "the", ",", "x"]
    texts = [" ".join(rng.choice(words, rng.integers(0, 11))) for _ in range(60)]
    one, two = (MultiVectorEncoder(folders[form], num_threads=n) for n in (1, 2))
    for method in ("encode_query", "encode_document"):
        together = getattr(one, method)(texts)
        order = rng.permutation(len(texts))
        for i, vectors in zip(order, getattr(two, method)([texts[i] for i in order]), strict=True):
            assert vectors.tobytes() == together[i].tobytes()
        for i in order[:20]:
            assert getattr(two, method)(texts[i]).tobytes() == together[i].tobytes()
    queries, documents = one.encode_query(texts[:9]), one.encode_document(texts)
    scores = one.similarity(queries, documents)
    for i in range(9):
        alone = one.similarity([queries[i]], [documents[i]])
        assert alone[0, 0] == scores[i, i] == one.similarity_pairwise([queries[i]], [documents[i]])[0]


def test_arguments(folders: dict[str, Path]) -> None:
    ours = MultiVectorEncoder(folders["modules"], device="cpu", similarity_fn_name="meanmaxsim")
    theirs = sentence_transformers.MultiVectorEncoder(
        str(folders["modules"]), device="cpu", similarity_fn_name="meanmaxsim"
    )
    for arguments in (
        {"prompt": "bank "}, {"prompt_name": "other"}, {"normalize_embeddings": True, "batch_size": 1},
        {"convert_to_numpy": True, "show_progress_bar": False},
    ):  # fmt: skip
        for method in ("encode", "encode_query", "encode_document"):
            got, want = getattr(ours, method)(TEXTS, **arguments), getattr(theirs, method)(TEXTS, **arguments)
            assert close(got, want)
    queries, documents = ours.encode_query(TEXTS), ours.encode_document(TEXTS)
    want = theirs.similarity(queries, documents).numpy()
    assert ours.similarity_fn_name == "meanmaxsim"
    assert np.abs(ours.similarity(queries, documents) - want).max() <= CLOSE
    assert ours.encode([]) == [] and ours.similarity([], documents).shape == (0, len(TEXTS))
    with pytest.warns(TruncationWarning) as seen:
        ours.encode_document(LONG)
    assert [w.filename for w in seen] == [__file__]
    for wrong, error in (
        ({"task": "answer"}, ValueError), ({"device": "cuda"}, ValueError), ({"output_value": None}, ValueError),
        ({"prompt_name": "nothing"}, ValueError), ({"batch_size": 0}, ValueError), ({"wrong": 1}, TypeError),
    ):  # fmt: skip
        with pytest.raises(error, match=str(*wrong)):
            ours.encode(TEXTS, **wrong)  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match="similarity_fn_name must be one of maxsim, meanmaxsim, got 'cosine'"
    ):
        ours.similarity_fn_name = "cosine"


QUERIES = {f"q{i}": text for i, text in enumerate(TEXTS)}
CORPUS = {
    f"c{i}": f"{a} {b}" for i, (a, b) in enumerate([(a, b) for a in TEXTS for b in ("river", "a loan", "")])
}
RELEVANT = {query: {f"c{2 * i}", f"c{i + 5}"} for i, query in enumerate(QUERIES)}
SAMPLES = [
    {"query": a, "positive": [b + " a"], "negative": [c, a]}
    for a, b, c in zip(TEXTS[:2], TEXTS[1:3], TEXTS[2:], strict=True)
]
EVALUATORS: dict[str, Callable[[], Any]] = {
    "triplet": lambda: evaluation.MultiVectorTripletEvaluator(
        TEXTS, TEXTS[1:] + TEXTS[:1], TEXTS[2:] + TEXTS[:2]
    ),
    "retrieval": lambda: evaluation.MultiVectorInformationRetrievalEvaluator(
        QUERIES, CORPUS, RELEVANT, corpus_chunk_size=5, chunk_elements=1000, query_prompt="we "
    ),
    "reranking": lambda: evaluation.MultiVectorRerankingEvaluator(SAMPLES),
    "reranking-each": lambda: evaluation.MultiVectorRerankingEvaluator(SAMPLES, use_batched_encoding=False),
    "distillation": lambda: evaluation.MultiVectorDistillationEvaluator(
        TEXTS, [[b, "money", a] for a, b in zip(TEXTS, TEXTS[::-1], strict=True)], [[3.0, 2.0, 1.0]] * 4
    ),
}


@pytest.mark.filterwarnings("ignore::polysemy.TruncationWarning")
@pytest.mark.parametrize("name", EVALUATORS)
def test_evaluators(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    """They take vectors as the model gives them: one that is told so gives tensors."""
    folder = str(folders["modules-fixed"])
    ours = MultiVectorEncoder(folder, convert_to_numpy=False)
    theirs = sentence_transformers.MultiVectorEncoder(folder, device="cpu")
    got, want = (EVALUATORS[name]()(model, str(tmp_path)) for model in (ours, theirs))
    assert want and got.keys() == want.keys()
    for metric, value in want.items():  # ranks are the same; a divergence is one of scores
        assert abs(got[metric] - value) <= CLOSE * 12 * max(1.0, abs(value)), metric
    assert isinstance(ours.encode(TEXTS)[0], torch.Tensor)
    assert isinstance(ours.encode(TEXTS, convert_to_numpy=True)[0], np.ndarray)


DAMAGES: dict[str, tuple[Make, str, dict[str, Any]]] = {
    f"{form.__name__}-{next(iter(fields))}-{i}": (lambda p, form=form: form(p / "m"), file, fields)
    for i, (form, file, fields) in enumerate([
        (authors, "artifact.metadata", {"query_maxlen": "32"}),
        (authors, "artifact.metadata", {"query_maxlen": 1 << 40}),
        (authors, "artifact.metadata", {"doc_maxlen": 0}),
        (authors, "artifact.metadata", {"doc_maxlen": 2}),
        (authors, "artifact.metadata", {"query_token_id": 7}),
        (authors, "artifact.metadata", {"mask_punctuation": "yes"}),
        (authors, "config.json", {"architectures": ["BertModel"]}),
        (pylate, "config_sentence_transformers.json", {"query_length": -1}),
        (pylate, "config_sentence_transformers.json", {"query_length": 61}),
        (pylate, "config_sentence_transformers.json", {"document_length": [24]}),
        (pylate, "config_sentence_transformers.json", {"skiplist_words": ["a", 3]}),
        (pylate, "config_sentence_transformers.json", {"query_prefix": {"a": 1}}),
        (pylate, "config_sentence_transformers.json", {"do_query_expansion": 1}),
        (pylate, "1_Dense/config.json", {"in_features": 7}),
        (pylate, "1_Dense/config.json", {"activation_function": "evil.Tanh"}),
        (pylate, "1_Dense/config.json", {"module_input_name": "sentence_embedding"}),
        (modules, "sentence_bert_config.json", {"query_expansion": {"strategy": "evil", "length": 12}}),
        (modules, "sentence_bert_config.json", {"query_expansion": {"strategy": "fixed"}}),
        (modules, "sentence_bert_config.json", {"query_expansion": {"length": 12, "token": "no such token"}}),
        (modules, "sentence_bert_config.json", {"query_expansion": [12]}),
        (modules, "3_MultiVectorMask/config.json", {"keep_only_token_ids": [1]}),
        (modules, "3_MultiVectorMask/config.json", {"skiplist_words": "abc"}),
        (modules, "2_Dense/config.json", {"in_features": 31}),
    ])
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGES)
def test_one_clear_exception(case: str, tmp_path: Path) -> None:
    make, file, fields = DAMAGES[case]
    folder = make(tmp_path) if "modules" not in case else modules(tmp_path)
    MultiVectorEncoder(folder)
    if not (folder / file).exists():
        (folder / file).write_text("{}")
    change(folder / file, **fields)
    with pytest.raises(PolysemyError) as error:
        MultiVectorEncoder(folder)
    assert "\n" not in str(error.value) and len(str(error.value)) < 1500 and error.value.__cause__ is None


def test_folders_of_older_versions_name_no_type(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = pylate(tmp_path / "m", model_type=None)
    for got, want in zip(
        *(MultiVectorEncoder(f).encode_query(TEXTS) for f in (folder, folders["pylate"])), strict=True
    ):
        assert got.tobytes() == want.tobytes()


def test_a_model_of_sentences_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = pylate(tmp_path / "m")
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {}}')
    with pytest.raises(PolysemyError, match="must give vectors of tokens"):
        MultiVectorEncoder(folder)
