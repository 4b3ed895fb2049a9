"""One file of a log source, and its octets as they lie on disk."""

import io
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from deliverability.capture.decoders.streams import Stream
from deliverability.errors import CannotLookError, printable

ZIP = (b"PK\x03\x04", b"PK\x05\x06")
"""How a zip archive begins."""


class Kept(Protocol):
    """Lines that lie elsewhere than in a file: in an archive of ours."""

    @property
    def container(self) -> str | None:
        """What they were unwrapped from when they were kept."""

    def open(self) -> Stream:
        """The lines, plain."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log source."""

    log: str
    """Name of the source: the ``NAME`` of ``--log NAME=PATH``, else empty."""
    path: str
    """As it was given, or ``-``; of a file in a zip archive, its name there after that of the archive."""
    modified: datetime | None
    """The file's own date, UTC; ``None`` for what is no file."""
    content: bytes | None = None
    """A pipe, read once."""
    problem: str | None = None
    """Why it cannot be read, or not to its end."""
    missing: str | None = None
    """Which older members of its rotated set are not there, in words."""
    identity: tuple[int, int] | None = None
    """Device and inode: a name that leads elsewhere later was rotated meanwhile."""
    octets: int = 0
    """How many lay on the disk when it was named: a log only grows, or was rotated by copying and cutting it."""
    archive: str | None = None
    """The zip archive that it is in."""
    member: str | None = None
    """Its name there."""
    kept: Kept | None = None
    """Where its lines lie instead; nothing is read from :attr:`path` then."""


_ROTATED = "was rotated while it was read; look again"
_Raw = io.BufferedReader | io.BytesIO


def raw_of(file: LogFile) -> BinaryIO:
    """Open it, or the archive that it is in; raises :class:`CannotLookError`."""
    if file.content is not None:
        return io.BytesIO(file.content)
    if file.problem:
        raise CannotLookError(file.problem)
    try:
        stream = Path(file.archive or file.path).open("rb")  # noqa: SIM115 - the caller closes it
    except (OSError, ValueError) as problem:
        if file.identity and isinstance(problem, FileNotFoundError):
            raise CannotLookError(f"{printable(file.path)}: {_ROTATED}") from problem
        raise CannotLookError(f"{printable(file.path)}: {why(problem)}") from problem
    status = os.fstat(stream.fileno())
    if file.identity not in (None, (status.st_dev, status.st_ino)) or status.st_size < file.octets:
        stream.close()
        raise CannotLookError(f"{printable(file.path)}: {_ROTATED}")
    return stream


def why(problem: Exception) -> str:
    """What was wrong, and what to do."""
    said = getattr(problem, "strerror", None) or str(problem)
    if isinstance(problem, PermissionError):
        return f"{said}; run as a user that may read the mail log (often group adm), or ask for a copy"
    if isinstance(problem, FileNotFoundError):
        return f"{said}; give the path of the mail server's log with --log"
    return f"{said}; give a log file that can be read with --log"
