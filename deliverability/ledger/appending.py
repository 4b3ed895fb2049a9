"""New entries on their way into the tables: numbered, sealed, linked to the account's entry before."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from deliverability.ledger import merkle
from deliverability.ledger.leaves import SALT_OCTETS, Body, Leaf, LeafKind, commitment

LEVEL_SHIFT = 48
"""A node's place in its table: its level above this bit, its index below."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """Something to be appended."""

    kind: LeafKind
    event: bytes
    """Canonical JSON."""
    account: str | None = None
    address: str | None = None
    """Canonical address, so that :meth:`Store.numbers_of` finds the entry by it."""
    dispatch: bytes | None = None
    """16 octets."""
    settles: bool = False
    """Whether it is an outcome: the dispatch is open no longer."""
    spool: str | None = None
    """The spool file that an intent came from."""


class Appending:
    """One batch on its way into the tables; rows are collected and written together."""

    def __init__(
        self,
        database: sqlite3.Connection,
        frontier: merkle.Frontier,
        origin: str,
        pseudonym: Callable[[str], bytes],
    ) -> None:
        self._database, self._frontier, self._origin, self._pseudonym = database, frontier, origin, pseudonym
        self._entries: list[tuple[int, bytes]] = []
        self._records: list[tuple[int, bytes, bytes]] = []
        self._nodes: list[tuple[int, bytes]] = []
        self._said: dict[bytes, int] = {}
        self._accounts: dict[bytes, tuple[int, bytes]] = {}
        self._of_account: list[tuple[bytes, int, int]] = []
        self._of_address: list[tuple[bytes, int]] = []
        self._dispatches: dict[bytes, tuple[int, bytes, int, str | None]] = {}
        self._settled: list[bytes] = []
        self._salts = b""

    def add(self, new: Sequence[NewEntry]) -> list[int]:
        """Append all of them, within the caller's transaction; their numbers."""
        self._salts = os.urandom(SALT_OCTETS * len(new))
        numbers = [self._add(one) for one in new]
        # In the order of their keys the rows of a batch meet the same pages of the tables, one after the other.
        self._write("INSERT INTO entry (number, leaf) VALUES (?, ?)", self._entries)
        self._write("INSERT INTO record (number, salt, body) VALUES (?, ?, ?)", self._records)
        self._write("INSERT INTO node (place, hash) VALUES (?, ?)", sorted(self._nodes))
        self._write("INSERT INTO said (digest, number) VALUES (?, ?)", sorted(self._said.items()))
        accounts = sorted((k, *v) for k, v in self._accounts.items())
        self._write("INSERT OR REPLACE INTO account (id, sequence, hash) VALUES (?, ?, ?)", accounts)
        self._write("INSERT INTO of_account (account, sequence, number) VALUES (?, ?, ?)", sorted(self._of_account))
        self._write("INSERT OR IGNORE INTO of_address (address, number) VALUES (?, ?)", sorted(self._of_address))
        dispatches = sorted(((k, *v) for k, v in self._dispatches.items()), key=lambda row: row[0])
        self._write("INSERT INTO dispatch (id, intent, account, settled, spool) VALUES (?, ?, ?, ?, ?)", dispatches)
        self._write("UPDATE dispatch SET settled = 1 WHERE id = ?", [(d,) for d in self._settled])
        return numbers

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Nothing is asked of the database for no row, and nothing is set up for many where there is one."""
        if len(rows) == 1:
            self._database.execute(statement, rows[0])
        elif rows:
            self._database.executemany(statement, rows)

    def _add(self, new: NewEntry) -> int:
        digest = sha256(new.event).digest()[:16]
        known = self._said.get(digest)
        if known is None:
            row = self._database.execute("SELECT number FROM said WHERE digest = ?", (digest,)).fetchone()
            known = row[0] if row else None
        if known is not None:
            return int(known)
        number = self._frontier.size
        reference, account = self._intent(new)
        body, pseudonym = self._body(new, account)
        octets, taken = body.to_bytes(), len(self._entries) * SALT_OCTETS
        salt = self._salts[taken : taken + SALT_OCTETS]
        leaf = Leaf(new.kind, reference, commitment(salt, octets)).to_bytes()
        made = self._frontier.append(merkle.leaf_hash(leaf))
        self._nodes += [(level << LEVEL_SHIFT | index, hashed) for level, index, hashed in made[1:]]
        self._entries.append((number, leaf))
        self._records.append((number, salt, octets))
        self._said[digest] = number
        if pseudonym and body.sequence:
            self._accounts[pseudonym] = (body.sequence, made[0][2])
            self._of_account.append((pseudonym, body.sequence, number))
        if new.address is not None:
            self._of_address.append((self._pseudonym(new.address), number))
        self._note_dispatch(new, number, account)
        return number

    def _note_dispatch(self, new: NewEntry, number: int, account: str | None) -> None:
        if new.dispatch is None:
            return
        if new.kind is LeafKind.INTENT:
            self._dispatches.setdefault(new.dispatch, (number, (account or "").encode(), 0, new.spool))
        elif new.settles and new.dispatch in self._dispatches:
            intent, name, _, spool = self._dispatches[new.dispatch]
            self._dispatches[new.dispatch] = (intent, name, 1, spool)
        elif new.settles:
            self._settled.append(new.dispatch)

    def _intent(self, new: NewEntry) -> tuple[int | None, str | None]:
        """What an entry refers to, and whose it is: an outcome belongs to the account of its intent."""
        if new.dispatch is None or new.kind is LeafKind.INTENT:
            return None, new.account
        found = self._dispatches.get(new.dispatch)
        if found is None:
            row = self._database.execute(
                "SELECT intent, account FROM dispatch WHERE id = ?", (new.dispatch,)
            ).fetchone()
            found = (row[0], row[1], 0, None) if row else None
        return (found[0], found[1].decode()) if found else (None, new.account)

    def _body(self, new: NewEntry, account: str | None) -> tuple[Body, bytes | None]:
        if account is None:
            return Body(new.kind, self._origin, None, None, None, new.event), None
        pseudonym = self._pseudonym(account)
        last = self._accounts.get(pseudonym)
        if last is None:
            row = self._database.execute("SELECT sequence, hash FROM account WHERE id = ?", (pseudonym,)).fetchone()
            last = (row[0], row[1]) if row else (0, b"")
        body = Body(new.kind, self._origin, account, last[0] + 1, last[1] or None, new.event)
        return body, pseudonym
