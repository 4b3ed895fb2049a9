"""What the archive's tables hold, as rows and as values: log files, and the compressed segments of them."""

import hashlib
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deliverability.errors import CannotLookError

MAX_SEGMENT = 8 << 20  # octets; a damaged row must not unpack to more
SOURCE = "SELECT id, log, path, head, position, line, tail, modified, container, facts, looked_at FROM source"
SEGMENT = "SELECT id, source, start, line, size, sha256, present, facts, first, last, erased FROM segment"


@dataclass(frozen=True, slots=True)
class Source:
    """One log file, followed through its rotations by what it begins with."""

    id: int
    """0 for one that is not kept yet."""
    log: str
    path: str
    """Where it lay when it was last read."""
    head: bytes
    """SHA-256 of its first line: what names it when its name changes."""
    position: int
    """Octets that are kept, of the uncompressed file."""
    line: int
    """Line ends that are kept."""
    tail: bytes
    """SHA-256 of the last octets before :attr:`position`: a file that differs there is another."""
    modified: datetime | None
    container: str | None
    facts: str
    """What is known of the file as a whole, as JSON: opaque here."""
    looked_at: datetime | None = None


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
    """Of what was kept first."""
    present: bytes
    """SHA-256 of what is there now: differs from :attr:`sha256` where lines were erased since."""
    facts: str
    """What its scan found, as JSON: opaque here."""
    first: datetime | None
    last: datetime | None
    erased: int
    """Lines that were erased from it."""

    @property
    def end(self) -> int:
        """Offset after its last octet in the source."""
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class Packed:
    """Octets as they are stored."""

    size: int
    sha256: bytes
    octets: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSegment:
    """A segment to be kept."""

    start: int
    line: int
    content: Packed
    facts: str
    first: datetime | None
    last: datetime | None
    tokens: frozenset[int]
    grows: int = 0
    """Id of the kept segment that this one replaces, and whose octets it begins with."""


def pack(content: bytes) -> Packed:
    """Compress octets for storage; may run in another thread."""
    if len(content) > MAX_SEGMENT:
        msg = "a segment is too long"
        raise ValueError(msg)
    return Packed(len(content), hashlib.sha256(content).digest(), _compressed(content))


def _compressed(content: bytes) -> bytes:
    """As zlib reads it (RFC 1950), by whatever is quickest here."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.compress(content, 1)
    return bytes(isal_zlib.compress(content, 2))


def decompressor() -> Any:
    """What unpacks a segment bit by bit: the faster library where it is installed."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.decompressobj()
    return isal_zlib.decompressobj()


def text_of(instant: datetime | None) -> str | None:
    """A time as it is kept."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds") if instant else None


def instant_of(text: object) -> datetime | None:
    """A time that was kept; raises :class:`CannotLookError`."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError as problem:
        raise CannotLookError("the archive is damaged: a time is something else") from problem


def source_of(row: tuple[object, ...]) -> Source:
    """A row of :data:`SOURCE`; raises :class:`CannotLookError` for a damaged one."""
    identity, log, path, head, position, line, tail, modified, container, facts, looked_at = row
    return Source(
        *(
            number_of(identity),
            str(log),
            str(path),
            octets_of(head),
            number_of(position),
            number_of(line),
            octets_of(tail),
        ),
        modified=instant_of(modified),
        container=str(container) if container is not None else None,
        facts=str(facts),
        looked_at=instant_of(looked_at),
    )


def segment_of(row: tuple[object, ...]) -> Segment:
    """A row of :data:`SEGMENT`; raises :class:`CannotLookError` for a damaged one."""
    identity, source, start, line, size, sha256, present, facts, first, last, erased = row
    return Segment(
        *(number_of(identity), number_of(source), number_of(start), number_of(line), number_of(size)),
        sha256=octets_of(sha256),
        present=octets_of(present),
        facts=str(facts),
        first=instant_of(first),
        last=instant_of(last),
        erased=number_of(erased),
    )


def number_of(value: object) -> int:
    """A number; raises :class:`CannotLookError` for anything else."""
    if not isinstance(value, int):
        raise CannotLookError("the archive is damaged: a number is something else")
    return value


def octets_of(value: object) -> bytes:
    """Octets; raises :class:`CannotLookError` for anything else."""
    if not isinstance(value, bytes):
        raise CannotLookError("the archive is damaged: octets are something else")
    return value
