"""Whether a file is a copy of a kept log that is shorter than what is kept: broken off, or still being written."""

import hashlib
from collections.abc import Sequence

from deliverability.capture.continued import TAIL, Beginning, Reading, reading
from deliverability.capture.files import LogFile
from deliverability.ledger.archive import Archive, Segment, Source

_ERASED = b" *"
"""What an erasure leaves of octets."""


def is_shorter_copy(archive: Archive, file: LogFile, source: Source, *, erased: bool = True) -> bool:
    """Whether all that a file holds was kept of a log, and more; of what was pruned since, that is taken to be so.

    With ``erased`` it is one too where it holds what was erased from the archive.  Raises :class:`CannotLookError` for
    what cannot be opened, and for what is kept but damaged.
    """
    segments = archive.segments(source.id)
    with reading(file) as stream:
        return _holds_no_more(archive, segments, stream, erased=erased)


def begins_alike(archive: Archive, file: LogFile, source: Source, beginning: Beginning) -> bool:
    """Whether a file goes on behind its first line as a kept log does: exports may have that line in common, and no more."""
    first = next(iter(archive.segments(source.id)), None)
    if first is None or first.start:
        return False
    kept = archive.content(first)[: beginning.size + TAIL]
    with reading(file) as stream:
        more = stream.read(0, len(kept))
    return len(more) > beginning.size and len(kept) > beginning.size and _begins_with(kept, more)


def _holds_no_more(archive: Archive, segments: Sequence[Segment], stream: Reading, *, erased: bool) -> bool:
    compared, end = False, None
    for segment in segments:
        if (segment.erased and not erased) or (end is not None and segment.start != end):
            return False
        more, end = stream.read(segment.start, segment.size), segment.end
        if len(more) < segment.size:
            return _begins_with(archive.content(segment), more) if more else compared
        if hashlib.sha256(more).digest() != segment.sha256:
            return False
        compared = True
    return False


def _begins_with(kept: bytes, more: bytes) -> bool:
    """Whether what is kept began with ``more`` before something was erased from it."""
    return kept.startswith(more) or all(a == b or a in _ERASED for a, b in zip(kept, more, strict=False))
