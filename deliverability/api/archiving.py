"""``ingest``: what the logs hold goes into the archive, each line once and none left out, however often it is run.

A file is told from others by its first line and by what stands before the place to which it was read, so rotation,
compression and truncation between two runs are seen for what they are.  What was read and how far are kept in one
transaction: a run may be ended at any moment.
"""

import hashlib
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
from deliverability.api.archive_segments import Segmenter, Tools
from deliverability.api.archive_tokens import tokens_of
from deliverability.api.natures import NO_MAIL, Nature, is_void, not_kept
from deliverability.api.requests import Request
from deliverability.api.search import load_formats
from deliverability.api.times import MAX_HEAD, stamp
from deliverability.api.tracing import surroundings
from deliverability.capture import rotation
from deliverability.capture.continued import (
    Beginning,
    Known,
    Reading,
    beginning_of,
    furthest,
    is_prefix,
    reading,
    tail_of,
)
from deliverability.capture.files import LogFile, container_of, head
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
        self._tools, self._archive, self._files = tools, tools.archive, files
        known = tools.archive.sources()
        self._before = {source.id for source in known}
        looks = ((shape.of_source(source).get("look"), source) for source in known)
        self._looks = {(source.log, look): source for look, source in looks if look}

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
        look = _look_of(file)
        unchanged = self._looks.get((file.log, look))
        if unchanged:
            self._rename(unchanged, file)
            return nothing
        beginning = beginning_of(file)
        if beginning is None:
            return nothing
        source = self._source_of(file, beginning)
        if source is None:
            return replace(nothing, note=f"{printable(file.path)}: shorter than what is kept of it: nothing new")
        if source.id:
            return self._read_on(file, source, beginning, look)
        note = self._unseen(file)
        new = replace(source, facts=json.dumps({"missing": note} if note else {}))
        done = self._read_on(file, new, beginning, look)
        return replace(done, note=done.note or f"{printable(file.path)}: {note}") if note else done

    # --- which source it is ---

    def _rename(self, source: Source, file: LogFile) -> None:
        if source.path != file.path:
            moved = replace(source, path=file.path, modified=file.modified)
            self._archive.keep(moved, (), self._tools.now, source.position)

    def _source_of(self, file: LogFile, beginning: Beginning) -> Source | None:
        """What is kept of this file, or a source that is new; ``None`` for a copy that is shorter than what is kept."""
        candidates = [s for s in self._archive.candidates(beginning.head) if s.log == file.log]
        index = furthest(file, [Known(s.position, s.tail) for s in candidates]) if candidates else None
        if index is not None:
            return replace(candidates[index], path=file.path, modified=file.modified)
        for one in candidates:
            segments = self._archive.segments(one.id)
            if segments and not segments[0].start and is_prefix(file, map(self._archive.content, segments)):
                return None
        return Source(
            *(0, file.log, file.path, beginning.head, 0, 0, tail_of(b"")),
            modified=file.modified,
            container=container_of(file),
            facts="{}",
        )

    def _unseen(self, file: LogFile) -> str | None:
        """What was never seen before a file that is read for the first time."""
        said = [text for text in (self._rotated_away(file), file.missing) if text]
        return "; ".join(said) or None

    def _rotated_away(self, file: LogFile) -> str | None:
        """That none of the files at hand goes on from where the last run ended."""
        base = _base(file.log, file.path)
        siblings = [f for f in self._files if _base(f.log, f.path) == base]
        before = [s for s in self._archive.sources() if s.id in self._before and _base(s.log, s.path) == base]
        if siblings[0] is not file or not before or any(map(self._is_known, siblings[1:])):
            return None
        ends = [one.last for s in before for one in self._archive.segments(s.id)[-1:] if one.last]
        since = f"{max(ends):%Y-%m-%dT%H:%M:%SZ}" if ends else "the last run"
        first = stamp(head(file, MAX_HEAD))
        until = first.logged if first else "its first line"
        return f"the log was rotated away between two runs: lines between {since} and {until} were never seen"

    def _is_known(self, file: LogFile) -> bool:
        try:
            beginning = beginning_of(file)
            source = self._source_of(file, beginning) if beginning else None
        except CannotLookError:
            return False
        return source is not None and source.id in self._before

    # --- reading on ---

    def _read_on(self, file: LogFile, source: Source, beginning: Beginning, look: str | None) -> Ingested:
        progress.tell(file.path, source.position)
        segmenter = Segmenter(self._tools, file, source, look)
        with reading(file) as stream:
            batch: list[Cut] = []
            nature = Nature(known=bool(source.id))
            for cut in segmenter.cuts(stream):
                batch.append(cut)
                if len(batch) >= BATCH:
                    _still(stream, beginning, file)
                    if not (nature.may_be_kept(batch) or is_void(batch)):
                        break
                    segmenter.keep(batch)
                    batch = []
            _still(stream, beginning, file)
            if not nature.may_be_kept(batch) and not segmenter.source.position:
                note = stream.damaged or f"{printable(file.path)}: {not_kept(batch)}"
                return Ingested(file.log, file.path, note=note, failed=bool(stream.damaged), unknown=True)
            segmenter.keep(batch, stream.damaged, complete=True)
            end = segmenter.source.position
            return Ingested(
                *(file.log, file.path, end - source.position, segmenter.source.line - source.line),
                new=not source.id,
                waiting=len(stream.read(end, MAX_SEGMENT)) if stream.grows else 0,
                note=stream.damaged or (None if nature.mail else f"{printable(file.path)}: {NO_MAIL}"),
                failed=stream.damaged is not None,
            )


class ChangedError(CannotLookError):
    """A file became another while it was read: the next run goes on with it."""


def _base(log: str, path: str) -> tuple[str, str]:
    """The rotated set of a file."""
    name = Path(path)
    return log, str(name.parent / rotation.base_of(name.name)) if name.name else path


def _look_of(file: LogFile) -> str | None:
    """What a file looks like from outside, before it is read: where that is the same, so is the content."""
    if file.identity is None or file.modified is None:
        return None
    try:
        status = Path(file.archive or file.path).stat()
    except (OSError, ValueError):
        return None
    if (status.st_dev, status.st_ino) != file.identity:
        return None
    look = f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{file.member or ''}"
    return hashlib.sha256(look.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _still(stream: Reading, beginning: Beginning, file: LogFile) -> None:
    if not stream.begins_with(beginning):
        raise ChangedError(f"{printable(file.path)}: was truncated while it was read; the next run goes on with it")
