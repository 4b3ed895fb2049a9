"""``@frozen``: what ``@dataclass(frozen=True, slots=True)`` makes, at a tenth of the time it takes to make it.

Up to Python 3.12 :mod:`dataclasses` compiles six methods for each class when it is imported, 0.4 ms or more, and a
command line loads a hundred such classes.  Here the methods that need not know the fields one by one are shared, and
the one that must, ``__init__``, is compiled when the first object is made: most programs make objects of few classes.
For whoever looks (``fields``, ``replace``, ``match``, ``pickle``, type checkers) the classes are data classes still.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter, ge, gt, le, lt
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def frozen(cls: type[T], /) -> type[T]: ...
@overload
def frozen(*, kw_only: bool = False, order: bool = False) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(
    cls: type[T] | None = None, /, *, kw_only: bool = False, order: bool = False
) -> type[T] | Callable[[type[T]], type[T]]:
    """A class whose objects never change, compare by value, and hold their fields in slots."""
    if cls is None:
        return lambda given: _made(given, kw_only=kw_only, order=order)
    return _made(cls, kw_only=kw_only, order=order)


def _made(plain: type[T], *, kw_only: bool, order: bool) -> type[T]:
    cls = dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(plain)
    values = _values_of(tuple(one.name for one in fields(cls) if one.compare))  # type: ignore[arg-type]
    state = _values_of(tuple(one.name for one in fields(cls)))  # type: ignore[arg-type]

    def first_init(self: Any, *given: Any, **named: Any) -> None:
        _compile(cls, first_init)
        cls.__init__(self, *given, **named)

    def first_setstate(self: Any, given: tuple[Any, ...]) -> None:
        _compile(cls, first_init)
        cls.__setstate__(self, given)  # type: ignore[attr-defined]

    def getstate(self: Any) -> tuple[Any, ...]:
        return state(self)

    def same(self: Any, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(values(self))

    methods: dict[str, Any] = {
        "__init__": first_init,
        "__eq__": same,
        "__hash__": hashed,
        "__repr__": _repr,
        "__setattr__": _refuse_set,
        "__delattr__": _refuse_delete,
        "__getstate__": getstate,
        "__setstate__": first_setstate,
        "__signature__": _Signature(first_init),
    }
    if order:
        methods |= _comparisons(values)
    for name, method in methods.items():
        if plain.__dict__.get(name) is None:  # a class with its own ``__eq__`` has a ``__hash__`` of None
            setattr(cls, name, method)
    return cls


def _comparisons(values: Callable[[Any], tuple[Any, ...]]) -> dict[str, Callable[..., Any]]:
    """What sorts objects of one class by their fields."""

    def by(compare: Callable[[Any, Any], Any]) -> Callable[[Any, object], Any]:
        def compared(self: Any, other: object) -> Any:
            return compare(values(self), values(other)) if other.__class__ is self.__class__ else NotImplemented

        return compared

    return {"__lt__": by(lt), "__le__": by(le), "__gt__": by(gt), "__ge__": by(ge)}


def _values_of(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """What objects are compared by."""
    if not names:
        return lambda _self: ()
    if len(names) == 1:
        one = attrgetter(*names)
        return lambda self: (one(self),)
    return attrgetter(*names)


class _Signature:
    """What ``help`` and :mod:`inspect` show of a class, whether objects of it were made or not."""

    def __init__(self, first_init: object) -> None:
        self._first_init = first_init

    def __get__(self, _one: object, cls: type) -> Any:
        from inspect import signature

        if cls.__init__ is self._first_init:  # type: ignore[misc]
            _compile(cls, self._first_init)
        shown = signature(cls.__init__)  # type: ignore[misc]
        return shown.replace(parameters=list(shown.parameters.values())[1:])


def _compile(cls: type, first_init: object) -> None:
    """What makes objects of a class, which sets each slot past the ``__setattr__`` that refuses."""
    known: dict[str, Any] = {}
    plain: list[str] = []
    named: list[str] = []
    steps: list[str] = []
    restored: list[str] = []
    for one in fields(cls):
        known[f"set_{one.name}"] = getattr(cls, one.name).__set__
        (named if one.kw_only else plain).append(_parameter(one, known))
        value = f"make_{one.name}() if {one.name} is MISSING else {one.name}"
        steps.append(f"    set_{one.name}(self, {value if f'make_{one.name}' in known else one.name})")
        restored.append(f"    set_{one.name}(self, {one.name})")
    names = ", ".join(one.name for one in fields(cls))
    if hasattr(cls, "__post_init__"):
        steps.append("    self.__post_init__()")
    parameters = ", ".join(["self", *plain, *(["*", *named] if named else [])])
    lines = [f"def __init__({parameters}):", *steps, "    return"]
    lines += ["def __setstate__(self, state):", f"    ({names},) = state" if names else "", *restored, "    return"]
    exec("\n".join(lines), known | {"MISSING": MISSING}, known)  # noqa: S102 - names of fields, and nothing else
    for name in ("__init__", "__setstate__"):
        known[name].__qualname__ = f"{cls.__qualname__}.{name}"
    known["__init__"].__annotations__ = {one.name: one.type for one in fields(cls)} | {"return": None}
    if cls.__init__ is first_init:  # type: ignore[misc]
        cls.__init__ = known["__init__"]  # type: ignore[misc]
    cls.__setstate__ = known["__setstate__"]  # type: ignore[attr-defined]


def _parameter(one: Field[Any], known: dict[str, Any]) -> str:
    """How ``__init__`` takes a field; its default goes to ``known``."""
    if one.default_factory is not MISSING:
        known[f"make_{one.name}"] = one.default_factory
        return f"{one.name}=MISSING"
    if one.default is not MISSING:
        known[f"default_{one.name}"] = one.default
        return f"{one.name}=default_{one.name}"
    return one.name


def _repr(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{self.__class__.__qualname__}({shown})"


def _refuse_set(_self: object, name: str, _value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(_self: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
