"""Zones and their keys, proved from the root down, and what is signed or denied in them (RFC 4035 §5).

Whom a signature names as its signer says where to look for keys next.  It is a hint and no more: whatever it leads to
is proved from the root down, and a zone counts as unsigned only by the signed word of the zone above it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from deliverability.errors import ParseError
from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion, Observations, Unobserved
from deliverability.protocols import dnssec_keys as keys_of
from deliverability.protocols import dnssec_records as records
from deliverability.protocols.dnssec_absence import Absence, Kind, prove, prove_wildcard
from deliverability.protocols.dnssec_keys import Budget, KeySet, Proof
from deliverability.protocols.dnssec_records import CNAME, DNAME, DNSKEY, DS, ROOT, Message, Name, RecordSet
from deliverability.protocols.dnssec_terms import Reason, Status, TrustAnchor

_INSECURE: Final = {
    Kind.DELEGATION: Reason.UNSIGNED_DELEGATION,
    Kind.OPT_OUT: Reason.OPT_OUT,
    Kind.ITERATIONS: Reason.ITERATIONS,
}


@dataclass(frozen=True, slots=True)
class State:
    """What is proved, of a zone or of one link to an answer, and on what it rests."""

    status: Status
    reason: Reason = Reason.NONE
    where: str = ""
    keys: KeySet | None = None
    used: tuple[DnsQuestion, ...] = ()
    proofs: tuple[Proof, ...] = ()
    obstacle: CouldNotLook | None = None

    def after(self, *used: DnsQuestion, proofs: tuple[Proof, ...] = ()) -> "State":
        """The same, resting on more."""
        return replace(self, used=(*self.used, *used), proofs=(*self.proofs, *proofs))

    def fallen(self, status: Status, reason: Reason | str, name: Name, *used: DnsQuestion) -> "State":
        """What this leads to where a proof fails, or leads out of what is signed."""
        return replace(self.after(*used), status=status, reason=Reason(reason), where=_shown(name), keys=None)


class NoAnswerError(Exception):
    """An answer is not there, or none."""

    def __init__(self, reason: Reason, where: str, obstacle: CouldNotLook | None = None) -> None:
        super().__init__(reason)
        self.state = State(Status.INDETERMINATE, reason, where, obstacle=obstacle)


class Zones:
    """The zones that one set of observations proves at one time."""

    def __init__(self, observations: Observations, anchors: Sequence[TrustAnchor], at: int) -> None:
        """``at``: epoch seconds."""
        self._observations = observations
        self._anchors = tuple((a.key_tag, a.algorithm, a.digest_type, a.digest) for a in anchors)
        self._at = at
        self._budget = Budget()
        self._zones: dict[Name, State] = {}
        self._messages: dict[DnsQuestion, Message] = {}

    # --- in a zone ----------------------------------------------------------------------------------------------------

    def held(self, zone: State, message: Message, asked: DnsQuestion, found: RecordSet) -> State:
        """Whether they are signed by this very zone."""
        if zone.keys is None:
            return zone.after(asked)
        told = keys_of.verify(found, zone.keys, self._at, self._budget)
        if isinstance(told, str):
            return zone.fallen(Status.BOGUS, told, found.owner, asked)
        zone = zone.after(asked, proofs=(told,))
        if told.labels < len(found.owner) - (2 if found.owner.is_wild() else 1):
            return self._expanded(zone, message, found.owner, told)
        return zone

    def _expanded(self, zone: State, message: Message, owner: Name, told: Proof) -> State:
        """Records of a wildcard: nothing closer may exist (RFC 4035 §5.3.4, RFC 5155 §8.8)."""
        encloser = owner.split(told.labels + 1)[1]
        absence = prove_wildcard(message, _keys(zone).zone, owner, encloser, self._by(zone))
        return self._concluded(zone, absence, owner)

    def denied(self, zone: State, message: Message, asked: DnsQuestion, name: Name, kind: int) -> State:
        """Whether this very zone says that there are no such records."""
        if zone.keys is None:
            return zone.after(asked)
        absence = prove(message, zone.keys.zone, name, kind, self._by(zone))
        return self._concluded(zone.after(asked), absence, name)

    def _concluded(self, zone: State, absence: Absence, name: Name) -> State:
        zone = zone.after(proofs=absence.proofs)
        if absence.kind is Kind.NOTHING:
            return zone.fallen(Status.BOGUS, absence.why, name)
        if absence.kind in (Kind.OPT_OUT, Kind.ITERATIONS):
            return zone.fallen(Status.INSECURE, _INSECURE[absence.kind], name)
        return zone

    # --- from the root down -------------------------------------------------------------------------------------------

    def enclosing(self, name: Name, *, cut: bool, likely: Sequence[DnsQuestion] = ()) -> State:
        """The zone that ``name`` stands in, as far as it is proved; ``cut``: a signature says that it is the zone.

        Without such a hint it is looked for from the root down, so that what lies below an unsigned delegation is
        never asked for.  ``likely`` are the questions that all this may take.
        """
        known = self._zones.get(name)
        if known is None:
            above = [name.split(labels)[1] for labels in range(2, len(name) + 1)]
            likely = likely or [
                *(question_of(one, "DS") for one in above),
                *(question_of(one, "DNSKEY") for one in (ROOT, *(above if cut else ()))),
            ]
            try:
                known = self._root(likely) if name == ROOT else self._below(name, likely, cut=cut)
            except NoAnswerError as nothing:
                known = nothing.state
            self._zones[name] = known
        return known

    def _root(self, likely: Sequence[DnsQuestion]) -> State:
        question = question_of(ROOT, "DNSKEY")
        found = self.read(question, ROOT, DNSKEY, likely).answer.get((ROOT, DNSKEY))
        if found is None or not found.signatures:
            return State(Status.INDETERMINATE, Reason.NO_SIGNATURES, ".", used=(question,))
        return self._keyed(State(Status.SECURE), question, found, self._anchors, Reason.ANCHOR_MISMATCH)

    def _below(self, name: Name, likely: Sequence[DnsQuestion], *, cut: bool) -> State:
        """By the DS records of ``name``, or the proof that it has none."""
        question = question_of(name, "DS")
        parent = None if cut else self.enclosing(name.parent(), cut=False, likely=likely)
        if parent is not None and parent.keys is None:
            return parent
        try:
            message = self.read(question, name, DS, likely)
        except NoAnswerError as nothing:
            parent = parent or self.enclosing(name.parent(), cut=False, likely=likely)
            return parent if parent.keys is None else nothing.state
        if parent is None:
            signer = message.deepest_signer(name, strictly=True)
            parent = self.enclosing(signer or name.parent(), cut=signer is not None, likely=likely)
        if parent.keys is None:
            return parent
        ds = message.answer.get((name, DS))
        if ds is None:
            return self._undelegated(parent, message, question, name)
        return self._delegated(parent, parent.keys, ds, question)

    def _delegated(self, parent: State, above: KeySet, ds: RecordSet, question: DnsQuestion) -> State:
        """By DS records: the zone with its keys, or why it has none that count."""
        name = ds.owner
        told = keys_of.verify(ds, above, self._at, self._budget)
        if not isinstance(told, str) and told.labels != len(name) - 1:
            told = Reason.NOT_PROVED  # a delegation is never made from a wildcard
        if isinstance(told, str):
            return parent.fallen(Status.BOGUS, told, name, question)
        trusted = keys_of.usable_delegations(keys_of.delegations(ds))
        delegated = parent.after(question, proofs=(told,))
        if not trusted:
            return delegated.fallen(Status.INSECURE, Reason.UNSUPPORTED_ALGORITHM, name)
        asked = question_of(name, "DNSKEY")
        keys = self.read(asked, name, DNSKEY).answer.get((name, DNSKEY))
        if keys is None:
            return delegated.fallen(Status.BOGUS, Reason.DS_MISMATCH, name, asked)
        return self._keyed(delegated, asked, keys, trusted, Reason.DS_MISMATCH)

    def _undelegated(self, parent: State, message: Message, question: DnsQuestion, name: Name) -> State:
        """No DS: an unsigned delegation, or no delegation at all, so that the zone above goes on."""
        alias = message.answer.get((name, CNAME))
        if alias is not None:  # an alias is no delegation, RFC 2181 §10.1
            told = self.held(parent, message, question, said_by(message, alias))
            return parent.after(question) if told.status is Status.SECURE else told
        absence = prove(message, _keys(parent).zone, name, DS, self._by(parent))
        if absence.kind in _INSECURE:
            proved = parent.after(question, proofs=absence.proofs)
            return proved.fallen(Status.INSECURE, _INSECURE[absence.kind], name)
        if absence.kind is Kind.NOTHING:
            return parent.fallen(Status.BOGUS, absence.why, name, question)
        return parent.after(question, proofs=absence.proofs)

    def _keyed(
        self,
        above: State,
        question: DnsQuestion,
        found: RecordSet,
        trusted: tuple[tuple[int, int, int, bytes], ...],
        mismatch: Reason,
    ) -> State:
        """The zone with its keys, once one that is trusted has signed them all (RFC 4035 §5.2)."""
        keys = keys_of.zone_keys(found)
        entry = keys_of.entry_keys(found.owner, keys, trusted)
        if not entry and keys_of.entry_keys(found.owner, keys_of.zone_keys(found, any_size=True), trusted):
            return above.fallen(Status.INDETERMINATE, Reason.LIMIT, found.owner, question)
        if not entry:
            return above.fallen(Status.BOGUS, mismatch, found.owner, question)
        told = keys_of.verify(found, KeySet(found.owner, entry), self._at, self._budget)
        if not isinstance(told, str) and told.labels != len(found.owner) - 1:
            told = Reason.SIGNATURE_WRONG
        if isinstance(told, str):
            return above.fallen(Status.BOGUS, told, found.owner, question)
        return replace(above.after(question, proofs=(told,)), keys=KeySet(found.owner, keys))

    def _by(self, zone: State) -> "_Verifier":
        return _Verifier(_keys(zone), self._at, self._budget)

    # --- observations -------------------------------------------------------------------------------------------------

    def read(self, question: DnsQuestion, name: Name, kind: int, likely: Sequence[DnsQuestion] = ()) -> Message:
        """The answer; one that is missing is raised with those that will be needed next."""
        known = self._messages.get(question)
        if known is not None:
            return known
        answers = self._observations.answers
        if question not in answers:
            raise Unobserved(*dict.fromkeys((question, *(one for one in likely if one not in answers))))
        observed = answers[question]
        if isinstance(observed, CouldNotLook) or not isinstance(observed, DnsAnswer):
            obstacle = observed if isinstance(observed, CouldNotLook) else None
            raise NoAnswerError(Reason.COULD_NOT_LOOK, _shown(name), obstacle)
        try:
            message = self._messages[question] = records.read(observed.wire, name, kind)
        except ParseError:
            raise NoAnswerError(Reason.UNREADABLE, _shown(name)) from None
        return message


def said_by(message: Message, alias: RecordSet) -> RecordSet:
    """The alias, or the DNAME record that an unsigned one was made from (RFC 6672 §5.3.1)."""
    name, target = alias.owner, alias.data[0].target
    for (owner, rdtype), one in message.answer.items() if not alias.signatures else ():
        if rdtype == DNAME and owner != name and name.is_subdomain(owner):
            return one if records.substituted(name, one) == target else alias
    return alias


@dataclass(frozen=True, slots=True)
class _Verifier:
    """Verifies signatures by one zone's keys."""

    keys: KeySet
    at: int
    budget: Budget

    def __call__(self, found: RecordSet) -> Proof | str:
        return keys_of.verify(found, self.keys, self.at, self.budget)


def _keys(zone: State) -> KeySet:
    return zone.keys or KeySet(ROOT)


def question_of(name: Name, rdtype: str) -> DnsQuestion:
    """The question for a name's records and their signatures."""
    return DnsQuestion(records.to_text(name), rdtype, signed=True)


def _shown(name: Name) -> str:
    return records.to_text(name) or "."
