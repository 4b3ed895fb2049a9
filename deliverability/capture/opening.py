"""Reading a log: plain lines, whatever they are compressed with or wrapped in (docs/adr/0007-containers.md)."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from deliverability.capture.decoders.archives import decompressed
from deliverability.capture.decoders.containers import HEAD, unwrapped
from deliverability.capture.decoders.plain import is_plain
from deliverability.capture.decoders.streams import DAMAGED, DamagedError, Decoded, Stream, beginning
from deliverability.capture.logfile import ZIP, LogFile, raw_of, why
from deliverability.errors import CannotLookError, printable

SAMPLE = 256 << 10  # octets by which a file is recognised
SQLITE = b"SQLite format 3\x00"
_PACKED = (
    (b"7z\xbc\xaf\x27\x1c", "7z", "7z x -so"),
    (b"Rar!\x1a\x07", "RAR", "unrar p -inul"),
    (b"LZIP", "lzip", "lzip -dc"),
    (b"\x89LZO\x00\r\n\x1a\n", "lzop", "lzop -dc"),
    (b"MSCF\x00\x00\x00\x00", "cabinet", "cabextract -p"),
)
"""Archives that are not read: how they begin, their name, and what unpacks them to its output."""


@contextmanager
def open_log(file: LogFile) -> Iterator[Stream]:
    """Open for reading: plain lines, whatever they are compressed with or wrapped in, told by what the file is.

    Raises :class:`CannotLookError` for what cannot be opened, or is another file than it was at first.
    """
    with ExitStack() as opened:
        yield _opened(file, opened)[0]


def container_of(file: LogFile) -> str | None:
    """What the lines of :func:`open_log` are unwrapped from, such as ``journal export``; ``None`` for plain lines.

    Compression is no container: the lines in it are the source's own.
    """
    with ExitStack() as opened:
        try:
            names = _opened(file, opened)[1]
        except CannotLookError:
            return None
    return " in ".join(names) or None


def _opened(file: LogFile, opened: ExitStack) -> tuple[Stream, tuple[str, ...]]:
    if file.kept is not None:
        return file.kept.open(), (file.kept.container,) if file.kept.container else ()
    shown = printable(file.path)
    raw: Any = opened.enter_context(raw_of(file))
    try:
        if file.member is not None:
            from deliverability.capture.decoders.archive_files import MemberStream

            raw = MemberStream(raw, file.member)
            opened.callback(raw.close)
        first = raw.read(HEAD)
        raw.seek(0)
        if is_plain(first):
            return raw, ()
        archive = decompressed(raw, shown)
    except DamagedError as problem:
        raise CannotLookError(f"{shown}: {problem}") from problem
    except OSError as problem:
        raise CannotLookError(f"{shown}: {why(problem)}") from problem
    if first.startswith(SQLITE):
        return _database(file), ("SQLite",)
    if archive is not None:
        first, rest = beginning(archive, HEAD)
        _refuse_archive(first, shown)
        return unwrapped(first, rest)
    _refuse_archive(first, shown)
    raw.seek(len(first))
    stream, names = unwrapped(first, raw)
    if names:
        return stream, names
    raw.seek(0)
    return raw, ()


def _refuse_archive(first: bytes, shown: str) -> None:
    if first.startswith(ZIP):
        raise CannotLookError(f"{shown}: a zip archive in another archive; unpack it and name the logs in it")
    if first.startswith(SQLITE):
        raise CannotLookError(f"{shown}: an SQLite database in an archive; unpack it first")
    if first[257:262] == b"ustar":
        raise CannotLookError(f"{shown}: a tar archive; unpack it and name the logs, or: tar -xOf {shown} | … --log -")
    for magic, name, tool in _PACKED:
        if first.startswith(magic):
            raise CannotLookError(f"{shown}: {name} archives are not read; unpack it, or: {tool} {shown} | … --log -")


def _database(file: LogFile) -> Stream:
    from deliverability.capture.decoders import database

    if file.member is not None:
        raise CannotLookError(f"{printable(file.path)}: an SQLite database in an archive; unpack it first")
    return Decoded(database.rows(file.path if file.content is None else file.content, printable(file.path)))


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
