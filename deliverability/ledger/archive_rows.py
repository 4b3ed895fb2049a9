"""What the archive's tables hold, as rows and as values: log files, and the compressed segments of them."""

import hashlib
import struct
import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from deliverability.errors import CannotLookError
from deliverability.ledger.packing import packed, unpacked

MAX_SEGMENT = 8 << 20  # octets; a damaged row must not unpack to more
WIDTH = 4  # octets of a token
FEW = 16  # tokens that are quicker looked for one by one
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
    tokens: Collection[int]
    grows: int = 0
    """Id of the kept segment that this one replaces, and whose octets it begins with."""


def pack(content: bytes) -> Packed:
    """Compress octets for storage; may run in another thread."""
    if len(content) > MAX_SEGMENT:
        msg = "a segment is too long"
        raise ValueError(msg)
    return Packed(len(content), hashlib.sha256(content).digest(), packed(content))


def unpack(octets: bytes, size: int) -> bytes:
    """What was packed, of exactly this size.

    Raises as :func:`~deliverability.ledger.packing.unpacked`.
    """
    if size > MAX_SEGMENT:
        raise ValueError("a segment is too long")
    return unpacked(octets, size)


def pack_tokens(tokens: Iterable[int], segment: int) -> bytes:
    """The tokens of a segment as they are stored: 4 octets each, after the CRC-32 of them all and of its id."""
    numbers = tuple(tokens)
    octets = struct.pack(f"<{len(numbers)}I", *numbers)
    return _sum(octets, segment) + octets


def _sum(octets: bytes | memoryview, segment: int) -> bytes:
    return struct.pack("<I", zlib.crc32(octets, zlib.crc32(b"%d" % segment)))


class TokenSet:
    """What :func:`pack_tokens` made; raises :class:`ValueError` for anything else."""

    def __init__(self, octets: object, segment: int) -> None:
        if not isinstance(octets, bytes) or len(octets) < WIDTH or len(octets) % WIDTH:
            msg = "no tokens"
            raise ValueError(msg)
        if octets[:WIDTH] != _sum(memoryview(octets)[WIDTH:], segment):
            msg = "the tokens are damaged"
            raise ValueError(msg)
        self._octets = octets

    def tokens(self) -> tuple[int, ...]:
        """All of them."""
        return struct.unpack_from(f"<{len(self._octets) // WIDTH - 1}I", self._octets, WIDTH)

    def holds_any(self, wanted: frozenset[int]) -> bool:
        """Whether one of these is among them."""
        if len(wanted) > FEW:
            return not wanted.isdisjoint(self.tokens())
        return any(self._holds(struct.pack("<I", token)) for token in wanted)

    def _holds(self, token: bytes) -> bool:
        at = self._octets.find(token, WIDTH)
        while at >= 0 and at % WIDTH:
            at = self._octets.find(token, at + 1)
        return at >= 0


def text_of(instant: datetime | None) -> str | None:
    """A time as it is kept."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds") if instant else None


def instant_of(text: object) -> datetime | None:
    """A time that was kept; raises :class:`CannotLookError`."""
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(str(text))
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise CannotLookError("the archive is damaged: a time is something else")


def source_of(row: tuple[object, ...]) -> Source:
    """A row of :data:`SOURCE`; raises :class:`CannotLookError` for a damaged one."""
    identity, log, path, head, position, line, tail, modified, container, facts, looked_at = row
    return Source(
        *(
            number_of(identity),
            words_of(log),
            words_of(path),
            octets_of(head),
            number_of(position),
            number_of(line),
            octets_of(tail),
        ),
        modified=instant_of(modified),
        container=words_of(container) if container is not None else None,
        facts=words_of(facts),
        looked_at=instant_of(looked_at),
    )


def segment_of(row: tuple[object, ...]) -> Segment:
    """A row of :data:`SEGMENT`; raises :class:`CannotLookError` for a damaged one."""
    identity, source, start, line, size, sha256, present, facts, first, last, erased = row
    if number_of(size) > MAX_SEGMENT or number_of(line) > number_of(start):
        raise CannotLookError("the archive is damaged: a segment is longer than any can be")
    return Segment(
        *(number_of(identity), number_of(source), number_of(start), number_of(line), number_of(size)),
        sha256=octets_of(sha256),
        present=octets_of(present),
        facts=words_of(facts),
        first=instant_of(first),
        last=instant_of(last),
        erased=number_of(erased),
    )


def number_of(value: object) -> int:
    """A number; raises :class:`CannotLookError` for anything else."""
    if not isinstance(value, int) or value < 0:
        raise CannotLookError("the archive is damaged: a number is something else")
    return value


def words_of(value: object) -> str:
    """Text; raises :class:`CannotLookError` for anything else."""
    if not isinstance(value, str):
        raise CannotLookError("the archive is damaged: text is something else")
    return value


def octets_of(value: object) -> bytes:
    """Octets; raises :class:`CannotLookError` for anything else."""
    if not isinstance(value, bytes):
        raise CannotLookError("the archive is damaged: octets are something else")
    return value
