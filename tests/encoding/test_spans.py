"""Parts of texts that are read as a whole, and long texts in windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from polysemy import Encoder, PoolingError, TruncationWarning
from tiny_models import POOLING_OLD, write_sentence_model

TEXT = "we sat on the bank of the river , i deposited money in new york !"
SPANS = [(0, 18), (19, 31), (34, len(TEXT)), (3, 4), (31, 32)]
LONG = " ".join(["we sat on the bank of the river .", "i deposited money in the bank !"] * 5)
Make = Callable[..., Encoder]
UNIT = 2.0**-24  # a sum of n terms rounds n times, a norm of 24 a few times more


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    def of(mode: str = "mean_tokens", length: int = 20, **settings: Any) -> Encoder:
        pooling = POOLING_OLD | {"pooling_mode_mean_tokens": False, f"pooling_mode_{mode}": True} | settings
        folder = tmp_path_factory.mktemp("spans") / "m"
        return Encoder.from_pretrained(
            write_sentence_model(folder, settings={"max_seq_length": length}, pooling=pooling)
        )

    return of


def unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def inside(spans: list[tuple[int, int]], span: tuple[int, int]) -> list[int]:
    return [i for i, (a, b) in enumerate(spans) if a < b and any(span[0] <= c < span[1] for c in range(a, b))]


@pytest.mark.parametrize("mode", ["mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens"])
def test_parts_of_one_forward_pass(mode: str, make: Make) -> None:
    encoder = make(mode)
    (out,) = encoder.forward([TEXT])
    states = out.hidden_states.astype(np.float64)
    got = encoder.encode_spans(TEXT, SPANS)
    assert got.shape == (len(SPANS), encoder.dim) and got.dtype == np.float32
    for vector, span in zip(got[:-1], SPANS, strict=False):
        some = states[inside(out.spans, span)]
        weights = np.arange(1.0, len(some) + 1)[:, None]
        want = {
            "mean_tokens": some.mean(axis=0), "max_tokens": some.max(axis=0),
            "mean_sqrt_len_tokens": some.sum(axis=0) / len(some) ** 0.5,
            "weightedmean_tokens": (weights * some).sum(axis=0) / weights.sum(),
        }[mode]  # fmt: skip
        assert np.abs(vector - unit(want)).max() <= UNIT * (len(some) + 8)
    assert not got[-1].any()  # a space
    plain = encoder.encode_spans(TEXT, SPANS, normalize=False, truncate_dim=7, num_threads=2)
    assert plain.shape == (len(SPANS), 7)
    assert (
        np.abs(unit(plain[:-1].astype(np.float64)) - unit(got[:-1, :7].astype(np.float64))).max() <= 16 * UNIT
    )


def test_several_texts_and_a_prompt(make: Make) -> None:
    encoder = make()
    texts, spans = [TEXT, "money", "", "x"], [SPANS, [(0, 5)], [], [(0, 1), (0, 1)]]
    together = encoder.encode_spans(texts, spans)
    assert [array.shape[0] for array in together] == [5, 1, 0, 2]
    for array, text, some in zip(together, texts, spans, strict=True):
        assert encoder.encode_spans(text, some).tobytes() == array.tobytes()
    (out,) = encoder.forward(["a b " + "money"])
    want = unit(out.hidden_states[3].astype(np.float64))
    assert np.abs(encoder.encode_spans("money", [(0, 5)], prompt="a b ")[0] - want).max() <= 16 * UNIT


@pytest.mark.parametrize("stride", [0, 1, 6, 17])
def test_windows_read_all(stride: int, make: Make) -> None:
    encoder = make()
    words = LONG.split()
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    got, short = encoder.encode_windows([LONG, "money"], stride=stride)
    assert short.spans == [(0, 5)] and short.vectors.tobytes() == encoder.encode(["money"]).tobytes()
    room = encoder.max_seq_length - 2
    first = [*range(0, len(words), room - stride)]
    first = first[: 1 + next(i for i, f in enumerate(first) if f + room >= len(words))]
    assert got.spans == [(starts[f], starts[min(f + room, len(words))] - 1) for f in first]
    parts = [LONG[start:end] for start, end in got.spans]
    assert got.vectors.tobytes() == encoder.encode(parts).tobytes()


def test_spans_in_windows(make: Make) -> None:
    """Each token has the vector that it has in the window where it is furthest from the end of what is shared."""
    encoder, stride = make(), 6
    words, places = LONG.split(), []
    for word in words:
        start = places[-1][1] + 1 if places else 0
        places.append((start, start + len(word)))
    got = encoder.encode_spans(LONG, places, stride=stride, normalize=False)
    room = encoder.max_seq_length - 2
    windows = encoder.encode_windows([LONG], stride=stride)[0].spans
    for w, (start, end) in enumerate(windows):
        states = encoder.forward([LONG[start:end]])[0].hidden_states[1:-1]
        begin = w * (room - stride)
        own = range(3 if w else 0, len(states) - (3 if w + 1 < len(windows) else 0))
        assert all(got[begin + k].tobytes() == states[k].tobytes() for k in own)
    assert (
        encoder.encode_spans(TEXT, SPANS, stride=3).tobytes() == encoder.encode_spans(TEXT, SPANS).tobytes()
    )


def test_a_prompt_is_in_every_window(make: Make) -> None:
    encoder = make(include_prompt=False)
    got = encoder.encode_windows([LONG], stride=2, prompt="money on loan ")[0]
    parts = [LONG[start:end] for start, end in got.spans]
    assert (
        len(parts) > 3 and got.vectors.tobytes() == encoder.encode(parts, prompt="money on loan ").tobytes()
    )


def test_what_is_refused(make: Make) -> None:
    encoder = make(length=8)
    with pytest.warns(TruncationWarning) as seen:
        assert encoder.encode_spans(TEXT, [(0, 2)]).shape == (1, encoder.dim)
    assert [w.filename for w in seen] == [__file__]
    with pytest.raises(
        ValueError, match=r"^encode_spans: a span must be in the 21 characters .*; stride=... reads"
    ):
        encoder.encode_spans(TEXT, [(0, 30)])
    for spans in ([(0, 99)], [(3, 2)], [(-1, 2)]):
        with pytest.raises(ValueError, match=r"^encode_spans: spans\[0\] must be in the text's 0..\d+, got "):
            encoder.encode_spans(TEXT, spans)
    for wrong in ("ab", 3, [3], [(1, 2, 3)], [("a", 2)]):
        with pytest.raises(TypeError, match=r"^encode_spans: spans"):
            encoder.encode_spans(TEXT, wrong)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="spans must be a list for each of the 2 texts, got 1"):
        encoder.encode_spans([TEXT, TEXT], [SPANS])
    for stride in (6, 7, -1):
        with pytest.raises(ValueError, match=r"^encode_windows: stride must be "):
            encoder.encode_windows([TEXT], stride=stride)
    with pytest.raises(TypeError, match=r"^encode_windows: texts must be a list of str, got str"):
        encoder.encode_windows(TEXT)
    with pytest.raises(PoolingError, match="pools one token of a text"):
        make("cls_token").encode_spans(TEXT, SPANS)
