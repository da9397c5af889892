"""`polysemy.record`: what a record does, a frozen dataclass does."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, is_dataclass, replace

import pytest
from polysemy.record import record


@record
class Made:
    """A record."""

    size: int
    name: str = "none"
    parts: list[int] = field(default_factory=list)
    secret: str | None = field(default=None, repr=False)

    def twice(self) -> int:
        return 2 * self.size


@dataclass(frozen=True)
class Usual:
    """The same, as the standard library makes it."""

    size: int
    name: str = "none"
    parts: list[int] = field(default_factory=list)
    secret: str | None = field(default=None, repr=False)


CALLS = [((3,), {}), ((3, "a"), {}), ((), {"size": 3, "name": "b"}), ((3,), {"parts": [1], "secret": "s"})]
WRONG = [
    ((), {}),
    ((1, "a", [], None, 5), {}),
    ((1,), {"size": 2}),
    ((1,), {"other": 2}),
    ((), {"name": "a"}),
]


@pytest.mark.parametrize(("values", "named"), CALLS)
def test_fields_and_what_is_shown_are_those_of_a_dataclass(values, named):
    made, usual = Made(*values, **named), Usual(*values, **named)
    assert is_dataclass(Made)
    assert asdict(made) == asdict(usual)
    assert repr(made) == repr(usual).replace("Usual", "Made")
    assert made.twice() == 6


@pytest.mark.parametrize(("values", "named"), WRONG)
def test_a_wrong_call_is_refused_as_a_dataclass_refuses_it(values, named):
    with pytest.raises(TypeError):
        Usual(*values, **named)
    with pytest.raises(TypeError, match=r"^Made: "):
        Made(*values, **named)


def test_the_refusal_names_the_argument():
    with pytest.raises(TypeError, match=r"^Made: missing a required argument: 'size'$"):
        Made(name="a")
    with pytest.raises(TypeError, match=r"^Made: got an unexpected keyword argument 'other'$"):
        Made(1, other=2)


def test_defaults_that_are_made_belong_to_one_instance():
    assert Made(1).parts is not Made(1).parts


def test_equality_and_hash_follow_the_fields():
    assert Made(1, "a") == Made(1, name="a") != Made(2, "a")
    assert Made(1) != Usual(1)
    assert Made(1) != (1, "none", [], None)
    first, second = (Made(1, "a", parts=()) for _ in range(2))
    assert hash(first) == hash(second)
    with pytest.raises(TypeError, match="unhashable"):
        hash(Made(1))


def test_nothing_is_assigned_or_deleted():
    made = Made(1)
    with pytest.raises(FrozenInstanceError, match="'size'"):
        made.size = 2
    with pytest.raises(FrozenInstanceError, match="'more'"):
        made.more = 2
    with pytest.raises(FrozenInstanceError, match="'size'"):
        del made.size
    assert made.size == 1


def test_it_is_copied_replaced_and_pickled():
    made = Made(1, "a", [2, 3], "s")
    assert replace(made, size=4) == Made(4, "a", [2, 3], "s")
    for again in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert again == made
        assert again is not made


def test_it_is_matched_by_position():
    match Made(1, "a"):
        case Made(size, name):
            assert (size, name) == (1, "a")


def test_its_signature_is_that_of_its_fields():
    assert inspect.signature(Made).parameters.keys() == {item.name for item in fields(Made)}
    signature = inspect.signature(Made)
    assert str(signature.replace(return_annotation=signature.empty)) == (
        "(size: 'int', name: 'str' = 'none', parts: 'list[int]' = [], secret: 'str | None' = None)"
    )


def test_an_instance_that_is_called_has_the_signature_of_its_call():
    @record
    class Called:
        size: int

        def __call__(self, x: int) -> int:
            return x + self.size

    assert list(inspect.signature(Called(1)).parameters) == ["x"]
    assert Called(1)(2) == 3


def test_methods_of_the_class_stay():
    @record
    class Alone:
        size: int
        __eq__ = object.__eq__
        __hash__ = object.__hash__

    one = Alone(1)
    assert one == one
    assert one != Alone(1)
    assert hash(one) == object.__hash__(one)


def test_what_is_checked_after_the_fields_are_set_may_refuse():
    @record
    class Checked:
        size: int

        def __post_init__(self) -> None:
            if self.size < 0:
                raise ValueError(f"size is {self.size}")

    assert Checked(1).size == 1
    with pytest.raises(ValueError, match="size is -1"):
        Checked(-1)
