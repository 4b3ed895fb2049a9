"""The archive: what the logs held, kept after they have rotated away, with an index by address and queue id.

The log's own octets are kept, in compressed segments that end at line ends, each with the digest of what it held; the
index is derived from them and can be built again.  Every read of a log and the note how far it got are one
transaction: nothing is kept twice, and nothing is left out because a run was broken off.

This is not the tamper-evident ledger: whoever can write the file can write another.
"""

import hashlib
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from deliverability.errors import CannotLookError, printable
from deliverability.ledger.database import open_database, open_read_only, transaction

APPLICATION_ID = 0x64_6C_41_72  # "dlAr"
VERSION = 1
MAX_SEGMENT = 8 << 20  # octets; a damaged row must not unpack to more

_SCHEMA = """
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    log TEXT NOT NULL,
    path TEXT NOT NULL,
    head BLOB NOT NULL,
    position INTEGER NOT NULL,
    line INTEGER NOT NULL,
    tail BLOB NOT NULL,
    modified TEXT,
    container TEXT,
    looked_at TEXT NOT NULL
);
CREATE INDEX source_by_head ON source (log, head);
CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source (id),
    start INTEGER NOT NULL,
    line INTEGER NOT NULL,
    size INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    content BLOB NOT NULL,
    facts TEXT NOT NULL,
    first TEXT,
    last TEXT,
    erased INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX segment_in_order ON segment (source, start);
CREATE TABLE token (
    hash INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    PRIMARY KEY (hash, segment)
) WITHOUT ROWID;
CREATE INDEX token_of_segment ON token (segment);
"""


@dataclass(frozen=True, slots=True)
class Source:
    """One log file, followed through its rotations by what it begins with."""

    id: int
    log: str
    path: str
    """Where it lay when it was last read."""
    head: bytes
    """SHA-256 of its first line: what names it when its name changes."""
    position: int
    """Octets that are kept, of the uncompressed file."""
    line: int
    """Lines that are kept."""
    tail: bytes
    """SHA-256 of the last octets before :attr:`position`: a file that differs there is another."""
    modified: datetime | None
    container: str | None


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of whole lines of one source."""

    id: int
    source: int
    start: int
    """Offset of its first octet in the source."""
    line: int
    """Number of lines of the source before it."""
    size: int
    sha256: bytes
    """Of what was kept first; differs from the content's where lines were erased since."""
    facts: str
    """What its scan found, as JSON: opaque here."""
    first: datetime | None
    last: datetime | None
    erased: int
    """Lines that were erased from it."""


@dataclass(frozen=True, slots=True)
class NewSegment:
    """A segment to be kept."""

    start: int
    line: int
    content: bytes
    facts: str
    first: datetime | None
    last: datetime | None
    tokens: frozenset[int]


class Archive:
    """One archive file.  Not for use from several threads."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._database, self.path = connection, path

    @classmethod
    def open(cls, path: Path, *, write: bool = False) -> Self:
        """Open an archive; raises :class:`CannotLookError` for one that is not there, unless it is to be written."""
        if write:
            return cls(
                open_database(path, application_id=APPLICATION_ID, version=VERSION, schema=_SCHEMA, journal="DELETE"),
                path,
            )
        return cls(open_read_only(path, application_id=APPLICATION_ID, version=VERSION), path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    # --- sources ---

    def sources(self) -> tuple[Source, ...]:
        """Every log file of which something is kept, in the order in which they were first read."""
        return tuple(_source(row) for row in self._rows("SELECT * FROM source ORDER BY id"))

    def candidates(self, log: str, head: bytes) -> tuple[Source, ...]:
        """Sources that a file with this first line may be."""
        found = self._rows("SELECT * FROM source WHERE log = ? AND head = ? ORDER BY id", log, head)
        return tuple(_source(row) for row in found)

    def keep(self, source: Source, segments: Sequence[NewSegment], looked_at: datetime) -> Source:
        """Add segments and note how far the source is kept by now, both or neither; returns the source with its id.

        A ``source.id`` of 0 is a new one.
        """
        with self._writing():
            identity = source.id or self._insert_source(source, looked_at)
            known = next(iter(self._rows("SELECT position FROM source WHERE id = ?", identity)))[0]
            if source.id and segments and segments[0].start != known:
                raise CannotLookError(
                    f"{printable(str(self.path))}: another run kept the same log meanwhile; run again"
                )
            for segment in segments:
                self._insert_segment(identity, segment)
            self._database.execute(
                "UPDATE source SET path = ?, position = ?, line = ?, tail = ?, modified = ?, looked_at = ? WHERE id = ?",
                (
                    *(source.path, source.position, source.line, source.tail),
                    *(_text(source.modified), _text(looked_at), identity),
                ),
            )
        return next(_source(row) for row in self._rows("SELECT * FROM source WHERE id = ?", identity))

    def _insert_source(self, source: Source, looked_at: datetime) -> int:
        done = self._database.execute(
            "INSERT INTO source (log, path, head, position, line, tail, modified, container, looked_at)"
            " VALUES (?, ?, ?, 0, 0, ?, ?, ?, ?)",
            (
                *(source.log, source.path, source.head, hashlib.sha256(b"").digest()),
                *(_text(source.modified), source.container, _text(looked_at)),
            ),
        )
        return int(done.lastrowid or 0)

    def _insert_segment(self, source: int, new: NewSegment) -> None:
        if len(new.content) > MAX_SEGMENT:
            msg = "a segment is too long"
            raise ValueError(msg)
        done = self._database.execute(
            "INSERT INTO segment (source, start, line, size, sha256, content, facts, first, last)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(source, new.start, new.line, len(new.content), hashlib.sha256(new.content).digest()),
                *(zlib.compress(new.content, 6), new.facts, _text(new.first), _text(new.last)),
            ),
        )
        self._database.executemany(
            "INSERT OR IGNORE INTO token (hash, segment) VALUES (?, ?)", ((t, done.lastrowid) for t in new.tokens)
        )

    # --- segments ---

    def segments(self, source: int | None = None) -> tuple[Segment, ...]:
        """All segments, or those of one source, in the order of the log; without their content."""
        found = self._rows(
            "SELECT id, source, start, line, size, sha256, facts, first, last, erased FROM segment"
            " WHERE ?1 IS NULL OR source = ?1 ORDER BY source, start",
            source,
        )
        return tuple(_segment(row) for row in found)

    def holding(self, tokens: Iterable[int]) -> set[int]:
        """Ids of the segments in which one of the tokens stands; a few too many, never one too few."""
        found: set[int] = set()
        for token in tokens:
            found.update(_number(row[0]) for row in self._rows("SELECT segment FROM token WHERE hash = ?", token))
        return found

    def content(self, segment: Segment) -> bytes:
        """What a segment holds; raises :class:`CannotLookError` when it is not what was kept."""
        row = next(iter(self._rows("SELECT content FROM segment WHERE id = ?", segment.id)), None)
        where = f"{printable(str(self.path))}: segment {segment.id}"
        if row is None:
            raise CannotLookError(f"{where} is gone; it was pruned meanwhile")
        try:
            unpacker = zlib.decompressobj()
            content = unpacker.decompress(_octets(row[0]), MAX_SEGMENT + 1)
        except zlib.error as problem:
            raise CannotLookError(f"{where} is damaged: {problem}") from problem
        if len(content) != segment.size or not unpacker.eof:
            raise CannotLookError(f"{where} is damaged: not of the length that was kept")
        if not segment.erased and hashlib.sha256(content).digest() != segment.sha256:
            raise CannotLookError(f"{where} is not what was kept: its digest differs")
        return content

    # --- retention and erasure ---

    def prune(self, before: datetime) -> int:
        """Drop every segment whose last line is older; how many those were.  The notes on how far was read stay."""
        with self._writing():
            self._database.execute(
                "DELETE FROM token WHERE segment IN (SELECT id FROM segment WHERE last < ?)", (_text(before),)
            )
            done = self._database.execute("DELETE FROM segment WHERE last < ?", (_text(before),))
        self._shrink()
        return done.rowcount

    def rewrite(self, segment: Segment, content: bytes, tokens: frozenset[int], erased: int) -> None:
        """Put other octets of the same length in a segment's place: lines were erased from it."""
        if len(content) != segment.size:
            msg = "erasing must keep the length, or every later place would be wrong"
            raise ValueError(msg)
        with self._writing():
            self._database.execute(
                "UPDATE segment SET content = ?, erased = erased + ? WHERE id = ?",
                (zlib.compress(content, 6), erased, segment.id),
            )
            self._database.execute("DELETE FROM token WHERE segment = ?", (segment.id,))
            self._database.executemany(
                "INSERT OR IGNORE INTO token (hash, segment) VALUES (?, ?)", ((t, segment.id) for t in tokens)
            )

    def reindex(self, segment: Segment, tokens: frozenset[int]) -> None:
        """Build a segment's index again."""
        self.rewrite(segment, self.content(segment), tokens, 0)

    def finish_erasure(self) -> None:
        """Let no copy of erased octets stay in the write-ahead log or in free pages."""
        self._shrink()

    def _shrink(self) -> None:
        try:
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._database.execute("VACUUM")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as problem:
            raise CannotLookError(f"{printable(str(self.path))}: {problem}") from problem

    def _writing(self) -> "_Writing":
        return _Writing(self._database, self.path)

    def _rows(self, statement: str, *values: object) -> Iterator[tuple[object, ...]]:
        try:
            yield from self._database.execute(statement, values)
        except sqlite3.Error as problem:
            raise CannotLookError(f"{printable(str(self.path))}: {problem}") from problem


class _Writing:
    """A transaction whose failures are ours."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._transaction, self._path = transaction(connection), path

    def __enter__(self) -> None:
        try:
            self._transaction.__enter__()
        except sqlite3.Error as problem:
            raise CannotLookError(f"{printable(str(self._path))}: {problem}") from problem

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._transaction.__exit__(kind, problem, trace)
        except sqlite3.Error as failure:
            raise CannotLookError(f"{printable(str(self._path))}: {failure}") from failure


def _text(instant: datetime | None) -> str | None:
    return instant.astimezone(UTC).isoformat(timespec="microseconds") if instant else None


def _instant(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _source(row: tuple[object, ...]) -> Source:
    identity, log, path, head, position, line, tail, modified, container, _ = row
    return Source(
        *(_number(identity), str(log), str(path), _octets(head), _number(position), _number(line), _octets(tail)),
        modified=_instant(modified),
        container=str(container) if container is not None else None,
    )


def _segment(row: tuple[object, ...]) -> Segment:
    identity, source, start, line, size, sha256, facts, first, last, erased = row
    return Segment(
        *(_number(identity), _number(source), _number(start), _number(line), _number(size), _octets(sha256)),
        facts=str(facts),
        first=_instant(first),
        last=_instant(last),
        erased=_number(erased),
    )


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise CannotLookError("the archive is damaged: a number is something else")
    return value


def _octets(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise CannotLookError("the archive is damaged: octets are something else")
    return value
