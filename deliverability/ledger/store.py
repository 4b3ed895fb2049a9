"""The log on disk: entries, records, tree, checkpoints, in one SQLite file that one process writes.

Appending never rewrites: triggers refuse to change or delete an entry or a node, and let a record only be emptied.
That stops mistakes, not a determined owner of the file; what stops him are the heads that others hold.
"""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from deliverability.errors import CannotLookError, UsageError, printable
from deliverability.ledger.appending import Appending, NewEntry
from deliverability.ledger.database import (
    BUSY_SECONDS,
    copies_of,
    holds_something,
    open_database,
    open_read_only,
    transaction,
)
from deliverability.ledger.reading import Entry, Reading, Token
from deliverability.ledger.schema import ERASED, MIGRATIONS, SCHEMA, VERSION
from deliverability.protocols.record_octets import time_to_text

__all__ = ["Entry", "Store", "Token"]

APPLICATION_ID = 0x64_6C_4C_67  # "dlLg"
_ERASURES = "erasures"
_UNSWEPT = "unswept"
INDEX_AT = 16384
"""Entries that wait to be indexed before an append sees to it: what a start after a crash has to read again."""
_CACHE_KIB = 16 << 10  # for the index, whose keys are random; by default SQLite keeps 2 MB
_WAL_PAGES = 1000
"""Then SQLite's log is begun anew, in place: making a file longer is what costs most of an ``fsync``."""


class Store(Reading):
    """One log's file, to append to as well.  :class:`~deliverability.ledger.log.Ledger` lets one thread in at a time."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection, path)
        self._erasures = self.setting(_ERASURES) is not None
        """Whether anything was ever erased: only then is asked of an intent whether it was."""

    @classmethod
    def create(cls, path: Path, origin: str) -> "Store":
        """A new, empty log; raises :class:`UsageError` where there is one already."""
        if holds_something(path):
            raise UsageError(f"{printable(str(path))}: there is a ledger already; nothing was changed")
        values = f"('origin', x'{origin.encode().hex()}'), ('index_key', x'{os.urandom(32).hex()}'), ('indexed', 0)"
        # In one transaction with the schema: whoever is stopped here has made no ledger, or one that opens.
        return cls._of(_open(path, f"{SCHEMA}\nINSERT INTO meta (name, value) VALUES {values};\n"), path)

    @classmethod
    def open(cls, path: Path, *, write: bool) -> "Store":
        """An existing log; raises :class:`CannotLookError`."""
        if not path.is_file():
            raise CannotLookError(f"{printable(str(path))}: no ledger there; make one with: deliverability ledger init")
        connection = _open(path) if write else open_read_only(path, application_id=APPLICATION_ID, version=VERSION)
        return cls._of(connection, path)

    @classmethod
    def _of(cls, connection: sqlite3.Connection, path: Path) -> "Store":
        try:
            return cls(connection, path)
        except BaseException as problem:
            connection.close()
            if isinstance(problem, sqlite3.Error):
                raise CannotLookError(f"{printable(str(path))}: {problem}") from problem
            raise

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # --- writing ---

    def append(
        self,
        new: Sequence[NewEntry],
        drained: tuple[str, int] | None = None,
        setting: tuple[str, bytes] | None = None,
    ) -> tuple[int, ...]:
        """Add entries, durably and all or none; their numbers.

        What the log holds already is not written twice: its number is returned.  ``drained`` notes in the same
        transaction how far a spool file was read, ``setting`` keeps a value beside the log.
        """
        try:
            if len(self._tail) >= INDEX_AT:
                self.index()
            appending = Appending(self._database, self._tail, self.origin, self.pseudonym, erasures=self._erasures)
            if len(new) == 1 and drained is None and setting is None:
                return tuple(appending.add(new))  # one statement is a transaction of its own
            with transaction(self._database):
                numbers = tuple(appending.add(new))
                if drained:
                    self._database.execute("INSERT OR REPLACE INTO drained (spool, position) VALUES (?, ?)", drained)
                if setting:
                    self.keep_setting(*setting)
        except BaseException as problem:
            self._known = None  # what the file holds is what counts: it is read again
            if isinstance(problem, sqlite3.Error):
                raise CannotLookError(f"{printable(str(self.path))}: {problem}; nothing was appended") from problem
            raise
        return numbers

    def index(self) -> None:
        """Bring the index up to the newest entry."""
        if not len(self._tail):
            return
        with self._guard(), transaction(self._database):
            self._tail.write(self._database, self.pseudonym)
        self._known = self._tail.written()

    def keep_checkpoint(self, size: int, note: bytes, at: datetime) -> None:
        """Keep a signed head."""
        self._write("INSERT OR IGNORE INTO checkpoint (size, note, at) VALUES (?, ?, ?)", size, note, time_to_text(at))

    def keep_token(self, token: Token) -> None:
        """Keep a time-stamp that was verified."""
        statement = "INSERT INTO token (size, authority, response, at) VALUES (?, ?, ?, ?)"
        self._write(statement, token.size, token.authority, token.response, token.at.isoformat())

    def keep_setting(self, name: str, value: bytes) -> None:
        """Keep a value beside the log."""
        self._write("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", f"setting.{name}", value)

    def forget_spool(self, spool: str) -> None:
        """Drop the note on a spool file that is gone."""
        self._write("DELETE FROM drained WHERE spool = ?", spool)

    def empty(self, numbers: Iterable[int], *, account: str | None, address: str | None) -> int:
        """Erase salt and record of entries, and what the index says of the person; how many records went.

        The tree and everybody else's proofs stay as they are.  What comes in later for a dispatch among them is sealed
        and not kept.  A copy of the file that was made before its schema was brought up to date goes as well: it holds
        what is erased.
        """
        self.index()
        self._known, self._erasures = None, True  # the one still knows the person
        with self._guard(), transaction(self._database):
            self.keep_setting(_ERASURES, b"1")
            self.keep_setting(_UNSWEPT, b"1")
            emptied = 0
            for number in numbers:
                if self._one("SELECT 1 FROM entry WHERE number = ? AND body IS NOT NULL", number) is None:
                    continue
                self._database.execute(_EMPTY, (number,))
                self._database.execute("DELETE FROM said WHERE number = ?", (number,))
                self._database.execute("DELETE FROM of_address WHERE number = ?", (number,))
                self._database.execute(_EMPTY_DISPATCH, (ERASED, number))
                emptied += 1
            if account is not None:
                self._database.execute("DELETE FROM of_account WHERE account = ?", (self.pseudonym(account),))
            if address is not None:
                self._database.execute("DELETE FROM of_address WHERE address = ?", (self.pseudonym(address),))
        self.pseudonym.cache_clear()
        self.sweep(BUSY_SECONDS)
        return emptied

    @property
    def erasures(self) -> bool:
        """Whether anything was ever erased."""
        return self._erasures

    @property
    def unswept(self) -> bool:
        """Whether the file may still hold, in pages that nothing refers to, what was erased."""
        return self.setting(_UNSWEPT) is not None

    def sweep(self, patience: float) -> None:
        """Leave nothing of what was erased in the file, or in a copy that bringing its schema up to date left.

        Not while somebody reads the file, or without room to copy it: then, and where this is broken off, it stays
        :attr:`unswept`.
        """
        if not self.unswept:
            return
        try:
            for copy in copies_of(self.path):
                copy.unlink(missing_ok=True)
            self._database.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
            self._database.execute("VACUUM")  # freed pages may still hold what was erased, and SQLite's log does
            busy, *_ = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                self._database.execute("DELETE FROM meta WHERE name = ?", (f"setting.{_UNSWEPT}",))
        except (sqlite3.Error, OSError):
            return
        finally:
            self._database.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")

    def _write(self, statement: str, *values: object) -> None:
        with self._guard():
            self._database.execute(statement, values)


def _open(path: Path, schema: str = SCHEMA) -> sqlite3.Connection:
    connection = open_database(
        path, application_id=APPLICATION_ID, version=VERSION, schema=schema, migrations=MIGRATIONS
    )
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    return connection


_EMPTY = (
    "UPDATE entry SET salt = NULL, body = NULL, digest = NULL, account = NULL, sequence = NULL, address = NULL,"
    " dispatch = NULL, settles = NULL, spool = NULL WHERE number = ?"
)
_EMPTY_DISPATCH = "UPDATE dispatch SET account = x'', settled = ?, spool = NULL WHERE intent = ?"
