"""What a log's file holds, as its readers ask for it: entries, proofs, checkpoints, and the index over entries."""

import hmac
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from deliverability.errors import CannotLookError, TamperedError, printable
from deliverability.ledger import merkle
from deliverability.ledger.checking import Checked, Records
from deliverability.ledger.checkpoint import MAX_SIZE
from deliverability.ledger.indexing import KEYS, Tail, canonical_address
from deliverability.ledger.leaves import commitment, parse_leaf
from deliverability.ledger.schema import ERASED, LEVEL_SHIFT, LOWEST_LEVEL

BLOCK = 1 << LOWEST_LEVEL
_UNANNOUNCED = (
    "SELECT number, leaf, salt, body FROM entry"
    " WHERE substr(leaf, 2, 1) IN (x'02', x'03', x'04') AND substr(leaf, 3, 8) = x'0000000000000000'"
    " AND body IS NOT NULL ORDER BY number"
)
"""Outcomes, snapshots and what came later, whose leaf refers to no entry."""
_ERASURES = "SELECT number FROM entry WHERE substr(leaf, 2, 1) = x'06' ORDER BY number"
_PSEUDONYMS = 1 << 14  # held in memory: an account comes with two entries at least


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is kept."""

    number: int
    leaf: bytes
    salt: bytes | None
    """``None`` after erasure."""
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Token:
    """A time-stamp over a checkpoint."""

    size: int
    authority: str
    response: bytes
    at: datetime


class Reading:
    """One log's file, to look into.  Not for use from several threads."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._database, self.path = connection, path
        self.origin = self._meta("origin").decode()
        self._key = self._meta("index_key")
        self.pseudonym = lru_cache(_PSEUDONYMS)(self._pseudonym)
        """The name under which the index knows an account or address."""
        self._block: tuple[int, list[bytes]] = -1, []
        self._known: Tail | None = self._read_tail()

    @property
    def size(self) -> int:
        """Entries."""
        return self._tail.frontier.size

    def root(self) -> bytes:
        """The root hash over all entries."""
        return self._tail.frontier.root()

    def root_at(self, size: int) -> bytes:
        """The root hash when the log had ``size`` entries."""
        if not 0 <= size <= self.size:
            msg = f"the log has {self.size} entries"
            raise ValueError(msg)
        return merkle.Frontier(size, self._full_subtrees(size)).root()

    def inclusion(self, number: int, size: int) -> tuple[bytes, ...]:
        """The proof that entry ``number`` is in the log of ``size`` entries."""
        return merkle.inclusion_proof(number, size, self._subtree)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """The proof that the log of ``new`` entries begins with that of ``old``."""
        return merkle.consistency_proof(old, new, self._subtree)

    def entry(self, number: int) -> Entry:
        """One entry; raises :class:`CannotLookError`."""
        row = self._one("SELECT leaf, salt, body FROM entry WHERE number = ?", number)
        if row is None:
            raise CannotLookError(f"{printable(str(self.path))}: there is no entry {number}")
        return Entry(number, row[0], row[1], row[2])

    def checked_entry(self, number: int) -> Entry:
        """One entry, held against its seal and the tree; raises :class:`TamperedError` for one that was changed."""
        entry = self.entry(number)
        _check_record(entry, self.path)
        proof = self.inclusion(number, self.size)
        if not merkle.verify_inclusion(merkle.leaf_hash(entry.leaf), number, self.size, proof, self.root()):
            raise TamperedError(f"{printable(str(self.path))}: entry {number} is not the one in the tree")
        return entry

    def check_erased(self, gone: Iterable[Entry]) -> None:
        """Raise :class:`TamperedError` unless entries of the log say that these, whose records went, were erased."""
        records = Records(self.path)
        for (number,) in self._rows(_ERASURES):
            erasure = self.checked_entry(number)
            records.note(number, parse_leaf(erasure.leaf), erasure.body)
        for entry in gone:
            records.note(entry.number, parse_leaf(entry.leaf), None)
        records.checked(self.size)

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """All entries from ``start`` on."""
        for row in self._rows("SELECT number, leaf, salt, body FROM entry WHERE number >= ? ORDER BY number", start):
            yield Entry(*row)

    def numbers_of(self, *, account: str | None = None, address: str | None = None) -> tuple[int, ...]:
        """The entries of an account, in its sequence; or those that name an address."""
        tail, asked = self._tail, canonical_address(address or "")
        if account is not None:
            statement = "SELECT number FROM of_account WHERE account = ? ORDER BY sequence"
            rows = self._rows(statement, self.pseudonym(account))
            waiting = [number for number, keys in tail.numbered() if keys[1] == account]
        else:
            rows = self._rows("SELECT number FROM of_address WHERE address = ? ORDER BY number", self.pseudonym(asked))
            waiting = [
                number
                for number, (_, _, _, name, *_) in tail.numbered()
                if name is not None and (name == address or canonical_address(name) == asked)
            ]
        # Another process may have indexed meanwhile what waits here, or appended what this one does not know of.
        indexed = (row[0] for row in rows)
        return tuple(number for number in dict.fromkeys((*indexed, *waiting)) if number < self.size)

    def unannounced(self) -> Iterator[Entry]:
        """Entries about a dispatch that the log has no intent of: under no account, found by no name."""
        for row in self._rows(_UNANNOUNCED):
            yield Entry(*row)

    def intent_of(self, dispatch: bytes) -> int | None:
        """The entry that announced a dispatch, unless it was erased."""
        row = self._one("SELECT intent FROM dispatch WHERE id = ? AND settled <> ?", dispatch, ERASED)
        return row[0] if row else self._tail.dispatches.get(dispatch)

    def open_dispatches(self, spool: str | None = None) -> tuple[bytes, ...]:
        """Dispatches without an outcome: of one spool file, or all."""
        statement = "SELECT id FROM dispatch WHERE settled = 0 AND (?1 IS NULL OR spool = ?1) ORDER BY intent"
        tail = self._tail
        known = [row[0] for row in self._rows(statement, spool) if row[0] not in tail.settled]
        # Of two intents of one name the first stands, and it may be in the index.
        waiting = [name for name in tail.open(spool) if self._one("SELECT 1 FROM dispatch WHERE id = ?", name) is None]
        return tuple(dict.fromkeys((*known, *waiting)))

    def position(self, spool: str) -> int:
        """How far a spool file has been drained."""
        row = self._one("SELECT position FROM drained WHERE spool = ?", spool)
        return row[0] if row else 0

    def checkpoint(self, size: int | None = None, *, within: int = MAX_SIZE) -> bytes | None:
        """The newest signed head over ``within`` entries at most, or the first one that covers ``size`` entries."""
        if size is None:
            row = self._one("SELECT note FROM checkpoint WHERE size <= ? ORDER BY size DESC LIMIT 1", within)
        else:
            row = self._one("SELECT note FROM checkpoint WHERE size >= ? ORDER BY size LIMIT 1", size)
        return row[0] if row else None

    def checkpoints(self) -> Iterator[bytes]:
        """All signed heads, oldest first."""
        for row in self._rows("SELECT note FROM checkpoint ORDER BY size"):
            yield row[0]

    def tokens(self, size: int | None = None) -> tuple[Token, ...]:
        """Time-stamps over the checkpoint of that size, or all."""
        rows = self._rows(
            "SELECT size, authority, response, at FROM token WHERE ?1 IS NULL OR size = ?1 ORDER BY id", size
        )
        return tuple(Token(r[0], r[1], r[2], datetime.fromisoformat(r[3])) for r in rows)

    def setting(self, name: str) -> bytes | None:
        """A value kept beside the log, such as the list of its keys."""
        row = self._one("SELECT value FROM meta WHERE name = ?", f"setting.{name}")
        return row[0] if row else None

    # --- the tree ---

    def check_tree(self) -> Checked:
        """Build the tree again from the leaves and hold it against the nodes; raises :class:`TamperedError`.

        A record that is not there must have been erased, and an entry must say so, or of the dispatch that it is about.
        """
        frontier = merkle.Frontier()
        records = Records(self.path)
        for entry in self.entries():
            if entry.number == self.size:
                break  # appended by another process since this one has looked
            if entry.number != frontier.size:
                raise TamperedError(f"{printable(str(self.path))}: entry {frontier.size} is missing")
            for level, index, made in frontier.append(merkle.leaf_hash(entry.leaf), LOWEST_LEVEL):
                if self._subtree(level, index) != made:
                    raise TamperedError(f"{printable(str(self.path))}: entry {entry.number} or one before was changed")
            _check_record(entry, self.path)
            records.note(entry.number, parse_leaf(entry.leaf), entry.body)
        if frontier.size != self.size or frontier.root() != self.root():
            raise TamperedError(f"{printable(str(self.path))}: the tree is not that of its entries")
        return records.checked(self.size)

    @property
    def _tail(self) -> Tail:
        if self._known is None:
            self._known = self._read_tail()
        return self._known

    def _read_tail(self) -> Tail:
        """The right edge of the tree, and what the index lacks, from the entries themselves."""
        with self._guard():
            begun = not self._database.in_transaction
            if begun:
                self._database.execute("BEGIN")  # one state of the file, whatever another process does meanwhile
            try:
                indexed = int(self._meta_value("indexed"))
                tail = Tail(merkle.Frontier(indexed, self._full_subtrees(indexed)), indexed)
                statement = f"SELECT number, leaf, {KEYS} FROM entry WHERE number >= ? ORDER BY number"  # noqa: S608
                for number, leaf, *keys in self._database.execute(statement, (indexed,)):
                    if number != tail.frontier.size:
                        raise TamperedError(f"{printable(str(self.path))}: entry {tail.frontier.size} is missing")
                    tail.note(leaf, tuple(keys))
            finally:
                if begun:
                    self._database.execute("ROLLBACK")
        return tail

    def _full_subtrees(self, size: int) -> list[bytes]:
        """The hashes of the full subtrees that a log of that size is made of, largest first."""
        hashes, start = [], 0
        for level in range(size.bit_length() - 1, -1, -1):
            if size >> level & 1:
                hashes.append(self._subtree(level, start >> level))
                start += 1 << level
        return hashes

    def _leaf_hashes(self, block: int) -> list[bytes]:
        """The leaves that one node of the lowest level is over, or as many of them as there are."""
        if self._block[0] == block and len(self._block[1]) == BLOCK:
            return self._block[1]  # a proof asks for its small subtrees one after the other
        statement = "SELECT leaf FROM entry WHERE number >= ? AND number < ? ORDER BY number"
        found = [merkle.leaf_hash(row[0]) for row in self._rows(statement, block * BLOCK, (block + 1) * BLOCK)]
        self._block = block, found
        return found

    def _subtree(self, level: int, index: int) -> bytes:
        """The hash over ``2**level`` leaves, all of which there are."""
        if level < LOWEST_LEVEL:
            first = (index << level) % BLOCK
            hashes = self._leaf_hashes((index << level) // BLOCK)[first : first + (1 << level)]
            if len(hashes) == 1 << level:
                while len(hashes) > 1:
                    hashes = [merkle.node_hash(*hashes[n : n + 2]) for n in range(0, len(hashes), 2)]
                return hashes[0]
        else:
            place = level << LEVEL_SHIFT | index
            row = self._one("SELECT hash FROM node WHERE place = ?", place)
            hashed = self._tail.nodes.get(place) if row is None else bytes(row[0])
            if hashed is not None:
                return hashed
        raise TamperedError(f"{printable(str(self.path))}: the tree has a hole at level {level}, place {index}")

    def _pseudonym(self, name: str) -> bytes:
        return hmac.digest(self._key, name.encode("utf-8", "surrogatepass"), "sha256")[:16]

    # --- the database ---

    def _meta(self, name: str) -> bytes:
        return bytes(self._meta_value(name))

    def _meta_value(self, name: str) -> Any:
        row = self._one("SELECT value FROM meta WHERE name = ?", name)
        if row is None:
            raise CannotLookError(f"{printable(str(self.path))}: damaged: it does not say its {name}")
        return row[0]

    def _guard(self) -> "Guard":
        return Guard(self.path)

    def _one(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        with self._guard():
            row: tuple[Any, ...] | None = self._database.execute(statement, values).fetchone()
        return row

    def _rows(self, statement: str, *values: object) -> Iterator[tuple[Any, ...]]:
        with self._guard():
            yield from self._database.execute(statement, values)


def _check_record(entry: Entry, path: Path) -> None:
    if entry.body is None or entry.salt is None:
        return
    if commitment(entry.salt, entry.body) != parse_leaf(entry.leaf).commitment:
        raise TamperedError(
            f"{printable(str(path))}: the record of entry {entry.number} is not the one that was sealed"
        )


class Guard:
    """Failures of the database as ours."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, sqlite3.Error):
            raise CannotLookError(f"{printable(str(self._path))}: {problem}") from problem
