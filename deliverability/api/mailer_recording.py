"""Records of many tasks of one event loop, made durable together: one thread, one ``fsync`` for all that wait."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from deliverability.errors import RecordingError
from deliverability.evidence.recorder import Record, Recorder

Group = tuple[tuple[Record, ...], "asyncio.Future[None]"]


class Recording:
    """A :class:`~deliverability.evidence.recorder.Recorder` that is awaited."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._thread = ThreadPoolExecutor(1, "deliverability-recording")
        self._waiting: list[Group] = []
        self._task: asyncio.Task[None] | None = None

    def put(self, records: Sequence[Record]) -> "asyncio.Future[None]":
        """Have the records written; what is returned is done when they are durable, or holds :class:`RecordingError`.

        They are written even if nobody waits: whoever is cancelled after the end of DATA still leaves its outcome.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        done.add_done_callback(_looked_at)
        self._waiting.append((tuple(records), done))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._write())
        return done

    async def record(self, records: Sequence[Record]) -> None:
        """:meth:`put`, awaited; raises :class:`RecordingError`."""
        await self.put(records)

    async def close(self) -> None:
        """Write what waits, and let go of the thread."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])
        self._thread.shutdown(wait=False)

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._in_thread([record for records, _ in batch for record in records])
            except RecordingError as problem:
                await self._one_by_one(batch, problem)
            else:
                for _, done in batch:
                    _settle(done, None)

    async def _one_by_one(self, batch: list[Group], problem: RecordingError) -> None:
        """A record that cannot be written must not take those of others with it."""
        for records, done in batch:
            failure: RecordingError | None = problem
            if len(batch) > 1:
                try:
                    await self._in_thread(records)
                    failure = None
                except RecordingError as own:
                    failure = own
            _settle(done, failure)

    async def _in_thread(self, records: Sequence[Record]) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._recorder.record, records)
        except RecordingError:
            raise
        except Exception as problem:
            # A recorder of somebody else's: whatever it raises, the message is sent or held by the mailer's policy.
            raise RecordingError(f"the recorder failed: {type(problem).__name__}") from problem


def _settle(done: "asyncio.Future[None]", problem: RecordingError | None) -> None:
    if done.done():
        return
    if problem is None:
        done.set_result(None)
    else:
        done.set_exception(problem)


def _looked_at(done: "asyncio.Future[None]") -> None:
    if not done.cancelled():
        done.exception()
