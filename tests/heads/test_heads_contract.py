"""What scripts written for sentence-transformers and transformers do with heads, beside computing scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import polysemy
import pytest
import sentence_transformers
import torch
from head_models import Built, build
from multi_vector_models import modules, pylate
from polysemy import CrossEncoder, MultiVectorEncoder, SparseEncoder, TextClassifier, TokenClassifier
from safetensors.torch import save_file
from scipy.sparse import csr_array
from sentence_transformers.base.modules import Router
from sentence_transformers.sparse_encoder.modules import MLMTransformer, SparseStaticEmbedding, SpladePooling
from transformers import pipeline

Checkpoint = Callable[[str, str], Built]
TEXTS = ["we sat on the bank of the river", "money", ""]
PAIRS = [("we sat on the bank", "money"), ("river", "the loan of money"), ("", "b")]
LONG = "money of the river " * 7
# As tests/heads/test_heads_transformers.py has it: of sums of 64 terms in a handful of layers.
ROUNDING = 512 * 2.0**-24
PACKAGES = (polysemy, sentence_transformers)


def dense(value: Any) -> Any:
    """The numbers of a result, whatever holds it."""
    if isinstance(value, list):
        return np.concatenate([dense(item) for item in value])
    if isinstance(value, torch.Tensor):
        return (value.to_dense() if value.is_sparse else value).numpy()
    return value.toarray() if hasattr(value, "toarray") else np.asarray(value)


def same(got: Any, want: Any) -> bool:
    a, b = dense(got), dense(want)
    bound = ROUNDING * max(1.0, float(np.abs(b).max(initial=0)))
    return a.shape == b.shape and float(np.abs(a - b).max(initial=0)) <= bound


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("contract")
    build("bert", "SequenceClassification", root / "cross", {0: "relevant"})
    build("distilbert", "MaskedLM", root / "sparse")
    multi = modules(root / "multi", query_expansion={"strategy": "fixed", "length": 12})
    return {
        "CrossEncoder": str(root / "cross"), "SparseEncoder": str(root / "sparse"), "MultiVectorEncoder": str(multi),
    }  # fmt: skip


def of_both(name: str, folder: str, **settings: Any) -> list[Any]:
    return [getattr(package, name)(folder, device="cpu", **settings) for package in PACKAGES]


# ---- prompts


@pytest.mark.parametrize("name", ["CrossEncoder", "SparseEncoder", "MultiVectorEncoder"])
def test_prompts_of_a_script(name: str, folders: dict[str, str]) -> None:
    prompts = {"query": "the ", "other": "bank "}
    models = of_both(name, folders[name], prompts=prompts, default_prompt_name="other")
    methods = ("predict",) if name == "CrossEncoder" else ("encode", "encode_query", "encode_document")
    texts: Any = PAIRS if name == "CrossEncoder" else TEXTS
    for method in methods:
        for asked in ({}, {"prompt": "money "}, {"prompt_name": "query"}, {"prompt": ""}):
            got, want = (getattr(model, method)(texts, **asked) for model in models)
            assert same(got, want), (method, asked)
        got, want = (getattr(model, method)(texts, None, "loan ", 8, False) for model in models)
        assert same(got, want), method
    for model in models:
        model.prompts = {"other": "money river "}
    got, want = (getattr(model, methods[0])(texts) for model in models)
    assert same(got, want)
    for wrong, error in ({"prompts": ["a"]}, TypeError), ({"prompts": {"a": 1}}, TypeError):
        with pytest.raises(error, match=f"^{name}: prompts"):
            getattr(polysemy, name)(folders[name], **wrong)
    with pytest.raises(ValueError, match=f"^{name}: default_prompt_name must be one of"):
        getattr(polysemy, name)(folders[name], default_prompt_name="nothing")


def test_markers_are_part_of_prompts(tmp_path: Path) -> None:
    """As in sentence-transformers a prompt of one's own replaces the marker, unless it begins with it."""
    folder = str(pylate(tmp_path / "m"))
    ours, theirs = of_both("MultiVectorEncoder", folder)
    assert ours.prompts == theirs.prompts
    for method in ("encode_query", "encode_document"):
        for prompt in ("money ", "[Q] bank ", "[D] ", ""):
            got, want = (getattr(model, method)(TEXTS, prompt=prompt) for model in (ours, theirs))
            assert same(got, want), (method, prompt)
    for task in ("query", "document", None):
        assert same(ours.encode(TEXTS, task=task), theirs.encode(TEXTS, task=task)), task
    assert same(ours.encode(TEXTS, prompt_name="query"), theirs.encode(TEXTS, prompt_name="query"))


@pytest.mark.parametrize("name", ["SparseEncoder", "MultiVectorEncoder"])
def test_texts_that_say_what_they_are(name: str, folders: dict[str, str]) -> None:
    """As inputs of several kinds do in sentence-transformers."""
    models = of_both(name, folders[name])
    text = {"text": TEXTS[0]}
    for given, plain in ((text, TEXTS[0]), ([text], TEXTS[:1]), ([TEXTS[1], text], [TEXTS[1], TEXTS[0]])):
        for model in models:
            assert same(model.encode(given, prompt="the "), model.encode(plain, prompt="the "))
    for wrong in ({"text": "a", "image": "b"}, {"query": "a"}):
        with pytest.raises(TypeError, match=r"^encode: inputs\[1\] must be a str, got dict"):
            models[0].encode(["a", wrong])
    with pytest.raises(TypeError, match=r"^encode: texts must be given once, as inputs"):
        models[0].encode(None)


# ---- what is set afterwards


@pytest.mark.filterwarnings("ignore::polysemy.TruncationWarning")
@pytest.mark.parametrize("name", ["CrossEncoder", "SparseEncoder", "MultiVectorEncoder"])
def test_a_length_that_is_set_counts(name: str, folders: dict[str, str]) -> None:
    models = of_both(name, folders[name])
    method, given = (
        ("predict", [(LONG, LONG), ("a", "b")]) if name == "CrossEncoder" else ("encode", [LONG, "a"])
    )
    before = getattr(models[0], method)(given)
    for model in models:
        model.max_seq_length = 9
    got, want = (getattr(model, method)(given) for model in models)
    assert same(got, want) and not same(got, before)
    assert models[0].max_seq_length == models[0].get_max_seq_length() == models[1].get_max_seq_length() == 9
    with pytest.raises(ValueError, match=f"^{name}: max_seq_length must be at most"):
        models[0].max_seq_length = 1000
    with pytest.warns(UserWarning, match="max_seq_length is raised from 9 to 12"):
        models[0].max_seq_length = 12


@pytest.mark.filterwarnings("ignore::polysemy.TruncationWarning")
def test_settings_of_a_cross_encoder(folders: dict[str, str]) -> None:
    folder = folders["CrossEncoder"]
    models = of_both("CrossEncoder", folder, num_labels=1)
    functions: list[Any] = [
        torch.nn.Identity(), torch.nn.Softmax(dim=-1), torch.nn.GELU("tanh"), torch.sigmoid,
        torch.nn.Sequential(torch.nn.Tanh(), torch.nn.ReLU()), torch.nn.functional.softplus, lambda x: x * 2,
    ]  # fmt: skip
    for function in functions:
        got, want = (model.predict(PAIRS, activation_fn=function) for model in models)
        assert same(got, want)
        for model in models:
            model.activation_fn = function
        got, want = (model.predict(sentences=PAIRS, num_workers=0) for model in models)
        assert same(got, want) and same(models[0].predict(PAIRS, activation_fct=function), got)
    models[0].activation_fn = None
    models[0].max_length = 8
    assert same(models[0].predict(PAIRS), of_both("CrossEncoder", folder, max_length=8)[1].predict(PAIRS))
    asked = {"apply_softmax": True, "convert_to_tensor": True, "num_workers": 1}
    assert models[0].rank("bank", TEXTS, **asked) == models[0].rank("bank", TEXTS)
    marked = models[0].rank(
        "bank", TEXTS, activation_fn=lambda x: np.where([[True], [False], [False]], np.nan, x)
    )
    assert [hit["corpus_id"] for hit in marked][-1] == 0
    assert marked[:-1] == [
        hit for hit in models[0].rank("bank", TEXTS, activation_fn=np.copy) if hit["corpus_id"]
    ]
    with pytest.raises(ValueError, match=r"^CrossEncoder: max_length must be at most 48, got 1000$"):
        CrossEncoder(folder, max_length=1000)
    with pytest.raises(ValueError, match=r"^CrossEncoder: num_labels must be 1, as the model has it, got 2$"):
        CrossEncoder(folder, num_labels=2)


@pytest.mark.parametrize("size", [0, -1])
def test_no_batch_without_texts(size: int, folders: dict[str, str]) -> None:
    cross, sparse = CrossEncoder(folders["CrossEncoder"]), SparseEncoder(folders["SparseEncoder"])
    calls: list[Callable[[], object]] = [
        lambda: cross.predict(PAIRS, batch_size=size), lambda: cross.rank("a", TEXTS, batch_size=size),
        lambda: sparse.encode(TEXTS, batch_size=size), lambda: sparse.encode_query(TEXTS, batch_size=size),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(ValueError, match="batch_size must be at least 1"):
            call()


# ---- arguments of pipelines


def test_texts_as_a_pipeline_takes_them(checkpoint: Checkpoint) -> None:
    folder = checkpoint("bert", "SequenceClassification").folder
    ours, kind = TextClassifier(folder), pipeline("text-classification", model=str(folder))
    pair = {"text": "we sat on the bank", "text_pair": "money"}
    for given in (TEXTS, "bank", [pair, pair], pair):
        for asked in ({}, {"top_k": 1}, {"top_k": 2}, {"top_k": None}, {"batch_size": 2, "truncation": True}):
            close(ours(given, **asked), kind(given, **asked))
        for function in ("none", "sigmoid", "softmax"):
            close(ours(given, function_to_apply=function), kind(given, function_to_apply=function))
    for wrong, error in (
        ({"batch_size": 0}, ValueError), ({"truncation": False}, ValueError), ({"top_k": "x"}, TypeError),
        ({"function_to_apply": "relu"}, ValueError), ({"else": 1}, TypeError),
    ):  # fmt: skip
        with pytest.raises(error, match=f"^TextClassifier: .*{next(iter(wrong))}"):
            ours("bank", **wrong)
    with pytest.raises(ValueError, match="must have the keys text and text_pair"):
        ours([{"text_pair": "a"}])


def test_labels_that_a_call_leaves_out(checkpoint: Checkpoint) -> None:
    folder = checkpoint("bert", "TokenClassification").folder
    kind = pipeline("token-classification", model=str(folder))
    ours = TokenClassifier(folder)
    for labels in ([], ["O", "I-PER"]):
        close(ours(TEXTS[:2], ignore_labels=labels, batch_size=4), kind(TEXTS[:2], ignore_labels=labels))
    with pytest.raises(TypeError, match="ignore_labels must be a list of str, got str"):
        ours(TEXTS, ignore_labels="O")


def close(got: Any, want: Any) -> None:
    """Results of one form, and scores that differ by rounding."""
    if isinstance(want, dict):
        assert got.keys() == want.keys()
        for name in want:
            close(got[name], want[name])
    elif isinstance(want, list):
        assert isinstance(got, list) and len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            close(a, b)
    elif isinstance(want, (float, np.floating)):
        assert abs(got - want) <= ROUNDING * max(1.0, abs(want))
    else:
        assert got == want


# ---- sparse vectors


@pytest.fixture(scope="module", params=["stored", "listed"])
def routed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sparse model that reads queries without a transformer."""
    root = tmp_path_factory.mktemp("routed")
    build("distilbert", "MaskedLM", root / "base")
    transformer = MLMTransformer(str(root / "base"))
    weights = torch.rand(len(transformer.tokenizer), generator=torch.Generator().manual_seed(4))
    weights[7] = 0
    table = SparseStaticEmbedding(transformer.tokenizer, weights, frozen=True)
    router = Router.for_query_document([table], [transformer, SpladePooling("max")])
    sentence_transformers.SparseEncoder(modules=[router], device="cpu").save_pretrained(str(root / "model"))
    if request.param == "listed":
        folder = root / "model" / "query_0_SparseStaticEmbedding"
        (folder / "model.safetensors").unlink()
        entries = {transformer.tokenizer.convert_ids_to_tokens(i): float(w) for i, w in enumerate(weights)}
        (folder / "idf.json").write_text(json.dumps(entries))
        (folder / "config.json").write_text(json.dumps({"path": "idf.json"}))
    return root / "model"


@pytest.mark.filterwarnings("ignore:Sparse")  # of torch, within theirs
def test_queries_without_a_transformer(routed: Path, tmp_path: Path) -> None:
    ours = SparseEncoder(routed)
    folder = routed / "query_0_SparseStaticEmbedding"
    if (folder / "idf.json").exists():  # theirs looks for it beside the process, not beside the model
        text = json.dumps({"path": str(folder / "idf.json")})
        (folder / "config.json").write_text(text)
        theirs = sentence_transformers.SparseEncoder(str(routed), device="cpu")
        (folder / "config.json").write_text(json.dumps({"path": "idf.json"}))
    else:
        theirs = sentence_transformers.SparseEncoder(str(routed), device="cpu")
    for method in ("encode", "encode_query", "encode_document"):
        for asked in ({}, {"max_active_dims": 2}, {"prompt": "loan "}):
            got, want = (getattr(model, method)([*TEXTS, LONG], **asked) for model in (ours, theirs))
            assert same(got, want), (method, asked)
    queries = ours.encode_query(TEXTS)
    assert queries.nnz < ours.encode_document(TEXTS).nnz and len(ours.encode_query("")) == 1
    assert ours.encode_query(TEXTS[0]).data.tobytes() == queries[0].data.tobytes()
    for wrong in ("answer", 3):
        with pytest.raises(ValueError, match=r"^encode: task must be"):
            ours.encode(TEXTS, task=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("damage", ["width", "surplus", "path", "value", "huge", "token"])
def test_one_clear_exception_for_a_damaged_table(damage: str, routed: Path, tmp_path: Path) -> None:
    folder = copytree(routed, tmp_path / "m") / "query_0_SparseStaticEmbedding"
    stored = {
        "width": {"weight": torch.ones(3)},
        "surplus": {"weight": torch.ones(64), "bias": torch.ones(1)},
    }
    listed = {"value": {"bank": "1"}, "huge": {"bank": 1e300}, "token": {"no such token": 1.0}, "path": {}}
    if damage in stored:
        save_file(stored[damage], folder / "model.safetensors")
        (folder / "config.json").write_text("{}")
    else:
        (folder / "idf.json").write_text(json.dumps(listed[damage]))
        (folder / "config.json").write_text(
            json.dumps({"path": "../idf.json" if damage == "path" else "idf.json"})
        )
    with pytest.raises(polysemy.CheckpointError) as error:
        SparseEncoder(tmp_path / "m")
    assert "\n" not in str(error.value) and len(str(error.value)) < 1500


def test_other_heads_have_no_routes(routed: Path) -> None:
    """A route that nobody asked for is not taken in silence."""
    for head in (CrossEncoder, MultiVectorEncoder):
        with pytest.raises(
            polysemy.UnsupportedModelError, match="a Router must lead to vectors of sentences"
        ):
            head(routed)


@pytest.mark.filterwarnings("ignore:Sparse")  # of torch, within theirs
def test_sparse_vectors_in_any_form(folders: dict[str, str]) -> None:
    ours, theirs = of_both("SparseEncoder", folders["SparseEncoder"])
    rows, tensor = ours.encode(TEXTS), theirs.encode(TEXTS)
    forms: list[Any] = [
        rows.toarray(), [rows[i] for i in range(3)], [*tensor], rows.totensor(),
        csr_array((rows.data, rows.indices, rows.indptr), rows.shape),
    ]  # fmt: skip
    for name in ("dot", "cosine"):
        ours.similarity_fn_name = theirs.similarity_fn_name = name
        want, pairs = theirs.similarity(tensor, tensor), theirs.similarity_pairwise(tensor, tensor)
        for form in forms:
            assert same(ours.similarity(form, rows), want) and same(ours.similarity(rows, form), want)
            assert same(ours.similarity_pairwise(form, form), pairs)
    ours.similarity_fn_name = theirs.similarity_fn_name = "dot"
    for function in ("dot_score", "cos_sim"):
        want = getattr(sentence_transformers.util, function)(tensor, tensor)
        assert same(getattr(polysemy.util, function)(rows, rows), want)
        assert same(getattr(polysemy.util, function)(tensor, tensor), want)
    common = ours.intersection(rows[0], rows)
    assert same(common, theirs.intersection(tensor[0], tensor))
    assert same(ours.intersection(tensor[0], tensor), common)
    with pytest.raises(ValueError, match=r"^intersection: embeddings_1 must be one row"):
        ours.intersection(rows, rows)
    with pytest.raises(ValueError, match=r"^decode: embeddings: rows must have one length"):
        ours.decode([rows[0], np.ones(3)])
    with pytest.raises(ValueError, match=r"^decode: top_k must be at least 1"):
        ours.decode(rows, top_k=0)


@pytest.mark.filterwarnings("ignore:Sparse")  # of torch, within theirs
def test_a_search_in_sparse_vectors(folders: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = of_both("SparseEncoder", folders["SparseEncoder"])
    texts = [*TEXTS, "the loan", "york of new york", "we sat"]
    rows, tensor = ours.encode(texts), theirs.encode(texts)
    for block in (1 << 22, 100):  # of a few rows
        monkeypatch.setattr(polysemy.util.retrieval, "_DENSE", block)
        for given in (rows, tensor):
            scores = [("cos_sim", None), ("dot_score", None), ("", (ours.similarity, theirs.similarity))]
            for name, functions in scores:
                mine, other = functions or (getattr(p.util, name) for p in PACKAGES)
                want = sentence_transformers.util.semantic_search(
                    tensor, tensor, top_k=3, score_function=other
                )
                close(polysemy.util.semantic_search(given, given, top_k=3, score_function=mine), want)


def test_a_folder_that_keeps_few_values(folders: dict[str, str], tmp_path: Path) -> None:
    theirs = sentence_transformers.SparseEncoder(folders["SparseEncoder"], max_active_dims=3, device="cpu")
    theirs.save_pretrained(str(tmp_path))
    ours = SparseEncoder(tmp_path)
    assert ours.max_active_dims == 3 and same(ours.encode(TEXTS), theirs.encode(TEXTS))
    assert ours.encode(TEXTS, max_active_dims=5).nnz > ours.encode(TEXTS).nnz
    path = tmp_path / "config_sentence_transformers.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"max_active_dims": "3"}))
    with pytest.raises(polysemy.CheckpointError, match="max_active_dims must be a positive integer or null"):
        SparseEncoder(tmp_path)
    with pytest.raises(ValueError, match=r"^SparseEncoder: max_active_dims must be at least 1"):
        SparseEncoder(tmp_path, max_active_dims=0)
