"""One writer at a time: a lock that ends with the process that holds it."""

import fcntl
import os
from pathlib import Path

from deliverability.errors import CannotLookError, printable


def take_lock(path: Path, taken: str) -> int:
    """Become the one that writes: hold the lock file, made with its folder where there is none, until it is closed.

    Raises :class:`CannotLookError` with ``taken`` while another process holds it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise CannotLookError(f"{printable(str(path))}: {problem.strerror}") from problem
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise CannotLookError(taken) from None
    return lock
