"""DKIM keys out of sealed snapshots: of an old mail the key has often been replaced in the DNS.

Whoever keeps a log writes its snapshots too.  A key out of one shows that the mail fits what the keeper sealed; where its
DNSSEC chain came along, it shows besides that the zone published it, to whoever trusts the root and the time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from deliverability.errors import ParseError
from deliverability.evidence.observation import DnsAnswer, DnsQuestion, Observations, Rcode, Record, Unobserved
from deliverability.evidence.recorder import Snapshot
from deliverability.ledger.bundle import Bundle
from deliverability.ledger.leaves import LeafKind, parse_body
from deliverability.ledger.store import Store
from deliverability.protocols.records import record_from_bytes

if TYPE_CHECKING:
    from deliverability.protocols.dnssec import TrustAnchor

MAX_KEPT: Final = 16
"""Different keys of one selector that are tried."""
BEFORE: Final = 1000
AFTER: Final = 5000
"""Entries around a head in which the mail that carries it has its own."""


@dataclass(frozen=True, slots=True)
class KeptKey:
    """What a sealed snapshot says that the DNS said of a DKIM key."""

    answer: DnsAnswer
    """To the plain question."""
    number: int
    """Of the entry."""
    at: datetime
    """When it was seen, by the log's own clock."""
    chained: bool
    """Whether the DNSSEC chain in the record holds, from the root, as of that time."""


def in_bundle(bundle: Bundle) -> Iterator[tuple[int, Snapshot]]:
    """The snapshots of a bundle that was verified."""
    for entry in bundle.entries:
        if entry.record is not None and entry.leaf[1] == LeafKind.SNAPSHOT:
            yield from _snapshot(entry.number, entry.record)


def in_ledger(store: Store, size: int, names: Sequence[str]) -> Iterator[tuple[int, Snapshot]]:
    """The snapshots about these names around a head over ``size`` entries, each held against its seal and the tree.

    Raises :class:`~deliverability.errors.TamperedError` for one that was changed.
    """
    wanted = [name.encode() for name in names]
    for entry in store.entries(max(0, size - BEFORE)):
        if entry.number >= min(size + AFTER, store.size):
            return
        if entry.body is None or entry.leaf[1] != LeafKind.SNAPSHOT or not any(name in entry.body for name in wanted):
            continue
        octets = store.checked_entry(entry.number).body
        if octets is not None:
            yield from _snapshot(entry.number, octets)


def _snapshot(number: int, octets: bytes) -> Iterator[tuple[int, Snapshot]]:
    try:
        record = record_from_bytes(parse_body(octets).event)
    except ParseError:
        return
    if isinstance(record, Snapshot):
        yield number, record


def kept_keys(
    snapshots: Iterable[tuple[int, Snapshot]], name: str, anchors: Sequence["TrustAnchor"] = ()
) -> tuple[KeptKey, ...]:
    """Each different answer about a key, those that DNSSEC vouches for first."""
    found: dict[tuple[tuple[bytes, ...], ...], KeptKey] = {}
    for number, snapshot in snapshots:
        for kept in _of_one(number, snapshot, name, anchors):
            told = tuple(record.strings for record in kept.answer.records)
            if told not in found or (kept.chained and not found[told].chained):
                found[told] = kept
            if len(found) >= MAX_KEPT:
                break
    return tuple(sorted(found.values(), key=lambda kept: not kept.chained))


def _of_one(number: int, snapshot: Snapshot, name: str, anchors: Sequence["TrustAnchor"]) -> Iterator[KeptKey]:
    answers = [o for o in snapshot.observations if isinstance(o, DnsAnswer)]
    plain, signed = DnsQuestion(name, "TXT"), DnsQuestion(name, "TXT", signed=True)
    for answer in answers:
        if answer.question == signed:
            records = _proved(answer, answers, anchors)
            if records:
                proved = DnsAnswer(plain, Rcode.NOERROR, records, name, answer.ttl, answer.resolver, answer.observed_at)
                yield KeptKey(proved, number, answer.observed_at, chained=True)
        elif answer.question == plain and answer.records:
            yield KeptKey(answer, number, answer.observed_at, chained=False)


def _proved(answer: DnsAnswer, answers: Sequence[DnsAnswer], anchors: Sequence["TrustAnchor"]) -> tuple[Record, ...]:
    from deliverability.protocols.dnssec import IANA_ANCHORS, Status, validate

    at = int(answer.observed_at.timestamp())
    try:
        done = validate(answer.question, Observations.of(answers), at, anchors or IANA_ANCHORS)
    except Unobserved:
        return ()
    return done.records if done.status is Status.SECURE else ()
