"""`record`: frozen dataclasses that are made in a tenth of the time.

`dataclasses` writes and compiles six methods for every class, which takes half a millisecond, and an import waits for
all of them. Here the classes share six that look the fields up.
"""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, dataclass, fields
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: object) -> Any:
        return lambda function: function


__all__ = ["record"]

_Class = TypeVar("_Class", bound=type)


@dataclass_transform(frozen_default=True)
def record(cls: _Class) -> _Class:
    """``@dataclass(frozen=True)``: the annotations of the class are the fields of its instances.

    ``field`` knows ``default``, ``default_factory`` and ``repr``. Methods that the class has itself stay. An instance
    raises ``TypeError`` where its arguments are not the fields, and ``FrozenInstanceError`` where one is assigned.
    """
    for method in (__init__, __repr__, __eq__, __hash__, __setattr__, __delattr__):
        if method.__name__ not in vars(cls) or vars(cls)[method.__name__] is None:
            setattr(cls, method.__name__, method)
    cls.__signature__ = _SignatureOfFields()  # type: ignore[attr-defined]
    dataclass(init=False, repr=False, eq=False)(cls)
    return cls


class _SignatureOfFields:
    """What `inspect.signature` and `help` show of a class, made when they ask."""

    def __get__(self, instance: object, owner: type) -> Signature:
        if instance is not None:  # which may be callable itself
            raise AttributeError("__signature__")
        kind = Parameter.POSITIONAL_OR_KEYWORD
        return Signature(
            [
                Parameter(item.name, kind, default=_default(item), annotation=item.type)
                for item in fields(owner)
            ]
        )


def _default(item: Any) -> object:
    """What a field is where it is not given; ``Parameter.empty`` where it must be."""
    if item.default_factory is not MISSING:
        return item.default_factory()
    return Parameter.empty if item.default is MISSING else item.default


def __init__(self: Any, *values: object, **named: object) -> None:  # noqa: N807
    names = self.__match_args__
    vars(self).update(zip(names, values))  # noqa: B905  # "strict" would be a third of the time
    if named or len(values) != len(names):
        _complete(self, values, named)
    if hasattr(self, "__post_init__"):
        self.__post_init__()


def _complete(made: Any, values: tuple[object, ...], named: dict[str, object]) -> None:
    """Set the fields that are given by name, and the others to their defaults."""
    own, known = vars(made), made.__dataclass_fields__
    if len(values) > len(known) or not own.keys().isdisjoint(named):
        _refuse(type(made), values, named)
    own.update(named)
    if own.keys() != known.keys():
        for name, item in known.items():
            if name not in own:
                own[name] = _default(item)
                if own[name] is Parameter.empty:
                    _refuse(type(made), values, named)
        if len(own) > len(known):
            _refuse(type(made), values, named)


def _refuse(cls: type, values: tuple[object, ...], named: dict[str, object]) -> None:
    """Raise the ``TypeError`` of a call whose arguments are not the fields."""
    try:
        cls.__signature__.bind(*values, **named)  # type: ignore[attr-defined]
    except TypeError as error:
        raise TypeError(f"{cls.__name__}: {error}") from None


def __repr__(self: Any) -> str:  # noqa: N807
    shown = ", ".join(f"{item.name}={getattr(self, item.name)!r}" for item in fields(self) if item.repr)
    return f"{type(self).__qualname__}({shown})"


def _values(self: Any) -> tuple[object, ...]:
    return tuple(getattr(self, name) for name in self.__match_args__)


def __eq__(self: Any, other: object) -> bool:  # noqa: N807
    return _values(self) == _values(other) if type(self) is type(other) else NotImplemented


def __hash__(self: Any) -> int:  # noqa: N807
    return hash((type(self), _values(self)))


def __setattr__(self: Any, name: str, value: object) -> None:  # noqa: N807
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def __delattr__(self: Any, name: str) -> None:  # noqa: N807
    raise FrozenInstanceError(f"cannot delete field {name!r}")
