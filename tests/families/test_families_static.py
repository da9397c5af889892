"""Static embeddings against sentence-transformers: a table of tokens, their mean, and what follows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from polysemy import Encoder
from polysemy.errors import CheckpointError, TokenizerError, UnsupportedModelError
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tiny_models import VOCAB
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import BertProcessing

DIM = 24
TEXTS = ["The bank by the river.", "", "money", "unknown zebra! bank", "we sat on the bank " * 300]


def tokenizer() -> Tokenizer:
    made = Tokenizer(WordPiece({token: i for i, token in enumerate(VOCAB)}, unk_token="[UNK]"))
    made.normalizer = BertNormalizer(lowercase=True)
    made.pre_tokenizer = BertPreTokenizer()
    made.post_processor = BertProcessing(("[SEP]", 3), ("[CLS]", 2))  # which a static embedding leaves out
    return made


def table() -> np.ndarray:
    return np.random.default_rng(4).standard_normal((len(VOCAB), DIM)).astype(np.float32)


def saved(folder: Path, *, normalize: bool = False, cut: int | None = None) -> Path:
    made = tokenizer()
    if cut is not None:
        made.enable_truncation(cut)
    modules = [StaticEmbedding(made, embedding_weights=torch.tensor(table()))]
    SentenceTransformer(modules=[*modules, *([Normalize()] if normalize else [])], device="cpu").save(
        str(folder)
    )
    return folder


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.filterwarnings("ignore:.*were longer")
def test_as_sentence_transformers(tmp_path: Path, normalize: bool) -> None:
    folder = saved(tmp_path / "m", normalize=normalize)
    theirs = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    encoder = Encoder.from_pretrained(folder)
    got = encoder.encode(TEXTS)
    assert (encoder.card.model_type, len(encoder.spec.layers), encoder.dim) == ("static", 0, DIM)
    assert not got[1].any()
    # Theirs adds up number by number: each of n sums is rounded.
    assert np.abs(got - theirs).max() <= 2.0**-24 * 1800
    short = [0, 2, 3]
    assert np.abs(got - theirs)[short].max() <= 4 * 2.0**-24


def test_cut_where_the_tokenizer_says_so(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", cut=3)
    theirs = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    encoder = Encoder.from_pretrained(folder)
    assert encoder.max_seq_length == 3
    with pytest.warns(UserWarning, match="longer"):
        got = encoder.encode(TEXTS)
    assert np.abs(got - theirs).max() <= 4 * 2.0**-24


def test_model2vec(tmp_path: Path) -> None:
    """Its name of the table, its configuration, and the path that it writes."""
    folder = saved(tmp_path / "m")
    expected = Encoder.from_pretrained(folder).encode(TEXTS)
    save_file({"embeddings": table()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))
    kind = "sentence_transformers.models.StaticEmbedding"
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": ".", "type": kind}]))
    (folder / "tokenizer.json").write_text(tokenizer().to_str())
    assert Encoder.from_pretrained(folder).encode(TEXTS).tobytes() == expected.tobytes()


def test_hidden_states_and_words(tmp_path: Path) -> None:
    encoder = Encoder.from_pretrained(saved(tmp_path / "m"))
    output = encoder.forward("the bank", layers=[0])
    rows = [VOCAB.index("the"), VOCAB.index("bank")]
    np.testing.assert_array_equal(output.hidden_state(0, 0), table()[rows])
    np.testing.assert_array_equal(encoder.word_vectors("the bank", "bank", 0), table()[rows[1:]])


@pytest.mark.parametrize(
    ("tensors", "error", "message"),
    [
        ({"other": table()}, CheckpointError, "must have a table embedding.weight, got None"),
        ({"embedding.weight": table()[0]}, CheckpointError, "must have a table"),
        ({"embedding.weight": table(), "x": table()}, CheckpointError, "1 surplus: x"),
        ({"embedding.weight": table(), "embeddings": table()}, CheckpointError, "are the same parameter"),
        ({"embeddings": table(), "weights": table()[:, 0]}, UnsupportedModelError, "have weights"),
        ({"embeddings": table(), "mapping": np.arange(3)}, UnsupportedModelError, "share rows"),
    ],
)
def test_damaged(
    tmp_path: Path, tensors: dict[str, np.ndarray], error: type[Exception], message: str
) -> None:
    folder = saved(tmp_path / "m")
    save_file(
        {name: np.ascontiguousarray(array) for name, array in tensors.items()}, folder / "model.safetensors"
    )
    with pytest.raises(error, match=message):
        Encoder.from_pretrained(folder)


def test_not_a_static_embedding(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(TokenizerError, match=r"tokenizer\.json is not there"):
        Encoder.from_pretrained(folder)
    (folder / "modules.json").unlink()
    (folder / "config.json").write_text('{"model_type": "model2vec"}')
    with pytest.raises(UnsupportedModelError, match="names a StaticEmbedding"):
        Encoder.from_pretrained(folder)


LARGE = 30_000  # rows of 6 MB, which are read beside the tokenizer


def large(folder: Path, dtype: type = np.float32, damage: float | None = None) -> np.ndarray:
    """A folder whose table is longer than the vocabulary; returns the table."""
    rows = np.random.default_rng(5).standard_normal((LARGE, 64)).astype(dtype)
    if damage is not None:
        rows[-1, -1] = damage
    save_file({"embedding.weight": rows}, saved(folder) / "model.safetensors")
    return rows


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("mapped", [False, True])
def test_a_large_table(tmp_path: Path, dtype: type, mapped: bool) -> None:
    """Used as it is stored."""
    rows = large(tmp_path / "m", dtype)
    encoder = Encoder.from_pretrained(tmp_path / "m", mmap=mapped)
    np.testing.assert_array_equal(
        encoder.forward([[LARGE - 1, 3]]).hidden_state(0), rows[[LARGE - 1, 3]].astype(np.float32)
    )
    assert encoder.fingerprint == Encoder.from_pretrained(tmp_path / "m").fingerprint


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("damage", [np.nan, -np.inf])
def test_a_large_table_with_a_number_that_is_none(tmp_path: Path, damage: float, mapped: bool) -> None:
    large(tmp_path / "m", damage=damage)
    with pytest.raises(CheckpointError, match="has a NaN or an infinite value"):
        Encoder.from_pretrained(tmp_path / "m", mmap=mapped)


@pytest.mark.parametrize("make", [saved, large])
@pytest.mark.parametrize("content", ["{", '{"model": {}}', "\udcff"])
def test_a_damaged_tokenizer_is_found_when_the_model_is_loaded(
    tmp_path: Path, make: Callable[[Path], object], content: str
) -> None:
    """Not by the first text."""
    make(tmp_path / "m")
    (tmp_path / "m" / "tokenizer.json").write_text(content, errors="surrogateescape")
    with pytest.raises(TokenizerError, match="not a usable tokenizer"):
        Encoder.from_pretrained(tmp_path / "m")
