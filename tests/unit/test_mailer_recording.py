"""How records of one event loop are made durable: where a healthy disk is waited for in place, and where it is not."""

import asyncio
import gc
import random
import signal
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import FrameType

import pytest
from ledger_records import OUTCOME, intent

from deliverability.api import mailer_recording
from deliverability.api.mailer_recording import Recording
from deliverability.errors import RecordingError
from deliverability.evidence.recorder import Intent, Record
from deliverability.ledger.spool import Spool, spooled
from deliverability.protocols.records import record_from_bytes

FOR_EVER = 3600.0


class Memory:
    def __init__(self) -> None:
        self.records: list[Record] = []

    def record(self, records: Sequence[Record]) -> None:
        self.records += records


class Waits(Memory):
    """A disk that is done once ``goes_on`` is set, which only the loop does."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()
        self.goes_on.set()

    def record(self, records: Sequence[Record]) -> None:
        assert self.goes_on.wait(60), "the loop was held up"
        super().record(records)


def run(recorder: object, work: Callable[[Recording], Awaitable[None]]) -> None:
    async def main() -> None:
        recording = Recording(recorder)  # type: ignore[arg-type]
        await work(recording)
        await recording.close()

    asyncio.run(main())


async def turned(recording: Recording, number: int = 1) -> bool:
    """Record one; whether the loop made a turn meanwhile."""
    turns: list[None] = []
    asyncio.get_running_loop().call_soon(turns.append, None)
    await recording.durable(recording.put([intent(number)]))
    return bool(turns)


def bound(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(mailer_recording, "IN_PLACE_SECONDS", seconds)


def test_one_message_waits_in_place_and_several_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    bound(monkeypatch, FOR_EVER)

    async def work(recording: Recording) -> None:
        found = []
        for recording.under_way in (1, 2, 1):
            found.append(await turned(recording))
        assert found == [False, True, False]

    run(Memory(), work)


def test_a_disk_that_hangs_holds_nobody_up_beyond_the_bound() -> None:
    """What frees it is another task of the same loop."""
    memory = Waits()

    async def work(recording: Recording) -> None:
        memory.goes_on.clear()
        asyncio.get_running_loop().call_soon(memory.goes_on.set)
        recording.under_way = 1
        await recording.durable(recording.put([intent()]))

    run(memory, work)
    assert memory.records == [intent()]


def test_a_slow_disk_is_not_waited_for_in_place_until_it_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Waits()

    async def work(recording: Recording) -> None:
        recording.under_way = 1
        # Done after a turn of the loop at the earliest; where that was waited for in place at the second, for ever.
        for seconds in (0.0, FOR_EVER):
            bound(monkeypatch, seconds)
            memory.goes_on.clear()
            asyncio.get_running_loop().call_soon(memory.goes_on.set)
            assert await turned(recording)
        assert not await turned(recording)

    run(memory, work)
    assert len(memory.records) == 3


def test_what_others_wait_for_is_not_waited_for_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch in the thread's hands is a snapshot's, say: the message's own goes with the next."""
    memory = Waits()
    bound(monkeypatch, FOR_EVER)

    async def work(recording: Recording) -> None:
        recording.under_way = 1
        memory.goes_on.clear()
        asyncio.get_running_loop().call_soon(memory.goes_on.set)
        before = recording.put([OUTCOME])
        assert await turned(recording)
        assert before.done()

    run(memory, work)
    assert memory.records == [OUTCOME, intent()]


@pytest.mark.parametrize("seconds", [0.0, 1e-6, 1e-5, 1e-4, FOR_EVER])
def test_whoever_is_first_everybody_is_told_once(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """The thread may be done before the loop waits, while it waits, or as it gives up waiting."""
    bound(monkeypatch, seconds)
    memory, dice = Memory(), random.Random(5)

    async def work(recording: Recording) -> None:
        for number in range(1000):
            recording.under_way = dice.choice((1, 1, 1, 2))
            done = recording.put([intent(number)])
            sum(range(dice.choice((0, 10, 1000))))
            await recording.durable(done)
            assert memory.records[-1] == intent(number)

    run(memory, work)
    assert memory.records == [intent(number) for number in range(1000)]


def test_nobody_waits_for_the_message_and_it_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted between handing over and waiting: what follows is told all the same."""
    bound(monkeypatch, FOR_EVER)
    memory = Memory()

    async def work(recording: Recording) -> None:
        recording.under_way = 1
        recording.put([intent(1)])
        await recording.durable(recording.put([intent(2)]))

    run(memory, work)
    assert memory.records == [intent(1), intent(2)]


@pytest.mark.parametrize("under_way", [1, 2])
def test_a_failure_is_told_to_whom_it_concerns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, under_way: int) -> None:
    bound(monkeypatch, FOR_EVER)
    spool = Spool(tmp_path)

    async def work(recording: Recording) -> None:
        recording.under_way = under_way
        bad = recording.put([intent(1), intent(2, subject="\ud800")])
        good = recording.put([intent(3)])
        await recording.durable(good)
        with pytest.raises(RecordingError, match="cannot be written"):
            await recording.durable(bad)

    run(spool, work)
    (file,) = spooled(tmp_path)
    assert [record_from_bytes(line) for line, _ in file.lines()] == [intent(3)]


def test_a_failure_in_place_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    bound(monkeypatch, FOR_EVER)

    class Fails:
        def record(self, records: Sequence[Record]) -> None:
            if isinstance(records[0], Intent):
                raise OSError("gone")

    async def work(recording: Recording) -> None:
        recording.under_way = 1
        with pytest.raises(RecordingError, match="the recorder failed: OSError"):
            await recording.durable(recording.put([intent()]))
        await recording.durable(recording.put([OUTCOME]))

    run(Fails(), work)


def test_whoever_interrupts_the_wait_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal's handler raises while the loop stands where it waits; what comes later is recorded, and told."""
    bound(monkeypatch, FOR_EVER)
    raised, main = threading.Event(), threading.get_ident()

    class Interrupts(Waits):
        def record(self, records: Sequence[Record]) -> None:
            while not raised.wait(0.001):
                signal.pthread_kill(main, signal.SIGUSR1)
            super().record(records)

    def interrupt(_signal: int, frame: FrameType | None) -> None:
        if frame and frame.f_code is mailer_recording._Batch.wait.__code__ and not raised.is_set():
            raised.set()
            raise KeyboardInterrupt

    async def made() -> Recording:
        return Recording(memory)

    async def send(number: int) -> None:
        recording.under_way = 1
        await recording.durable(recording.put([intent(number)]))

    memory, handler = Interrupts(), signal.signal(signal.SIGUSR1, interrupt)
    loop = asyncio.new_event_loop()
    try:
        recording = loop.run_until_complete(made())
        memory.goes_on.clear()
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(send(1))
        memory.goes_on.set()
        loop.run_until_complete(asyncio.wait_for(send(2), 60))
        loop.run_until_complete(asyncio.wait_for(recording.close(), 60))
    finally:
        signal.signal(signal.SIGUSR1, handler)
        loop.close()
    assert memory.records == [intent(1), intent(2)]


class Fails:
    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.goes_on.set()

    def record(self, records: Sequence[Record]) -> None:
        assert self.goes_on.wait(60)
        raise OSError("gone")


def test_what_nobody_comes_for_fails_aloud(caplog: pytest.LogCaptureFixture) -> None:
    async def work(recording: Recording) -> None:
        recording.put([OUTCOME])

    run(Fails(), work)
    gc.collect()
    assert "the recorder failed: OSError" in caplog.text


@pytest.mark.parametrize("under_way", [1, 2])
def test_the_log_says_which_dispatch_of_a_cancelled_sending_is_not_on_record(
    caplog: pytest.LogCaptureFixture, under_way: int
) -> None:
    """Whether it was cancelled while it waited, or left its outcome on the way out."""

    async def work(recording: Recording) -> None:
        disk.goes_on.clear()
        recording.under_way = under_way
        waiting = asyncio.create_task(recording.record([intent(7)]))
        await asyncio.sleep(0)
        waiting.cancel()
        recording.leave([OUTCOME])
        disk.goes_on.set()

    disk = Fails()
    run(disk, work)
    gc.collect()
    said = [one.getMessage() for one in caplog.records if one.levelname == "CRITICAL"]
    assert [sum(name in line for line in said) for name in (intent(7).dispatch, OUTCOME.dispatch)] == [1, 1]
    assert "never retrieved" not in caplog.text


def test_a_loop_that_was_closed_leaves_word_of_what_is_not_on_record(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        disk.goes_on.clear()
        Recording(disk).leave([intent(7)])

    disk = Fails()
    asyncio.run(work())
    disk.goes_on.set()
    for thread in threading.enumerate():
        if thread.name == "deliverability-recording":
            thread.join(60)
    assert intent(7).dispatch in caplog.text


class Strange(Memory):
    """Somebody else's, that cannot make octets of everything, nor join what it made."""

    def __init__(self, made: object) -> None:
        super().__init__()
        self._made = made

    def to_octets(self, records: Sequence[Record]) -> bytes:
        if isinstance(self._made, Exception) and records == [intent(1)]:
            raise self._made
        return self._made if records == [intent(1)] else b"octets"  # type: ignore[return-value]

    def record_octets(self, octets: bytes) -> None:
        assert octets == b"octets"


@pytest.mark.parametrize("made", [ValueError("no"), "text"])
def test_a_defect_of_somebody_elses_is_told_as_a_failure(made: object) -> None:
    async def work(recording: Recording) -> None:
        with pytest.raises(RecordingError, match=r"the recorder failed: (ValueError|TypeError)"):
            await asyncio.wait_for(recording.record([intent(1)]), 60)
        await asyncio.wait_for(recording.record([intent(2)]), 60)

    run(Strange(made), work)


def test_without_a_thread_each_record_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system gives none, and word that the last one was to end is still in the queue."""
    memory = Memory()

    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def work(recording: Recording) -> None:
        with monkeypatch.context() as without:
            without.setattr(threading.Thread, "start", refused)
            recording._handed.put(None)
            await recording.record([intent(1)])
            await recording.record([intent(2)])
        await recording.record([intent(3)])

    run(memory, work)
    assert memory.records == [intent(1), intent(2), intent(3)]


def test_a_closed_loop_loses_no_record() -> None:
    memory = Waits()

    async def work() -> None:
        memory.goes_on.clear()
        Recording(memory).put([intent(1)])

    asyncio.run(work())
    memory.goes_on.set()
    for thread in threading.enumerate():
        if thread.name == "deliverability-recording":
            thread.join(60)
    assert memory.records == [intent(1)]
