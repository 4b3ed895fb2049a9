"""A log as it grows: each new line once, through rotation by name and by truncation, as ``tail -F`` would give it."""

import os
import select
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from deliverability.capture.followed import PIECE, Cutter, OpenFile
from deliverability.capture.rotation import age, base_of
from deliverability.errors import CannotLookError, printable
from deliverability.evidence.exhibit import LogLine

MAX_AT_ONCE = 16  # pieces of one file before the next one has its turn
MAX_TRIES = 5  # to read a folder in which names change
SAMPLE = 64 << 10  # octets by which it is told what wraps the lines
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""How gzip, bzip2, xz and zstd begin."""


class Growing(Protocol):
    """What can be followed."""

    @property
    def ended(self) -> bool:
        """Nothing more can come."""

    def lines(self) -> Iterator[LogLine]:
        """What has come since the last look; offset 0 begins another file."""

    def close(self) -> None:
        """Let go of it."""


class Begun(Growing, Protocol):
    """What may have been there before anybody looked."""

    @property
    def head(self) -> bytes:
        """Its first octets; none of what is still empty, and of a pipe."""


class GrowingFile:
    """One path, whatever file lies there."""

    def __init__(self, log: str, path: str, remark: Callable[[str], None] = lambda _: None) -> None:
        """Begins at the end of the file that is there now; raises :class:`CannotLookError` for what is no file.

        ``remark`` is told where lines may have come unseen, and why nothing can be seen.
        """
        self._log, self._path, self._remark = log, path, remark
        self._file: OpenFile | None = None
        self._former: OpenFile | None = None
        """The file that was rotated away, into which the server may go on writing until it is told of that."""
        self._refused = 0
        self.problem: str | None = None
        """Why nothing can be seen of it at present."""
        self.head = b""
        if Path(path).exists() and not Path(path).is_file():
            raise CannotLookError(f"{printable(path)}: only a file can be followed, or standard input (-)")
        try:
            self._file = OpenFile(log, path)
        except FileNotFoundError as problem:
            self._tell_unseen(problem)
            return  # it may come
        except OSError as problem:
            raise CannotLookError(f"{printable(path)}: {problem.strerror}") from problem
        self.head = self._file.piece(0)[:SAMPLE]
        self._file.to_end()

    @property
    def ended(self) -> bool:
        """Never: a file may come, and may grow."""
        return False

    def close(self) -> None:
        """Let go of the files."""
        for file in (self._file, self._former):
            if file is not None:
                file.close()
        self._file = self._former = None

    def lines(self) -> Iterator[LogLine]:
        """Whole lines that have come since the last look; the rest of a file first, then that of its successor."""
        for _ in range(2):
            file = self._file = self._file or self._opened()
            if file is None:
                if self._former:
                    yield from self._former.lines()
                return
            yield from self._of_former(begun=file.status().st_size > 0)
            if file.was_emptied:
                yield from self._copied(file)
                file.begin_again()
            yield from file.lines(MAX_AT_ONCE)
            if not self._moved(file):
                return
            yield from file.lines()  # what came between the last look and the rotation
            if (current := self._opened()) is None:
                return
            # Opened first: whatever is rotated away from now on is known.
            self._file, rotated = current, self._between(file, current)
            for later in (file, *rotated):
                yield from later.lines()
                yield from self._of_former(begun=later.taken > 0)
                if self._former:
                    later.close()  # nobody wrote into it
                else:
                    self._former = later

    def _between(self, file: OpenFile, current: OpenFile) -> list[OpenFile]:
        """What came after a file and before another, and was rotated away in its turn, all since the last look."""
        path, mine, its = Path(self._path), file.status(), current.status()
        for _ in range(MAX_TRIES):
            there = _rotated(path)
            found = [(one, later) for one, _ in _between(there, mine, its) if (later := self._named(one))]
            if _inodes(_rotated(path)) == _inodes(there):
                return [later for one, later in found if self._is_plain(one, later)]
            for _, later in found:  # meanwhile the names went on
                later.close()
        self._remark(f"{printable(self._path)}: rotated again and again: what came meanwhile may be unseen")
        return []

    def _named(self, path: Path) -> OpenFile | None:
        try:
            return OpenFile(self._log, str(path))
        except OSError:
            return None

    def _is_plain(self, path: Path, file: OpenFile) -> bool:
        if not file.piece(0).startswith(_PACKED):
            return True
        self._remark(f"{printable(str(path))}: rotated and compressed since the last look: unseen")
        file.close()
        return False

    def _copied(self, emptied: OpenFile) -> Iterator[LogLine]:
        """What came before a file was emptied, of the copy that was made of it first, where there is one."""
        unseen = "what was written just before that may be unseen"
        for path, _ in sorted(_rotated(Path(self._path)), key=lambda one: one[1].st_mtime_ns, reverse=True):
            copy = self._named(path)
            if copy is None:
                continue
            try:
                if copy.goes_on_from(emptied):
                    yield from copy.lines()
                    yield from copy.last()
                    unseen = f"read on in {printable(str(path))}; what was written while that was copied may be unseen"
                    break
            finally:
                copy.close()
        self._remark(f"{printable(self._path)}: was emptied: {unseen}")

    def _of_former(self, *, begun: bool) -> Iterator[LogLine]:
        """What has come into the file that was rotated away; once its successor was begun, that is all."""
        former = self._former
        if former is None:
            return
        yield from former.lines()
        if begun:
            yield from former.last()
            former.close()
            self._former = None

    def _opened(self) -> OpenFile | None:
        try:
            file = OpenFile(self._log, self._path)
        except OSError as problem:  # between two names, or not ours to read: the next look may tell
            self._refused += 1
            if self._refused > 1 and not isinstance(problem, FileNotFoundError):
                self._tell_unseen(problem)
            return None
        self._refused, self.problem = 0, None
        return file

    def _tell_unseen(self, why: OSError) -> None:
        said = f"{printable(self._path)}: {why.strerror}"
        if self.problem != said:
            self._remark(f"{said}; nothing of it is seen until that changes")
        self.problem = said

    def _moved(self, file: OpenFile) -> bool:
        """Whether another file lies under the name."""
        try:
            there = Path(self._path).stat()
        except OSError:
            return False  # it may come back, or another in its place: until then this one may be written on
        mine = file.status()
        return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)


def _rotated(path: Path) -> list[tuple[Path, os.stat_result]]:
    """The rotated files of a log that is written now, oldest first by their names."""
    found = []
    try:
        names = [one.name for one in path.parent.iterdir()]
        for name in sorted((one for one in names if one != path.name and base_of(one) == path.name), key=age):
            one = path.with_name(name)
            with suppress(FileNotFoundError):  # its name went on
                found.append((one, one.stat()))
    except OSError:
        return []
    return [(one, status) for one, status in found if stat.S_ISREG(status.st_mode)]


def _inodes(rotated: list[tuple[Path, os.stat_result]]) -> list[tuple[Path, int, int]]:
    return [(one, status.st_dev, status.st_ino) for one, status in rotated]


def _between(
    rotated: list[tuple[Path, os.stat_result]], former: os.stat_result, current: os.stat_result
) -> list[tuple[Path, os.stat_result]]:
    """Those that were rotated away after the former, whether that is still there or was compressed, and before another."""
    found: list[tuple[Path, os.stat_result]] = []
    for one, status in reversed(rotated):
        if os.path.samestat(status, current):
            found = []
            continue
        # An old one may be unpacked again today: it stands behind those of its time.
        if os.path.samestat(status, former) or status.st_mtime_ns <= former.st_mtime_ns:
            break
        found.append((one, status))
    return found[::-1]


class GrowingInput:
    """Standard input, such as ``ssh mail1 tail -F /var/log/mail.log`` writes it."""

    def __init__(self, log: str) -> None:
        if sys.stdin is None:
            raise CannotLookError("--log -: standard input is closed")
        self._fd = sys.stdin.fileno()
        self._cutter = Cutter(log, "-")
        self.head = b""
        self.ended = False

    def lines(self) -> Iterator[LogLine]:
        """Whole lines that can be read without waiting."""
        for _ in range(MAX_AT_ONCE):
            if self.ended or not select.select([self._fd], [], [], 0)[0]:
                return
            try:
                piece = os.read(self._fd, PIECE)
            except OSError as problem:
                raise CannotLookError(f"standard input: {problem.strerror}") from problem
            if not piece:
                self.ended = True
                yield from self._cutter.last()
                return
            yield from self._cutter.lines(piece)

    def close(self) -> None:
        """Nothing is held."""
