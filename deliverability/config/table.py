"""A TOML table read strictly: what nobody asked for is a mistake, and every fault says where it stands."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, TypeVar

from deliverability.errors import CannotLookError, printable

MAX_ITEMS = 10_000  # senders, hosts, networks: a web host may well have thousands
MAX_TEXT = 2_000  # characters of one text value

T = TypeVar("T")


class Table:
    """A TOML table that is emptied key by key, so that what is left over is a mistake."""

    def __init__(self, origin: str, where: str, content: dict[str, Any]) -> None:
        self.origin = origin
        self.where = where
        self._left = dict(content)
        self._known: list[str] = []

    def fault(self, key: str, what: str) -> CannotLookError:
        """The error to raise for ``key``: file, place, and what was wrong."""
        return CannotLookError(f"{printable(self.origin)}: {self.where}{printable(key, 80)}: {what}")

    def take(self, key: str, kind: type[T], form: str) -> T | None:
        """The value of ``key``, of this very type; None where it is not written."""
        self._known.append(key)
        value = self._left.pop(key, None)
        if value is None:
            return None
        # bool is an int to Python, never to TOML.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.fault(key, f"must be {form}, not {_kind(value)}")
        return value

    def text(self, key: str, check: Callable[[str], str]) -> str | None:
        """A string, checked; None where it is not written."""
        value = self.take(key, str, "a string in quotes")
        return None if value is None else self._checked(key, value, check)

    def texts(self, key: str, check: Callable[[str], T], limit: int = MAX_ITEMS) -> tuple[T, ...]:
        """Each entry checked, without repetitions, in the order written."""
        values = self._items(key, 'a list of strings, such as ["a", "b"]', limit)
        found: dict[T, None] = {}
        for index, value in enumerate(values, 1):
            if not isinstance(value, str):
                raise self.fault(key, f"entry {index} must be a string in quotes, not {_kind(value)}")
            found[self._checked(key, value, check)] = None
        return tuple(found)

    def table(self, key: str) -> "Table":
        """The table under this one; an empty one where it is not written."""
        value = self.take(key, dict, f"a table, written [{key}]")
        return Table(self.origin, f"{self.where}{key}.", value or {})

    def tables(self, key: str, limit: int) -> list["Table"]:
        """The tables of a list, in their order."""
        found = []
        for index, value in enumerate(self._items(key, f"written [[{key}]], once for each", limit), 1):
            if not isinstance(value, dict):
                raise self.fault(key, f"must be written [[{key}]], once for each")
            found.append(Table(self.origin, f"{self.where}{key} {index}: ", value))
        return found

    def finish(self) -> None:
        """Refuse what nobody took: a key half a letter off must not pass for a setting."""
        for key in self._left:
            near = get_close_matches(key[:80], self._known, 1)
            advice = f"did you mean {near[0]}?" if near else f"known here: {', '.join(self._known)}"
            raise self.fault(key, f"unknown key; {advice}")

    def _items(self, key: str, form: str, limit: int) -> list[Any]:
        values: list[Any] = self.take(key, list, form) or []
        if len(values) > limit:
            raise self.fault(key, f"more than {limit} entries")
        return values

    def _checked(self, key: str, value: str, check: Callable[[str], T]) -> T:
        if len(value) > MAX_TEXT:
            raise self.fault(key, f"longer than {MAX_TEXT} characters")
        try:
            return check(value)
        except ValueError as problem:
            raise self.fault(key, f"{printable(value, 80)!r} {problem}") from problem


def _kind(value: object) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), "a date or time")


def distinct(key: str, items: list[tuple[Table, T]], name: Callable[[T], str]) -> tuple[T, ...]:
    """The items, none of which may have the name of another."""
    seen: set[str] = set()
    for table, item in items:
        if name(item) in seen:
            raise table.fault(key, f"{name(item)!r} appears twice; merge the two")
        seen.add(name(item))
    return tuple(item for _, item in items)
