"""What the DNS said beside a sending, and whether the message's signatures held as it left (DESIGN §4.2, §4.8).

Taken while and after the message goes out, never before it, and never in its way.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from deliverability.errors import ParseError
from deliverability.evidence.names import Domain, Mailbox
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsQuestion,
    Observation,
    Observations,
    Obstacle,
    Question,
    Unobserved,
)
from deliverability.evidence.recorder import Hop, Intent, Outcome, Snapshot
from deliverability.evidence.smtp import Host

if TYPE_CHECKING:
    from deliverability.capture._connect import AsksDns
    from deliverability.protocols.dnssec import TrustAnchor

MAX_ROUNDS: Final = 30
MAX_QUESTIONS: Final = 200
MAX_KEYS: Final = 4
"""Signatures whose keys are proved."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a snapshot is about."""

    content: bytes
    intents: tuple[Intent, ...]
    outcomes: tuple[Outcome, ...]
    known: tuple[Observation, ...] = ()
    """What was looked up on the way."""


async def take(
    subject: Subject, dns: "AsksDns", clock: Callable[[], datetime], anchors: Sequence["TrustAnchor"] = ()
) -> tuple[Snapshot, ...]:
    """One snapshot for each recipient; raises nothing for DNS trouble.  Without ``anchors`` IANA's are used.

    SPF is looked at for the address that connected to the recipient's MX; behind a relay it is not.
    """
    common = Observations.of(subject.known)
    common, signatures = await _settled(lambda o: _signatures(subject, o), common, dns, clock)
    common, _ = await _settled(lambda o: _spf(subject, o), common, dns, clock)
    common, _ = await _settled(lambda o: _policy(subject, o), common, dns, clock)
    common = await _with_key_chains(subject, common, dns, clock, anchors)
    snapshots: list[Snapshot] = []
    for intent in subject.intents:
        observations, _ = await _settled(partial(_exchanger, intent), common, dns, clock)
        snapshots.append(
            Snapshot(dispatch=intent.dispatch, at=clock(), observations=tuple(observations), verified=tuple(signatures))
        )
    return tuple(snapshots)


async def _with_key_chains(
    subject: Subject,
    common: Observations,
    dns: "AsksDns",
    clock: Callable[[], datetime],
    anchors: Sequence["TrustAnchor"],
) -> Observations:
    """With the DNSSEC chain of each signing key whose zone is signed: it proves the key when it is long gone.

    Of an unsigned zone nothing is kept: that its keys cannot be proved needs no proof.
    """
    from deliverability.protocols.dnssec import IANA_ANCHORS, Status
    from deliverability.protocols.dnssec_chain import chain_for

    now, trusted = int(clock().timestamp()), anchors or IANA_ANCHORS
    for domain, selector in (subject.intents[0].signatures if subject.intents else ())[:MAX_KEYS]:
        question = DnsQuestion(f"{selector}._domainkey.{domain}", "TXT")
        deep, _ = await _settled(partial(_chain_wanted, question, now, trusted), common, dns, clock)
        with suppress(Unobserved):
            chain = chain_for(question, deep, trusted, now)
            if chain.validation.status is Status.SECURE:
                common = common.joined(chain.answers)
    return common


def _chain_wanted(
    question: DnsQuestion, now: int, anchors: Sequence["TrustAnchor"], observations: Observations
) -> None:
    from deliverability.protocols.dnssec_chain import chain_for

    chain_for(question, observations, anchors, now)


Work = Callable[[Observations], object]


async def _settled(
    work: Work,
    observations: Observations,
    dns: "AsksDns",
    clock: Callable[[], datetime],
) -> tuple[Observations, list[tuple[str, str, str]]]:
    """Evaluate in a thread, look up what is missing, evaluate again."""
    asked = 0
    for _ in range(MAX_ROUNDS):
        missing, result = await asyncio.to_thread(_step, work, observations)
        if not missing:
            return observations, result if isinstance(result, list) else []
        asked += len(missing)
        wanted = [q for q in missing if isinstance(q, DnsQuestion)]
        got = await dns.observe(wanted) if asked <= MAX_QUESTIONS else ()
        left = set(missing) - {o.question for o in got}
        observations = observations.joined((*got, *_blanks(left, clock())))
    return observations, []


def _step(work: Work, observations: Observations) -> tuple[tuple[Question, ...], object]:
    try:
        return (), work(observations)
    except Unobserved as wanted:
        return wanted.questions, None
    except ParseError:
        return (), None


def _blanks(questions: Iterable[Question], now: datetime) -> list[CouldNotLook]:
    return [CouldNotLook(q, Obstacle.LIMIT, "more than a snapshot may ask", "", now) for q in questions]


def _signatures(subject: Subject, observations: Observations) -> list[tuple[str, str, str]]:
    from deliverability.protocols import dkim

    if not subject.intents or not subject.intents[0].signatures:
        return []
    found = dkim.verify(subject.content, observations, subject.intents[0].at)
    return [(s.domain.name if s.domain else "", s.selector or "", s.result.value) for s in found]


def _spf(subject: Subject, observations: Observations) -> None:
    from deliverability.protocols import spf

    outcome = next((o for o in subject.outcomes if o.local_ip), None)
    intent = subject.intents[0]
    if intent.hop is not Hop.RECIPIENT_MX or outcome is None or outcome.local_ip is None:
        return
    helo = outcome.helo or ""
    spf.check_host(outcome.local_ip, intent.reverse_path, "" if helo.startswith("[") else helo, observations)


def _policy(subject: Subject, observations: Observations) -> None:
    from deliverability.protocols import dmarc

    if subject.intents[0].author_domain:
        dmarc.discover_policy(Domain.parse(subject.intents[0].author_domain), observations)


def _exchanger(intent: Intent, observations: Observations) -> None:
    from deliverability.protocols import mx

    domain = Mailbox.parse(intent.forward_path).domain
    mx.match(Host(intent.next_hop, None), domain, observations)
