"""Which logs an archive holds beside the files at hand: each line once, each rotated set in order, under names of its own."""

from collections.abc import Sequence
from pathlib import Path

from deliverability.api.archive_copies import is_shorter_copy
from deliverability.capture import rotation
from deliverability.capture.continued import Known, beginning_of, furthest
from deliverability.capture.files import LogFile
from deliverability.errors import CannotLookError
from deliverability.ledger.archive import Archive, Segment, Source


def apart(
    archive: Archive, files: Sequence[LogFile], sources: Sequence[Source]
) -> tuple[list[LogFile], dict[int, Source]]:
    """Files and kept logs, each line once: of a log that is in both, what holds more."""
    known = {source.id: source for source in sources}
    alone: list[LogFile] = []
    for file in files:
        try:
            beginning = beginning_of(file)
        except CannotLookError:
            beginning = None
        same = [s for s in archive.candidates(beginning.head) if s.id in known] if beginning else []
        index = furthest(file, [Known(s.position, s.tail) for s in same]) if same else None
        if index is not None:
            del known[same[index].id]
        # What was erased from the archive, and stands in the file, is to be found there.
        elif any(is_shorter_copy(archive, file, one, erased=False) for one in same):
            continue
        alone.append(file)
    return alone, known


def in_order(sources: Sequence[Source], segments: dict[int, tuple[Segment, ...]]) -> list[Source]:
    """Each rotated set at the place of the file that was read first, its oldest log first."""
    sets: dict[tuple[str, str], list[Source]] = {}
    for source in sources:
        name = Path(source.path)
        base = str(name.parent / rotation.base_of(name.name)) if name.name else source.path
        sets.setdefault((source.log, base), []).append(source)
    return [s for members in sets.values() for s in _oldest_first(members, segments)]


def _oldest_first(members: Sequence[Source], segments: dict[int, tuple[Segment, ...]]) -> list[Source]:
    """In the order in which they were first read, which is that of the log, but for older ones that came later."""
    ordered: list[Source] = []
    for source in sorted(members, key=lambda s: s.id):
        at = len(ordered)
        while at and _is_before(segments[source.id], segments[ordered[at - 1].id]):
            at -= 1
        ordered.insert(at, source)
    return ordered


def _is_before(some: Sequence[Segment], others: Sequence[Segment]) -> bool:
    last, first = some[-1].last, others[0].first
    return last is not None and first is not None and last < first


def distinct(sources: Sequence[Source], files: Sequence[LogFile]) -> dict[int, str]:
    """A path for each, told apart where another lies there by now, or several were last read under one name."""
    paths: dict[int, str] = {}
    newest = {(source.log, source.path): source.id for source in sorted(sources, key=lambda s: s.id)}
    taken = {(file.log, file.path) for file in files}
    for source in sources:
        name = source.log, source.path
        same = newest[name] == source.id and name not in taken
        paths[source.id] = source.path if same else f"{source.path} (archived as {source.id})"
    return paths
