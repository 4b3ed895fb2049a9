"""The archive: what the logs held, kept after they have rotated away, with an index by address and queue id.

The log's own octets are kept, in compressed segments that end at line ends, each with the digest of what it held; the
index is derived from them and can be built again.  Every read of a log and the note how far it got are one
transaction: nothing is kept twice, and nothing is left out because a run was broken off.

This is not the tamper-evident ledger: whoever can write the file can write another.
"""

import fcntl
import hashlib
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Self

from deliverability.errors import CannotLookError, printable
from deliverability.ledger.archive_rows import (
    MAX_SEGMENT,
    SEGMENT,
    SOURCE,
    NewSegment,
    Packed,
    Segment,
    Source,
    decompressor,
    number_of,
    octets_of,
    pack,
    segment_of,
    source_of,
    text_of,
)
from deliverability.ledger.database import open_database, open_read_only, transaction

__all__ = ["MAX_SEGMENT", "Archive", "NewSegment", "Packed", "Segment", "Source", "pack"]

APPLICATION_ID = 0x64_6C_41_72  # "dlAr"
VERSION = 1
CACHE = 64 << 10  # KiB of the index that writing may hold in memory
ROWS = 100  # of the index that one statement writes: a third less time than one by one

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
    facts TEXT NOT NULL,
    looked_at TEXT NOT NULL
);
CREATE INDEX source_by_head ON source (head);
CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source (id),
    start INTEGER NOT NULL,
    line INTEGER NOT NULL,
    size INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    present BLOB NOT NULL,
    facts TEXT NOT NULL,
    first TEXT,
    last TEXT,
    erased INTEGER NOT NULL DEFAULT 0,
    content BLOB NOT NULL
);
CREATE UNIQUE INDEX segment_in_order ON segment (source, start);
CREATE TABLE token (
    hash INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    PRIMARY KEY (hash, segment)
) WITHOUT ROWID;
"""
_INTO_INDEX = "INSERT OR IGNORE INTO token (hash, segment) VALUES (?, ?)"


class Archive:
    """One archive file.  Not for use from several threads at once."""

    def __init__(self, connection: sqlite3.Connection, path: Path, lock: int | None = None) -> None:
        self._database, self.path, self._lock = connection, path, lock

    @classmethod
    def open(cls, path: Path, *, write: bool = False, create: bool = False) -> Self:
        """Open an archive; raises :class:`CannotLookError` for what is none, and for the second who wants to write.

        Where there is no file, one is made only with ``create``.
        """
        if not write:
            return cls(open_read_only(path, application_id=APPLICATION_ID, version=VERSION), path)
        if not create and not path.is_file():
            raise CannotLookError(f"{printable(str(path))}: no such archive; `deliverability ingest` makes one")
        lock = _take_lock(path)
        try:
            database = open_database(
                path, application_id=APPLICATION_ID, version=VERSION, schema=_SCHEMA, journal="DELETE"
            )
            database.execute(f"PRAGMA cache_size = -{CACHE}")
        except BaseException:
            os.close(lock)
            raise
        return cls(database, path, lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        if self._lock is not None:
            os.close(self._lock)

    # --- sources ---

    def sources(self) -> tuple[Source, ...]:
        """Every log file of which something is kept, in the order in which they were first read."""
        return tuple(source_of(row) for row in self._rows(f"{SOURCE} ORDER BY id"))

    def candidates(self, head: bytes) -> tuple[Source, ...]:
        """Sources that a file with this first line may be."""
        return tuple(source_of(row) for row in self._rows(f"{SOURCE} WHERE head = ? ORDER BY id", head))

    def keep(self, source: Source, segments: Sequence[NewSegment], looked_at: datetime, had: int = 0) -> Source:
        """Add segments and note how far the source is kept by now, both or neither; returns the source with its id.

        ``had`` is how far it was kept before: raises :class:`CannotLookError` when another run came between.
        """
        with self._writing():
            identity = source.id or self._insert_source(source, looked_at)
            known = next(iter(self._rows("SELECT position FROM source WHERE id = ?", identity)), (None,))[0]
            if known != had:
                raise CannotLookError(f"{self._shown}: another run kept the same log meanwhile; run again")
            self._insert_segments(identity, segments)
            self._database.execute(
                "UPDATE source SET path = ?, position = ?, line = ?, tail = ?, modified = ?, facts = ?, looked_at = ?"
                " WHERE id = ?",
                (
                    *(source.path, source.position, source.line, source.tail, text_of(source.modified)),
                    *(source.facts, text_of(looked_at), identity),
                ),
            )
        return next(source_of(row) for row in self._rows(f"{SOURCE} WHERE id = ?", identity))

    def note_source(self, source: Source) -> None:
        """Keep other facts of a source that is kept."""
        with self._writing():
            self._database.execute("UPDATE source SET facts = ? WHERE id = ?", (source.facts, source.id))

    def _insert_source(self, source: Source, looked_at: datetime) -> int:
        done = self._database.execute(
            "INSERT INTO source (log, path, head, position, line, tail, modified, container, facts, looked_at)"
            " VALUES (?, ?, ?, 0, 0, ?, ?, ?, ?, ?)",
            (
                *(source.log, source.path, source.head, hashlib.sha256(b"").digest()),
                *(text_of(source.modified), source.container, source.facts, text_of(looked_at)),
            ),
        )
        return int(done.lastrowid or 0)

    def _insert_segments(self, source: int, segments: Sequence[NewSegment]) -> None:
        tokens: list[tuple[int, int]] = []
        for new in segments:
            packed = new.content
            values = (
                *(source, new.start, new.line, packed.size, packed.sha256, packed.sha256),
                *(new.facts, text_of(new.first), text_of(new.last), packed.octets),
            )
            if new.grows:
                # What it held is the beginning of what it holds: its tokens stay true.
                self._database.execute("DELETE FROM segment WHERE id = ?", (new.grows,))
            done = self._database.execute(
                "INSERT INTO segment (source, start, line, size, sha256, present, facts, first, last, content, id)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, new.grows or None),
            )
            identity = int(done.lastrowid or 0)
            tokens += [(token, identity) for token in new.tokens]
        tokens.sort(key=itemgetter(0))  # neighbours in the index are written together
        together = len(tokens) // ROWS * ROWS
        many = _INTO_INDEX + ", (?, ?)" * (ROWS - 1)
        for at in range(0, together, ROWS):
            self._database.execute(many, list(chain.from_iterable(tokens[at : at + ROWS])))
        self._database.executemany(_INTO_INDEX, tokens[together:])

    # --- segments ---

    def segments(self, source: int | None = None) -> tuple[Segment, ...]:
        """All segments, or those of one source, in the order of the log; without their content."""
        where = "" if source is None else " WHERE source = ?"
        found = self._rows(f"{SEGMENT}{where} ORDER BY source, start", *(() if source is None else (source,)))
        return tuple(segment_of(row) for row in found)

    def holding(self, tokens: Iterable[int]) -> set[int]:
        """Ids of the segments in which one of the tokens stands; a few too many, never one too few."""
        found: set[int] = set()
        for token in tokens:
            found.update(number_of(row[0]) for row in self._rows("SELECT segment FROM token WHERE hash = ?", token))
        return found

    def lacks(self, segment: Segment, tokens: Iterable[int]) -> int:
        """How many of the tokens the index does not give for a segment."""
        asked = "SELECT COUNT(*) FROM token WHERE hash = ? AND segment = ?"
        return sum(not next(self._rows(asked, token, segment.id))[0] for token in tokens)

    def content(self, segment: Segment) -> bytes:
        """What a segment holds; raises :class:`CannotLookError` when it is not what was kept."""
        row = next(self._rows("SELECT content FROM segment WHERE id = ?", segment.id), None)
        where = f"{self._shown}: segment {segment.id}"
        if row is None:
            raise CannotLookError(f"{where} is gone; it was pruned meanwhile")
        try:
            unpacker = decompressor()
            content: bytes = unpacker.decompress(octets_of(row[0]), MAX_SEGMENT + 1)
        except (zlib.error, OSError) as problem:
            raise CannotLookError(f"{where} is damaged: {problem}") from problem
        if len(content) != segment.size or not unpacker.eof:
            raise CannotLookError(f"{where} is damaged: not of the length that was kept")
        if hashlib.sha256(content).digest() != segment.present:
            raise CannotLookError(f"{where} is not what was kept: its digest differs")
        return content

    def octets(self) -> int:
        """Of the archive file."""
        with suppress(OSError):
            return self.path.stat().st_size
        return 0

    def problems(self) -> tuple[str, ...]:
        """What SQLite itself finds wrong with the file."""
        found = [str(row[0]) for row in self._rows("PRAGMA integrity_check(20)")]
        return () if found == ["ok"] else tuple(found)

    # --- retention and erasure ---

    def outdated(self, before: datetime) -> tuple[Segment, ...]:
        """Segments whose last line is older."""
        return tuple(segment_of(row) for row in self._rows(f"{SEGMENT} WHERE last < ?", text_of(before)))

    def drop(self, segment: Segment, tokens: frozenset[int] | None) -> None:
        """Forget a segment; the note how far its source was read stays.

        ``tokens`` are those of its content; ``None`` where that cannot be read: the whole index is looked through.
        """
        with self._writing():
            if tokens is None:
                self._database.execute("DELETE FROM token WHERE segment = ?", (segment.id,))
            else:
                self._forget(segment, tokens)
            self._database.execute("DELETE FROM segment WHERE id = ?", (segment.id,))

    def rewrite(  # noqa: PLR0913 - each is named
        self,
        segment: Segment,
        content: Packed,
        facts: str,
        *,
        erased: int,
        gone: frozenset[int] = frozenset(),
        new: frozenset[int] = frozenset(),
    ) -> None:
        """Put other octets of the same length in a segment's place, and take ``gone`` out of the index."""
        if content.size != segment.size:
            msg = "erasing must keep the length, or every later place would be wrong"
            raise ValueError(msg)
        with self._writing():
            self._database.execute(
                "UPDATE segment SET content = ?, present = ?, facts = ?, erased = erased + ? WHERE id = ?",
                (content.octets, content.sha256, facts, erased, segment.id),
            )
            self._forget(segment, gone)
            self._database.executemany(_INTO_INDEX, ((t, segment.id) for t in sorted(new)))

    def rebuild(self, tokens: Iterable[tuple[Segment, frozenset[int]]]) -> None:
        """Build the whole index again, or leave it as it was."""
        with self._writing():
            self._database.execute("DELETE FROM token")
            for segment, some in tokens:
                self._database.executemany(_INTO_INDEX, ((t, segment.id) for t in sorted(some)))

    def _forget(self, segment: Segment, tokens: Iterable[int]) -> None:
        self._database.executemany(
            "DELETE FROM token WHERE hash = ? AND segment = ?", ((t, segment.id) for t in sorted(tokens))
        )

    def shrink(self) -> None:
        """Give free space back to the disk, and let no free page remember what it held."""
        try:
            self._database.execute("VACUUM")
        except sqlite3.Error as problem:
            raise CannotLookError(f"{self._shown}: {problem}") from problem

    @property
    def _shown(self) -> str:
        return printable(str(self.path))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction whose failures are ours."""
        try:
            with transaction(self._database):
                yield
        except sqlite3.Error as problem:
            raise CannotLookError(f"{self._shown}: nothing was kept of this step: {problem}") from problem

    def _rows(self, statement: str, *values: object) -> Iterator[tuple[object, ...]]:
        try:
            yield from self._database.execute(statement, values).fetchall()
        except sqlite3.Error as problem:
            raise CannotLookError(f"{self._shown}: {problem}") from problem


def _take_lock(path: Path) -> int:
    """Become the one that writes; the lock ends with the process."""
    lock_path = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise CannotLookError(f"{printable(str(lock_path))}: {problem.strerror}") from problem
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise CannotLookError(
            f"{printable(str(path))}: another process is writing this archive; run again when it is done"
        ) from None
    return lock
