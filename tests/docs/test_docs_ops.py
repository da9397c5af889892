"""The pages of the operations: every operation on one of them, with an example, and as its docstring says."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from pages import blocks
from polysemy import ops

from tools.ops_reference import FOLDER, functions, replaced

PAGES = sorted(FOLDER.glob("*.md"))


def test_every_operation_is_on_one_page() -> None:
    assert sorted(name for page in PAGES for name in functions(page)) == sorted(ops.__all__)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_reference_is_what_the_docstrings_say(page: Path) -> None:
    text = page.read_text("utf-8")
    assert text == replaced(text), "python tools/ops_reference.py writes it anew"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_run_and_use_every_operation(page: Path) -> None:
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried >= 3 and failed == 0
    examples = "".join(block.text for block in blocks(page) if block.language == "python")
    assert not [name for name in functions(page) if not re.search(rf"ops\.{name}\b", examples)]
    # What a reference can't say: a page without a bound promises nothing.
    assert "## Accuracy" in page.read_text("utf-8") or not functions(page)


def test_other_words_are_noticed() -> None:
    text = (FOLDER / "pooling.md").read_text("utf-8")
    assert replaced(text.replace("float32 array (sequences, width)", "float64")) == text
    assert text.count("### ") == 3
