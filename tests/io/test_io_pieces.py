"""The memory that weights are read to: on huge pages only where the system has them at hand."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest
from polysemy.io import pieces

PAGE = mmap.PAGESIZE
# Bytes of a huge page, by the bytes of an ordinary one.
HUGE = {4 << 10: 2 << 20, 16 << 10: 32 << 20, 64 << 10: 512 << 20}[PAGE]
ORDERS = (HUGE // PAGE).bit_length() - 1  # of smaller blocks


def line(node: int, zone: str, counts: list[int]) -> str:
    return f"Node {node}, zone {zone:>8} " + " ".join(f"{count:6}" for count in counts) + " \n"


def test_free_in_huge_pages(tmp_path: Path) -> None:
    table, small = tmp_path / "buddyinfo", [9] * ORDERS
    table.write_text(line(0, "DMA", [*small, 1]) + line(0, "Normal", [*small, 0, 3]))
    assert pieces.free_in_huge_pages(table) == HUGE * (1 + 2 * 3)
    table.write_text(table.read_text() + line(1, "Normal", [*small, 2, 0]))
    assert pieces.free_in_huge_pages(table) == HUGE * 2  # whichever node a thread runs on
    table.write_text(line(0, "Normal", small))
    assert pieces.free_in_huge_pages(table) == 0


@pytest.mark.parametrize("text", ["", "nothing of this form\n", "Node 0, zone Normal many\n", "\n\n"])
def test_a_table_of_another_form(tmp_path: Path, text: str) -> None:
    (tmp_path / "buddyinfo").write_text(text)
    assert pieces.free_in_huge_pages(tmp_path / "buddyinfo") == 0


def test_no_table(tmp_path: Path) -> None:
    assert pieces.free_in_huge_pages(tmp_path / "none") == 0


class Area(mmap.mmap):
    """Remembers what was advised."""

    def __init__(self, *_: object, **__: object) -> None:
        self.advice: list[int] = []

    def madvise(self, option: int, *_: int) -> None:
        self.advice.append(option)
        raise OSError("a kernel without huge pages")


@pytest.mark.parametrize(("share", "advised"), [(0, False), (1, False), (2, True)])
def test_huge_pages_where_there_are_twice_as_many(
    monkeypatch: pytest.MonkeyPatch, share: int, advised: bool
) -> None:
    monkeypatch.setattr(pieces, "free_in_huge_pages", lambda: share * pieces._MUCH)
    monkeypatch.setattr(mmap, "mmap", Area)
    for size, wanted in ((pieces._MUCH, advised), (pieces._MUCH - 1, False)):
        area = pieces.memory(size).obj
        assert isinstance(area, Area)
        assert area.advice == ([mmap.MADV_HUGEPAGE] if wanted else [])
    assert bytes(pieces.memory(0)) == b""
