"""New entries on their way into the log: numbered, sealed, linked to the account's entry before."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from deliverability.ledger.indexing import KEYS, Tail
from deliverability.ledger.leaves import SALT_OCTETS, Body, Leaf, LeafKind, commitment

Row = tuple[
    int, bytes, bytes, bytes, bytes, str | None, int | None, str | None, bytes | None, int | None, str | None
]  # a row of the table of entries, its columns in their order
_INSERT = f"INSERT INTO entry (number, leaf, salt, body, {KEYS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_ASKED_AT_ONCE = 500
"""Digests in one question; SQLite before 3.32 takes 999 values."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """Something to be appended."""

    kind: LeafKind
    event: bytes
    """Canonical JSON."""
    account: str | None = None
    address: str | None = None
    """So that :meth:`Store.numbers_of` finds the entry by it, in whichever spelling."""
    dispatch: bytes | None = None
    """16 octets."""
    settles: bool = False
    """Whether it is an outcome: the dispatch is open no longer."""
    spool: str | None = None
    """The spool file that an intent came from."""


class Appending:
    """One batch on its way into the log.

    Whatever it adds is in the tail at once: when the batch fails, the tail has to be read again from the file.
    """

    def __init__(
        self, database: sqlite3.Connection, tail: Tail, origin: str, pseudonym: Callable[[str], bytes]
    ) -> None:
        self._database, self._tail, self._origin, self._pseudonym = database, tail, origin, pseudonym
        self._rows: list[Row] = []
        self._salts = b""

    def add(self, new: Sequence[NewEntry]) -> list[int]:
        """Append all of them, within the caller's transaction unless it is one alone; their numbers."""
        self._salts = os.urandom(SALT_OCTETS * len(new))
        digests = [sha256(one.event).digest()[:16] for one in new]
        known = self._known(digests)
        numbers = []
        for one, digest in zip(new, digests, strict=True):
            number = self._tail.said.get(digest)
            if number is None:
                number = known.get(digest)
            numbers.append(self._add(one, digest) if number is None else number)
        if len(self._rows) == 1:
            self._database.execute(_INSERT, self._rows[0])
        elif self._rows:
            self._database.executemany(_INSERT, self._rows)
        return numbers

    def _known(self, digests: Sequence[bytes]) -> dict[bytes, int]:
        """The records among these that the index has, with their numbers."""
        if not self._tail.indexed:
            return {}
        known: dict[bytes, int] = {}
        for start in range(0, len(digests), _ASKED_AT_ONCE):
            asked = digests[start : start + _ASKED_AT_ONCE]
            places = ",".join("?" * len(asked))
            known.update(
                self._database.execute(f"SELECT digest, number FROM said WHERE digest IN ({places})", asked)  # noqa: S608
            )
        return known

    def _add(self, new: NewEntry, digest: bytes) -> int:
        tail, number = self._tail, self._tail.frontier.size
        reference, account = self._intent(new)
        sequence, previous = self._place(account) if account is not None else (None, None)
        octets = Body(new.kind, self._origin, account, sequence, previous, new.event).to_bytes()
        taken = len(self._rows) * SALT_OCTETS
        salt = self._salts[taken : taken + SALT_OCTETS]
        leaf = Leaf(new.kind, reference, commitment(salt, octets)).to_bytes()
        settles = 1 if new.settles else None
        row = (number, leaf, salt, octets, digest, account, sequence, new.address, new.dispatch, settles, new.spool)
        tail.note(leaf, *row[4:])
        self._rows.append(row)
        return number

    def _intent(self, new: NewEntry) -> tuple[int | None, str | None]:
        """What an entry refers to, and whose it is: an outcome belongs to the account of its intent."""
        if new.dispatch is None or new.kind is LeafKind.INTENT:
            return None, new.account
        found = self._tail.dispatch(new.dispatch)
        if found is not None:
            return found.intent, found.account
        row = self._database.execute("SELECT intent, account FROM dispatch WHERE id = ?", (new.dispatch,)).fetchone()
        return (row[0], row[1].decode()) if row else (None, new.account)

    def _place(self, account: str) -> tuple[int, bytes | None]:
        """The next number of the account's sequence, and the leaf hash of its entry before."""
        last = self._tail.place(account)
        if last is None:
            asked = "SELECT sequence, hash FROM account WHERE id = ?"
            last = self._database.execute(asked, (self._pseudonym(account),)).fetchone()
        return (last[0] + 1, last[1]) if last else (1, None)
