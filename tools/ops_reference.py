"""Writes the reference at the end of each page of docs/ops from the docstrings: ``python tools/ops_reference.py``.

A page names its functions in a line ``<!-- reference: linear, matmul -->``; all that follows it is generated.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

from polysemy import ops

FOLDER = Path(__file__).parents[1] / "docs" / "ops"
WIDTH = 118
_MARK = re.compile(r"<!-- reference: ([\w, ]+) -->\n")
_SECTION = re.compile(r"^(Args|Returns|Raises):\n((?: +.*\n|\n)+)", re.MULTILINE)
_ITEM = re.compile(r"^(\w+): (.*(?:\n +.*)*)", re.MULTILINE)
#: Described once for all operations, in docs/ops/index.md.
_EVERYWHERE = ("out", "num_threads")


def functions(page: Path) -> list[str]:
    """The functions that a page describes; none for a page without a mark."""
    mark = _MARK.search(page.read_text("utf-8"))
    return mark[1].split(", ") if mark else []


def replaced(text: str) -> str:
    """The text of a page with its reference written anew."""
    mark = _MARK.search(text)
    if mark is None:
        return text
    return text[: mark.end()] + "\n## Reference\n\n" + "\n".join(map(entry, mark[1].split(", ")))


def signature(name: str) -> str:
    """As in a call: without types, with text in double quotes."""
    found = inspect.signature(getattr(ops, name))
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in found.parameters.values()]
    shown = str(found.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    return textwrap.fill(
        name + shown.replace("'", '"'), WIDTH, subsequent_indent=" " * (len(name) + 1), break_long_words=False
    )


def entry(name: str) -> str:
    """Signature, description, arguments, result and errors of one function, or of a class and its properties."""
    documented = getattr(ops, name)
    text = inspect.getdoc(documented) or ""
    sections = {title: textwrap.dedent(body) for title, body in _SECTION.findall(text + "\n")}
    parts = [f"### {name}\n", f"```\n{signature(name)}\n```\n", _prose(_SECTION.split(text + "\n")[0])]
    if arguments := [item for item in _ITEM.findall(sections.get("Args", "")) if item[0] not in _EVERYWHERE]:
        parts.append(_table("argument", arguments))
    if isinstance(documented, type):
        properties = inspect.getmembers(documented, lambda member: isinstance(member, property))
        parts.append(_table("attribute", [(key, inspect.getdoc(member) or "") for key, member in properties]))
    if "Returns" in sections:
        parts.append(_prose("Result: " + sections["Returns"]))
    if "Raises" in sections:
        parts.append(
            _prose("\n\n".join(f"`{error}`: {why}" for error, why in _ITEM.findall(sections["Raises"])))
        )
    return "\n".join(parts)


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    lines = [f"| `{name}` | {_markdown(text)} |" for name, text in rows]
    return "\n".join([f"| {title} | |", "|---|---|", *lines, ""])


def _prose(text: str) -> str:
    return "\n\n".join(textwrap.fill(_markdown(part), WIDTH) for part in text.strip().split("\n\n")) + "\n"


def _markdown(text: str) -> str:
    text = re.sub(r":\w+:`~?([\w.]+)`|``(.+?)``", r"`\1\2`", " ".join(text.split()))
    return re.sub(r"\barXiv:(\d+\.\d+)", r"[arXiv:\1](https://arxiv.org/abs/\1)", text).replace("|", r"\|")


def main() -> None:
    """Rewrite every page whose reference is not what the docstrings say."""
    for page in sorted(FOLDER.glob("*.md")):
        text = page.read_text("utf-8")
        if (new := replaced(text)) != text:
            page.write_text(new, "utf-8")
            print(page.name)


if __name__ == "__main__":
    main()
