"""Records of many tasks of one event loop, made durable together: one thread, one ``fsync`` for all that wait.

The thread is handed records through a queue and answers into the loop, and nothing else stands between: a message waits
for two such turns, and at one connection they are most of what recording costs beside the disk.
"""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

from deliverability.errors import RecordingError
from deliverability.evidence.recorder import Record, Recorder

Group = tuple[tuple[Record, ...], "asyncio.Future[None]"]

IDLE_SECONDS: Final = 0.2
"""How long the thread waits for more before it ends: a mailer that nobody closes must not keep the process alive."""


class Recording:
    """A :class:`~deliverability.evidence.recorder.Recorder` that is awaited."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Group] = []
        self._busy = False
        """Whether records are in the thread's hands; what comes meanwhile goes with the next ``fsync``."""
        self._several = False
        """Whether several waited together last time: then a turn of the loop is awaited, in which others may come."""
        self._handed: SimpleQueue[list[Group] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._working = False

    def put(self, records: Sequence[Record]) -> "asyncio.Future[None]":
        """Have the records written; what is returned is done when they are durable, or holds :class:`RecordingError`.

        They are written even if nobody waits: whoever is cancelled after the end of DATA still leaves its outcome.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((tuple(records), done))
        if not self._busy:
            self._busy = True
            if self._several:
                self._loop.call_soon(self._hand_over)
            else:
                self._hand_over()
        return done

    async def record(self, records: Sequence[Record]) -> None:
        """:meth:`put`, awaited; raises :class:`RecordingError`."""
        await self.put(records)

    async def close(self) -> None:
        """Write what waits, and let go of the thread."""
        if self._busy or self._working:
            await self.put(())
            self._handed.put(None)

    def _hand_over(self) -> None:
        batch, self._waiting = self._waiting, []
        self._several = len(batch) > 1
        with self._lock:
            self._handed.put(batch)
            starts, self._working = not self._working, True
        if starts:
            try:
                threading.Thread(target=self._work, name="deliverability-recording").start()
            except RuntimeError:
                # The system gives no more threads: rather the loop waits for the disk than a message for its record.
                self._working = False
                self._tell(self._settle(self._handed.get()))  # type: ignore[arg-type]  # as was just put there

    def _tell(self, told: "list[tuple[asyncio.Future[None], RecordingError | None]]") -> None:
        """What became of a batch; the next one is on its way before anybody goes on."""
        self._busy = bool(self._waiting)
        if self._busy:
            self._hand_over()
        for done, problem in told:
            if done.done():
                continue
            if problem is None:
                done.set_result(None)
            else:
                done.set_exception(problem)
                done.exception()  # looked at: whoever was cancelled does not come for it

    # --- the thread's side ---

    def _work(self) -> None:
        while batch := self._next():
            told = self._settle(batch)
            with suppress(RuntimeError):  # the loop was closed, and nobody waits any more
                self._loop.call_soon_threadsafe(self._tell, told)

    def _next(self) -> list[Group] | None:
        """What was handed over; ``None`` where the thread is to end."""
        while True:
            with suppress(Empty):
                if (batch := self._handed.get(timeout=IDLE_SECONDS)) is not None:
                    return batch
            with self._lock:
                if self._handed.empty():
                    self._working = False
                    return None

    def _settle(self, batch: list[Group]) -> "list[tuple[asyncio.Future[None], RecordingError | None]]":
        problem = self._problem([record for records, _ in batch for record in records])
        if problem is None or len(batch) == 1:
            return [(done, problem) for _, done in batch]
        # A record that cannot be written must not take those of others with it.
        return [(done, self._problem(records)) for records, done in batch]

    def _problem(self, records: Sequence[Record]) -> RecordingError | None:
        """Make them durable; what kept them from it."""
        try:
            if records:
                self._recorder.record(records)
        except RecordingError as problem:
            return problem
        except BaseException as problem:  # noqa: BLE001 - whoever waits has to be told, whatever it was
            # A recorder of somebody else's: whatever it raises, the message is sent or held by the mailer's policy.
            own = RecordingError(f"the recorder failed: {type(problem).__name__}")
            own.__cause__ = problem
            return own
        return None
