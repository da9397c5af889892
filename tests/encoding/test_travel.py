"""Encoders go to other processes by the name of their model, or as their arrays, and give the same bits there."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import shutil
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from campaigns.common import python
from deterministic import SPECS, weights_of
from polysemy import Encoder, ModelNotFoundError, _core
from polysemy.encoding import loading, travel
from polysemy.errors import CheckpointError
from polysemy.io import hub
from polysemy.model.network import Network
from polysemy.model.pooling import SentenceHead
from polysemy.model.spec import Activation, Pooling, native
from polysemy.model.steps import Dense, LayerNorm, Normalize
from random_specs import random_batch, random_spec, random_weights
from tiny_models import write_json, write_sentence_model, write_transformer
from travellers import TEXTS


def sent(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_sentence_model(tmp_path / "model", settings={"max_seq_length": 12})


def test_in_one_process_there_is_one(folder: Path) -> None:
    encoder = Encoder.from_pretrained(folder)
    data = pickle.dumps(encoder)
    assert len(data) < 1000 and data == pickle.dumps(encoder)
    with ThreadPoolExecutor(4) as pool:
        assert all(one is encoder for one in pool.map(pickle.loads, [data] * 8))
    assert copy.copy(encoder) is copy.deepcopy(encoder) is encoder is weakref.ref(encoder)()


@pytest.mark.filterwarnings("ignore::polysemy.TruncationWarning")
def test_options_travel(folder: Path) -> None:
    plain, changed = (
        Encoder.from_pretrained(folder, **options)  # type: ignore[arg-type]
        for options in (
            {},
            {
                "precision": "int8", "pooling": ["max", "cls"], "num_threads": 3, "mmap": True, "revision": "v1",
                "cache_folder": "~/models", "local_files_only": True, "token": "secret", "max_seq_length": 5,
            },
        )
    )  # fmt: skip
    data = pickle.dumps(plain), pickle.dumps(changed)
    assert b"secret" not in data[1] and str(Path.home() / "models").encode() in data[1]
    expected = plain.encode(TEXTS).tobytes(), changed.encode(TEXTS).tobytes()
    options = {name for name, _ in changed._origin.options}  # type: ignore[union-attr]
    asked = inspect.signature(Encoder.from_pretrained).parameters.keys()
    assert options == asked - {"model", "floor", "token", "route"}, "routes travel in tests/sentence"
    del plain, changed
    gc.collect()
    again = [pickle.loads(part) for part in data]
    assert tuple(encoder.encode(TEXTS).tobytes() for encoder in again) == expected
    assert again[1].precision == "int8" and again[1]._num_threads == 3
    assert tuple(map(pickle.dumps, again)) == data


@pytest.mark.filterwarnings("ignore::polysemy.TruncationWarning")
def test_a_later_length_travels(folder: Path) -> None:
    encoder = Encoder.from_pretrained(folder).with_max_seq_length(5)
    bits, data = encoder.encode(TEXTS).tobytes(), pickle.dumps(encoder)
    assert pickle.loads(data) is encoder
    del encoder
    gc.collect()
    assert pickle.loads(data).max_seq_length == 5 and pickle.loads(data).encode(TEXTS).tobytes() == bits


def test_auto_is_what_it_stands_for(folder: Path) -> None:
    encoder = Encoder.from_pretrained(folder, precision="auto")
    assert encoder._origin is not None
    assert dict(encoder._origin.options)["precision"] == encoder.precision != "auto"


def test_what_arrives_is_loaded_once_when_it_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder.from_pretrained(folder)
    data, bits = pickle.dumps(encoder), encoder.encode(TEXTS).tobytes()
    del encoder
    gc.collect()
    loads: list[object] = []
    load = loading.load_model
    monkeypatch.setattr(
        loading, "load_model", lambda *args, **options: loads.append(args) or load(*args, **options)
    )  # type: ignore[func-returns-value]
    arrived = pickle.loads(data)
    assert pickle.dumps(arrived) == data and arrived.fingerprint is not None and copy.copy(arrived) is arrived
    with pytest.raises(AttributeError, match="'Encoder' object has no attribute 'embed'"):
        arrived.embed(TEXTS)
    assert not loads, "so far nobody needs the weights"
    with ThreadPoolExecutor(8) as pool:
        assert {v.tobytes() for v in pool.map(arrived.encode, [TEXTS] * 16)} == {bits}
    assert len(loads) == 1
    del arrived
    gc.collect()
    assert pickle.loads(data).encode(TEXTS).tobytes() == bits and len(loads) == 1, "kept between two tasks"


def test_only_the_last_ones_are_kept(tmp_path: Path) -> None:
    models = [
        Encoder.from_pretrained(write_sentence_model(tmp_path / str(i))) for i in range(travel.KEPT + 1)
    ]
    data = [pickle.dumps(model) for model in models]
    del models
    gc.collect()
    arrived = [pickle.loads(part) for part in data]
    assert all(len(encoder.encode(TEXTS)) == 2 for encoder in arrived)
    refs = [weakref.ref(encoder) for encoder in arrived]
    del arrived
    gc.collect()
    assert [ref() is not None for ref in refs] == [False] + [True] * travel.KEPT


def test_another_model_under_the_name(folder: Path) -> None:
    encoder = Encoder.from_pretrained(folder)
    data = pickle.dumps(encoder)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 11})
    code = "import pickle, sys; pickle.loads(bytes.fromhex(sys.argv[1])).encode('money')"
    done = python(code, data.hex())
    assert done.returncode == 1
    assert f"its fingerprint must be {encoder.fingerprint}, got " in done.stderr, done.stderr
    shutil.rmtree(folder)
    assert ModelNotFoundError.__name__ in python(code, data.hex()).stderr
    assert pickle.loads(data) is encoder


def test_a_relative_name_is_found_from_everywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    encoder = Encoder.from_pretrained("model")
    assert str(folder).encode() in pickle.dumps(encoder)


@pytest.mark.parametrize("precision", _core.PRECISIONS)
@pytest.mark.parametrize("kind", sorted(SPECS))
def test_parts_travel_as_their_arrays(kind: str, precision: str) -> None:
    encoder = Encoder(SPECS[kind], weights_of(kind), precision=precision, num_threads=2)
    data = pickle.dumps(encoder)
    again = pickle.loads(data)
    assert again is not encoder and again.fingerprint is None and again._num_threads == 2
    assert again.spec == encoder.spec and again.precision == precision
    ids = [[1, 2, 3, 4, 5], [7, 0]]
    here, there = encoder.forward(ids, layers="all"), again.forward(ids, layers="all")
    for layer in here.layers:
        for i in range(len(ids)):
            assert here.hidden_state(i, layer).tobytes() == there.hidden_state(i, layer).tobytes()
    assert again.static_embedding(3).tobytes() == encoder.static_embedding(3).tobytes()
    assert (
        pickle.dumps(again)
        == data
        == pickle.dumps(Encoder(SPECS[kind], weights_of(kind), precision=precision, num_threads=2))
    )


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_parts_of_every_shape(precision: str) -> None:
    """Gated layers, norms of all kinds, projections, position biases, disentangled attention, no layers at all."""
    for seed in range(40):
        spec = random_spec(seed)
        network = Network(spec, random_weights(spec, seed), precision)
        again = sent(network)
        batch = random_batch(spec, seed, [7, 1, 0, 20])
        here, there = (each.run(*batch, layers=range(len(spec.layers) + 1)) for each in (network, again))
        assert pickle.dumps(again) == pickle.dumps(network), seed
        for layer, states in here.hidden.items():
            assert states.tobytes() == there.hidden[layer].tobytes(), (seed, layer)


def test_packed_weights_of_another_layout(default: Encoder) -> None:
    spec, precision, tables, (layout, packed) = default._network.__getstate__()
    network = Network.__new__(Network)
    with pytest.raises(
        ValueError, match=f"packed must have layout {layout}, got {layout + 1}: it was packed by"
    ):
        network.__setstate__((spec, precision, tables, (layout + 1, packed)))
    with pytest.raises(ValueError, match=f"packed must have {len(packed)} bytes, got {len(packed) - 1}"):
        network.__setstate__((spec, precision, tables, (layout, packed[:-1])))
    with pytest.raises(ValueError, match="packed must have"):
        network.__setstate__((spec, "float16", tables, (layout, packed)))
    assert not packed.flags.writeable


def test_tokenizer_and_head_of_parts(tiny: Encoder) -> None:
    rng = np.random.default_rng(0)
    steps = (
        Dense(rng.normal(size=(10, 24)).astype(np.float32), np.ones(10, np.float32), Activation.TANH),
        LayerNorm(np.ones(10, np.float32), None, 1e-6),
        Normalize(),
    )
    weights = {
        name: rng.normal(0, 0.3, shape).astype(np.float32)
        for name, shape in _core.parameters(native(tiny.spec))
    }
    head = SentenceHead((Pooling.MEAN,), steps)
    built = Encoder(tiny.spec, weights, tokenizer=tiny.tokenizer, head=head, card=tiny.card)
    again = sent(built)
    assert again.encode(TEXTS).tobytes() == built.encode(TEXTS).tobytes()
    assert again.max_seq_length == built.max_seq_length and again.card == tiny.card and again.dim == 10
    assert pickle.dumps(sent(again)) == pickle.dumps(again)


def test_the_fingerprint_covers_what_decides(folder: Path, tmp_path: Path) -> None:
    def fingerprint() -> str | None:
        return Encoder.from_pretrained(folder).fingerprint

    first = fingerprint()
    assert first is not None and len(first) == 64
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert Encoder.from_pretrained(moved).fingerprint == first
    assert Encoder.from_pretrained(folder, mmap=True, precision="int8").fingerprint == first
    (folder / "README.md").write_text("decides nothing")
    assert fingerprint() == first
    seen = {first}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "README.md":
            content = path.read_bytes()
            changed = content[:-1] + b"\0" if path.suffix == ".safetensors" else content + b"\n"
            path.write_bytes(changed)
            seen.add(fingerprint())
            path.write_bytes(content)
    assert len(seen) == 1 + 7, "config, weights, vocabulary, settings of both, modules and pooling"


def test_weights_that_change_before_they_are_hashed(tmp_path: Path) -> None:
    path = write_transformer(tmp_path / "m") / "model.safetensors"
    encoder = Encoder.from_pretrained(tmp_path / "m")
    path.write_bytes(path.read_bytes())
    with pytest.raises(CheckpointError, match="was changed after it was read"):
        pickle.dumps(encoder)


def test_the_default_model_is_checked_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = hub.resolve(None)
    assert source.files is not None
    copied = shutil.copytree(source.folder, tmp_path / "m")
    monkeypatch.setattr(hub, "_packaged_default", lambda: copied)
    for name in sorted(source.files.keys() - {"model.safetensors"}):
        content = (copied / name).read_bytes()
        (copied / name).write_bytes(content + b"\n")
        with pytest.raises(CheckpointError, match=f"{name} is not the published file: its sha256 must be"):
            Encoder.from_pretrained()
        (copied / name).write_bytes(content)
    (copied / "modules.json").rename(copied / "other.json")
    with pytest.raises(CheckpointError, match=r"modules.json is not the published file: .* got no file"):
        Encoder.from_pretrained()
    (copied / "other.json").rename(copied / "modules.json")
    write_json(copied / "added_tokens.json", {})
    with pytest.raises(CheckpointError, match=r"added_tokens.json is not the published file"):
        Encoder.from_pretrained()
