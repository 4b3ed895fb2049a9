"""Log files as they lie on disk: rotated sets in order, compressed or not, pipes, standard input, commands.

Nothing here knows a log format.  What cannot be read is kept beside what can: it must qualify the answer.
"""

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from deliverability.capture import rotation
from deliverability.capture.commands import Command, output_of
from deliverability.errors import CannotLookError, UsageError, printable

MAX_STDIN = 256 << 20  # pasted lines and pipes; they cannot be read twice, so they are kept
MAX_XZ_MEMORY = 128 << 20  # ``xz -9`` needs 65 MiB; an archive may ask for 4 GiB
_PIECE = 64 << 10
SAMPLE = 256 << 10  # octets by which a file is recognised

DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What reading an archive may raise: each format brings its own."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log source."""

    log: str
    """Name of the source: the ``NAME`` of ``--log NAME=PATH``, else empty."""
    path: str
    """As it was given, or ``-``."""
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


_Raw = io.BufferedReader | io.BytesIO


class Stream(Protocol):
    """What is read from: plain or decompressed."""

    def read1(self, size: int = ..., /) -> bytes:
        """Up to ``size`` octets; none at the end."""


def parse_log_argument(argument: str) -> tuple[str, str]:
    """``NAME=PATH`` or ``PATH`` to name and path; a path that exists as it is wins over the name."""
    if not argument:
        raise UsageError("--log needs the path of a mail log, or '-' for pasted lines")
    name, equals, path = argument.partition("=")
    if not equals or "/" in name or os.path.exists(argument):  # noqa: PTH110 - Path.exists raises where it may not look
        return "", argument
    if not re.fullmatch(r"[\w.:-]{1,100}", name) or not path:
        raise UsageError(
            f"--log {printable(argument)!r}: NAME=PATH needs a plain host name before '='"
            " (for a file whose name has a '=', write ./ before it)"
        )
    return name, path


def log_files(arguments: tuple[str, ...], commands: Iterable[Command] = ()) -> tuple[LogFile, ...]:
    """The files behind ``--log`` arguments and configured commands, each source's rotated set oldest first.

    A file brings its rotations (``mail.log.1``, ``mail.log-20261101.gz``) along; one member of a set that is named
    itself comes alone.  A file that cannot be read is among them, with its :attr:`LogFile.problem`; raises
    :class:`CannotLookError` when all are so.
    """
    found: dict[tuple[object, ...], LogFile] = {}
    for argument in arguments:
        name, path = parse_log_argument(argument)
        if path == "-":
            if any(file.path == "-" for file in found.values()):
                raise UsageError("--log -: standard input can be read only once")
            found[name, "-"] = _standard_input(name)
            continue
        for member in _with_rotations(Path(path)):
            file = _log_file(name, member)
            found.setdefault((name, *(file.identity or (file.path,))), file)
    for command in commands:
        content, problem = output_of(command, MAX_STDIN)
        found[command.name, "command"] = LogFile(command.name, f"({command.words[0]})", None, content, problem)
    if found and all(file.problem and not file.content for file in found.values()):
        raise CannotLookError("; ".join(file.problem or "" for file in found.values()))
    return _in_order(found.values())


def _in_order(files: Iterable[LogFile]) -> tuple[LogFile, ...]:
    """Each rotated set oldest first, at the place of its first member: ``mail.log*`` in a shell sorts otherwise."""
    sets: dict[tuple[str, str], list[LogFile]] = {}
    for file in files:
        path = Path(file.path)
        sets.setdefault((file.log, str(path.parent / rotation.base_of(path.name))), []).append(file)
    ordered: list[LogFile] = []
    for members in sets.values():
        members.sort(key=lambda file: rotation.age(Path(file.path).name))
        holes = rotation.missing(Path(file.path).name for file in members)
        ordered += [replace(file, missing=holes.get(Path(file.path).name)) for file in members]
    return tuple(ordered)


def _standard_input(name: str) -> LogFile:
    if sys.stdin is None:
        raise CannotLookError("--log -: standard input is closed")
    try:
        return LogFile(name, "-", None, _all_of(sys.stdin.buffer, "standard input"))
    except OSError as problem:
        raise CannotLookError(f"standard input: {problem.strerror}") from problem


def _all_of(stream: BinaryIO, what: str) -> bytes:
    content = stream.read(MAX_STDIN + 1)
    if len(content) > MAX_STDIN:
        raise CannotLookError(f"{what} is longer than {MAX_STDIN >> 20} MiB: save it to a file and name that")
    return content


def _log_file(name: str, path: Path) -> LogFile:
    shown = printable(str(path))
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return LogFile(name, str(path), None, problem=f"{shown} is a directory; name the log file in it")
        with path.open("rb") as stream:
            # A pipe (such as a shell's ``<(zcat …)``) gives its octets once: they are kept at the first look.
            piped = not stat.S_ISREG(status.st_mode)
            content = _all_of(stream, shown) if piped else None
    except CannotLookError as problem:
        return LogFile(name, str(path), None, problem=str(problem))
    except (OSError, ValueError) as problem:
        return LogFile(name, str(path), None, problem=f"{shown}: {_why(problem)}")
    if piped:
        return LogFile(name, str(path), None, content)
    dated = datetime.fromtimestamp(status.st_mtime, UTC)
    return LogFile(name, str(path), dated, identity=(status.st_dev, status.st_ino))


def _why(problem: Exception) -> str:
    said = getattr(problem, "strerror", None) or str(problem)
    if isinstance(problem, PermissionError):
        return f"{said}; run as a user that may read the mail log (often group adm), or ask for a copy"
    if isinstance(problem, FileNotFoundError):
        return f"{said}; give the path of the mail server's log with --log"
    return f"{said}; give a log file that can be read with --log"


def _with_rotations(path: Path) -> list[Path]:
    if rotation.base_of(path.name) != path.name or not path.name:
        return [path]  # one member of a set was named: that one is meant
    try:
        names = os.listdir(path.parent) if path.is_file() else []  # noqa: PTH208 - names are enough
    except OSError:
        names = []
    others = [name for name in names if name != path.name and rotation.base_of(name) == path.name]
    # What is no file (a directory, a pipe) is no rotation; what cannot be looked at may be one.
    return [*(m for m in map(path.parent.joinpath, others) if not _is_something_else(m)), path]


def _is_something_else(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


# --- reading ----------------------------------------------------------------------------------------------------------


@contextmanager
def open_log(file: LogFile) -> Iterator[Stream]:
    """Open for reading, decompressing by what the file is, not by its name.

    Raises :class:`CannotLookError` for what cannot be opened, or is another file than it was at first.
    """
    with _raw(file) as raw, _decompressed(raw, file) as stream:
        yield stream


def _raw(file: LogFile) -> _Raw:
    if file.content is not None:
        return io.BytesIO(file.content)
    if file.problem:
        raise CannotLookError(file.problem)
    try:
        stream = Path(file.path).open("rb")  # noqa: SIM115 - the caller closes it
    except OSError as problem:
        raise CannotLookError(f"{printable(file.path)}: {_why(problem)}") from problem
    status = os.fstat(stream.fileno())
    if file.identity not in (None, (status.st_dev, status.st_ino)):
        stream.close()
        raise CannotLookError(f"{printable(file.path)}: was rotated while it was read; look again")
    return stream


@contextmanager
def _decompressed(raw: _Raw, file: LogFile) -> Iterator[Stream]:
    try:
        magic = raw.read(6)
        raw.seek(0)
    except OSError as problem:
        raise CannotLookError(f"{printable(file.path)}: {_why(problem)}") from problem
    if magic.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=raw) as stream:
            yield stream
    elif magic.startswith(b"BZh"):
        with bz2.BZ2File(raw) as archive:
            yield archive
    elif magic == b"\xfd7zXZ\x00":
        with _Xz(raw) as xz:
            yield xz
    elif magic.startswith((b"\x28\xb5\x2f\xfd", b"\x1f\x9d")):
        shown = printable(file.path)
        raise CannotLookError(
            f"{shown}: zstd and compress archives are not read; unpack it, or pipe it: zstdcat {shown} | … --log -"
        )
    else:
        yield raw


class _Xz:
    """Streams of an ``.xz`` file one after another, none of which may take more memory than is reasonable."""

    def __init__(self, raw: _Raw) -> None:
        self._raw, self._rest = raw, b""
        self._stream: lzma.LZMADecompressor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream = None

    def read1(self, size: int = -1, /) -> bytes:
        """Up to ``size`` octets; raises :class:`EOFError` where the archive breaks off."""
        while True:
            if self._stream is None or self._stream.eof:
                # Between two streams only padding with zeros is allowed (xz file format 1.2.0, section 2.2).
                self._rest = self._rest.lstrip(b"\0")
                while not self._rest:
                    more = self._raw.read(_PIECE)
                    if not more:
                        return b""
                    self._rest = more.lstrip(b"\0")
                self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY)
            if self._stream.needs_input and not self._rest:
                self._rest = self._raw.read(_PIECE)
                if not self._rest:
                    raise EOFError("the archive breaks off")
            given, self._rest = self._rest, b""
            content = self._stream.decompress(given, size)
            if self._stream.eof:
                self._rest = self._stream.unused_data
            if content:
                return content


def head(file: LogFile, size: int = SAMPLE) -> bytes:
    """The first ``size`` octets, uncompressed; fewer where a damaged archive ends before."""
    pieces: list[bytes] = []
    left = size
    with open_log(file) as stream:
        try:
            while left > 0 and (more := stream.read1(min(left, 1 << 14))):
                pieces.append(more)
                left -= len(more)
        except DAMAGED:
            pass  # whoever reads on learns what is wrong
    return b"".join(pieces)
