"""An exhibit: raw bytes with their digest, and who observed them when.

Parsed values are derived from exhibits and can be derived again by a better parser (ADR 0004);
what was hashed is never written anew.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Exhibit:
    """Bytes as they were found."""

    content: bytes
    media_type: str
    """RFC 6838 media type: ``text/plain`` for log lines, ``message/rfc822`` for a mail."""
    origin: str
    """Where they were found, for a person: a file name, ``stdin``, a resolver's address."""
    observed_at: datetime
    """When this program read them, UTC."""

    @property
    def sha256(self) -> str:
        """SHA-256 of :attr:`content`, lower-case hexadecimal."""
        import hashlib  # most log lines are never hashed, and the library takes a while to load

        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a log line stands, so that anyone can find it again with ``sed -n LINEp``."""

    log: str
    """The name of the log source (``--log NAME=PATH``), else of its host, else empty."""
    file: str
    """The path as it was given, or ``-`` for standard input."""
    line: int
    """1-based, in the uncompressed file."""
    offset: int
    """Byte offset of the line in the uncompressed file."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log line without its line ending, and where it stands."""

    place: Place
    raw: bytes
    cut: bool = False
    """The file ended, or a length limit cut it, before the line's end."""
