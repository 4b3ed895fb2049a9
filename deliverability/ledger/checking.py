"""What a look at a whole log comes to: whether each record that is not there was erased, and what went wrong before.

A record may be emptied, so that a person can be erased.  An entry then says so; whoever empties one without it wants
it forgotten that there was one.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deliverability.errors import TamperedError, printable
from deliverability.ledger.leaves import Leaf, LeafKind, parse_body

_NAMED = 10  # entries in one sentence


@dataclass(frozen=True, slots=True)
class Checked:
    """What a whole log came to that is as it was sealed."""

    entries: int
    erased: int
    """Records that an entry says were erased."""
    unkept: int
    """Entries about an erased dispatch that came in afterwards: sealed, and not kept."""
    incidents: tuple[int, ...]
    """Entries that say that something went wrong: a head was lost, a spool was damaged, another log came before."""


class Records:
    """The records of a log, as one entry after the other is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._gone: dict[int, int | None] = {}
        """Entries without a record, each with the entry that it is about."""
        self._erased: set[int] = set()
        self._incidents: list[int] = []

    def note(self, number: int, leaf: Leaf, body: bytes | None) -> None:
        """Take in the next one; raises :class:`TamperedError`."""
        if body is None and leaf.kind is LeafKind.ERASURE:
            raise TamperedError(f"{printable(str(self._path))}: what entry {number} says was erased is gone")
        if body is None:
            self._gone[number] = leaf.reference
        elif leaf.kind is LeafKind.ERASURE:
            self._erased.update(_named(body))
        elif leaf.kind is LeafKind.INCIDENT:
            self._incidents.append(number)

    def checked(self, entries: int) -> Checked:
        """What they come to; raises :class:`TamperedError` for one that went and was not erased.

        One about a dispatch that was erased before was never kept.
        """
        missing = [number for number, about in self._gone.items() if not self._erased & {number, about}]
        if missing:
            shown = ", ".join(str(number) for number in missing[:_NAMED])
            more = f" and {len(missing) - _NAMED} more" if missing[_NAMED:] else ""
            raise TamperedError(
                f"{printable(str(self._path))}: the records of these entries are gone, and no entry says that they were"
                f" erased: {shown}{more}"
            )
        erased = len(self._erased & self._gone.keys())
        return Checked(entries, erased, len(self._gone) - erased, tuple(self._incidents))


def _named(body: bytes) -> Iterator[int]:
    """The entries that an erasure names."""
    entries = json.loads(parse_body(body).event).get("entries")
    numbers = entries if isinstance(entries, list) else ()
    yield from (number for number in numbers if isinstance(number, int) and not isinstance(number, bool))
