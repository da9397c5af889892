"""For which systems and Pythons wheels are made: what cibuildwheel reads from pyproject.toml."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHONS = ("cp310", "cp311", "cp312", "cp313", "cp314", "cp314t")


def identifiers(platform: str, architecture: str) -> set[str]:
    """What cibuildwheel would build there."""
    command = [sys.executable, "-m", "cibuildwheel", "--print-build-identifiers"]
    done = subprocess.run(
        [*command, "--platform", platform, "--archs", architecture, str(ROOT)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="cibuildwheel itself needs Python 3.11")
@pytest.mark.parametrize(
    ("platform", "architecture", "systems"),
    [
        ("linux", "x86_64", ["manylinux_x86_64", "musllinux_x86_64"]),
        ("linux", "aarch64", ["manylinux_aarch64", "musllinux_aarch64"]),
        ("macos", "arm64", ["macosx_arm64"]),
        ("windows", "AMD64", ["win_amd64"]),
    ],
)
def test_wheels_for(platform: str, architecture: str, systems: list[str]) -> None:
    assert identifiers(platform, architecture) == {
        f"{python}-{system}" for python in PYTHONS for system in systems
    }


def test_every_job_of_the_workflow_has_wheels_to_build() -> None:
    """The runners of the workflow are those systems, each once."""
    workflow = (ROOT / ".github" / "workflows" / "wheels.yml").read_text("utf-8")
    runners = re.search(r"os: \[(.*)\]", workflow)
    assert runners
    systems = [re.sub(r"[\d.]+", "", name.strip()) for name in runners[1].split(",")]
    assert sorted(systems) == ["macos-", "ubuntu-", "ubuntu--arm", "windows-"]


def locked(name: str) -> dict[str, str]:
    """Package -> version of a file in which each has hashes, and nothing else is."""
    text = (ROOT / ".ci" / name).read_text("utf-8").replace("\\\n", "")
    line = r"^([\w-]+)(?:\[[\w-]+\])?==([\d.]+)(?: ; [^\n]*?)?(?: +--hash=sha256:[0-9a-f]{64})+$"
    found = dict(re.findall(line, text, re.M))
    assert len(found) == len([line for line in text.splitlines() if not line.startswith("#")]), name
    return found


def test_build_requirements_are_locked_by_hash() -> None:
    """Everything that [build-system] asks for."""
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    table = re.search(r"^\[build-system\]\nrequires = \[(.*?)\]$", project, re.M)
    assert table
    wanted = dict(re.findall(r'"([\w-]+)>=([\d.]+)"', table[1]))
    versions = locked("build-requirements.txt")
    assert len(wanted) >= 3 and wanted.keys() <= versions.keys()
    for name, least in wanted.items():
        assert [int(n) for n in versions[name].split(".")] >= [int(n) for n in least.split(".")], name


def test_what_releases_are_made_with_is_locked_by_hash() -> None:
    assert "delvewheel" in locked("repair-requirements.txt")
    assert "cyclonedx-bom" in locked("sbom-requirements.txt")
    installs = [
        line.strip()
        for file in (ROOT / "pyproject.toml", ROOT / ".ci" / "sbom", *(ROOT / ".github").rglob("*.yml"))
        for line in file.read_text("utf-8").splitlines()
        if re.search(r"\bpipx?\b.*\b(install|run)\b", line)
    ]
    assert len(installs) >= 3 and all("--require-hashes -r " in line for line in installs), installs


def test_actions_are_pinned_by_commit() -> None:
    files = [*(ROOT / ".github" / "workflows").glob("*.yml")]
    uses = [
        line.strip()
        for file in files
        for line in file.read_text("utf-8").splitlines()
        if re.match(r"\s*(- )?uses:", line)
    ]
    assert len(files) >= 2 and len(uses) >= 8
    commits: dict[str, set[str]] = {}
    for line in uses:
        pinned = re.fullmatch(r"- uses: ([\w./-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+", line)
        assert pinned, line
        commits.setdefault(pinned[1], set()).add(pinned[2])
    assert all(len(found) == 1 for found in commits.values()), "one commit of each"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib")
def test_releases_have_the_addresses_of_their_repository(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    for name in ("pyproject.toml", ".ci/urls"):
        shutil.copy(ROOT / name, tmp_path / name)

    def run(*address: str) -> tuple[int, str]:
        command = [tmp_path / ".ci/urls", *address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stderr

    for wrong in ((), ("github.com/some/one",), ("https://github.com/some",), ('https://host/a/b"\nx = "',)):
        assert run(*wrong)[0] == 2
    import tomllib

    before = (tmp_path / "pyproject.toml").read_text()
    assert before == (ROOT / "pyproject.toml").read_text()
    assert run("https://github.com/some/one") == (0, "")
    after = (tmp_path / "pyproject.toml").read_text()
    urls = tomllib.loads(after)["project"]["urls"]
    assert set(urls) == {"Homepage", "Source", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith("https://github.com/some/one") for url in urls.values())
    assert after.startswith(before)
    assert run("https://github.com/some/one") == (1, ".ci/urls: pyproject.toml has [project.urls] already\n")
    workflow = (ROOT / ".github" / "workflows" / "wheels.yml").read_text("utf-8")
    jobs = workflow.split("persist-credentials: false\n")
    building = [job for job in jobs if "cibuildwheel@" in job or ".ci/wheel " in job]
    assert len(building) == 2
    assert all(job.lstrip().startswith("- run: .ci/urls ") for job in building)


def test_only_what_signs_may_do_more_than_read() -> None:
    """A tag's files get a signed statement of where they come from, and a bill of materials."""
    for file in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = file.read_text("utf-8")
        assert "\npermissions:\n  contents: read\n" in text, file.name
        writes = re.findall(r"^ +([\w-]+): write\b", text, re.M)
        assert writes == (["id-token", "attestations"] if file.name == "wheels.yml" else []), file.name
        assert text.count("persist-credentials: false") == text.count("uses: actions/checkout@"), file.name
    workflow = (ROOT / ".github" / "workflows" / "wheels.yml").read_text("utf-8")
    job = workflow.split("\n  attest:\n")[1]
    assert "needs: [wheels, sdist]" in job and "startsWith(github.ref, 'refs/tags/')" in job
    assert job.count("uses: actions/attest@") == 2 and "sbom-path: polysemy.cdx.json" in job
