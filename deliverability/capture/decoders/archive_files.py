"""Zip archives: each member a log file of its own, oldest first.

Nothing is unpacked to disk, and nothing is read but stored and deflated members; what an archive claims about itself
is checked before it is believed (APPNOTE.TXT 6.3.10, §4.3 and §4.4).
"""

import os
import zipfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, cast

from deliverability.capture.decoders.streams import PIECE, DamagedError
from deliverability.errors import printable

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
MAX_MEMBERS = 1000
_MAX_DIRECTORY = 1 << 20
_MAX_GROWTH = 1100  # deflate reaches 1032; more means that members share their octets
_END = b"PK\x05\x06"
_END_SIZE = 22
_LOCATOR_SIZE, _END64_SIZE = 20, 56
_ENCRYPTED = 1
_DAMAGE = (zipfile.BadZipFile, EOFError, ValueError, KeyError, zlib.error)
_FAILURES = (
    *_DAMAGE,
    OSError,  # the disk
    RuntimeError,  # a password, and NotImplementedError: a way of packing that this reader lacks
)
_SYSTEM = ("__MACOSX/", ".DS_Store", "Thumbs.db")


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a zip archive."""

    name: str
    modified: datetime | None
    """As the archive says, which knows no zone: taken as UTC."""
    problem: str | None = None
    """Why it cannot be read."""


def members(raw: BinaryIO, shown: str) -> list[Member]:
    """The files in an archive, oldest first; raises :class:`DamagedError` with words for the reader."""
    with _opened(raw) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir() and not _is_system(info.filename)]
        _check(infos, raw)
        found = [Member(info.filename, _date(info), _problem(info, shown)) for info in infos]
    return sorted(found, key=lambda member: (member.modified or datetime.min.replace(tzinfo=UTC), member.name))


def _is_system(name: str) -> bool:
    return name.startswith(_SYSTEM[0]) or name.rpartition("/")[2] in _SYSTEM[1:]


def _opened(raw: BinaryIO) -> zipfile.ZipFile:
    _check_directory(raw)
    try:
        return zipfile.ZipFile(raw)
    except _FAILURES as problem:
        raise DamagedError(f"the zip archive cannot be read: {printable(str(problem))}") from problem


def _check_directory(raw: BinaryIO) -> None:
    """The directory is read as a whole: its size must be reasonable before that."""
    size = raw.seek(0, os.SEEK_END)
    start = max(size - _END_SIZE - 0xFFFF, 0)
    raw.seek(start)
    tail = raw.read(_END_SIZE + 0xFFFF)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise DamagedError("the zip archive breaks off: it has no directory")
    count = int.from_bytes(tail[at + 10 : at + 12], "little")
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    if start + at >= _LOCATOR_SIZE:
        raw.seek(start + at - _LOCATOR_SIZE)
        locator = raw.read(_LOCATOR_SIZE)
        if locator.startswith(b"PK\x06\x07"):
            raw.seek(min(int.from_bytes(locator[8:16], "little"), size))
            end = raw.read(_END64_SIZE)
            count = int.from_bytes(end[32:40], "little")
            directory = int.from_bytes(end[40:48], "little")
    raw.seek(0)
    if count > MAX_MEMBERS or directory > _MAX_DIRECTORY:
        raise DamagedError(f"the zip archive holds more than {MAX_MEMBERS} files; unpack it and name the logs")


def _check(infos: list[zipfile.ZipInfo], raw: BinaryIO) -> None:
    size = raw.seek(0, os.SEEK_END)
    raw.seek(0)
    if len(infos) > MAX_MEMBERS:
        raise DamagedError(f"the zip archive holds more than {MAX_MEMBERS} files; unpack it and name the logs")
    at = 0
    for info in sorted(infos, key=lambda one: one.header_offset):
        if info.header_offset < at:
            raise DamagedError("the zip archive's files overlap: it is not an honest archive")
        at = info.header_offset + info.compress_size
    if at > size or sum(info.file_size for info in infos) > size * _MAX_GROWTH:
        raise DamagedError("the zip archive claims more than it can hold")


def _date(info: zipfile.ZipInfo) -> datetime | None:
    try:
        return datetime(*info.date_time, tzinfo=UTC)
    except ValueError:
        return None


def _problem(info: zipfile.ZipInfo, shown: str) -> str | None:
    name = f"{shown}: {printable(info.filename, 200)}"
    if info.flag_bits & _ENCRYPTED:
        return f"{name} is encrypted; unpack the archive with its password and name the log"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"{name} is compressed in a way that is not read ({info.compress_type}); unpack the archive"
    return None


class MemberStream:
    """One file of an archive, as a stream that can begin again."""

    def __init__(self, raw: BinaryIO, name: str) -> None:
        self._archive = _opened(raw)
        try:
            self._stream = cast("BinaryIO", self._archive.open(name))
        except _FAILURES as problem:
            raise DamagedError(_words(problem)) from problem

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` octets, fewer only at the end; raises :class:`DamagedError`."""
        found: list[bytes] = []
        while size and (piece := self.read1(size if size > 0 else PIECE)):
            found.append(piece)
            size -= len(piece) if size > 0 else 0
        return b"".join(found)

    def read1(self, size: int = PIECE, /) -> bytes:
        """Up to ``size`` octets; raises :class:`DamagedError`."""
        try:
            return self._stream.read(size)
        except _FAILURES as problem:
            raise DamagedError(_words(problem)) from problem

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Back to the beginning, as a rule."""
        return self._stream.seek(offset, whence)

    def close(self) -> None:
        """The stream and the directory; the file below stays open."""
        self._stream.close()
        self._archive.close()


def _words(problem: Exception) -> str:
    said = "is damaged" if isinstance(problem, _DAMAGE) else "cannot be read"
    return f"the zip archive {said}: {printable(str(problem), 200)}"
