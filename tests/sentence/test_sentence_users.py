"""Packages that take a model of sentence-transformers: the calls that they make give what the original gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polysemy
import pytest
import sentence_transformers
import torch
from head_models import WORDS
from sentence_models import HIDDEN, save
from sentence_transformers.sentence_transformer import modules
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity

TEXTS = [" ".join(np.random.default_rng(i).choice(WORDS, 3 + i % 9)) for i in range(40)]
LABELS = [int("river" in text) for text in TEXTS]
# Of a small model with sums of 64 terms in a handful of layers, and of a classifier that was fitted to vectors until
# its loss was flat to 1e-4.
ROUNDING, FITTED = 512 * 2.0**-24, 1e-3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("users")
    save(root, modules.Pooling(HIDDEN), modules.Normalize())
    return str(root / "model")


def setfit(model: Any) -> list[Any]:
    """A classifier on the vectors of a body: fitting, predicting, moving, and a head of torch."""
    body = model.to("cpu")
    vectors = body.encode([*TEXTS], normalize_embeddings=False)
    head = LogisticRegression().fit(vectors, LABELS)
    asked = {"batch_size": 32, "normalize_embeddings": True, "show_progress_bar": None}
    some = body.encode(TEXTS[:9], **asked, convert_to_tensor=False)
    tensors = body.encode(TEXTS[:9], **asked, convert_to_tensor=True)
    assert isinstance(tensors, torch.Tensor) and torch.device(body.device) == torch.device("cpu")
    layer = torch.nn.Linear(body.get_sentence_embedding_dimension(), 2)
    with torch.no_grad():
        layer.weight.fill_(0.25), layer.bias.zero_()
        logits = layer(tensors)
    return [body.get_max_seq_length(), vectors, head.predict_proba(some), tensors.numpy(), logits.numpy()]


def bertopic(model: Any) -> list[Any]:
    """Documents and words as lists and as arrays, their likeness, and a search by a word."""
    documents = model.encode(TEXTS, show_progress_bar=False)
    words = model.encode(np.array(WORDS), show_progress_bar=False)
    topics = np.stack([documents[i::4].mean(axis=0) for i in range(4)])
    search = model.encode(["money"], show_progress_bar=False).flatten()
    return [
        documents,
        words,
        cosine_similarity(topics, words),
        cosine_similarity(search.reshape(1, -1), topics),
    ]


def topics(model: Any) -> list[Any]:
    """Groups of documents, by steps that the last bits of vectors don't turn over, as UMAP's do."""
    documents = model.encode(TEXTS, show_progress_bar=False)
    reduced = PCA(n_components=3, random_state=1).fit_transform(documents)
    return [KMeans(n_clusters=5, n_init=5, random_state=1).fit_predict(reduced)]


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # within theirs
@pytest.mark.parametrize("use", [setfit, bertopic, topics])
def test_use(use: Callable[[Any], list[Any]], folder: str) -> None:
    want, got = (
        use(package.SentenceTransformer(folder, device="cpu"))
        for package in (sentence_transformers, polysemy)
    )
    for a, b in zip(got, want, strict=True):
        assert np.shape(a) == np.shape(b) and type(a) is type(b)
        bound = FITTED if use is setfit and np.shape(a) == (9, 2) else ROUNDING
        assert np.abs(a - b).max() <= bound


def test_a_model_stays_a_model_after_moves(folder: str) -> None:
    model = polysemy.SentenceTransformer(Path(folder))
    assert model.eval() is model and model.to(torch.device("cpu")) is model
    with pytest.raises(ValueError, match="device must be 'cpu', got cuda"):
        model.to("cuda")
