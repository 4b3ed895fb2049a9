"""What stands beside a sending, and is never waited for: the snapshot of the DNS, and the transcript that is kept."""

import asyncio
import os
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deliverability.api.mailer_recording import Recording
from deliverability.api.receipts import Receipt, utc_now
from deliverability.api.sending import log, say_unrecorded
from deliverability.api.snapshots import Subject, take
from deliverability.capture.smtp_terms import Facts
from deliverability.errors import RecordingError
from deliverability.evidence.recorder import Snapshot

if TYPE_CHECKING:
    from deliverability.capture._connect import AsksDns

MAX_PENDING: Final = 500
"""Messages whose snapshot is still to be taken; beyond it none is taken, and the log says so."""
MAX_PENDING_OCTETS: Final = 64 << 20
AT_ONCE: Final = 4
KEPT: Final = 256
LEAVE_SECONDS: Final = 10.0
"""How long the end of a mailer waits for snapshots."""


class Snapshots:
    """Takes the snapshots of a mailer's sendings, a few at once."""

    def __init__(self, dns: "AsksDns", recording: Recording) -> None:
        self._dns, self._recording = dns, recording
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._pending: dict[str, tuple[asyncio.Task[None], int]] = {}
        self._octets = 0
        self._kept: OrderedDict[str, Snapshot] = OrderedDict()

    def begin(self, subject: Subject) -> None:
        """Have one taken; returns at once."""
        name, size = subject.intents[0].sending, len(subject.content)
        if len(self._pending) >= MAX_PENDING or self._octets + size > MAX_PENDING_OCTETS:
            log.error("too many snapshots are waiting: none is taken of sending %s", name)
            return
        task = asyncio.create_task(self._take(subject))
        self._pending[name] = task, size
        self._octets += size
        task.add_done_callback(lambda _: self._done(name))

    def _done(self, name: str) -> None:
        _, size = self._pending.pop(name)
        self._octets -= size

    async def _take(self, subject: Subject) -> None:
        async with self._gate:
            try:
                snapshots = await take(subject, self._dns, utc_now)
                self._kept.update({snapshot.dispatch: snapshot for snapshot in snapshots})
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
                await self._recording.record(snapshots)
            except RecordingError as problem:
                say_unrecorded("snapshots", problem, subject.intents)
            except Exception:  # noqa: BLE001 - a defect here must not become one of sending
                log.exception("no snapshot of sending %s", subject.intents[0].sending)

    async def of(self, receipt: Receipt) -> Snapshot | None:
        """The snapshot for a receipt's first recipient, as soon as it is there; ``None`` where none was taken."""
        if not receipt.intents:
            return None
        pending = self._pending.get(receipt.intents[0].sending)
        if pending:
            await asyncio.wait([pending[0]])
        return self._kept.get(receipt.intents[0].dispatch)

    async def close(self) -> None:
        """Wait a while for those that are under way."""
        tasks = [task for task, _ in self._pending.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=LEAVE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def keep_transcript(folder: Path | None, session: Facts | None) -> None:
    """Write a session down by its digest; what goes wrong is said, and nothing else."""
    if folder is None or session is None or session.transcript is None:
        return
    path = folder / f"{session.transcript_sha256}.txt"
    try:
        await asyncio.to_thread(_write, path, session.transcript.to_bytes())
    except OSError as problem:
        log.critical("a transcript could not be kept: %s", problem.strerror)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
