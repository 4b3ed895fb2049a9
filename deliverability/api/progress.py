"""Who watches long work: a callback that the command line sets when a person looks on, and nobody else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watcher = Callable[[str, int], None]
"""Called with the name of a file and the octets read of it so far."""

_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched(watcher: Watcher | None) -> Iterator[None]:
    """Tell ``watcher`` how far the reading of logs has come, inside this context only."""
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def tell(file: str, octets: int) -> None:
    """Say how far the reading of ``file`` has come."""
    watcher = _WATCHER.get()
    if watcher:
        watcher(file, octets)
