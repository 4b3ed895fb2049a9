"""Threads that wait to make something durable at the same time share one write and one ``fsync``."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from deliverability.errors import RecordingError

T = TypeVar("T")
R = TypeVar("R")


class _Batch(Generic[T, R]):
    def __init__(self) -> None:
        self.items: list[T] = []
        self.results: Sequence[R] = ()
        self.done = False
        self.failure: BaseException | None = RecordingError("recording was interrupted")


class Batches(Generic[T, R]):
    """Hands what several threads bring to one call of ``settle``, which answers for each of them.

    Nobody is told of success before ``settle`` has returned; when it fails, all that were in it fail.
    """

    def __init__(self, settle: Callable[[list[T]], Sequence[R]]) -> None:
        self._settle = settle
        self._lock = threading.Condition()
        self._next: _Batch[T, R] = _Batch()
        self._busy = False

    def add(self, item: T) -> R:
        """Settle the item, with whatever others wait by then; raises what ``settle`` raised."""
        with self._lock:
            mine = self._next
            place = len(mine.items)
            mine.items.append(item)
            while self._busy and not mine.done:
                self._lock.wait()
            leads = not mine.done
            if leads:
                # Nobody writes: this thread does, for all that have come by now.
                self._next, self._busy = _Batch(), True
        if leads:
            self._run(mine)
        if mine.failure is not None:
            if leads:
                raise mine.failure
            raise RecordingError(str(mine.failure)) from mine.failure
        return mine.results[place]

    def _run(self, batch: _Batch[T, R]) -> None:
        try:
            batch.results = self._settle(batch.items)
            batch.failure = None
        except Exception as problem:  # noqa: BLE001 - whoever waits has to be told, whatever it was
            batch.failure = problem
        finally:
            with self._lock:
                self._busy, batch.done = False, True
                self._lock.notify_all()

    def alone(self) -> "_Alone":
        """A ``with`` block in which nothing is being settled."""
        return _Alone(self._lock, lambda: self._busy)


class _Alone:
    def __init__(self, lock: threading.Condition, busy: Callable[[], bool]) -> None:
        self._lock, self._busy = lock, busy

    def __enter__(self) -> None:
        self._lock.acquire()
        while self._busy():
            self._lock.wait()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
