"""Records of many tasks of one event loop, made durable together: one thread, one ``fsync`` for all that wait.

The thread is handed what is to be written through a queue and answers into the loop, and nothing else stands between.
While a single message is under way, the loop waits for a healthy disk where it stands, which takes less than the turns
through the loop and back: for :data:`IN_PLACE_SECONDS` at most, and not again until the disk is quick again, so that one
that hangs holds up the rest of the program once, for that long.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, NamedTuple

from deliverability.api.sending import log
from deliverability.errors import RecordingError
from deliverability.evidence.recorder import OctetRecorder, Record, Recorder


class Group(NamedTuple):
    """What one caller wants written."""

    made: Any
    """As :class:`_Writer` makes it."""
    done: "asyncio.Future[None]"
    """What is told then."""
    dispatches: tuple[str, ...]
    """Whose records these are, for the log: where nobody waits any more, nobody else says it."""


Told = list[tuple[Group, RecordingError | None]]

IDLE_SECONDS: Final = 0.2
"""How long the thread waits for more before it ends: a mailer that nobody closes must not keep the process alive."""
IN_PLACE_SECONDS: Final = 0.002
"""For how long at most the disk may hold up the loop: ten times what a healthy one takes."""
MAX_SAID: Final = 10
"""Dispatches that a line of the log names."""


class _Batch:
    """What is in the thread's hands, and how the loop comes to know what became of it.

    The thread leaves its word, then looks whether the loop stands at the gate.  A loop that goes away says so, then looks
    for the word.  So one of the two always sees the other; where both do, the loop is told twice, and ignores the second.
    """

    __slots__ = ("_awaited", "_gate", "groups", "handed", "told")

    def __init__(self, groups: list[Group], handed: float) -> None:
        self.groups, self.handed = groups, handed
        self.told: Told | None = None
        """The thread's word."""
        self._awaited = False
        """Whether the loop stands at the gate."""
        self._gate = threading.Lock()
        self._gate.acquire()

    def settle(self, told: Told) -> bool:
        """The thread's side: leave word; whether the loop has to be called, as it does not stand here."""
        self.told = told
        self._gate.release()
        return not self._awaited

    def wait(self, seconds: float) -> None:
        """The loop's side: stand here until there is word, or the time is up."""
        opened = False
        try:
            self._awaited = True
            opened = self._gate.acquire(timeout=seconds)
        finally:  # also where a signal's handler raises
            if not opened:
                self._awaited = False


class _Writer:
    """A recorder as it is used here: as much as can be is done in the loop, so that the thread only waits."""

    def __init__(self, recorder: Recorder) -> None:
        self.made: Callable[[Sequence[Record]], Any] = tuple
        self.joined: Callable[[list[Any]], Any] = _all
        self.write: Callable[[Any], None] = recorder.record
        if isinstance(recorder, OctetRecorder):
            self.made, self.joined, self.write = recorder.to_octets, b"".join, recorder.record_octets


class Recording:
    """A :class:`~deliverability.evidence.recorder.Recorder` that is awaited."""

    def __init__(self, recorder: Recorder) -> None:
        self._writer = _Writer(recorder)
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Group] = []
        self._batch: _Batch | None = None
        """What is in the thread's hands."""
        self._busy = False
        """Whether there is, or soon will be, such a batch; what comes meanwhile goes with the next ``fsync``."""
        self._several = False
        """Whether several waited together last time: then a turn of the loop is awaited, in which others may come."""
        self._quick = True
        """Whether it took no longer, last time, than the loop may wait where it stands."""
        self.under_way = 0
        """Messages that the mailer is sending."""
        self._handed: SimpleQueue[_Batch | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._working = False

    def put(self, records: Sequence[Record]) -> "asyncio.Future[None]":
        """Have the records written; what is returned is done when they are durable, or holds :class:`RecordingError`.

        They are written even if nobody waits: whoever is cancelled after the end of DATA still leaves its outcome.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        dispatches = tuple(dict.fromkeys(record.dispatch for record in records))
        try:
            made = self._writer.made(records)
        except Exception as problem:  # noqa: BLE001 - a recorder of somebody else's
            _tell(Group(None, done, dispatches), _own(problem))
            return done
        self._waiting.append(Group(made, done, dispatches))
        if not self._busy:
            self._busy = True
            if self._several:
                self._loop.call_soon(self._hand_over)
            else:
                self._hand_over()
        return done

    def leave(self, records: Sequence[Record]) -> None:
        """:meth:`put`, where nobody waits: that they could not be recorded is said on the log, with whose they are."""
        self.put(records).cancel()

    async def durable(self, done: "asyncio.Future[None]") -> None:
        """Wait for what was :meth:`put`; raises :class:`RecordingError`."""
        if self.under_way == 1 and self._quick and not done.done():
            self._wait_in_place(done)
        await done

    async def record(self, records: Sequence[Record]) -> None:
        """:meth:`put`, awaited; raises :class:`RecordingError`."""
        await self.put(records)

    async def close(self) -> None:
        """Write what waits, and let go of the thread."""
        if self._busy or self._working:
            await self.put(())
            self._handed.put(None)

    def _wait_in_place(self, done: "asyncio.Future[None]") -> None:
        batch = self._batch
        if batch is None or not any(group.done is done for group in batch.groups):
            return
        try:
            batch.wait(IN_PLACE_SECONDS)
        finally:
            if batch.told is not None:
                self._tell(batch)

    def _hand_over(self) -> None:
        batch = self._batch = _Batch(self._waiting, self._loop.time())
        self._waiting = []
        self._several = len(batch.groups) > 1
        with self._lock:
            self._handed.put(batch)
            starts, self._working = not self._working, True
        if starts:
            try:
                threading.Thread(target=self._work, name="deliverability-recording").start()
            except RuntimeError:
                # The system gives no more threads: rather the loop waits for the disk than a message for its record.
                self._working = False
                while self._handed.get() is not batch:
                    pass  # that the thread was to end
                batch.told = self._settle(batch.groups)
                self._tell(batch)

    def _tell(self, batch: _Batch) -> None:
        """What became of a batch; the next one is on its way before anybody goes on."""
        if batch is not self._batch:
            return  # told in place
        self._batch, self._busy = None, bool(self._waiting)
        if self._busy:
            self._hand_over()
        for group, problem in batch.told or ():
            _tell(group, problem)

    # --- the thread's side ---

    def _work(self) -> None:
        while batch := self._next():
            told = self._settle(batch.groups)
            self._quick = self._loop.time() - batch.handed < IN_PLACE_SECONDS
            if batch.settle(told):
                try:
                    self._loop.call_soon_threadsafe(self._tell, batch)
                except RuntimeError:  # the loop was closed, and nobody waits any more
                    for group, problem in told:
                        _say(group, problem)

    def _next(self) -> _Batch | None:
        """What was handed over; ``None`` where the thread is to end."""
        while True:
            with suppress(Empty):
                if (batch := self._handed.get(timeout=IDLE_SECONDS)) is not None:
                    return batch
            with self._lock:
                if self._handed.empty():
                    self._working = False
                    return None

    def _settle(self, groups: list[Group]) -> Told:
        problem = self._problem([group.made for group in groups])
        if problem is None or len(groups) == 1:
            return [(group, problem) for group in groups]
        # A record that cannot be written must not take those of others with it.
        return [(group, self._problem([group.made])) for group in groups]

    def _problem(self, made: list[Any]) -> RecordingError | None:
        """Make it durable; what kept it from that."""
        try:
            if content := self._writer.joined(made):
                self._writer.write(content)
        except BaseException as problem:  # noqa: BLE001 - whoever waits has to be told, whatever it was
            return _own(problem)
        return None


def _own(problem: BaseException) -> RecordingError:
    """Whatever a recorder of somebody else's raises, the message is sent or held by the mailer's policy."""
    if isinstance(problem, RecordingError):
        return problem
    own = RecordingError(f"the recorder failed: {type(problem).__name__}")
    own.__cause__ = problem
    return own


def _all(groups: list[tuple[Record, ...]]) -> tuple[Record, ...]:
    return tuple(record for records in groups for record in records)


def _tell(group: Group, problem: RecordingError | None) -> None:
    if group.done.done():
        _say(group, problem)
    elif problem is None:
        group.done.set_result(None)
    else:
        group.done.set_exception(problem)  # asyncio says it on its log where nobody comes for it


def _say(group: Group, problem: RecordingError | None) -> None:
    """What nobody waits for any more: that it is not on record is said, and of what (no addresses, DESIGN §4.12)."""
    if problem is not None:
        whose = ", ".join(group.dispatches[:MAX_SAID])
        log.critical("what nobody waits for any more could not be recorded: %s (dispatches %s)", problem, whose)
