"""``@frozen`` makes what ``@dataclass(frozen=True, slots=True)`` makes."""

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass, replace
from typing import Any

import pytest

from deliverability.evidence.frozen import frozen


@frozen
class Ours:
    """One of each kind of field."""

    name: str
    size: int = 0
    words: dict[str, int] = field(default_factory=dict)
    memo: list[str] = field(default_factory=list, repr=False, compare=False)


@frozen
class Unmade(Ours):
    """Another, of which no object is made."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """The same."""

    name: str
    size: int = 0
    words: dict[str, int] = field(default_factory=dict)
    memo: list[str] = field(default_factory=list, repr=False, compare=False)


@frozen(kw_only=True)
class Named:
    """Named arguments, one of them required after one that is not."""

    size: int = 0
    name: str


@frozen
class Checked:
    """Looks at what it was given."""

    size: int

    def __post_init__(self) -> None:
        """No size is below nothing."""
        if self.size < 0:
            raise ValueError("size")


@frozen
class Blind:  # noqa: PLW1641 - frozen gives it one
    """Compares in a way of its own."""

    name: str

    def __eq__(self, other: object) -> bool:
        """Any other of its kind."""
        return isinstance(other, Blind)

    def __repr__(self) -> str:
        """Its own words."""
        return "blind"


@frozen(order=True)
class Ranked:
    """Sorted by its fields."""

    name: str
    size: int = 0


@frozen
class Empty:
    """No field at all."""


def test_it_is_a_dataclass_with_the_same_fields() -> None:
    assert [(f.name, f.kw_only, f.compare, f.repr) for f in fields(Ours)] == [
        (f.name, f.kw_only, f.compare, f.repr) for f in fields(Theirs)
    ]
    assert Ours.__match_args__ == Theirs.__match_args__
    assert not hasattr(Ours("a"), "__dict__")
    assert is_dataclass(Ours)


def test_objects_are_shown_as_theirs() -> None:
    assert repr(Ours("a", 2, {"b": 3})) == repr(Theirs("a", 2, {"b": 3})).replace("Theirs", "Ours")


def test_objects_are_equal_by_value_and_only_among_their_kind() -> None:
    assert Ours("a", memo=["x"]) == Ours("a", 0, {}, ["y"])
    assert Ours("a") != Ours("b")
    assert Ours("a").__eq__(Theirs("a")) is NotImplemented
    assert Empty() == Empty()
    assert hash(Empty()) == hash(Empty())


def test_equal_objects_have_one_hash_and_what_cannot_be_hashed_has_none() -> None:
    assert {Named(name="a"), Named(name="a", size=0), Named(name="b")} == {Named(name="b"), Named(name="a")}
    unhashables: tuple[object, ...] = (Ours("a"), Theirs("a"))
    for unhashable in unhashables:
        with pytest.raises(TypeError, match="unhashable"):
            hash(unhashable)


def test_each_object_has_defaults_of_its_own() -> None:
    one, other = Ours("a"), Ours("a")
    one.words["x"] = 1
    assert other.words == {}


def _set(target: Any) -> None:
    target.name = "b"


def _delete(target: Any) -> None:
    del target.name


def _add(target: Any) -> None:
    target.another = "b"


@pytest.mark.parametrize("change", [_set, _delete, _add])
@pytest.mark.parametrize("target", [Ours("a"), Theirs("a")])
def test_nothing_about_an_object_changes(change: Callable[[Any], None], target: object) -> None:
    before = repr(target)
    with pytest.raises((FrozenInstanceError, TypeError)):  # theirs gives TypeError for a name that is no field
        change(target)
    assert repr(target) == before


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies_are_equal(again: Callable[[Ours], Ours]) -> None:
    given = Ours("a", 2, {"b": 3}, ["m"])
    made = again(given)
    assert made == given
    assert made.memo == ["m"]


def test_one_with_other_values_is_made_by_replace() -> None:
    assert replace(Ours("a", 2), size=3) == Ours("a", 3)
    assert replace(Named(name="a"), name="b") == Named(name="b")


@pytest.mark.parametrize(("ours", "theirs"), [(Ours, Theirs), (Unmade, Theirs)])
def test_help_shows_the_same_arguments(ours: type, theirs: type) -> None:
    shown = [(p.name, p.kind, p.annotation) for p in inspect.signature(ours).parameters.values()]
    assert shown == [(p.name, p.kind, p.annotation) for p in inspect.signature(theirs).parameters.values()]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Ours(),  # type: ignore[call-arg] # noqa: PLW0108 - each is a call
        lambda: Ours("a", 1, {}, [], 5),  # type: ignore[call-arg]
        lambda: Ours("a", colour=5),  # type: ignore[call-arg]
        lambda: Named(1, "a"),  # type: ignore[call-arg]
        lambda: Named(size=1),  # type: ignore[call-arg]
    ],
)
def test_wrong_arguments_are_refused_each_time(make: Callable[[], object]) -> None:
    for _ in range(2):
        with pytest.raises(TypeError):
            make()


def test_what_was_given_is_looked_at() -> None:
    assert Checked(1).size == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="size"):
            Checked(-1)


def test_methods_that_a_class_has_stay() -> None:
    assert Blind("a") == Blind("b")
    assert hash(Blind("a")) == hash(Blind("a"))
    assert repr(Blind("a")) == "blind"


def test_fields_match_by_place() -> None:
    match Ours("a", 2):
        case Ours(name, size):
            assert (name, size) == ("a", 2)


def test_ordered_objects_sort_by_their_fields_and_only_among_their_kind() -> None:
    given = [Ranked("b"), Ranked("a", 2), Ranked("a", 1)]
    assert sorted(given) == [Ranked("a", 1), Ranked("a", 2), Ranked("b")]
    assert Ranked("a") <= Ranked("a") < Ranked("b") >= Ranked("b") > Ranked("a", 5)
    with pytest.raises(TypeError):
        sorted([*given, Checked(1)])  # type: ignore[type-var]
    with pytest.raises(TypeError):
        sorted([Checked(1), Checked(2)])  # type: ignore[type-var]
