"""The pages of the operations: one for each, complete, with an example that runs."""

from __future__ import annotations

import doctest
import inspect
from pathlib import Path

import pytest
from polysemy import ops

PAGES = Path(__file__).parents[2] / "docs" / "ops"
SECTIONS = ("## Result", "## Errors", "## Accuracy", "## Example")


def test_every_operation_has_a_page_and_no_page_is_left_over() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} == {*ops.__all__, "index"}


@pytest.mark.parametrize("name", ops.__all__)
def test_a_page_is_complete(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    sections = SECTIONS if name != "PackedWeight" else SECTIONS[1:]
    assert all(section in text for section in sections)
    signature = inspect.signature(getattr(ops, name))
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    expected = name + str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    shown = " ".join(text.split("```")[1].split())
    assert shown.replace("'", '"').replace("1e-5", "1e-05") == expected.replace("'", '"')
    assert f"({name}.md)" in (PAGES / "index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["index", *ops.__all__])
def test_the_examples_run(name: str) -> None:
    failed, tried = doctest.testfile(str(PAGES / f"{name}.md"), module_relative=False)
    assert tried >= 3
    assert failed == 0
