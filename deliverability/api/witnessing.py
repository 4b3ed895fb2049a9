"""A customer's old mail held against the log: whether the log continues the head that the mail carries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from deliverability.api.observe import Observe, blocking, settle
from deliverability.errors import ParseError
from deliverability.evidence.observation import DnsQuestion, Observation, Observations, Question, Unobserved
from deliverability.ledger.checkpoint import Checkpoint, parse_checkpoint
from deliverability.ledger.log import Ledger
from deliverability.ledger.merkle import verify_consistency
from deliverability.ledger.notes import Note, VerifierKey
from deliverability.ledger.verify import Held, Step, verify_bundle
from deliverability.protocols.mail import parse_mail
from deliverability.protocols.witness import Carried, Cover, Hop, read_header, received


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
) -> Testimony:
    """Hold a mail's checkpoint fields against a ledger or a bundle; asks the DNS for DKIM keys, unless ``offline``.

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

    carried, _ = blocking(lambda: settle(step, observations or Observations(), observe, at), "witness")
    return Testimony(tuple(_witnessed(one, ledger, bundle, keys) for one in carried), hops)


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
