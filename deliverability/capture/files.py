"""Log files as they lie on disk: rotated sets in order, compressed or not, standard input.

Nothing here knows a log format.  Memory is bounded by one block and one line, whatever the file.
"""

import bz2
import gzip
import io
import lzma
import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from deliverability.errors import CannotLookError, UsageError, printable
from deliverability.evidence.exhibit import LogLine, Place

BLOCK = 1 << 20
MAX_LINE = 64 << 10  # rsyslog's largest common message size; what is longer is cut, and counted as cut
MAX_STDIN = 256 << 20  # pasted lines; standard input cannot be read twice, so it is kept

_ROTATED = re.compile(r"(?P<base>.+?)(?:[.-](?P<n>\d{1,8}(?:-\d{1,10})?))?(?P<z>\.(?:gz|bz2|xz))?\Z")


_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError)
Stream = IO[bytes] | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log source."""

    log: str
    """Name of the source: the ``NAME`` of ``--log NAME=PATH``, else empty."""
    path: str
    """As it was given, or ``-``."""
    modified: datetime | None
    """The file's own date, UTC; ``None`` for standard input."""
    content: bytes | None = None
    """Standard input, read once."""


def parse_log_argument(argument: str) -> tuple[str, str]:
    """``NAME=PATH`` or ``PATH`` to name and path; a path that exists as it is wins over the name."""
    name, equals, path = argument.partition("=")
    if not equals or Path(argument).exists() or "/" in name:
        return "", argument
    if not re.fullmatch(r"[\w.:-]{1,100}", name) or not path:
        raise UsageError(f"--log {printable(argument)!r}: NAME=PATH needs a plain host name before '='")
    return name, path


def log_files(arguments: tuple[str, ...]) -> tuple[LogFile, ...]:
    """The files behind ``--log`` arguments, each source's rotated set oldest first.

    A directory stands for the mail logs in it; a file brings its rotations (``mail.log.1``,
    ``mail.log-20261101.gz``) along.  Raises :class:`CannotLookError` for what cannot be read.
    """
    found: dict[tuple[str, str], LogFile] = {}
    for argument in arguments:
        name, path = parse_log_argument(argument)
        if path == "-":
            found.setdefault((name, path), _standard_input(name))
            continue
        for member in _with_rotations(Path(path)):
            if (name, str(member)) not in found:
                found[name, str(member)] = _log_file(name, member)
    return _in_order(list(found.values()))


def _in_order(files: list[LogFile]) -> tuple[LogFile, ...]:
    """Each rotated set oldest first, at the place of its first member: ``mail.log*`` in a shell sorts otherwise."""
    sets: dict[tuple[str, str], list[LogFile]] = {}
    for file in files:
        match = _ROTATED.fullmatch(Path(file.path).name)
        base = match["base"] if match else file.path
        sets.setdefault((file.log, str(Path(file.path).parent / base)), []).append(file)
    ordered = []
    for (_, base), members in sets.items():
        current = Path(base).name
        members.sort(key=lambda f: _age(current, Path(f.path).name) or (-1, 0), reverse=True)
        ordered += members
    return tuple(ordered)


def _standard_input(name: str) -> LogFile:
    content = sys.stdin.buffer.read(MAX_STDIN + 1)
    if len(content) > MAX_STDIN:
        raise CannotLookError(f"standard input is longer than {MAX_STDIN >> 20} MiB: save it to a file and name that")
    return LogFile(name, "-", None, content)


def _log_file(name: str, path: Path) -> LogFile:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise CannotLookError(f"{printable(str(path))} is not a regular file; name the log file, or '-' for a pipe")
        with path.open("rb"):
            pass
    except OSError as problem:
        raise CannotLookError(f"{printable(str(path))}: {problem.strerror}; {_remedy(problem)}") from problem
    return LogFile(name, str(path), datetime.fromtimestamp(status.st_mtime, UTC))


def _remedy(problem: OSError) -> str:
    if isinstance(problem, PermissionError):
        return "run as a user that may read the mail log (often group adm), or ask for a copy"
    if isinstance(problem, FileNotFoundError):
        return "give the path of the mail server's log with --log"
    return "give a log file that can be read with --log"


def _with_rotations(path: Path) -> list[Path]:
    if path.is_dir():
        raise CannotLookError(f"{printable(str(path))} is a directory; name the log file in it")
    base = _ROTATED.fullmatch(path.name)
    if base is None or base["n"] or base["z"]:
        return [path]  # one member of a set was named: that one is meant
    try:
        siblings = list(path.parent.iterdir()) if path.exists() else []
    except OSError:
        siblings = []
    members = [(_age(path.name, s.name), s) for s in siblings if s.is_file()]
    older = sorted((age, str(s), s) for age, s in members if age is not None)
    return [s for _, _, s in reversed(older)] + [path]


def _age(base: str, name: str) -> tuple[int, int] | None:
    """Sort key of a rotation of ``base``: larger is older; ``None`` when ``name`` is none."""
    match = _ROTATED.fullmatch(name)
    if not match or match["base"] != base or not (match["n"] or match["z"]):
        return None
    number = match["n"] or "0"
    digits = int(number.replace("-", ""))
    dated = len(number) >= 8  # logrotate's dateext: larger is newer
    return (0, -digits) if dated else (1, digits)


def open_log(file: LogFile) -> Stream:
    """Open for reading, decompressing by what the file is, not by its name."""
    if file.content is not None:
        return io.BytesIO(file.content)
    try:
        with Path(file.path).open("rb") as raw:
            magic = raw.read(6)
        for signature, opener in _COMPRESSED:
            if magic.startswith(signature):
                return opener(file.path)
        return Path(file.path).open("rb")
    except OSError as problem:
        raise CannotLookError(f"{printable(file.path)}: {problem.strerror}; {_remedy(problem)}") from problem


_COMPRESSED: tuple[tuple[bytes, Callable[[str], Stream]], ...] = (
    (b"\x1f\x8b", gzip.GzipFile),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)


def head(file: LogFile, size: int = BLOCK // 4) -> bytes:
    """The first ``size`` octets, uncompressed; fewer where a damaged archive ends before."""
    content = b""
    with open_log(file) as stream:
        try:
            while len(content) < size and (more := stream.read(min(size - len(content), 1 << 14))):
                content += more
        except _DAMAGED:
            return content  # whoever reads on learns what is wrong
    return content


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a file."""

    content: bytes
    offset: int
    """Of the first octet, in the uncompressed file."""
    line: int
    """Number of lines before it."""


def blocks(file: LogFile) -> Iterator[Block]:
    """The file in blocks that end at line ends; only the last may lack its newline.

    A line longer than a block is passed on in pieces.  Raises :class:`CannotLookError` when the file cannot
    be read to its end (a damaged archive): what was read until then has been passed on.
    """
    offset = lines = 0
    rest = b""
    with open_log(file) as stream:
        while True:
            more, problem = _fill(stream)
            content = rest + more
            end = content.rfind(b"\n") + 1
            if problem or not more or (not end and len(content) >= 4 * BLOCK):
                end = len(content)
            if end:
                yield Block(content[:end], offset, lines)
                offset += end
                lines += content.count(b"\n", 0, end)
            if problem:
                raise CannotLookError(f"{printable(file.path)}: cannot be read past octet {offset}: {problem}")
            if not more:
                return
            rest = content[end:]


def _fill(stream: Stream) -> tuple[bytes, Exception | None]:
    """Up to a block, in small reads, so that a damaged archive gives all that it still holds."""
    pieces: list[bytes] = []
    size = 0
    try:
        while size < BLOCK and (piece := stream.read1(BLOCK - size)):  # type: ignore[union-attr]
            pieces.append(piece)
            size += len(piece)
    except _DAMAGED as problem:
        return b"".join(pieces), problem
    return b"".join(pieces), None


def line_at(file: LogFile, block: Block, start: int, number: int) -> tuple[LogLine, int]:
    """The line of ``block`` that starts at ``start``, and where the next one starts."""
    end = block.content.find(b"\n", start)
    complete = end >= 0
    stop = end if complete else len(block.content)
    raw = block.content[start : min(stop, start + MAX_LINE)]
    cut = not complete or stop - start > MAX_LINE
    place = Place(file.log, file.path, number, block.offset + start)
    return LogLine(place, raw.removesuffix(b"\r"), cut), stop + 1
