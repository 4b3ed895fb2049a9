"""Which dispatch a service's event is about: asked of the ledger and of what waits in its spool."""

import contextlib
from pathlib import Path

from deliverability.errors import ParseError
from deliverability.evidence.recorder import Intent, Outcome, Record
from deliverability.protocols.intents import canonical_account
from deliverability.protocols.records import record_from_bytes


def find_dispatch(folder: Path, service_id: str, recipient: str) -> str | None:
    """The dispatch of which an outcome bears the service's id, among those to this recipient.

    Raises :class:`CannotLookError` for a ledger that cannot be read: that is not "none".
    """
    wanted = canonical_account(recipient)
    told = [*_spooled(folder, service_id), *_sealed(folder, recipient)]
    named = {r.dispatch for r in told if isinstance(r, Outcome) and r.remote_queue_id == service_id}
    found = [r.dispatch for r in told if isinstance(r, Intent) and r.dispatch in named]
    mine = [r.dispatch for r in told if isinstance(r, Intent) and canonical_account(r.forward_path) == wanted]
    return next((d for d in found if d in mine), None)


def _spooled(folder: Path, service_id: str) -> list[Record]:
    """Outcomes that bear the id, and their intents, of what is not sealed yet."""
    from deliverability.protocols.canonical import to_bytes

    outcomes = _lines_with(folder, {to_bytes(service_id)})  # as it stands in a record
    return _lines_with(folder, {r.dispatch.encode("ascii") for r in outcomes if isinstance(r, Outcome)})


def unsealed(folder: Path, dispatch: str) -> list[Record]:
    """Intent and outcomes of a dispatch that the ledger does not know yet."""
    from deliverability.ledger.log import Ledger as Log

    if (folder / "ledger.sqlite").exists():
        with Log.open(folder, write=False) as ledger:
            if ledger.store.intent_of(bytes.fromhex(dispatch)) is not None:
                return []
    said = _lines_with(folder, {dispatch.encode("ascii")})
    return [r for r in said if isinstance(r, Intent | Outcome) and r.dispatch == dispatch]


def _lines_with(folder: Path, needles: set[bytes]) -> list[Record]:
    from deliverability.ledger.spool import spooled

    found: list[Record] = []
    for file in spooled(folder / "spool") if needles else ():
        for line, _ in file.lines():
            if any(needle in line for needle in needles):
                with contextlib.suppress(ParseError):  # the ledger will note it as an incident
                    found.append(record_from_bytes(line))
    return found


def _sealed(folder: Path, recipient: str) -> list[Record]:
    from deliverability.ledger.leaves import LeafKind, parse_body
    from deliverability.ledger.log import Ledger as Log
    from deliverability.ledger.proving import numbers_for

    if not (folder / "ledger.sqlite").exists():
        return []
    with Log.open(folder, write=False) as ledger:
        entries = [ledger.store.entry(n) for n in numbers_for(ledger, address=recipient)]
    bodies = [parse_body(entry.body) for entry in entries if entry.body is not None]
    return [record_from_bytes(b.event) for b in bodies if b.kind in (LeafKind.INTENT, LeafKind.OUTCOME)]
