"""A customer's old mail held against the log: whether the log continues the head that the mail carries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deliverability.api.observe import Observe, blocking, settle
from deliverability.errors import ParseError
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsQuestion,
    Observation,
    Observations,
    Obstacle,
    Question,
    Unobserved,
)
from deliverability.evidence.recorder import Snapshot
from deliverability.ledger.bundle import parse_bundle
from deliverability.ledger.checkpoint import Checkpoint, parse_checkpoint
from deliverability.ledger.kept_keys import KeptKey, in_bundle, in_ledger, kept_keys
from deliverability.ledger.log import Ledger
from deliverability.ledger.merkle import verify_consistency
from deliverability.ledger.notes import Note, VerifierKey
from deliverability.ledger.verify import Held, Step, verify_bundle
from deliverability.protocols.mail import parse_mail
from deliverability.protocols.witness import Carried, Cover, Hop, read_header, received

if TYPE_CHECKING:
    from deliverability.protocols.dnssec import TrustAnchor


@dataclass(frozen=True, slots=True)
class Against:
    """What was found of one head."""

    code: str
    held: Held
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Witnessed:
    """One checkpoint field, what covers it, and how the log stands to it."""

    carried: Carried
    head: Checkpoint | None
    against: Against
    key: KeptKey | None = None
    """The key out of a sealed snapshot by which the mail's signature verifies; ``None``: by the DNS, or not at all."""

    @property
    def held(self) -> Held:
        """The whole: shown only where the log continues a signed head that a signature of the mail covers."""
        if self.against.held is Held.SHOWN and self.carried.cover is not Cover.COVERED:
            return Held.UNDECIDED
        return self.against.held


@dataclass(frozen=True, slots=True)
class Testimony:
    """All that a mail tells of the log."""

    heads: tuple[Witnessed, ...]
    received: tuple[Hop, ...]


def witness(  # noqa: PLR0913 - each is named
    message: bytes,
    *,
    ledger: Ledger | None = None,
    bundle: bytes | None = None,
    keys: Sequence[VerifierKey] = (),
    observations: Observations | None = None,
    nameservers: Sequence[str] = (),
    timeout: float = 3.0,
    offline: bool = False,
    now: datetime | None = None,
    anchors: Sequence["TrustAnchor"] = (),
) -> Testimony:
    """Hold a mail's checkpoint fields against a ledger or a bundle; asks the DNS for DKIM keys, unless ``offline``.

    A key that the DNS has no more is taken from the snapshots sealed in the ledger, or in a bundle that a key of
    ``keys`` signed; DNSSEC chains there are held against ``anchors``, without any IANA's.

    Raises :class:`~deliverability.errors.ParseError` for what is no message.
    """
    hops = received(parse_mail(message))
    # A signature that has expired since still shows what it covered: it is judged as of the mail's arrival.
    at = next((hop.at for hop in hops if hop.at), None) or now or datetime.now(UTC)
    observe = None if offline else _dns(nameservers, timeout)

    def step(known: Observations) -> tuple[Carried, ...] | frozenset[Question]:
        try:
            return read_header(message, known, at)
        except Unobserved as missing:
            return frozenset(missing.questions)

    carried, known = blocking(lambda: settle(step, observations or Observations(), observe, at), "witness")
    heads = tuple(_witnessed(one, ledger, bundle, keys) for one in carried)
    kept = _Kept(message, at, known, ledger, bundle, keys, anchors)
    return Testimony(tuple(kept.judged(one, place) for place, one in enumerate(heads)), hops)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The mail's signatures by the keys that snapshots have kept."""

    message: bytes
    at: datetime
    known: Observations
    ledger: Ledger | None
    bundle: bytes | None
    keys: Sequence[VerifierKey]
    anchors: Sequence["TrustAnchor"]

    def judged(self, one: Witnessed, place: int) -> Witnessed:
        """The field as covered, where a signature that names it verifies by a kept key; else as it was."""
        if one.head is None or one.carried.cover is not Cover.UNDECIDED or one.against.held is Held.FAILED:
            return one
        names = [f"{s.selector}._domainkey.{s.domain.name}" for s in one.carried.signatures if s.domain and s.selector]
        snapshots = tuple(self._snapshots(one.head, names)) if names else ()
        for name in dict.fromkeys(names):
            for key in kept_keys(snapshots, name, self.anchors):
                carried = self._read(key)
                if place < len(carried) and carried[place].cover is Cover.COVERED:
                    return replace(one, carried=carried[place], key=key)
        return one

    def _snapshots(self, head: Checkpoint, names: Sequence[str]) -> Iterable[tuple[int, Snapshot]]:
        if self.ledger is not None and head.origin == self.ledger.store.origin:
            return in_ledger(self.ledger.store, head.size, names)
        if self.bundle is not None and verify_bundle(self.bundle, keys=self.keys).complete:
            return in_bundle(parse_bundle(self.bundle))
        return ()

    def _read(self, key: KeptKey) -> tuple[Carried, ...]:
        known = self.known.joined((key.answer,))
        for _ in range(2):
            try:
                return read_header(self.message, known, self.at)
            except Unobserved as missing:  # keys of other signatures, which count for nothing here
                known = known.joined(CouldNotLook(q, Obstacle.OFFLINE, "", "", self.at) for q in missing.questions)
        return ()


def _dns(nameservers: Sequence[str], timeout: float) -> Observe:
    from deliverability.capture.dns import DnsObserver, parse_nameserver

    dns = DnsObserver(nameservers=tuple(parse_nameserver(s) for s in nameservers), timeout_seconds=timeout)

    async def observe(questions: Iterable[Question]) -> tuple[Observation, ...]:
        return await dns.observe(q for q in questions if isinstance(q, DnsQuestion))

    return observe


def _witnessed(carried: Carried, ledger: Ledger | None, bundle: bytes | None, keys: Sequence[VerifierKey]) -> Witnessed:
    if carried.note is None:
        return Witnessed(carried, None, Against("unreadable", Held.UNDECIDED, {"problem": carried.problem[:200]}))
    try:
        head, note = parse_checkpoint(carried.note)
    except ParseError as problem:
        return Witnessed(carried, None, Against("unreadable", Held.UNDECIDED, {"problem": str(problem)[:200]}))
    if bundle is not None:
        return Witnessed(carried, head, _against_bundle(carried.note, bundle, keys))
    if ledger is not None:
        return Witnessed(carried, head, _against_ledger(head, note, ledger))
    return Witnessed(carried, head, Against("alone", Held.ABSENT))


def _against_bundle(note: bytes, bundle: bytes, keys: Sequence[VerifierKey]) -> Against:
    done = verify_bundle(bundle, keys=keys, held_heads=[note])
    found = next((finding for finding in done.findings if finding.step is Step.LATER), None)
    others = [f for f in done.findings if f.step is not Step.LATER and f.held is Held.FAILED]
    if found is None or others:
        bad = others[0] if others else done.findings[0]
        return Against("bundle", bad.held, {"problem": bad.parameters.get("problem", bad.code)})
    if found.held is Held.SHOWN and not done.signed_by:
        # Whoever made the bundle named the key itself: it shows nothing about the log of anybody else.
        return Against("unsigned", Held.UNDECIDED)
    return Against(found.code.removeprefix("later-"), found.held, {"origin": done.origin})


def _against_ledger(head: Checkpoint, note: Note, ledger: Ledger) -> Against:
    store = ledger.store
    if head.origin != store.origin:
        return Against("other-log", Held.UNDECIDED, {"origin": store.origin})
    if not any(key.verify(note) for key in ledger.verifier_keys()):
        return Against("unsigned", Held.UNDECIDED)
    if head.size > store.size:
        return Against("fork", Held.FAILED)
    if head.size == store.size:
        same = head.root == store.root()
        return Against("same" if same else "fork", Held.SHOWN if same else Held.FAILED)
    proof = store.consistency(head.size, store.size)
    good = verify_consistency(head.size, store.size, head.root, store.root(), proof)
    return Against("good" if good else "fork", Held.SHOWN if good else Held.FAILED)
