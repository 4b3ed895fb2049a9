"""The ledger's use cases: verifying a bundle, a customer's history, stamping heads, erasing a person."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from deliverability.compose.sealed import Told
from deliverability.config import Authority, Configuration
from deliverability.errors import CannotLookError, ParseError, UsageError, printable
from deliverability.evidence.recorder import Intent, Later, Outcome
from deliverability.ledger.bundle import Bundle, File
from deliverability.ledger.checkpoint import parse_checkpoint
from deliverability.ledger.draining import blank_spools
from deliverability.ledger.indexing import canonical_address
from deliverability.ledger.keys import CommandSigner, Signer
from deliverability.ledger.leaves import LeafKind, parse_body
from deliverability.ledger.log import Ledger
from deliverability.ledger.proving import bundle_of, continued, numbers_for, unannounced_for
from deliverability.ledger.spool import SUFFIX, Spooled
from deliverability.ledger.store import Entry, Token
from deliverability.ledger.timestamps import certificates_from_pem, request_for, verify_response
from deliverability.protocols.record_octets import time_to_text
from deliverability.protocols.records import record_from_bytes

if TYPE_CHECKING:
    from cryptography import x509

MAX_ROOTS = 1 << 20
EXPORTED_AT_ONCE = 1000
MAX_INCIDENTS = 20  # of those that a verification names


def ledger_folder(configuration: Configuration, given: Path | None) -> Path:
    """Where the ledger lies: the option, else ``[ledger] path``; raises :class:`UsageError` where neither is given."""
    folder = given or (Path(configuration.ledger.path) if configuration.ledger.path else None)
    if folder is None:
        raise UsageError("say where the ledger lies: --ledger FOLDER, or [ledger] path in the configuration")
    return folder


def open_ledger(configuration: Configuration, given: Path | None, *, write: bool) -> Ledger:
    """The ledger of the option or the configuration."""
    head = Path(configuration.ledger.head) if configuration.ledger.head else None
    return Ledger.open(ledger_folder(configuration, given), write=write, head=head)


def open_without_head(configuration: Configuration, given: Path | None, now: datetime) -> Ledger:
    """The same, to append to, where the file with its last signed head was lost."""
    head = Path(configuration.ledger.head) if configuration.ledger.head else None
    return Ledger.open_without_head(ledger_folder(configuration, given), head=head, now=now)


def signers_for(ledger: Ledger, configuration: Configuration) -> tuple[Signer, ...] | None:
    """The program that signs, where one is configured; ``None``: the keys in the folder."""
    if not configuration.ledger.signer:
        return None
    in_use = [
        key for key, entry in zip(ledger.verifier_keys(), ledger.key_history(), strict=True) if not entry["until"]
    ]
    return tuple(CommandSigner(configuration.ledger.signer, key) for key in in_use)


# --- stamping ---------------------------------------------------------------------------------------------------------


CLOCKS_APART = timedelta(minutes=5)  # which asking some authorities in turn does not take


@dataclass(frozen=True, slots=True)
class Anchored:
    """What came of asking one authority."""

    authority: str
    at: datetime | None
    problem: str = ""
    apart: timedelta | None = None
    """How far the authority's clock is ahead of ours, where that is more than asking takes."""


def anchor(ledger: Ledger, authorities: Sequence[Authority], now: datetime) -> tuple[Anchored, ...]:
    """Have the newest head stamped by each authority; a token is kept only when it holds."""
    from deliverability.capture import tsa

    note = ledger.store.checkpoint()
    if note is None:
        raise UsageError("no head has been signed yet: deliverability ledger checkpoint")
    size = parse_checkpoint(note)[0].size
    done: list[Anchored] = []
    for authority in authorities:
        try:
            query = request_for(note)
            response = tsa.ask(authority.url, query)
            stamped = verify_response(response, note, roots_of(authority), query)
        except (CannotLookError, ParseError) as problem:
            done.append(Anchored(authority.name, None, str(problem)))
            continue
        ledger.store.keep_token(Token(size, authority.name, response, now))
        ahead = stamped.at - now
        done.append(Anchored(authority.name, stamped.at, apart=ahead if abs(ahead) > CLOCKS_APART else None))
    return tuple(done)


def roots_of(authority: Authority) -> tuple["x509.Certificate", ...]:
    """The roots that an authority's tokens are held against."""
    if not authority.roots:
        raise CannotLookError(
            f"[[tsa]] {printable(authority.name)}: roots is missing: a token is verified before it is kept"
        )
    return read_roots([Path(authority.roots)])


def read_roots(paths: Iterable[Path]) -> tuple["x509.Certificate", ...]:
    """Certificates out of PEM files; raises :class:`CannotLookError`."""
    found: list[x509.Certificate] = []
    for path in paths:
        try:
            with path.open("rb") as file:
                found += certificates_from_pem(file.read(MAX_ROOTS))
        except (OSError, ParseError) as problem:
            said = getattr(problem, "strerror", None) or problem
            raise CannotLookError(f"{printable(str(path))}: {said}") from problem
    return tuple(found)


# --- showing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class History:
    """A customer's notices, failures included."""

    told: tuple[Told, ...]
    first: int | None
    """Sequence number of the customer's first entry that is shown; ``None`` where several customers' are shown."""
    last: int | None
    entries: int
    erased: int
    waiting: int = 0
    """Notices that mailers have recorded since, and that no checkpoint has taken in yet."""


def history(ledger: Ledger, *, account: str | None = None, addresses: Sequence[str] = ()) -> History:
    """Every notice to a customer, by account or by addresses, oldest first."""
    # Asked first: what is taken in meanwhile is told twice rather than not at all.
    waiting = _waiting(ledger, account, {canonical_address(address) for address in addresses})
    numbers: set[int] = set()
    if account is not None:
        numbers.update(numbers_for(ledger, account=account))
    for address in addresses:
        numbers.update(numbers_for(ledger, address=address))
        numbers.update(numbers_for(ledger, account=canonical_address(address)))
    sequences: dict[str | None, list[int]] = {}
    records: list[Intent | Outcome | Later] = []
    gone: list[Entry] = []
    for number in sorted(numbers):
        entry = ledger.store.checked_entry(number)  # the page says that nothing was changed
        if entry.body is None:
            gone.append(entry)
            continue
        body = parse_body(entry.body)
        if body.sequence is not None:
            sequences.setdefault(body.account, []).append(body.sequence)
        if body.kind in (LeafKind.INTENT, LeafKind.OUTCOME, LeafKind.LATER):
            record = record_from_bytes(body.event)
            if isinstance(record, (Intent, Outcome, Later)):
                records.append(record)
    if gone:
        ledger.store.check_erased(gone)
    # An address can be several customers', each with numbers of their own.
    alone = next(iter(sequences.values())) if len(sequences) == 1 else []
    first, last = min(alone, default=None), max(alone, default=None)
    return History(_told(records), first, last, len(numbers), len(gone), waiting)


def _waiting(ledger: Ledger, account: str | None, addresses: set[str]) -> int:
    """How many notices to that customer stand in the spools alone."""
    count = 0
    for path in (ledger.folder / "spool").glob(f"*{SUFFIX}"):
        try:
            lines = [line for line, _ in Spooled(path, abandoned=False).lines(ledger.store.position(path.name))]
        except CannotLookError:
            if path.exists():
                raise
            continue  # it was taken in and cleared away meanwhile
        for line in lines:
            with suppress(ParseError):  # damage in a spool is told by the checkpoint that takes it in
                record = record_from_bytes(line)
                count += isinstance(record, Intent) and (
                    (account is not None and record.account == account)
                    or canonical_address(record.forward_path) in addresses
                )
    return count


def _told(records: Sequence[Intent | Outcome | Later]) -> tuple[Told, ...]:
    outcomes: dict[str, list[Outcome]] = {}
    later: dict[str, list[Later]] = {}
    for record in records:
        if isinstance(record, Outcome):
            outcomes.setdefault(record.dispatch, []).append(record)
        elif isinstance(record, Later):
            later.setdefault(record.dispatch, []).append(record)
    intents = [record for record in records if isinstance(record, Intent)]
    return tuple(Told(i, outcomes.get(i.dispatch, ()), later.get(i.dispatch, ())) for i in intents)


def prove(  # noqa: PLR0913 - each is named
    ledger: Ledger,
    *,
    account: str | None,
    address: str | None,
    dispatch: str | None,
    mail: bytes | None = None,
    heads: Sequence[bytes] = (),
) -> Bundle:
    """A bundle; ``mail`` is a copy of the message, ``heads`` are those whose continuation is to be shown.

    Raises :class:`UsageError` for a copy that is not the message, octet by octet, or with other line ends: a verifier
    would have to call the evidence changed.
    """
    if sum(value is not None for value in (account, address, dispatch)) != 1:
        raise UsageError("say what to prove: one of --account, --to and --dispatch")
    numbers = numbers_for(ledger, account=account, address=address, dispatch=dispatch)
    files = [File("notice.eml", "message/rfc822", _as_sent(ledger, numbers, mail))] if mail is not None else []
    return continued(ledger, bundle_of(ledger, numbers, files), heads)


def _as_sent(ledger: Ledger, numbers: Sequence[int], mail: bytes) -> bytes:
    """A copy of a message as it was handed to DATA, in CRLF."""
    named: set[str] = set()
    for number in numbers:
        body = ledger.store.entry(number).body
        if body is not None and (read := parse_body(body)).kind is LeafKind.INTENT:
            record = record_from_bytes(read.event)
            named |= {record.sha256} if isinstance(record, Intent) else set()
    for spelled in (mail, mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")):
        if sha256(spelled).hexdigest() in named:
            return spelled
    raise UsageError(
        "--message: not the message that was sent, as these entries name it by its digest: a copy out of a mailbox has"
        " header fields of the servers on its way. Take the one that the mailer kept, or leave it out"
    )


def incident_lines(ledger: Ledger, numbers: Sequence[int]) -> tuple[str, ...]:
    """What the log says went wrong, the newest last; of many, the newest."""
    lines = [f"{len(numbers) - MAX_INCIDENTS} earlier incidents: see ledger export"] if numbers[MAX_INCIDENTS:] else []
    for number in numbers[-MAX_INCIDENTS:]:
        body = ledger.store.entry(number).body
        event = json.loads(parse_body(body).event) if body is not None else {}
        others = (f"{name} {event[name]}" for name in ("at", "reason", "detail", "file") if name in event)
        said = printable(", ".join([str(event.get("what", "")), *others]), 300)
        lines.append(f"incident in entry {number}: {said}")
    return tuple(lines)


def exported(ledger: Ledger) -> Iterator[bytes]:
    """The whole log as JSON lines: each entry, the newest head over them last.  However long it is, little is in memory."""
    store = ledger.store
    for start in range(0, store.size, EXPORTED_AT_ONCE):  # who takes them slowly must not keep the file from its writer
        for entry in list(islice(store.entries(start), min(EXPORTED_AT_ONCE, store.size - start))):
            value = {
                "number": entry.number,
                "leaf": entry.leaf.hex(),
                "salt": entry.salt.hex() if entry.salt else None,
                "record": entry.body.decode() if entry.body else None,
            }
            yield json.dumps(value, ensure_ascii=False).encode() + b"\n"
    head = store.checkpoint(within=store.size)
    yield json.dumps({"checkpoint": head.decode() if head else None}, ensure_ascii=False).encode() + b"\n"


# --- erasing ----------------------------------------------------------------------------------------------------------


def erase(ledger: Ledger, *, account: str | None, address: str | None, now: datetime) -> int:
    """Erase a person's records and salts; the erasure itself is an entry, which names no one.  How many went."""
    if (account is None) == (address is None):
        raise UsageError("say whose records to erase: --account or --to, one of them")
    canonical = canonical_address(address) if address is not None else None
    numbers = numbers_for(ledger, account=account, address=address)
    if address is not None:
        numbers = tuple(sorted({*numbers, *unannounced_for(ledger, address)}))
    if not numbers and ledger.store.unswept:
        raise CannotLookError(
            "the ledger holds nothing of that but what was erased before, whose octets still stand in the file: somebody"
            " is reading it, or the disk is full; the next command that writes clears them away"
        )
    if not numbers:
        raise UsageError("the ledger holds nothing of that")
    ledger.append_own(LeafKind.ERASURE, {"at": time_to_text(now), "entries": [*numbers]})
    blank_spools(ledger)  # what stands there is in the log; whoever is stopped from here on can erase again
    return ledger.store.empty(numbers, account=account, address=canonical)


def clock(now: datetime | None) -> datetime:
    """The given time, else the machine's."""
    return now or datetime.now(UTC)
