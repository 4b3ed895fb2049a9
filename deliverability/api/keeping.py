"""What is done to an archive apart from putting logs into it: looked over, verified, pruned, indexed anew."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from deliverability.api import archive_shape as shape
from deliverability.api.archive_tokens import tokens_of
from deliverability.api.archiving import drop_outdated, known_formats
from deliverability.api.search import load_formats
from deliverability.capture.continued import TAIL, tail_of
from deliverability.errors import CannotLookError, printable
from deliverability.ledger.archive import Archive, ChangedMeanwhileError, Segment, Source
from deliverability.ledger.packing import NotHereError

MAX_TOLD = 100  # problems that are named one by one


@dataclass(frozen=True, slots=True)
class KeptFile:
    """What is kept of one log file."""

    log: str
    path: str
    octets: int
    """That are there now; the first of them were pruned where :attr:`pruned` says so."""
    lines: int
    first: datetime | None
    last: datetime | None
    pruned: int
    """Octets that were there once."""
    erased: int
    """Lines that were erased."""
    looked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Status:
    """What an archive holds."""

    files: tuple[KeptFile, ...]
    octets: int
    """Of the archive's own file."""

    @property
    def kept(self) -> int:
        """Octets of log that are kept."""
        return sum(file.octets for file in self.files)


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found wrong with an archive."""

    segments: int
    octets: int
    problems: tuple[str, ...]
    """What is not as it was kept."""
    unindexed: int
    """Tokens that the index lacks: ``reindex`` puts them back."""


def status(path: Path) -> Status:
    """What an archive holds, without unpacking it."""
    with Archive.open(path) as archive:
        files = tuple(_kept(source, segments) for source, segments in _each(archive))
        return Status(files, archive.octets())


def _each(archive: Archive) -> list[tuple[Source, tuple[Segment, ...]]]:
    sources, segments = archive.overview()
    return [(source, tuple(s for s in segments if s.source == source.id)) for source in sources]


def _kept(source: Source, segments: tuple[Segment, ...]) -> KeptFile:
    return KeptFile(
        log=source.log,
        path=source.path,
        octets=sum(segment.size for segment in segments),
        lines=source.line - segments[0].line if segments else 0,
        first=next((s.first for s in segments if s.first), None),
        last=next((s.last for s in reversed(segments) if s.first), None),  # where no line has a time, that is a guess
        pruned=segments[0].start if segments else source.position,
        erased=sum(segment.erased for segment in segments),
        looked_at=source.looked_at,
    )


def prune(path: Path, before: datetime) -> int:
    """Drop every segment whose last line is older, and give the space back; how many those were."""
    with Archive.open(path, write=True) as archive:
        dropped = drop_outdated(archive, before)
        if dropped:
            archive.shrink()
        return dropped


def reindex(path: Path) -> int:
    """Build the index again from what is kept; how many segments there are.

    Raises :class:`CannotLookError` for a segment that cannot be read, and leaves the index as it was.
    """
    every = load_formats()
    with Archive.open(path, write=True) as archive:
        segments = archive.segments()
        archive.index((s, tokens_of(archive.content(s), known_formats(s, every), every)) for s in segments)
        return len(segments)


def verify(path: Path) -> Verified:
    """Hold everything that is kept against its digests, and the index against what is kept.

    Raises :class:`CannotLookError` when another run erases or drops some of it meanwhile, or it cannot be read here.
    """
    with Archive.open(path) as archive:
        problems = [f"{printable(str(path))}: {one}" for one in archive.problems()]
        segments = octets = unindexed = 0
        every = load_formats()
        for source, kept in _each(archive):
            problems += _breaks(path, source, kept)
            try:
                shape.of_source(source)
            except CannotLookError as problem:
                problems.append(f"{printable(str(path))}: {printable(source.path)}: {problem}")
            content = b""
            for segment in kept:
                segments += 1
                try:
                    content = archive.content(segment)
                    shape.of_segment(segment)
                    formats = known_formats(segment, every)
                except (ChangedMeanwhileError, NotHereError):
                    raise  # by another run, which may, or packed as is not read here: nothing was found out
                except CannotLookError as problem:
                    problems.append(str(problem))
                    content = b""
                    continue
                octets += len(content)
                unindexed += archive.lacks(segment, tokens_of(content, formats, every))
            if kept and not kept[-1].erased and len(content) >= TAIL and tail_of(content) != source.tail:
                problems.append(f"{printable(str(path))}: {printable(source.path)}: does not end as it was read")
        return Verified(segments, octets, tuple(dict.fromkeys(problems))[:MAX_TOLD], unindexed)


def _breaks(path: Path, source: Source, kept: tuple[Segment, ...]) -> Iterator[str]:
    """Where segments do not follow one another."""
    where = f"{printable(str(path))}: {printable(source.path)}"
    for earlier, later in pairwise(kept):
        if earlier.end != later.start:
            yield f"{where}: octets {earlier.end} to {later.start} are not there"
    if kept and kept[-1].end != source.position:
        yield f"{where}: octets {kept[-1].end} to {source.position} are not there"
    for segment in kept:
        if not segment.erased and segment.present != segment.sha256:
            yield f"{where}: segment {segment.id} was changed, and no erasure says so"
