"""From a question to what is proved of it, along its aliases (RFC 4035 §5.3 to §5.5)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from deliverability.errors import ParseError
from deliverability.evidence.observation import DnsQuestion, Observations
from deliverability.protocols import dnssec_records as records
from deliverability.protocols.dnssec_records import CNAME, DS, ROOT, LimitError, Message, Name, RecordSet
from deliverability.protocols.dnssec_terms import Reason, Status, TrustAnchor, Validation
from deliverability.protocols.dnssec_zones import NoAnswerError, State, Zones, question_of, said_by

MAX_ALIASES: Final = 10
"""Links of a chain of aliases."""


class Walk:
    """All that one set of observations proves at one time."""

    def __init__(self, observations: Observations, anchors: Sequence[TrustAnchor], at: int) -> None:
        """``at``: epoch seconds."""
        self._zones = Zones(observations, anchors, at)

    def validate(self, question: DnsQuestion) -> Validation:
        """What is proved of a question; raises ``Unobserved``, and nothing else."""
        try:
            return self._follow(question, records.to_name(question), records.to_type(question))
        except ParseError:
            return Validation(question=question, status=Status.INDETERMINATE, reason=Reason.UNREADABLE)
        except LimitError:
            where = question.name or "."
            return Validation(question=question, status=Status.INDETERMINATE, reason=Reason.LIMIT, where=where)

    def _follow(self, question: DnsQuestion, name: Name, kind: int) -> Validation:
        """Along the aliases, also where they lead out of an answer."""
        whole, first = State(Status.SECURE), None
        seen, asked = {name}, question
        message: Message | None = None
        while True:
            try:
                message = message or self._zones.read(asked, name, kind, (question_of(ROOT, "DNSKEY"),))
                link, found, target = self._link(message, asked, name, kind)
            except NoAnswerError as nothing:
                return _validation(question, _joined(whole, nothing.state), None, name, first)
            whole = _joined(whole, link)
            if target is None:
                return _validation(question, whole, found, name, first)
            first = first or link.status
            if link.status in (Status.BOGUS, Status.INDETERMINATE):
                return _validation(question, whole, None, name, first)
            if target in seen or len(seen) > MAX_ALIASES:
                fallen = whole.fallen(Status.BOGUS, Reason.ALIASES, name)
                return _validation(question, fallen, None, name, first)
            if len(target) > records.MAX_LABELS + 1:
                raise LimitError("labels")
            name = target
            seen.add(name)
            if (name, kind) not in message.answer and (name, CNAME) not in message.answer:
                asked, message = question_of(name, question.rdtype), None

    def _link(
        self, message: Message, asked: DnsQuestion, name: Name, kind: int
    ) -> tuple[State, RecordSet | None, Name | None]:
        """One name: its records, or where it leads, or that it has none."""
        found = message.answer.get((name, kind))
        alias = message.answer.get((name, CNAME)) if kind != CNAME else None
        if found is not None:
            return self._signed(message, asked, found, strictly=kind == DS), found, None
        if alias is not None:
            told = self._signed(message, asked, said_by(message, alias), strictly=False)
            return told, None, alias.data[0].target
        return self._absent(message, asked, name, kind), None, None

    def _signed(self, message: Message, asked: DnsQuestion, found: RecordSet, *, strictly: bool) -> State:
        """Whether records are signed by the zone that they stand in."""
        signer = records.deepest(found.signers(found.owner, strictly=strictly))
        start = signer or (found.owner.parent() if strictly and found.owner != ROOT else found.owner)
        return self._zones.held(self._zones.enclosing(start, cut=signer is not None), message, asked, found)

    def _absent(self, message: Message, asked: DnsQuestion, name: Name, kind: int) -> State:
        """That there are no such records."""
        strictly = kind == DS and name != ROOT
        signer = message.deepest_signer(name, strictly=strictly)
        start = signer or (name.parent() if strictly else name)
        zone = self._zones.enclosing(start, cut=signer is not None)
        return self._zones.denied(zone, message, asked, name, kind)


_ORDER: Final = (Status.SECURE, Status.INSECURE, Status.INDETERMINATE, Status.BOGUS)


def _joined(one: State, other: State) -> State:
    """A chain is as good as its weakest link."""
    worst = max(one, other, key=lambda state: _ORDER.index(state.status))
    used = tuple(dict.fromkeys((*one.used, *other.used)))
    return replace(worst, used=used, proofs=(*one.proofs, *other.proofs))


def _validation(
    question: DnsQuestion, state: State, found: RecordSet | None, name: Name, first: Status | None
) -> Validation:
    return Validation(
        question=question,
        status=state.status,
        reason=state.reason,
        where=state.where,
        records=found.records() if found is not None else (),
        canonical_name=records.to_text(name),
        alias_status=first,
        valid_from=max((proof.valid_from for proof in state.proofs), default=None),
        valid_until=min((proof.valid_until for proof in state.proofs), default=None),
        used=state.used,
        obstacle=state.obstacle,
    )
