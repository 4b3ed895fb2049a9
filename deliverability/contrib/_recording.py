"""What the mailers share: one spool for each ledger and process, and recording that never breaks sending."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

from deliverability.api.receipts import Receipt
from deliverability.api.sending import (
    Begun,
    Ended,
    Ending,
    Envelope,
    OnRecordingFailure,
    Session,
    begin,
    log,
    say_unrecorded,
)
from deliverability.errors import RecordingError
from deliverability.evidence.recorder import Outcome, Record, Recorder
from deliverability.ledger.spool import Spool

Ledger = str | os.PathLike[str]
AccountOf = Callable[[Any], str | None]
"""A framework's message → your own name for the customer."""

_spools: dict[str, Spool] = {}
_lock = Lock()


def spool(ledger: Ledger) -> Recorder:
    """Where this process records for a ledger; all its connections and threads share one file."""
    folder = os.path.realpath(ledger)
    with _lock:
        if folder not in _spools:
            _spools[folder] = Spool(Path(folder) / "spool")
        return _spools[folder]


def _fresh_lock() -> None:
    global _lock  # noqa: PLW0603 - a thread of the parent may have held it
    _lock = Lock()


os.register_at_fork(after_in_child=_fresh_lock)


class Guarded:
    """A recorder whose every failure is a :class:`~deliverability.errors.RecordingError`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def record(self, records: Sequence[Record]) -> None:
        """As the protocol says."""
        try:
            self._recorder.record(records)
        except RecordingError:
            raise
        except Exception as problem:
            raise RecordingError(f"the recorder failed: {type(problem).__name__}") from problem


def begun(
    make: Callable[[], tuple[bytes, Envelope]], recorder: Recorder, policy: OnRecordingFailure = "send"
) -> Begun | None:
    """The intents of a message, durable; ``None`` where nothing could be made of it, which the log says.

    ``make`` gives the octets and the envelope.  Raises :class:`RecordingError` under ``"hold"``, and nothing else.
    """
    try:
        content, envelope = make()
        return begin(content, envelope, recorder, on_recording_failure=policy) if envelope.recipients else None
    except RecordingError:
        raise
    except Exception as problem:
        # A defect here, or a message that cannot be written: the mailer itself says the latter better.
        log.critical("a message could not be recorded: %s", type(problem).__name__)
        if policy == "hold":
            raise RecordingError(f"the message cannot be recorded: {type(problem).__name__}") from problem
        return None


def named(account: AccountOf, message: object) -> str | None:
    """What ``account`` gives for a message; one that fails does not keep the message."""
    try:
        found = account(message)
    except Exception as problem:  # noqa: BLE001
        log.critical("the name of a customer could not be found: %s", type(problem).__name__)
        return None
    return str(found) if found else None


def conclude(
    one: Begun,
    endings: Sequence[Ending],
    session: Session | None = None,
    *,
    service_ids: Sequence[str | None] = (),
) -> Receipt:
    """Record how it ended.  Raises nothing: after a 250 an error would make the caller send again.

    ``service_ids``: under which id a service keeps the message for each recipient, where no reply told it.
    """
    outcomes: tuple[Outcome, ...] = ()
    try:
        ids = service_ids or [None] * len(endings)
        outcomes = tuple(
            replace(o, remote_queue_id=o.remote_queue_id or given)
            for o, given in zip(one.outcomes(endings, session), ids, strict=True)
        )
        if one.recorder is not None:
            one.recorder.record(outcomes)
    except Exception as problem:  # noqa: BLE001
        one.recorded = False
        say_unrecorded("outcomes", problem, one.intents)
    return one.receipt(outcomes)


def never_sent(
    make: Callable[[], tuple[bytes, Envelope]], recorder: Recorder, ending: Ended, session: Session | None = None
) -> Receipt | None:
    """Record a message that no server was given.  Raises nothing: the caller's own error is on its way."""
    try:
        one = begun(make, recorder)
    except RecordingError:
        return None
    return conclude(one, [ending] * len(one.intents), session) if one else None
