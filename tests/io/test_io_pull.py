"""`polysemy pull` and downloads, from a hub on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import COMMIT, NAME, Hub, serve
from polysemy.errors import CheckpointError, ModelNotFoundError
from polysemy.io import hub as hub_module
from polysemy.io.hub import DEFAULT_SHA256, HubOptions, pull, resolve
from tiny_models import write_sentence_model

OTHER = "fedcba9876543210fedcba9876543210fedcba98"
UNWANTED = {"pytorch_model.bin", "onnx/model.safetensors", "train.py"}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    folder = write_sentence_model(tmp_path / "published")
    for name in UNWANTED:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"unwanted")
    with serve(Hub(folder)) as served:
        yield served


def run(hub: Hub, cache: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process of its own: the hub's library reads its settings when it is imported."""
    environment = (
        os.environ | {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "0"} | variables
    )
    return subprocess.run(
        [sys.executable, "-m", "polysemy", "pull", *arguments], env=environment, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip


def cached(cache: Path, revision: str | None = None) -> Path:
    return resolve(NAME, HubOptions(revision, cache, local_files_only=True)).folder


def test_pull(hub: Hub, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = run(hub, cache, NAME)
    folder = cached(cache)
    assert (first.returncode, first.stdout, first.stderr) == (0, f"{folder}\n", "")
    assert folder == cache / "models--org--tiny" / "snapshots" / COMMIT
    wanted = set(hub.files()) - UNWANTED
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == wanted
    assert sorted(hub.downloaded) == sorted(wanted)
    assert hub.downloaded[-1] == "model.safetensors", "weights come last: what has them is whole"
    hub.downloaded.clear()
    again = run(hub, cache, NAME)
    assert (again.returncode, again.stdout, hub.downloaded) == (0, first.stdout, [])


def test_pull_a_revision_into_another_cache(hub: Hub, tmp_path: Path) -> None:
    hub.commits["v2"] = OTHER
    done = run(hub, tmp_path / "unused", NAME, "--revision", "v2", "--cache-folder", str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert cached(tmp_path / "cache", "v2") == cached(tmp_path / "cache", OTHER) == Path(done.stdout.strip())
    with pytest.raises(ModelNotFoundError):
        cached(tmp_path / "cache")
    by_commit = run(hub, tmp_path / "other", NAME, "--revision", OTHER)
    assert by_commit.returncode == 0 and not (tmp_path / "other" / "models--org--tiny" / "refs").exists()
    assert not (tmp_path / "unused").exists()
    gone = run(hub, tmp_path / "cache", NAME, "--revision", "v3")
    assert gone.returncode == 1 and gone.stdout == ""
    into = f"polysemy: error: pull: 'org/tiny' is to be downloaded into {tmp_path / 'cache'}, and the download failed"
    assert into in gone.stderr


def test_progress(hub: Hub, tmp_path: Path) -> None:
    """Only where somebody looks, or on request."""
    assert "%" in run(hub, tmp_path / "a", NAME, "--progress").stderr
    assert run(hub, tmp_path / "b", NAME, "--no-progress").stderr == ""


def test_an_interrupted_download(hub: Hub, tmp_path: Path) -> None:
    """It leaves no model, and what was there stays; the next one goes on."""
    assert run(hub, tmp_path, NAME).returncode == 0
    hub.commits["main"] = OTHER
    (hub.folder / "README.md").write_text("newer")
    weights = hub.folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b"\0")
    hub.broken = "model.safetensors"
    broken = run(hub, tmp_path, NAME)
    assert broken.returncode == 1 and "the download failed" in broken.stderr
    assert cached(tmp_path).name == COMMIT
    with pytest.raises(ModelNotFoundError):
        cached(tmp_path, OTHER)
    hub.broken = None
    hub.downloaded.clear()
    assert run(hub, tmp_path, NAME).returncode == 0
    assert cached(tmp_path).name == OTHER and hub.downloaded == ["model.safetensors"]


def test_altered_weights(hub: Hub, tmp_path: Path) -> None:
    """They are deleted, so that the next download has a chance."""
    hub.altered = "model.safetensors"
    found = run(hub, tmp_path, NAME)
    assert found.returncode == 1 and "is not the published file: its sha256 must be" in found.stderr
    with pytest.raises(ModelNotFoundError):
        cached(tmp_path)
    hub.altered = None
    assert run(hub, tmp_path, NAME).returncode == 0 and cached(tmp_path).name == COMMIT


def test_offline(hub: Hub, tmp_path: Path) -> None:
    found = run(hub, tmp_path, NAME, HF_HUB_OFFLINE="1")
    assert (
        found.returncode == 1
        and "HF_HUB_OFFLINE forbids to download it" in found.stderr
        and not hub.downloaded
    )


@pytest.mark.parametrize("model", ["./published", "/tmp", "a/b/c", ""])
def test_what_is_no_id(hub: Hub, tmp_path: Path, model: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"pull: .* can't be a Hugging Face id"):
        pull(model, HubOptions(cache_folder=tmp_path))


@pytest.mark.parametrize("model", [None, "all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_the_default_model_must_have_its_hash(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str | None
) -> None:
    asked = []

    def download(name: str, options: HubOptions, **_: object) -> Path:
        asked.append((name, options.revision))
        return hub.folder

    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(hub_module, "download_snapshot", download)
    with pytest.raises(CheckpointError, match=f"sha256 must be {DEFAULT_SHA256}"):
        pull(model)
    assert pull(model, HubOptions("main")).sha256 is None
    assert asked == [(hub_module.DEFAULT_MODEL, None), (hub_module.DEFAULT_MODEL, "main")]
