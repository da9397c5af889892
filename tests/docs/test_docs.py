"""The pages of docs/: examples run, links and file names lead somewhere, numbers are those of the code."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT, blocks, run_examples

DOCS = ROOT / "docs"
TOP = [ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")]
PAGES = [*TOP, *sorted(DOCS.rglob("*.md"))]
# The pages of the operations have a test of their own for their examples.
WITH_EXAMPLES = [
    p for p in PAGES if p.parent.name != "ops" and any(b.language == "python" for b in blocks(p))
]
_FOLDERS = ("csrc", "python", "tests", "bench", "docs", "scripts", "examples", "tools", r"\.ci")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_the_pages_with_examples_are_found() -> None:
    names = {page.name for page in WITH_EXAMPLES}
    assert {"README.md", "tutorial.md", "worked-example.md", "numerics.md"} <= names


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name_of)
def test_examples_run(page: Path) -> None:
    assert run_examples(page) >= 3


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("https://", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_file_names_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    named = re.findall(rf"`((?:{'|'.join(_FOLDERS)})/[\w./-]*)`", text)
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing, f"{page.name} names {missing}"


def test_what_to_touch_is_said_for_everything_that_grows() -> None:
    """Each row names files; that they are there, the test above checks."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| (an? [^|]+?) \| ([^|]+ \| [^|]+) \|$", text, re.M))
    things = (
        "instruction set",
        "kernel",
        "operation",
        "precision",
        "activation",
        "norm",
        "family",
        "head",
        "command",
    )
    for thing in things:
        (row,) = [row for name, row in rows.items() if re.match(rf"an? {thing}\b", name)]
        touched, tested = row.split(" | ")
        assert "`" in touched and "`tests/" in tested, thing


def test_every_page_is_reachable_from_the_readme() -> None:
    seen: set[Path] = set()
    queue = [ROOT / "README.md"]
    while queue:
        page = queue.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))
        queue += [
            (page.parent / t.partition("#")[0]).resolve()
            for t in targets
            if not t.startswith(("https:", "#"))
        ]
    assert set(PAGES) <= seen


def test_constants_are_those_of_the_code() -> None:
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "csrc").rglob("*.h"))
    told = [
        (page, *found)
        for page in PAGES
        for found in re.findall(r"`(k[A-Z]\w+)` = (\d+)", page.read_text("utf-8"))
    ]
    assert len(told) >= 4
    for page, name, value in told:
        assert re.search(rf"\b{name} = {value};", code), f"{page.name}: {name} is not {value}"


def test_named_tests_exist() -> None:
    """A page that says where something is tested names a test that is there."""
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    for page in PAGES:
        for name in re.findall(r"`(test_\w+)`", page.read_text("utf-8")):
            assert f"def {name}(" in tests, f"{page.name} names {name}"


def test_decisions_are_numbered_and_listed() -> None:
    pages = sorted((DOCS / "decisions").glob("0*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    listed = (DOCS / "decisions" / "README.md").read_text("utf-8")
    for page in pages:
        title = page.read_text("utf-8").splitlines()[0]
        assert title.startswith(f"# {page.name[:4]}: ")
        assert f"[{page.name[:4]}]({page.name}) | {title[8:]} |" in listed


def png_size(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_the_tutorials_picture_is_drawn_by_its_script(tmp_path: Path) -> None:
    drawn = tmp_path / "bank.png"
    subprocess.run([sys.executable, str(DOCS / "plots" / "bank.py"), str(drawn)], check=True, timeout=120)
    committed = DOCS / "images" / "bank.png"
    assert png_size(drawn) == png_size(committed)
    assert committed.stat().st_size < 150_000
