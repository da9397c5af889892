"""How what was loaded gets from one process to another: by the name of its model, read again at the other end."""

from __future__ import annotations

import os
from collections import deque
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from weakref import WeakValueDictionary

from ..errors import CheckpointError
from ..shown import shown

if TYPE_CHECKING:
    from ..io.footprint import Footprint

__all__ = ["Loaded", "Origin", "find_again"]

Options: TypeAlias = tuple[tuple[str, Any], ...]
Key: TypeAlias = tuple[type["Loaded"], "str | None", str, Options]

# The tasks of a pool bring the same models again and again, and between two tasks nobody else holds them: so many that
# were used last stay.
KEPT = 4

_known: WeakValueDictionary[Key, Loaded] = WeakValueDictionary()
_kept: deque[Loaded] = deque(maxlen=KEPT)
_lock = [RLock()]


def _unlock() -> None:
    _lock[0] = RLock()  # one that another thread held stays closed in the child of a fork


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


class Origin:
    """What was loaded, and how: the model that ``from_pretrained`` finds again, and the options that it was given.

    ``files`` are those that were read, or the fingerprint that they must have. Options are values that compare and
    hash; those that are False or None are left out.
    """

    __slots__ = ("_files", "model", "options")

    def __init__(self, model: str | None, files: Footprint | str, **options: Any) -> None:
        self.model = model
        self._files = files
        self.options: Options = tuple(
            sorted(item for item in options.items() if item[1] not in (None, False))
        )

    def changed(self, **options: Any) -> Origin:
        """The same model with other options."""
        return Origin(self.model, self._files, **{**dict(self.options), **options})

    @property
    def fingerprint(self) -> str:
        """One sha256 for all files. Raises ``CheckpointError`` when a large one was changed since it was read."""
        return self._files if isinstance(self._files, str) else self._files.fingerprint()


class Loaded:
    """A base of what ``from_pretrained`` of its class makes, never changes, and travels.

    It is pickled as its class and its `Origin`; what was not loaded but made of parts, as its parts. What arrives is
    empty, and filled when it is first used: so an error comes up in the task that uses it, which most pools report,
    and not where they unpack tasks, which hangs some of them.
    """

    __slots__ = ("__weakref__", "_origin")

    _parts: ClassVar[tuple[str, ...]]
    """The attributes that loading fills."""
    _origin: Origin | None

    if not TYPE_CHECKING:  # for a type checker every name would be an attribute

        def __getattr__(self, name: str) -> Any:
            if name not in self._parts:
                message = f"{type(self).__name__!r} object has no attribute {name!r}"
                raise AttributeError(message, name=name, obj=self)
            _fill(self)
            return object.__getattribute__(self, name)

    def __copy__(self) -> Loaded:
        return self

    def __deepcopy__(self, memo: object) -> Loaded:
        return self

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        origin = self._origin
        if origin is None:
            return super().__reduce_ex__(max(protocol, 2))  # type: ignore[return-value]
        key = (type(self), origin.model, origin.fingerprint, origin.options)
        with _lock[0]:
            _known.setdefault(key, self)
        return find_again, key

    @property
    def fingerprint(self) -> str | None:
        """One sha256 for all files of the model that decide a result; None for what was made of parts.

        Weights that were not checked against a published hash are hashed when it is asked for. Raises
        `CheckpointError` when their file has been changed since it was read.
        """
        return None if self._origin is None else self._origin.fingerprint


def find_again(cls: type[Loaded], model: str | None, fingerprint: str, options: Options) -> Loaded:
    """The one of this process for a model and options."""
    key = (cls, model, fingerprint, options)
    with _lock[0]:
        found = _known.get(key)
        if found is None:
            found = object.__new__(cls)
            found._origin = Origin(model, fingerprint, **dict(options))
            _known[key] = found
        elif found in _kept:
            _keep(found)
        return found


def _fill(empty: Loaded) -> None:
    """Load what arrived. Raises ``CheckpointError`` when the model that is found has another fingerprint."""
    with _lock[0]:
        origin = empty._origin
        if origin is None or all(_has(empty, name) for name in empty._parts):
            return  # by another thread
        made = type(empty).from_pretrained(origin.model, **dict(origin.options))  # type: ignore[attr-defined]
        if made.fingerprint != origin.fingerprint:
            raise CheckpointError(
                f"{type(empty).__name__}: {shown(origin.model or 'the default model')} is another model here than "
                f"where it was sent from: its fingerprint must be {origin.fingerprint}, got {made.fingerprint}"
            )
        for name in empty._parts:
            setattr(empty, name, getattr(made, name))
        _keep(empty)


def _has(loaded: Loaded, name: str) -> bool:
    try:
        object.__getattribute__(loaded, name)
    except AttributeError:
        return False
    return True


def _keep(loaded: Loaded) -> None:
    """Make it the one that was used last."""
    if loaded in _kept:
        _kept.remove(loaded)
    _kept.append(loaded)
