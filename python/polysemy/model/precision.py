"""The precisions of an encoder's matrix products, and which one "auto" stands for."""

from __future__ import annotations

from .. import _core
from ..arguments import is_one_of
from ..record import record
from ..shown import shown

__all__ = ["AUTO", "PRECISIONS", "Choice", "choose", "resolve"]

PRECISIONS = _core.PRECISIONS
AUTO = "auto"

#: Mean cosine of sentence vectors with those of float64 that each mode keeps: real texts, the default model.
PROMISED = {"float32": 1.0, "float16": 0.9999995, "int16": 0.999995, "bfloat16": 0.99998, "int8": 0.9995}
#: From the fastest on; all but float32 only where the CPU has an instruction for them.
FASTEST = ("int8", "bfloat16", "int16", "float32")
#: Those of them that it stands for where no floor is named.
_UNASKED = ("bfloat16", "float32")


@record
class Choice:
    """A precision and why it was chosen."""

    precision: str
    reason: str


def choose(floor: float | None = None) -> Choice:
    """What "auto" stands for on this CPU.

    ``floor`` is the least mean cosine with exact sentence vectors that will do, 0 to 1; None is bfloat16 where the
    CPU multiplies it, else float32. Raises ``TypeError`` or ``ValueError`` for another one.
    """
    unasked = floor is None
    if floor is None:
        floor = PROMISED["bfloat16"]
    if isinstance(floor, bool) or not isinstance(floor, (int, float)):
        raise TypeError(f"from_pretrained: floor must be a float, got {type(floor).__name__}")
    if not 0.0 <= floor <= 1.0:
        raise ValueError(f"from_pretrained: floor must be 0 to 1, got {floor!r}")
    products = _core.products()
    allowed = [name for name in (_UNASKED if unasked else FASTEST) if floor <= PROMISED[name]]
    for name in allowed:
        instruction, native = products[name]
        if native:
            return Choice(
                name, f"the fastest by an instruction of its own, {instruction}, for a cosine of {floor:g}"
            )
    raise AssertionError("float32 is native everywhere")


def resolve(precision: str, floor: float | None = None) -> str:
    """The precision of that name. Raises ``ValueError`` for an unknown one, or for a floor without "auto"."""
    known = (*PRECISIONS, AUTO)
    if not is_one_of(precision, known):
        raise ValueError(
            f"from_pretrained: precision must be one of {', '.join(known)}, got {shown(precision)}"
        )
    if precision == AUTO:
        return choose(floor).precision
    if floor is not None:
        raise ValueError(f"from_pretrained: floor must be None unless precision is 'auto', got {floor!r}")
    return precision
