"""Work done beside this process, in a child that shares what was read: a large file is looked through on two cores.

Only where a child is harmless: no other thread runs, so nobody else's lock is copied while it is held.  Whatever goes
wrong in the child, the caller does the work itself.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WORTHWHILE = 64 << 20  # octets of a file below which one process is as quick


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
        if not self.pid:
            return
        import signal

        os.kill(self.pid, signal.SIGKILL)
        os.close(self._pipe)
        os.waitpid(self.pid, 0)
        self.pid = 0


def _end_with(parent: int) -> None:
    """Look each second whether the parent is still there; one that was killed outright could not tell its child."""
    import signal

    def look(*_: object) -> None:
        if os.getppid() != parent:
            os._exit(1)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)


def start(work: Callable[[], object]) -> Aside:
    """Do ``work`` in a child; what it gives must be picklable.

    Whoever watches the parent (context variables) does not watch the child: two would talk into one another's line.
    """
    import pickle
    from contextvars import Context

    reading, writing = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Aside(pid, reading)
    status = 1
    try:
        os.close(reading)
        _end_with(parent)
        content = pickle.dumps(Context().run(work), pickle.HIGHEST_PROTOCOL)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(content)
        status = 0
    finally:
        # Neither handlers nor buffers of the parent may run or be written twice; nor may a traceback be shown.
        os._exit(status)
