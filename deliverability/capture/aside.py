"""Work done beside this process, in a child that shares what was read: a large file is looked through on two cores.

Only where a child is harmless: no other thread runs, so nobody else's lock is copied while it is held.  Whatever goes
wrong in the child, the caller does the work itself, or says that it could not look further.
"""

import copyreg
import mmap
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from operator import attrgetter
from typing import Any, BinaryIO

WORTHWHILE = 64 << 20  # octets of a file below which one process is as quick
PROTOCOL = 5  # of pickle
WAITING = 1 << 20  # octets that a child may have written before anybody takes them
AHEAD = 3  # blocks that a child fills before anybody takes them


def processors() -> int:
    """How many this process may run on, as far as that is known."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def possible() -> bool:
    """Whether there is a second core, and a child may be made."""
    return processors() > 1 and hasattr(os, "fork") and threading.active_count() == 1


@dataclass(slots=True)
class Aside:
    """A child at work."""

    pid: int
    _pipe: int

    def result(self) -> Any | None:
        """What the work gave; ``None`` when it failed."""
        import pickle

        with os.fdopen(self._pipe, "rb") as pipe:
            content = pipe.read()
        pid, self.pid = self.pid, 0
        _, status = os.waitpid(pid, 0)
        return pickle.loads(content) if status == 0 and content else None  # noqa: S301 - our own child wrote it

    def abandon(self) -> None:
        """End the child, whose result nobody wants any more."""
        if self.pid:
            os.close(self._pipe)
            end(self.pid)
            self.pid = 0


def widen(pipe: int) -> None:
    """Let a child go on while nobody takes what it made, where the system can keep that much."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, WAITING)


def end(pid: int) -> None:
    """End a child."""
    import signal

    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _end_with(parent: int) -> None:
    """Look each second whether the parent is still there; one that was killed outright could not tell its child."""
    import signal

    def look(*_: object) -> None:
        if os.getppid() != parent:
            os._exit(1)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)


def child(work: Callable[[], object]) -> int:
    """A child that does ``work`` and ends; its process id.

    Whoever watches the parent (context variables) does not watch the child: two would talk into one another's line.
    """
    from contextvars import Context

    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _end_with(parent)
        Context().run(work)
        status = 0
    finally:
        # Neither handlers nor buffers of the parent may run or be written twice; nor may a traceback be shown.
        os._exit(status)


class _AsCalls(dict[type, Callable[[Any], Any]]):
    """How a plain data class is handed over: as a call with its fields, which takes half the time of setting each."""

    def __init__(self) -> None:
        super().__init__(copyreg.dispatch_table)
        self._others: set[type] = set()

    def __missing__(self, kind: type) -> Callable[[Any], Any]:
        if kind in self._others or not self._is_plain(kind):
            self._others.add(kind)
            raise KeyError(kind)  # the pickler knows how
        taken = attrgetter(*(field.name for field in fields(kind)))
        self[kind] = lambda one: (kind, taken(one))
        return self[kind]

    @staticmethod
    def _is_plain(kind: type) -> bool:
        told = fields(kind) if is_dataclass(kind) and not hasattr(kind, "__post_init__") else ()
        return len(told) > 1 and all(field.init and not field.kw_only for field in told)


def _hand_over(told: Iterable[object], pipe: int) -> None:
    """Write one thing after the other."""
    import io
    import pickle

    known = _AsCalls()
    with os.fdopen(pipe, "wb", buffering=0) as file:
        for one in told:
            content = io.BytesIO()  # all of it at once: a pickler writes little by little
            pickler = pickle.Pickler(content, PROTOCOL)
            pickler.dispatch_table = known
            pickler.dump(one)
            left = content.getbuffer()
            while left:
                left = left[file.write(left) or 0 :]


def _start(work: Callable[[], Iterable[object]]) -> tuple[int, int]:
    reading, writing = os.pipe()

    def hand_over() -> None:
        os.close(reading)
        _hand_over(work(), writing)

    pid = child(hand_over)
    os.close(writing)
    return pid, reading


def start(work: Callable[[], object]) -> Aside:
    """Do ``work`` in a child; what it gives must be picklable."""
    return Aside(*_start(lambda: (work(),)))


class Stream:
    """What a child makes bit by bit: gone through once, while it makes the rest.

    It may end too soon, where something went wrong in the child: whoever takes it knows how much there should be.
    """

    def __init__(self, work: Callable[[], Iterable[object]]) -> None:
        self._pid, self._pipe = _start(work)
        widen(self._pipe)

    def __iter__(self) -> Iterator[Any]:
        """Each thing that the child makes."""
        import pickle

        with os.fdopen(self._pipe, "rb", closefd=False) as pipe:
            while True:
                try:
                    one = pickle.load(pipe)  # noqa: S301 - our own child wrote it
                except (EOFError, pickle.UnpicklingError):
                    return
                yield one

    def close(self) -> None:
        """End the child; nobody takes any more."""
        if self._pid:
            os.close(self._pipe)
            end(self._pid)
            self._pid = 0


class Feed:
    """Blocks of octets that a child makes, handed over in memory that both share.

    ``make`` gives a block of at most ``size`` octets and something picklable to say of it; it is asked until nobody
    takes any more, or it says ``last``.
    """

    def __init__(self, make: Callable[[], tuple[bytes, object, bool]], size: int) -> None:
        self._memory, self._size, self._taken = mmap.mmap(-1, AHEAD * size), size, 0
        filled, filling = os.pipe()
        taken, taking = os.pipe()

        def fill() -> None:
            os.close(filled)
            os.close(taking)
            self._fill(make, taken, filling)

        try:
            self._pid = child(fill)
        except OSError:  # no more processes are allowed
            for pipe in (filled, filling, taken, taking):
                os.close(pipe)
            raise
        os.close(filling)
        os.close(taken)
        self._filled: BinaryIO = os.fdopen(filled, "rb")
        self._taking = taking

    def _fill(self, make: Callable[[], tuple[bytes, object, bool]], taken: int, filling: int) -> None:
        import pickle

        with os.fdopen(filling, "wb", buffering=0) as pipe:
            number, last = 0, False
            while not last and (number < AHEAD or os.read(taken, 1)):
                content, said, last = make()
                at = number % AHEAD * self._size
                self._memory[at : at + len(content)] = content
                pipe.write(pickle.dumps((len(content), said), pickle.HIGHEST_PROTOCOL))
                number += 1

    def take(self, before: bytes = b"") -> tuple[bytes, Any]:
        """The next block, behind ``before``, and what is said of it; raises :class:`EOFError` where the child failed."""
        import pickle

        try:
            count, said = pickle.load(self._filled)  # noqa: S301 - our own child wrote it
        except (EOFError, pickle.UnpicklingError):
            raise EOFError("the process that made it was ended") from None
        at = self._taken % AHEAD * self._size
        with memoryview(self._memory) as memory, memory[at : at + count] as block:
            content = b"".join((before, block))
        self._taken += 1
        with suppress(BrokenPipeError):  # it has made all that there is
            os.write(self._taking, b"+")
        return content, said

    def close(self) -> None:
        """End the child; nobody takes any more."""
        if self._pid:
            end(self._pid)
            self._pid = 0
            self._filled.close()
            os.close(self._taking)
            self._memory.close()
