"""Threads that wait to make something durable at the same time share one write and one ``fsync``."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from deliverability.errors import RecordingError

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")
Q = TypeVar("Q")


class _Waiting(Generic[T, R]):
    """What one thread brought; it sleeps on a lock of its own, so that waking it has no other thread stir."""

    __slots__ = ("failure", "gate", "item", "leads", "result")

    def __init__(self, item: T) -> None:
        self.item = item
        self.result: R
        self.failure: BaseException | None = None
        self.leads = False
        self.gate = threading.Lock()
        self.gate.acquire()


class Batches(Generic[T, R]):
    """Hands what several threads bring to one call of ``settle``, which answers for each of them.

    Nobody is told of success before ``settle`` has returned; when it fails, all that were in it fail.
    """

    def __init__(self, settle: Callable[[list[T]], Sequence[R]]) -> None:
        self._settle = settle
        self._lock = threading.Lock()
        self._queue: deque[_Waiting[T, R]] = deque()
        self._alone: deque[_Waiting[None, None]] = deque()
        self._busy = False

    def add(self, item: T) -> R:
        """Settle the item, with whatever others wait by then; raises what ``settle`` raised."""
        with self._lock:
            first = not self._busy  # then nobody waits, and nobody's sleep has to be arranged
            self._busy = True
        if first:
            try:
                return self._settle([item])[0]
            finally:
                self._pass_on()
        mine: _Waiting[T, R] = _Waiting(item)
        self._wait(mine, self._queue)
        if mine.leads:
            self._lead(mine)
            if mine.failure is not None:
                raise mine.failure
        elif mine.failure is not None:
            raise RecordingError(str(mine.failure)) from mine.failure
        return mine.result

    def alone(self) -> "_Alone":
        """A ``with`` block in which nothing is being settled."""
        mine: _Waiting[None, None] = _Waiting(None)
        return _Alone(lambda: self._wait(mine, self._alone), lambda: self._leave(mine, self._alone))

    def _wait(self, mine: _Waiting[S, Q], queue: deque[_Waiting[S, Q]]) -> None:
        """Until this one has the lead, or has been settled by the one that had."""
        with self._lock:
            queue.append(mine)
            if not self._busy:
                self._busy = mine.leads = True
                return
        try:
            mine.gate.acquire()
        except BaseException:  # interrupted: nobody may wait for this thread to lead
            self._leave(mine, queue)
            raise

    def _leave(self, mine: _Waiting[S, Q], queue: deque[_Waiting[S, Q]]) -> None:
        with self._lock:
            if mine in queue:
                queue.remove(mine)
            leads = mine.leads
        if leads:
            self._pass_on()

    def _lead(self, mine: _Waiting[T, R]) -> None:
        with self._lock:
            batch = list(self._queue)
            self._queue.clear()
        failure: BaseException | None = RecordingError("recording was interrupted")
        try:
            for one, result in zip(batch, self._settle([one.item for one in batch]), strict=True):
                one.result = result
            failure = None
        except Exception as problem:  # noqa: BLE001 - whoever waits has to be told, whatever it was
            failure = problem
        finally:
            for one in batch:
                one.failure = failure
                if one is not mine:
                    one.gate.release()
            self._pass_on()

    def _pass_on(self) -> None:
        with self._lock:
            following = self._alone[0] if self._alone else self._queue[0] if self._queue else None
            if following is None:
                self._busy = False
            else:
                following.leads = True
                following.gate.release()


class _Alone:
    def __init__(self, enter: Callable[[], None], leave: Callable[[], None]) -> None:
        self._enter, self._leave = enter, leave

    def __enter__(self) -> None:
        self._enter()

    def __exit__(self, *_: object) -> None:
        self._leave()
