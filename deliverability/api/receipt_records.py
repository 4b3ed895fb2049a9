"""The records of one dispatch: from a receipt that was kept, or from the ledger and what waits in its spool."""

import re
from pathlib import Path
from typing import Final

from deliverability.api.receipts import MAX_RECEIPT, Receipt
from deliverability.errors import CannotLookError, ParseError, UsageError, printable
from deliverability.evidence.recorder import Intent, Record, Snapshot
from deliverability.protocols.records import record_from_bytes

_ID: Final = re.compile(r"[0-9a-f]{32}\Z")


def records_of(name: str, folder: Path | None) -> tuple[tuple[Record, ...], ...]:
    """The records of each dispatch that ``name`` stands for: a file with a receipt, a dispatch, or a sending.

    Raises :class:`UsageError` where it stands for none, and :class:`CannotLookError` for what cannot be read.
    """
    if not _ID.match(name):
        return _of_receipt(_read(Path(name)))
    if folder is None:
        raise UsageError("say where the ledger lies: --ledger FOLDER, or [ledger] path in the configuration")
    found = (*_sealed(name, folder), *_spooled(name, folder))
    unique = {(type(r), r.dispatch, r.at): r for r in found}
    groups = _grouped(tuple(unique.values()))
    if not groups:
        raise UsageError(f"neither the ledger nor its spool has a dispatch {name}")
    return groups


def _of_receipt(receipt: Receipt) -> tuple[tuple[Record, ...], ...]:
    seen = tuple(
        Snapshot(dispatch=intent.dispatch, at=intent.at, observations=receipt.observations)
        for intent in receipt.intents
        if receipt.observations
    )
    return _grouped((*receipt.intents, *receipt.outcomes, *seen))


def _grouped(records: tuple[Record, ...]) -> tuple[tuple[Record, ...], ...]:
    intents = [r for r in records if isinstance(r, Intent)]
    return tuple(tuple(r for r in records if r.dispatch == intent.dispatch) for intent in intents)


def _read(path: Path) -> Receipt:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_RECEIPT + 1)
    except OSError as problem:
        raise CannotLookError(f"{printable(str(path))}: {problem.strerror}") from problem
    try:
        return Receipt.from_json(content)
    except ParseError as problem:
        raise CannotLookError(f"{printable(str(path))} is no receipt: {problem}") from problem


def _sealed(name: str, folder: Path) -> tuple[Record, ...]:
    from deliverability.ledger.leaves import LeafKind, parse_body
    from deliverability.ledger.log import Ledger
    from deliverability.ledger.proving import numbers_for

    if not (folder / "ledger.sqlite").exists():
        return ()
    with Ledger.open(folder, write=False) as ledger:
        if ledger.store.intent_of(bytes.fromhex(name)) is None:
            return ()
        entries = [ledger.store.entry(number) for number in numbers_for(ledger, dispatch=name)]
    bodies = [parse_body(entry.body) for entry in entries if entry.body is not None]
    kinds = (LeafKind.INTENT, LeafKind.OUTCOME, LeafKind.SNAPSHOT, LeafKind.LATER)
    return tuple(record_from_bytes(body.event) for body in bodies if body.kind in kinds)


def _spooled(name: str, folder: Path) -> list[Record]:
    """What was recorded and is not sealed yet."""
    from deliverability.ledger.spool import spooled

    wanted, found = {name}, []
    for file in spooled(folder / "spool"):
        for line, _ in file.lines():
            if not any(one.encode("ascii") in line for one in wanted):
                continue
            record = record_from_bytes(line)
            if isinstance(record, Intent) and record.sending == name:
                wanted.add(record.dispatch)
            if record.dispatch in wanted:
                found.append(record)
    return found
