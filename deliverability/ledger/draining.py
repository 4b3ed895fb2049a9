"""What processes of this host have spooled, taken into the log: every record once, and nothing left open for ever."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from deliverability.errors import ParseError
from deliverability.evidence.recorder import Finish, Intent, Later, Outcome, Record, Snapshot
from deliverability.ledger.appending import NewEntry
from deliverability.ledger.leaves import LeafKind
from deliverability.ledger.spool import Spooled, spooled
from deliverability.protocols import canonical
from deliverability.protocols.record_octets import time_to_text
from deliverability.protocols.records import record_from_bytes, record_to_bytes

if TYPE_CHECKING:
    from deliverability.ledger.log import Ledger

AT_ONCE: Final = 1000  # records in one transaction


def drain(ledger: "Ledger", now: datetime) -> int:
    """Take in all spools; how many records that were.

    A process that ended left its dispatches open: each gets the outcome *unknown*, and its file is cleared away.
    """
    files = spooled(ledger.folder / "spool")
    _intents_first(ledger, files, now)
    taken = sum(_take_in(ledger, file, now) for file in files)
    # After a full disk, or when a file has grown long, a process goes on in another: the outcomes of what it left
    # open may stand there, or be yet to come.
    alive = {file.process for file in files if not file.abandoned}
    for file in files:
        if file.abandoned:
            _clear_away(ledger, file, now, ended=file.process not in alive)
    return taken


def new_entry(record: Record, spool: str | None = None) -> NewEntry:
    """A mailer's record as an entry."""
    octets = record_to_bytes(record)
    dispatch = bytes.fromhex(record.dispatch)
    if isinstance(record, Intent):
        return NewEntry(LeafKind.INTENT, octets, record.account, record.forward_path, dispatch, spool=spool)
    kind = _KINDS[type(record)]
    return NewEntry(kind, octets, dispatch=dispatch, settles=kind is LeafKind.OUTCOME)


_KINDS: Final = {Outcome: LeafKind.OUTCOME, Snapshot: LeafKind.SNAPSHOT, Later: LeafKind.LATER}


def _intents_first(ledger: "Ledger", files: Sequence[Spooled], now: datetime) -> None:
    """What became known later may stand in another process's file than its intent, and be read before it.

    The store writes nothing twice, so the intents may come once more with the rest of their file.
    """
    intents: list[NewEntry] = []
    later = False
    for file in files:
        for line, _ in file.lines(ledger.store.position(file.path.name)):
            later = later or b'"kind":"later"' in line
            if b'"kind":"intent"' in line:
                intents.append(_entry(line, file.path.name, now))
    if later and intents:
        ledger.append([entry for entry in intents if entry.kind is LeafKind.INTENT])


def _take_in(ledger: "Ledger", file: Spooled, now: datetime) -> int:
    # Whether it is abandoned was asked before the lines are read: what its process wrote until then is in the file.
    name, taken = file.path.name, 0
    begun = position = ledger.store.position(name)
    batch: list[NewEntry] = []
    for line, after in file.lines(position):
        batch.append(_entry(line, name, now))
        position = after
        if len(batch) >= AT_ONCE:
            taken += ledger.append_drained(batch, name, position)
            batch = []
    taken += ledger.append_drained(batch, name, position) if batch else 0
    if ledger.store.erasures and position > begun and not file.abandoned:
        file.blank(begun, position)  # late words about somebody who was erased
    return taken


def blank_spools(ledger: "Ledger") -> None:
    """After an erasure: what was taken in stands in the files of living processes no longer."""
    for file in spooled(ledger.folder / "spool"):
        file.blank(0, ledger.store.position(file.path.name))


def _entry(line: bytes, spool: str, now: datetime) -> NewEntry:
    try:
        return new_entry(record_from_bytes(line), spool)
    except ParseError as problem:
        # Somebody wrote into the spool, or the disk is failing: it is not silently left out.
        event = {"what": "spool", "file": spool, "sha256": sha256(line).hexdigest(), "detail": str(problem)[:500]}
        return NewEntry(LeafKind.INCIDENT, canonical.to_bytes(event | {"at": time_to_text(now)}))


def _clear_away(ledger: "Ledger", file: Spooled, now: datetime, *, ended: bool) -> None:
    name = file.path.name
    if not ended and ledger.store.open_dispatches(name):
        return
    _close_open(ledger, name, now)
    file.remove()
    ledger.store.forget_spool(name)


def _close_open(ledger: "Ledger", spool: str, now: datetime) -> None:
    unknown = [
        Outcome(
            dispatch=dispatch.hex(),
            at=now,
            finish=Finish.UNKNOWN,
            stage=None,
            detail="the sending process ended before it recorded an outcome",
        )
        for dispatch in ledger.store.open_dispatches(spool)
    ]
    ledger.append_records(unknown)
