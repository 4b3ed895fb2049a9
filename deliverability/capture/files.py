"""Log files as they lie on disk: rotated sets in order, archives of files, pipes, standard input, commands.

Nothing here knows a log format.  What cannot be read is kept beside what can: it must qualify the answer.
"""

import glob
import os
import re
import stat
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from deliverability.capture import rotation
from deliverability.capture.decoders.streams import DAMAGED, DamagedError, Stream
from deliverability.capture.logfile import ZIP, LogFile, raw_of, why
from deliverability.capture.opening import SAMPLE, container_of, head, open_log
from deliverability.errors import CannotLookError, UsageError, printable

if TYPE_CHECKING:
    from deliverability.capture.commands import Command

__all__ = [
    "DAMAGED",
    "SAMPLE",
    "LogFile",
    "Stream",
    "container_of",
    "head",
    "log_files",
    "open_log",
    "parse_log_argument",
]

_USUAL = (
    "exim_mainlog",
    "exim/mainlog",
    "exim4/mainlog",
    "exim/main.log",
    "mainlog",
    "main.log",
    "maillog",
    "mail.log",
)
"""cPanel, Exim's own, Debian's and FreeBSD's, AlmaLinux's; Postfix and Sendmail through syslog."""
MAX_STDIN = 256 << 20  # pasted lines and pipes; they cannot be read twice, so they are kept


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


def log_files(arguments: tuple[str, ...], commands: "Iterable[Command]" = ()) -> tuple[LogFile, ...]:
    """The files behind ``--log`` arguments and configured commands, each source's rotated set oldest first.

    A file brings its rotations (``mail.log.1``, ``mail.log-20261101.gz``) along; one member of a set that is named
    itself comes alone; a pattern (``'/var/log/mail.log*'``) that no shell expanded is expanded here; a zip archive
    gives each of its files.  What cannot be read is among them, with its :attr:`LogFile.problem`; raises
    :class:`CannotLookError` when all are so.
    """
    found: dict[tuple[object, ...], LogFile] = {}
    for argument in arguments:
        name, path = parse_log_argument(argument)
        if path == "-":
            if any(file.path == "-" or file.archive == "-" for file in found.values()):
                raise UsageError("--log -: standard input can be read only once")
            _add(found, _standard_input(name))
            continue
        for member in (one for path_ in _expanded(path) for one in _with_rotations(path_)):
            _add(found, _log_file(name, member))
    for command in commands:
        from deliverability.capture.commands import output_of

        content, problem = output_of(command, MAX_STDIN)
        _add(found, LogFile(command.name, f"({command.words[0]})", None, content, problem))
    if found and all(file.problem and not file.content for file in found.values()):
        raise CannotLookError("; ".join(file.problem or "" for file in found.values()))
    return _in_order(found.values())


def _add(found: dict[tuple[object, ...], LogFile], file: LogFile) -> None:
    """A file once, however often it was named; of an archive, the files in it."""
    for one in _members(file):
        found.setdefault((one.log, *(one.identity or (one.path,)), one.member), one)


def _expanded(path: str) -> list[Path]:
    if os.path.lexists(path.replace("\0", "")) or not glob.has_magic(path):
        return [Path(path)]
    return [Path(match) for match in sorted(glob.glob(path))] or [Path(path)]  # noqa: PTH207 - patterns from the root


def _in_order(files: Iterable[LogFile]) -> tuple[LogFile, ...]:
    """Each rotated set oldest first, at the place of its first member: ``mail.log*`` in a shell sorts otherwise."""
    sets: dict[tuple[str, str], list[LogFile]] = {}
    for file in files:
        path = _in_set(file)
        sets.setdefault((file.log, str(path.parent / rotation.base_of(path.name))), []).append(file)
    ordered: list[LogFile] = []
    for members in sets.values():
        members.sort(key=lambda file: rotation.age(_in_set(file).name))
        holes = rotation.missing(_in_set(file).name for file in members)
        ordered += [replace(file, missing=holes.get(_in_set(file).name)) for file in members]
    return tuple(ordered)


def _in_set(file: LogFile) -> Path:
    """The name that tells its place in a rotated set: an archive's where the archive is a member of one."""
    archive = Path(file.archive) if file.archive is not None else None
    return archive if archive and rotation.is_numbered(archive.name) else Path(file.path)


def _members(file: LogFile) -> list[LogFile]:
    """The file, or the files in it when it is a zip archive."""
    if file.problem and not file.content:
        return [file]
    shown = printable(file.path)
    try:
        with raw_of(file) as raw:
            if not raw.read(4).startswith(ZIP):
                return [file]
            from deliverability.capture.decoders import archive_files

            inside = archive_files.members(raw, shown)
    except DamagedError as problem:
        return [replace(file, content=None, problem=f"{shown}: {problem}")]
    except (CannotLookError, OSError):
        return [file]  # whoever reads it learns what is wrong
    if not inside:
        return [replace(file, content=None, problem=f"{shown}: an empty zip archive")]
    return [
        replace(
            file,
            path=f"{file.path}/{printable(one.name, 200)}",
            modified=one.modified,
            content=None if one.problem else file.content,
            problem=one.problem or file.problem,
            archive=file.path,
            member=one.name,
        )
        for one in inside
    ]


def _standard_input(name: str) -> LogFile:
    if sys.stdin is None:
        raise CannotLookError("--log -: standard input is closed")
    try:
        return _piped(name, "-", _all_of(sys.stdin.buffer, "standard input"), "standard input")
    except OSError as problem:
        raise CannotLookError(f"standard input: {problem.strerror}") from problem


def _piped(name: str, path: str, content: bytes, shown: str) -> LogFile:
    """What came through a pipe; where that is nothing, whoever was to write it may have failed."""
    if not content:
        problem = f"{shown}: nothing came: see whether the command that writes it failed"
        return LogFile(name, path, None, problem=problem)
    return LogFile(name, path, None, content)


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
            return LogFile(
                name, str(path), None, problem=f"{shown} is a directory; name the log file in it{_such_as(path)}"
            )
        with path.open("rb") as stream:
            # A pipe (such as a shell's ``<(zcat …)``) gives its octets once: they are kept at the first look.
            piped = not stat.S_ISREG(status.st_mode)
            content = _all_of(stream, shown) if piped else None
    except CannotLookError as problem:
        return LogFile(name, str(path), None, problem=str(problem))
    except (OSError, ValueError) as problem:
        return LogFile(name, str(path), None, problem=f"{shown}: {why(problem)}")
    if content is not None:
        return _piped(name, str(path), content, shown)
    dated = datetime.fromtimestamp(status.st_mtime, UTC)
    return LogFile(name, str(path), dated, identity=(status.st_dev, status.st_ino), octets=status.st_size)


def _such_as(folder: Path) -> str:
    """Where mail servers usually write their log, as far as it is in a folder."""
    usual = [shown for name in _USUAL if (shown := folder / name).is_file()]
    return f", such as {printable(', '.join(map(str, usual)))}" if usual else ""


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
