"""Work done beside this process, in a child that shares what was read: a large file is looked through on two cores.

Only where a child is harmless: no other thread runs, so nobody else's lock is copied while it is held.  Whatever goes
wrong in the child, the caller does the work itself, or says that it could not look further.
"""

import mmap
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from operator import attrgetter
from typing import Any, BinaryIO

WORTHWHILE = 64 << 20  # octets of a file below which one process is as quick
AHEAD = 3  # blocks that a child fills before anybody takes them


def possible() -> bool:
    """Whether there is a second core, and a child may be made."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return cores > 1 and hasattr(os, "fork") and threading.active_count() == 1


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
            _end(self.pid)
            self.pid = 0


def _end(pid: int) -> None:
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


def _child(work: Callable[[], object]) -> int:
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


class _AsCalls(dict[type, Callable[[Any], tuple[type, tuple[object, ...]]]]):
    """How a plain data class is handed over: as a call with its fields, which takes half the time of setting each."""

    def __missing__(self, kind: type) -> Callable[[Any], tuple[type, tuple[object, ...]]]:
        if not is_dataclass(kind) or hasattr(kind, "__post_init__") or not all(f.init and not f.kw_only for f in fields(kind)):
            raise KeyError(kind)
        names = [field.name for field in fields(kind)]
        taken = attrgetter(*names) if len(names) > 1 else lambda one: tuple(getattr(one, name) for name in names)
        told = self[kind] = lambda one: (kind, taken(one))
        return told


def _pickled(told: object) -> bytes:
    import io
    import pickle

    content = io.BytesIO()
    pickler = pickle.Pickler(content, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _AsCalls()
    pickler.dump(told)
    return content.getvalue()


def start(work: Callable[[], object]) -> Aside:
    """Do ``work`` in a child; what it gives must be picklable."""
    reading, writing = os.pipe()

    def hand_over() -> None:
        os.close(reading)
        content = _pickled(work())
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(content)

    pid = _child(hand_over)
    os.close(writing)
    return Aside(pid, reading)


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
            self._pid = _child(fill)
        except OSError:  # no more processes are allowed
            for end in (filled, filling, taken, taking):
                os.close(end)
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
            _end(self._pid)
            self._pid = 0
            self._filled.close()
            os.close(self._taking)
            self._memory.close()
