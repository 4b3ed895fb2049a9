"""``ingest``: what the logs hold goes into the archive, each line once and none left out, however often it is run.

A file is told from others by its first line and by what stands before the place to which it was read, so rotation,
compression and truncation between two runs are seen for what they are.  What was read and how far are kept in one
transaction: a run may be ended at any moment.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deliverability.api import archive_shape as shape
from deliverability.api import progress
from deliverability.api.archive_cuts import Cut
from deliverability.api.archive_looks import Looks
from deliverability.api.archive_origins import Origins, look_of
from deliverability.api.archive_segments import Segmenter, Tools
from deliverability.api.archive_tokens import tokens_of
from deliverability.api.named_logs import surroundings
from deliverability.api.natures import NO_MAIL, Nature, is_void, not_kept
from deliverability.api.requests import Request
from deliverability.api.search import load_formats
from deliverability.capture.continued import MAX_HEAD, Beginning, Reading, beginning_of, reading
from deliverability.capture.files import LogFile, head
from deliverability.errors import CannotLookError, printable
from deliverability.evidence.log_format import LogFormat
from deliverability.ledger.archive import MAX_SEGMENT, Archive, Segment, Source

BATCH = 16  # segments that are kept in one transaction


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one run made of one file."""

    log: str
    path: str
    octets: int = 0
    """Kept in this run."""
    lines: int = 0
    new: bool = False
    """Whether nothing of it was kept before."""
    waiting: int = 0
    """Octets of a last line without its end: they are kept once it has one."""
    note: str | None = None
    """What the operator must know: why it was passed over, what was never seen."""
    failed: bool = False
    """It could not be read, or not to its end."""
    unknown: bool = False
    """It is no log of any format that is known, and nothing of it was kept."""


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What one run did."""

    files: tuple[Ingested, ...]
    pruned: int = 0
    """Segments that were older than what is to be kept."""

    @property
    def failed(self) -> bool:
        """Whether a log could not be read, or none of the files is a log at all."""
        return any(file.failed for file in self.files) or (
            bool(self.files) and all(file.unknown for file in self.files)
        )


def ingest(request: Request, archive: Path, keep: timedelta | None = None) -> IngestResult:
    """Read the logs of a request into an archive, which is made where there is none; drop what is older than ``keep``.

    Raises :class:`CannotLookError` when nothing can be read, or another process writes the archive.
    """
    hints, files = surroundings(request)
    now = request.now or datetime.now(UTC)
    every = load_formats()
    # The child is made first: it is not to hold the archive open.
    with Looks(every, files) as looks, Archive.open(archive, write=True, create=True) as kept:
        index_rest(kept)
        run = _Run(Tools(kept, looks, hints, now, every), files)
        done = tuple(run.take(file) for file in files)
        pruned = drop_outdated(kept, now - keep) if keep else 0
    return IngestResult(done, pruned)


def drop_outdated(archive: Archive, before: datetime) -> int:
    """Drop every segment whose last line is older; how many those were."""
    outdated = archive.outdated(before)
    archive.drop(outdated)
    if outdated:
        archive.drop_copies()
    return len(outdated)


def index_rest(archive: Archive) -> None:
    """Put into the index what is not in it: all that an earlier version of this program kept."""
    every, rest = load_formats(), archive.unindexed()
    for at in range(0, len(rest), BATCH):
        archive.index(_readable(archive, rest[at : at + BATCH], every))


def _readable(
    archive: Archive, segments: Iterable[Segment], every: Sequence[LogFormat]
) -> Iterator[tuple[Segment, tuple[int, ...]]]:
    for segment in segments:
        with suppress(CannotLookError):  # a segment that is damaged stays without: it is looked into by every question
            yield segment, tokens_of(archive.content(segment), known_formats(segment, every), every)


def known_formats(segment: Segment, every: Sequence[LogFormat]) -> list[LogFormat]:
    """The formats that were known of a log when a segment was read."""
    names = shape.of_segment(segment)["formats"]
    return [fmt for fmt in every if fmt.id in names]


class _Run:
    """One run over all files."""

    def __init__(self, tools: Tools, files: Sequence[LogFile]) -> None:
        self._tools, self._archive = tools, tools.archive
        self._origins = Origins(tools.archive, files)

    def take(self, file: LogFile) -> Ingested:
        """Keep what is new in a file."""
        nothing = Ingested(file.log, file.path)
        if file.problem and file.content is None:
            return replace(nothing, note=file.problem, failed=True)
        try:
            done = self._taken(file)
            return replace(done, note=done.note or file.problem, failed=done.failed or bool(file.problem))
        except ChangedError as problem:
            return replace(nothing, note=str(problem))
        except CannotLookError as problem:
            return replace(nothing, note=str(problem), failed=True)

    def _taken(self, file: LogFile) -> Ingested:
        nothing = Ingested(file.log, file.path)
        look = look_of(file)
        unchanged = self._origins.unchanged(file, look)
        if unchanged:
            self._rename(unchanged, file)
            return nothing
        beginning = beginning_of(file)
        if beginning is None:
            return replace(nothing, waiting=len(head(file, MAX_HEAD)))
        source = self._origins.source_of(file, beginning)
        if source is None:
            return replace(nothing, note=f"{printable(file.path)}: shorter than what is kept of it: nothing new")
        if source.id:
            return self._read_on(file, source, beginning, look)
        known = self._origins.of_new(file, beginning)
        done = self._read_on(file, replace(source, facts=json.dumps(known)), beginning, look)
        note = next(iter(known.values()), None)
        return replace(done, note=done.note or f"{printable(file.path)}: {note}") if note else done

    def _rename(self, source: Source, file: LogFile) -> None:
        if source.path != file.path:
            moved = replace(source, path=file.path, modified=file.modified)
            self._archive.keep(moved, (), self._tools.now, source.position)

    # --- reading on ---

    def _read_on(self, file: LogFile, source: Source, beginning: Beginning, look: str | None) -> Ingested:
        progress.tell(file.path, source.position)
        segmenter = Segmenter(self._tools, file, source, look, settled=self._origins.is_settled(file))
        done = Ingested(file.log, file.path)
        try:
            with reading(file) as stream:
                done = self._kept(segmenter, stream, beginning, file)
        except CannotLookError as problem:
            done = replace(done, note=str(problem), failed=not isinstance(problem, ChangedError))
        kept = segmenter.source
        octets, lines = kept.position - source.position, kept.line - source.line
        return replace(done, octets=octets, lines=lines, new=not source.id and kept.id > 0)

    def _kept(self, segmenter: Segmenter, stream: Reading, beginning: Beginning, file: LogFile) -> Ingested:
        """Keep what a log holds; what was kept before something went wrong stays, and the segmenter knows how much."""
        done, batch = Ingested(file.log, file.path), list[Cut]()
        nature = Nature(known=bool(segmenter.source.id))
        for cut in segmenter.cuts(stream):
            batch.append(cut)
            if len(batch) >= BATCH:
                _still(stream, beginning, file)
                if not (nature.may_be_kept(batch) or is_void(batch)):
                    break
                segmenter.keep(batch)
                batch = []
        rest = stream.read(batch[-1].end if batch else segmenter.source.position, MAX_SEGMENT) if stream.grows else b""
        _still(stream, beginning, file)
        if not nature.may_be_kept(batch) and not segmenter.source.position:
            why = stream.damaged or f"{printable(file.path)}: {not_kept(batch)}"
            return replace(done, note=why, failed=bool(stream.damaged), unknown=True)
        waiting = 0 if b"\n" in rest else len(rest)  # else more was written meanwhile, and is for the next run
        segmenter.keep(batch, stream.damaged, waiting=waiting, complete=True)
        note = stream.damaged or (None if nature.mail else f"{printable(file.path)}: {NO_MAIL}")
        return replace(done, waiting=waiting, note=note, failed=stream.damaged is not None)


class ChangedError(CannotLookError):
    """A file became another while it was read: the next run goes on with it."""


def _still(stream: Reading, beginning: Beginning, file: LogFile) -> None:
    if not stream.begins_with(beginning):
        raise ChangedError(f"{printable(file.path)}: was truncated while it was read; the next run goes on with it")
