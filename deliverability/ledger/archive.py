"""The archive: what the logs held, kept after they have rotated away, with an index by address and queue id.

The log's own octets are kept, in compressed segments that end at line ends, each with the digest of what it held; the
index says of each segment what can stand in it, is derived from it, and can be built again: a segment of which it says
nothing is read.  Every read of a log and the note how far it got are one transaction: nothing is kept twice, and
nothing is left out because a run was broken off.

This is not the tamper-evident ledger: whoever can write the file can write another.
"""

import hashlib
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from deliverability.errors import CannotLookError, printable
from deliverability.ledger.archive_opening import lock_archive, opened_to_look, opened_to_write, refuse_what_is_no_file
from deliverability.ledger.archive_rows import (
    MAX_SEGMENT,
    SEGMENT,
    SOURCE,
    NewSegment,
    Packed,
    Segment,
    Source,
    TokenSet,
    number_of,
    octets_of,
    pack,
    pack_tokens,
    segment_of,
    source_of,
    text_of,
    unpack,
)
from deliverability.ledger.database import PROBLEMS, copies_of, transaction
from deliverability.ledger.packing import NotHereError

__all__ = ["MAX_SEGMENT", "Archive", "ChangedMeanwhileError", "NewSegment", "Packed", "Segment", "Source", "pack"]

_INTO_INDEX = "INSERT OR REPLACE INTO tokens (segment, hashes) VALUES (?, ?)"


class ChangedMeanwhileError(CannotLookError):
    """Another run erased or dropped what was asked for, after it was listed: to ask again helps."""


class Archive:
    """One archive file.  Not for use from several threads at once."""

    def __init__(self, connection: sqlite3.Connection, path: Path, lock: int | None = None) -> None:
        self._database, self.path, self._lock = connection, path, lock

    @classmethod
    def open(cls, path: Path, *, write: bool = False, create: bool = False) -> Self:
        """Open an archive; raises :class:`CannotLookError` for what is none, and for the second who wants to write.

        Where there is no file, one is made only with ``create``.
        """
        refuse_what_is_no_file(path)
        if not write:
            return cls(opened_to_look(path), path)
        if not create and not path.is_file():
            raise CannotLookError(f"{printable(str(path))}: no such archive; `deliverability ingest` makes one")
        lock = lock_archive(path)
        try:
            return cls(opened_to_write(path), path, lock)
        except BaseException:
            os.close(lock)
            raise

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

    def overview(self) -> tuple[tuple[Source, ...], tuple[Segment, ...]]:
        """All sources and all segments, as they are at one moment, whoever writes meanwhile."""
        try:
            self._database.execute("BEGIN")
        except PROBLEMS as problem:
            raise CannotLookError(f"{self._shown}: {printable(str(problem))}") from problem
        try:
            sources, segments = self.sources(), self.segments()
        finally:
            self._database.rollback()
        if not {segment.source for segment in segments} <= {source.id for source in sources}:
            raise CannotLookError(f"{self._shown} is damaged: it does not say of which log a segment is")
        return sources, segments

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
        for new in segments:
            packed = new.content
            values = (
                *(source, new.start, new.line, packed.size, packed.sha256, packed.sha256),
                *(new.facts, text_of(new.first), text_of(new.last), packed.octets),
            )
            if new.grows:
                self._database.execute("DELETE FROM segment WHERE id = ?", (new.grows,))
            inserted = self._database.execute(
                "INSERT INTO segment (source, start, line, size, sha256, present, facts, first, last, content, id)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, new.grows or None),
            )
            identity = int(inserted.lastrowid or 0)
            self._database.execute(_INTO_INDEX, (identity, pack_tokens(new.tokens, identity)))

    # --- segments ---

    def segments(self, source: int | None = None) -> tuple[Segment, ...]:
        """All segments, or those of one source, in the order of the log; without their content."""
        where = "" if source is None else " WHERE source = ?"
        found = self._rows(f"{SEGMENT}{where} ORDER BY source, start", *(() if source is None else (source,)))
        return tuple(segment_of(row) for row in found)

    def holding(self, tokens: Iterable[int]) -> set[int]:
        """Ids of the segments in which one of the tokens can stand; a few too many, never one too few."""
        wanted, found = frozenset(tokens), set[int]()
        asked = "SELECT segment.id, hashes FROM segment LEFT JOIN tokens ON tokens.segment = segment.id"
        for row in self._each_row(asked):
            identity = number_of(row[0])
            try:
                if TokenSet(row[1], identity).holds_any(wanted):
                    found.add(identity)
            except ValueError:
                found.add(identity)  # nobody knows what stands in it
        return found

    def lacks(self, segment: Segment, tokens: Collection[int]) -> int:
        """How many of the tokens the index does not give for a segment."""
        row = next(self._rows("SELECT hashes FROM tokens WHERE segment = ?", segment.id), (None,))
        try:
            return len(set(tokens).difference(TokenSet(row[0], segment.id).tokens()))
        except ValueError:
            return len(tokens) or 1

    def unindexed(self) -> tuple[Segment, ...]:
        """Segments of which the index says nothing."""
        found = self._rows(f"{SEGMENT} WHERE id NOT IN (SELECT segment FROM tokens) ORDER BY source, start")  # noqa: S608
        return tuple(segment_of(row) for row in found)

    def content(self, segment: Segment) -> bytes:
        """What a segment holds; raises :class:`CannotLookError` when it is not what was kept."""
        row = next(self._rows("SELECT content, size, present FROM segment WHERE id = ?", segment.id), None)
        where = f"{self._shown}: segment {segment.id}"
        if row is None:
            raise ChangedMeanwhileError(f"{where} is gone; it was pruned meanwhile")
        try:
            content = unpack(octets_of(row[0]), number_of(row[1]))
        except ValueError as problem:
            raise CannotLookError(f"{where} is damaged: {problem}") from problem
        except NotHereError as problem:
            raise NotHereError(f"{where} cannot be read: {problem}") from problem
        if hashlib.sha256(content).digest() != row[2]:
            raise CannotLookError(f"{where} is not what was kept: its digest differs")
        if row[1:] != (segment.size, segment.present):
            content = content[: segment.size]  # another run may have put more to it meanwhile
            if hashlib.sha256(content).digest() != segment.present:
                raise ChangedMeanwhileError(f"{where} was changed meanwhile: ask again")
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

    def drop(self, segments: Iterable[Segment]) -> None:
        """Forget segments; the notes how far their sources were read stay."""
        with self._writing():
            for segment in segments:
                self._database.execute("DELETE FROM tokens WHERE segment = ?", (segment.id,))
                self._database.execute("DELETE FROM segment WHERE id = ?", (segment.id,))

    def rewrite(self, segment: Segment, content: Packed, facts: str, *, erased: int, tokens: Collection[int]) -> None:
        """Put other octets of the same length in a segment's place, with their own tokens."""
        if content.size != segment.size:
            msg = "erasing must keep the length, or every later place would be wrong"
            raise ValueError(msg)
        with self._writing():
            self._database.execute(
                "UPDATE segment SET content = ?, present = ?, facts = ?, erased = erased + ? WHERE id = ?",
                (content.octets, content.sha256, facts, erased, segment.id),
            )
            self._database.execute(_INTO_INDEX, (segment.id, pack_tokens(tokens, segment.id)))

    def index(self, tokens: Iterable[tuple[Segment, Collection[int]]]) -> None:
        """Put segments into the index, all or none."""
        with self._writing():
            for segment, some in tokens:
                self._database.execute(_INTO_INDEX, (segment.id, pack_tokens(some, segment.id)))

    @contextmanager
    def together(self) -> Iterator[None]:
        """All that is done within is kept, or none of it."""
        with self._writing():
            yield

    def drop_copies(self) -> None:
        """Delete the copies that were made before an update of the schema: they hold what was dropped or erased."""
        for copy in copies_of(self.path):
            try:
                copy.unlink(missing_ok=True)
            except OSError as problem:
                raise CannotLookError(f"{printable(str(copy))}: {problem.strerror}") from problem

    def shrink(self) -> None:
        """Give free space back to the disk, and let no free page remember what it held."""
        try:
            self._database.execute("VACUUM")
        except sqlite3.Error as problem:
            raise CannotLookError(
                f"{self._shown}: it was done, but the file is as large as before: {problem}"
            ) from problem

    @property
    def _shown(self) -> str:
        return printable(str(self.path))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction whose failures are ours; one within another is a part of it."""
        try:
            with nullcontext() if self._database.in_transaction else transaction(self._database):
                yield
        except PROBLEMS as problem:
            said = printable(str(problem))
            raise CannotLookError(f"{self._shown}: nothing was kept of this step: {said}") from problem

    def _rows(self, statement: str, *values: object) -> Iterator[tuple[object, ...]]:
        yield from list(self._each_row(statement, *values))

    def _each_row(self, statement: str, *values: object) -> Iterator[tuple[object, ...]]:
        """Rows as they are read: nobody can write until the last one is."""
        try:
            yield from self._database.execute(statement, values)
        except PROBLEMS as problem:
            raise CannotLookError(f"{self._shown}: {printable(str(problem))}") from problem
