"""New entries on their way into the log: numbered, sealed, linked to the account's entry before."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NamedTuple

from deliverability.ledger.indexing import KEYS, NO_KEYS, Tail
from deliverability.ledger.leaves import SALT_OCTETS, LeafKind, body_octets, commitment, leaf_octets
from deliverability.ledger.schema import ERASED

Row = tuple[
    int,
    bytes,
    bytes | None,
    bytes | None,
    bytes | None,
    str | None,
    int | None,
    str | None,
    bytes | None,
    int | None,
    str | None,
]  # a row of the table of entries, its columns in their order
_INSERT = f"INSERT INTO entry (number, leaf, salt, body, {KEYS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_ASKED_AT_ONCE = 500
"""Digests in one question; SQLite before 3.32 takes 999 values."""


class NewEntry(NamedTuple):
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
        self,
        database: sqlite3.Connection,
        tail: Tail,
        origin: str,
        pseudonym: Callable[[str], bytes],
        *,
        erasures: bool,
    ) -> None:
        self._database, self._tail, self._origin, self._pseudonym = database, tail, origin, pseudonym
        self._erasures = erasures
        """Whether anything was ever erased from this log."""

    def add(self, new: Sequence[NewEntry]) -> list[int]:
        """Append all of them, within the caller's transaction unless it is one alone; their numbers."""
        digests = [sha256(one.event).digest()[:16] for one in new]
        said, known = self._tail.said, self._known(digests)
        salts = os.urandom(SALT_OCTETS * len(new))
        numbers: list[int] = []
        rows: list[Row] = []
        for one, digest in zip(new, digests, strict=True):
            number = said.get(digest)
            if number is None and known:
                number = known.get(digest)
            if number is None:
                taken = len(rows) * SALT_OCTETS
                row = self._row(one, digest, salts[taken : taken + SALT_OCTETS])
                rows.append(row)
                number = row[0]
            numbers.append(number)
        if len(rows) == 1:
            self._database.execute(_INSERT, rows[0])
        elif rows:
            self._database.executemany(_INSERT, rows)
        return numbers

    def _known(self, digests: Sequence[bytes]) -> dict[bytes, int]:
        """The records among these that the index has, with their numbers."""
        if not self._tail.indexed:
            return {}
        known: dict[bytes, int] = {}
        if len(digests) == 1:
            row = self._database.execute("SELECT number FROM said WHERE digest = ?", digests).fetchone()
            return {digests[0]: row[0]} if row else known
        for start in range(0, len(digests), _ASKED_AT_ONCE):
            asked = digests[start : start + _ASKED_AT_ONCE]
            places = ",".join("?" * len(asked))
            known.update(
                self._database.execute(f"SELECT digest, number FROM said WHERE digest IN ({places})", asked)  # noqa: S608
            )
        return known

    def _row(self, new: NewEntry, digest: bytes, salt: bytes) -> Row:
        kind, event, account, address, dispatch, settles, spool = new
        number, reference = self._tail.frontier.size, None
        if dispatch is not None and kind is not LeafKind.INTENT:
            reference, account, erased = self._intent(dispatch, account)
            if erased:
                return self._sealed_alone(new, reference, salt)
        elif dispatch is not None and self._erasures:
            first, _, erased = self._intent(dispatch, account)
            if erased:  # out of a spool that was restored from a backup, or under a name that was used before
                return self._sealed_alone(new, first, salt)
        sequence, previous = self._place(account) if account is not None else (None, None)
        octets = body_octets(kind, self._origin, account, sequence, previous, event)
        leaf = leaf_octets(kind, reference, commitment(salt, octets))
        keys = (digest, account, sequence, address, dispatch, 1 if settles else None, spool)
        self._tail.note(leaf, keys)
        return (number, leaf, salt, octets, *keys)

    def _sealed_alone(self, new: NewEntry, reference: int | None, salt: bytes) -> Row:
        """An entry about somebody who was erased: its commitment stands in the tree, and what it says is not kept."""
        octets = body_octets(new.kind, self._origin, None, None, None, new.event)
        leaf = leaf_octets(new.kind, reference, commitment(salt, octets))
        self._tail.note(leaf, NO_KEYS)
        return (self._tail.frontier.size - 1, leaf, None, None, *NO_KEYS)

    def _intent(self, dispatch: bytes, account: str | None) -> tuple[int | None, str | None, bool]:
        """What an entry refers to, whose it is, and whether that was erased: an outcome is of its intent's account."""
        found = self._tail.dispatch(dispatch)
        if found is not None:
            return *found, False
        asked = "SELECT intent, account, settled FROM dispatch WHERE id = ?"
        row = self._database.execute(asked, (dispatch,)).fetchone()
        return (row[0], row[1].decode(), row[2] == ERASED) if row else (None, account, False)

    def _place(self, account: str) -> tuple[int, bytes | None]:
        """The next number of the account's sequence, and the leaf hash of its entry before."""
        last = self._tail.place(account)
        if last is None:
            asked = "SELECT sequence, hash FROM account WHERE id = ?"
            last = self._database.execute(asked, (self._pseudonym(account),)).fetchone()
        return (last[0] + 1, last[1]) if last else (1, None)
