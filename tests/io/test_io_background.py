"""Work in other threads: done once, in order, also where no thread can be started."""

from __future__ import annotations

import gc
import threading

import pytest
from polysemy.io.background import Background, Following


@pytest.fixture(params=["a thread", "no thread"])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param == "a thread":
        return True

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    return False


def test_background(threads: bool) -> None:
    done: list[int] = []
    work = Background(lambda: done.append(threading.get_ident()))
    work.wait()
    assert len(done) == 1 and (done[0] != threading.get_ident()) == threads


def test_background_at_once(threads: bool) -> None:
    done: list[int] = []
    work = Background(lambda: done.append(threading.get_ident()), at_once=True)
    assert done == [threading.get_ident()], threads
    work.wait()
    assert len(done) == 1


def test_nothing_is_left_to_the_collector(threads: bool) -> None:
    """A Ctrl-C while the collector takes a thread away would be lost."""
    gc.collect()
    gc.disable()
    try:
        before = threading._dangling.copy()  # type: ignore[attr-defined]
        for at_once in (False, True):
            Background(lambda: None, at_once=at_once).wait()
        Following(print).wait()
        assert set(threading._dangling) == set(before), threads  # type: ignore[attr-defined]
    finally:
        gc.enable()


def test_background_error(threads: bool) -> None:
    def fail() -> None:
        raise ValueError(f"threads: {threads}")

    work = Background(fail)
    with pytest.raises(ValueError, match=f"threads: {threads}"):
        work.wait()


def test_following(threads: bool) -> None:
    done: list[tuple[int, int]] = []
    following = Following(lambda item: done.append((item, threading.get_ident())))
    for i in range(1000):
        following.put(i)
    following.wait()
    assert [item for item, _ in done] == [*range(1000)]
    assert all((ident != threading.get_ident()) == threads for _, ident in done)


def test_following_errors(threads: bool) -> None:
    """With a thread, later items are worked on all the same, and the first error comes at the end."""
    done: list[int] = []

    def work(item: int) -> None:
        done.append(item)
        if item:
            raise ValueError(f"item {item}")

    def follow() -> None:
        following = Following(work)
        for item in range(3):
            following.put(item)
        following.wait()

    with pytest.raises(ValueError, match="item 1"):
        follow()
    assert done == ([0, 1, 2] if threads else [0, 1])


def test_following_nothing(threads: bool) -> None:
    before = threading.active_count()
    Following(print).wait()
    assert threading.active_count() == before, threads
