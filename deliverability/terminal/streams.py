"""stdout is the data, stderr the talk: writing either never changes an answer."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from deliverability.errors import CannotLookError, UsageError, printable

if TYPE_CHECKING:
    from deliverability.api import TraceResult

BINARY = (b"%PDF-", b"\x89PNG\r\n\x1a\n")
"""How the forms begin that no terminal can show."""
PROGRESS_SECONDS = 0.5  # between two lines of progress


def number(count: int, noun: str) -> str:
    """``1 line``, ``2 lines``, ``3 entries``."""
    if count == 1:
        return f"{count} {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("ry") else f"{count} {noun}s"


def write(content: bytes, output: Path | None, *, exact: bool = False) -> None:
    """The answer, to a file or to stdout; ``exact``: nothing is added, as a format with one spelling demands."""
    if output is not None and str(output) != "-":
        create(output, content, replace=True)
        say(f"wrote {printable(str(output))}")
        return
    if sys.stdout is None:
        raise CannotLookError("standard output is closed: name a file with -o")
    binary = content.startswith(BINARY)
    if binary and sys.stdout.isatty():
        raise UsageError("this form is no text: name a file with -o, or send it on with | or >")
    try:
        sys.stdout.buffer.write(content if exact or binary or content.endswith(b"\n") else content + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        silence_stdout()  # ``| head -1``: the answer, and so the exit status, is what it is
    except OSError as problem:
        silence_stdout()
        raise CannotLookError(f"standard output: cannot write: {problem.strerror}") from problem


def write_lines(lines: Iterable[bytes], output: Path | None) -> None:
    """:func:`write`, line by line: for an answer that may be longer than memory."""
    to_file = output is not None and str(output) != "-"
    if output is not None and to_file:
        spare_inputs(output)
    where = printable(str(output)) if to_file else "standard output"
    try:
        with output.open("wb") if output is not None and to_file else stdout_stream() as stream:
            for line in lines:
                stream.write(line)
            stream.flush()
    except BrokenPipeError:
        silence_stdout()
    except OSError as problem:
        if not to_file:
            silence_stdout()
        raise CannotLookError(f"{where}: {why_not_written(output, problem)}") from problem
    if to_file:
        say(f"wrote {where}")


@contextmanager
def stdout_stream() -> Iterator[IO[bytes]]:
    """Standard output for whoever writes line by line."""
    if sys.stdout is None:
        raise CannotLookError("standard output is closed: name a file with -o")
    yield sys.stdout.buffer


def create(path: Path, content: bytes, *, replace: bool) -> None:
    """Write a file; one that is there is replaced only where the user said so."""
    spare_inputs(path)
    try:
        with path.open("wb" if replace else "xb") as file:
            file.write(content)
    except FileExistsError:
        raise UsageError(f"{printable(str(path))} is there already: --force replaces it, -o names another") from None
    except OSError as problem:
        raise CannotLookError(f"{printable(str(path))}: {why_not_written(path, problem)}") from problem


def why_not_written(path: Path | None, problem: OSError) -> str:
    """Why a file could not be written, and what helps where the folder is what is missing."""
    if path is not None and isinstance(problem, FileNotFoundError) and not path.parent.exists():
        return f"cannot write: there is no folder {printable(str(path.parent))}; make it first"
    return f"cannot write: {problem.strerror}"


def make_folder(path: Path) -> None:
    """The folder that files are to be written into, and those above it; one that is there stays as it is."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CannotLookError(f"{printable(str(path))}: cannot be made: {problem.strerror}") from problem


_given: list[str] = []


def begin(arguments: list[str]) -> None:
    """Note the words of the command line, for :func:`spare_inputs`."""
    _given[:] = arguments


def spare_inputs(output: Path) -> None:
    """Refuse to write over what the same command reads: a log or a message is often the only copy of the evidence."""
    before = ""
    for word in _given:
        own = before in ("-o", "--output") or word.startswith(("-o", "--output="))
        before = word
        for path in () if own else (word, word.partition("=")[2]):  # --log=PATH, and a log given as NAME=PATH
            with suppress(OSError, ValueError):
                if path and Path(path).is_file() and output.samefile(path):
                    raise UsageError(f"-o {printable(str(output))} is read by this command; name another file")


def joined(pages: list[bytes], form: str) -> bytes:
    """Several pages as one answer."""
    if form == "json" and len(pages) != 1:
        return b"[" + b",\n".join(p.strip() for p in pages) + b"]\n"
    return b"\n\n".join(pages)


def say(line: str) -> None:
    """One line of talk."""
    tell(f"deliverability: {line}\n")


def tell(text: str) -> None:
    """Talk; that nobody listens (a closed or broken stderr) changes no answer."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


@contextmanager
def progress() -> Iterator[None]:
    """Show how far the reading of logs has come, where a person looks on; and leave no trace of it."""
    from deliverability.api.progress import watched

    if sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    shown = started = time.monotonic()

    def show(file: str, octets: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= PROGRESS_SECONDS:
            shown = now
            tell(f"\r\x1b[Kdeliverability: reading {printable(file, 60)}: {octets >> 20} MiB")

    try:
        with watched(show):
            yield
    finally:
        if shown > started:
            tell("\r\x1b[K")


def talk(result: "TraceResult", *, unread: bool) -> None:
    """What the reader of a trace must know, and the lines that could not be read."""
    for note in result.trace.notes:
        say(note)
    if unread:
        for line in result.unread:
            tell(f"{printable(str(line.place))}: {printable(line.raw.decode('utf-8', 'backslashreplace'))}\n")


def several_match(result: "TraceResult") -> str:
    """What to do when several messages match."""
    messages, files = result.trace.messages, result.trace.coverage.files
    told = [message.message_id for message in messages if message.message_id]
    unnamed = len(files) > 1 and not any(file.log for file in files)
    hint = (
        "; some bear one Message-ID: if these are logs of several servers, name each (--log web1=FILE --log relay1=FILE),"
        " and what one handed to the other is one story"
    )
    return (
        f"{len(messages)} messages match: choose one with --message-id or --queue-id, or take --latest or --all"
        + hint * (unnamed and len(set(told)) < len(told))
    )


def silence_stdout() -> None:
    """Nobody takes our output any more; let the interpreter's last flush find nothing to complain about."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
