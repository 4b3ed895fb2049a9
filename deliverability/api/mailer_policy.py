"""The TLS policies of recipients' domains, looked up before a host is connected to, and kept as long as they say.

RFC 8461 §3.3, §5.1: a policy stays in force for its ``max_age``, also when its record is gone or cannot be fetched
again; so whoever suppresses it has to have done so before the first message.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from deliverability.api.observe import Observe, settle
from deliverability.errors import ParseError
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import (
    DnsQuestion,
    HttpsQuestion,
    Observation,
    Observations,
    Question,
    Unobserved,
)
from deliverability.protocols.dnssec import IANA_ANCHORS, TrustAnchor, Validator
from deliverability.protocols.tls_policy import Demand, Source, Sts, StsPolicy, dane_demand, sts_demand, sts_of

if TYPE_CHECKING:
    from deliverability.capture._connect import AsksDns, Roots

KEEP: Final = timedelta(minutes=5)
"""How long nothing is looked up again."""
KEEP_REFUSED: Final = timedelta(seconds=30)
MAX_KEPT: Final = 10_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ruled:
    """A demand and what it rests on."""

    demand: Demand
    observations: tuple[Observation, ...]


class Policies:
    """Demands of domains upon their mail servers, each looked up once in a while."""

    def __init__(
        self, observe: Observe, clock: Callable[[], datetime], anchors: Sequence[TrustAnchor] = IANA_ANCHORS
    ) -> None:
        self._observe, self._clock, self._anchors = observe, clock, tuple(anchors)
        self._ruled: OrderedDict[tuple[str, str], tuple[datetime, Ruled]] = OrderedDict()
        self._policies: OrderedDict[str, tuple[datetime, StsPolicy]] = OrderedDict()

    async def of(self, domain: str, host: str) -> Ruled:
        """What ``domain`` demands of ``host``; raises nothing for trouble on the way."""
        now, key = self._clock(), (domain, host)
        until, known = self._ruled.get(key, (now, None))
        if known is not None and now < until:
            return known
        ruled = await self._look(domain, host, now)
        self._ruled[key] = now + (KEEP_REFUSED if ruled.demand.refused else KEEP), ruled
        while len(self._ruled) > MAX_KEPT:
            self._ruled.popitem(last=False)
        return ruled

    async def _look(self, name: str, host: str, now: datetime) -> Ruled:
        try:
            domain = Domain.parse(name)  # the host may be called anything: whoever forges MX records names it
        except ParseError:  # an address literal: nobody publishes anything of it
            return Ruled(Demand(Source.NONE, ""), ())
        dane, seen = await self._settled(partial(self._dane, domain, host, now), now)
        if dane is not None:
            return Ruled(dane, seen)
        sts, more = await self._settled(partial(sts_of, domain), now)
        return Ruled(sts_demand(domain, host, self._in_force(domain, sts, now)), (*seen, *more))

    def _dane(self, domain: Domain, host: str, now: datetime, observations: Observations) -> Demand | None:
        return dane_demand(domain, host, Validator(observations, int(now.timestamp()), self._anchors))

    async def _settled(self, work: Callable[[Observations], T], now: datetime) -> tuple[T, tuple[Observation, ...]]:
        def step(observations: Observations) -> tuple[T] | frozenset[Question]:
            try:
                return (work(observations),)
            except Unobserved as wanted:
                return frozenset(wanted.questions)

        (reached,), observations = await settle(step, Observations(), self._observe, now)
        return reached, tuple(observations)

    def _in_force(self, domain: Domain, sts: Sts, now: datetime) -> Sts:
        """The policy that was found, else one that was found before and has not run out."""
        if sts.found is not None:
            self._policies[domain.name] = now + timedelta(seconds=sts.found.policy.max_age), sts.found
            self._policies.move_to_end(domain.name)
            while len(self._policies) > MAX_KEPT:
                self._policies.popitem(last=False)
            return sts
        until, known = self._policies.get(domain.name, (now, None))
        return Sts(known, "") if known is not None and now < until else sts


def observer(dns: "AsksDns", roots: "Roots", *, private: bool) -> Observe:
    """Asks the DNS, and fetches policies by the addresses that it gives."""
    from deliverability.capture._connect import resolver
    from deliverability.capture.https import HttpsObserver

    https = HttpsObserver(resolve=resolver(dns), roots=roots, private=private)

    async def observe(questions: Iterable[Question]) -> tuple[Observation, ...]:
        wanted = tuple(questions)
        asked, fetched = await asyncio.gather(
            dns.observe(q for q in wanted if isinstance(q, DnsQuestion)),
            https.observe(q for q in wanted if isinstance(q, HttpsQuestion)),
        )
        return (*asked, *fetched)

    return observe
