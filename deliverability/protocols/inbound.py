"""The receiving side of a sending domain: which domain bounces and replies go to, and which hosts take mail for it.

RFC 5321 §5.1 (MX and the implicit MX), RFC 7505 (null MX).  A sender's own inbound side matters because bounces,
complaints and the customers' replies arrive there, and because receivers refuse senders that cannot be answered.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeVar

from deliverability.evidence.bundle import Evidence
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsQuestion,
    Observations,
    Question,
    SmtpAnswer,
    SmtpProbe,
    Unobserved,
)
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import grounds

MAX_HOSTS: Final = 32
"""Mail hosts whose addresses are looked up."""
MAX_PROBED: Final = 8
"""Mail hosts that are connected to, the preferred first."""
_SHOWN: Final = 10  # names in one sentence

T = TypeVar("T")
Item = TypeVar("Item")

NOT_ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "Not asked for, because it contacts other parties' servers. Ask for it with {option}.",
        "zh-Hant-TW": "這項檢查會連線到其他單位的伺服器，因此未要求就不進行。請以 {option} 要求。",
    }
)
NO_INBOUND: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "{domain} takes no mail, so there is no mail server to look at.",
        "zh-Hant-TW": "{domain} 不收信，因此沒有可檢查的郵件伺服器。",
    }
)
NOT_REACHED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "Not every mail server could be asked ({what}), so nothing can be said. Port 25 may be closed for this network; try from the mail server.",
        "zh-Hant-TW": "並非每部郵件伺服器都能連線查問（{what}），因此無法判斷。目前的網路可能封鎖了 25 埠；請改由郵件伺服器執行。",
    }
)
NOT_ALL_PROBED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "Not all mail servers were asked: only the {probed} preferred of {all}.",
        "zh-Hant-TW": "只查問了 {all} 部郵件伺服器中優先的 {probed} 部。",
    }
)
INBOUND: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "no-inbound": NO_INBOUND,
        "need-author-domain": grounds.NEED_AUTHOR_DOMAIN,
        "could-not-look": grounds.COULD_NOT_LOOK,
    }
)
"""Texts for every code that :func:`taking_mail` may give."""
PROBED: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {**INBOUND, "not-asked": NOT_ASKED, "not-reached": NOT_REACHED, "not-all-probed": NOT_ALL_PROBED}
)
"""Texts that the checks which connect to mail servers share."""


class Inbound(StrEnum):
    """How a domain takes mail."""

    MX = "mx"
    IMPLICIT = "implicit"
    """No MX record: the domain's own addresses stand in (RFC 5321 §5.1)."""
    NULL_MX = "null-mx"
    """The domain says that it takes none (RFC 7505)."""
    NONE = "none"
    """Neither MX nor address records."""
    COULD_NOT_LOOK = "could-not-look"


@dataclass(frozen=True, slots=True)
class MailHosts:
    """The hosts that take mail for a domain."""

    domain: Domain
    kind: Inbound
    hosts: tuple[str, ...] = ()
    """The preferred first, at most :data:`MAX_HOSTS`."""
    count: int = 0
    """All of them."""
    null_among: bool = False
    """A null MX stands beside others, which RFC 7505 §3 forbids."""
    authenticated: bool = False
    """The resolver says that it validated the MX answer."""
    obstacle: CouldNotLook | None = None


def inbound_domain(evidence: Evidence) -> Domain | None:
    """The domain that bounces go to, that of the reverse-path; else the one that replies go to."""
    return grounds.mail_from_domain(evidence) or (evidence.author_domain.value if evidence.author_domain else None)


def mail_hosts(domain: Domain, observations: Observations) -> MailHosts:
    """Who takes mail for ``domain``; may raise ``Unobserved``."""
    answer = observations.ask(domain.name, "MX")
    if isinstance(answer, CouldNotLook):
        return MailHosts(domain, Inbound.COULD_NOT_LOOK, obstacle=answer)
    ordered = sorted(answer.records, key=lambda record: (record.preference or 0, record.value))
    names = tuple(dict.fromkeys(record.value.lower().removesuffix(".") for record in ordered))
    hosts = tuple(name for name in names if name)
    if hosts:
        return MailHosts(
            domain, Inbound.MX, hosts[:MAX_HOSTS], len(hosts), len(hosts) < len(names), answer.authenticated
        )
    if names:
        return MailHosts(domain, Inbound.NULL_MX)
    found = observations.ask_all(*(DnsQuestion(domain.name, family) for family in ("A", "AAAA")))
    if any(isinstance(one, DnsAnswer) and one.records for one in found):
        return MailHosts(domain, Inbound.IMPLICIT, (domain.name,), 1, authenticated=answer.authenticated)
    obstacle = next((one for one in found if isinstance(one, CouldNotLook)), None)
    return MailHosts(domain, Inbound.COULD_NOT_LOOK if obstacle else Inbound.NONE, obstacle=obstacle)


def taking_mail(evidence: Evidence) -> MailHosts | Ruling:
    """The hosts that take mail for the evidence's domain, or what has to be said where there are none."""
    domain = inbound_domain(evidence)
    if domain is None:
        return grounds.need("need-author-domain")
    found = mail_hosts(domain, evidence.observations)
    if found.kind is Inbound.COULD_NOT_LOOK:
        return grounds.open_question(found.obstacle)
    if not found.hosts:
        return Ruling(Outcome.NOT_APPLICABLE, Finding.of("no-inbound", domain=domain))
    return found


def not_asked(evidence: Evidence, option: str) -> Finding | None:
    """Why an opt-in check does not run; ``None`` where the caller asked for it by ``option``."""
    return None if option in evidence.asked_for else Finding.of("not-asked", option=f"--with {option}")


def probed(hosts: Iterable[str], observations: Observations) -> tuple[SmtpAnswer | CouldNotLook, ...]:
    """How each host introduced itself on port 25; raises ``Unobserved`` naming every one that is missing."""
    return each(hosts, observations.probe)


def each(items: Iterable[Item], look: Callable[[Item], T]) -> tuple[T, ...]:
    """``look`` at every item; raises ``Unobserved`` with what all of them miss, not only the first."""
    results: list[T] = []
    missing: dict[Question, None] = {}
    for item in items:
        try:
            results.append(look(item))
        except Unobserved as wanted:
            missing.update(dict.fromkeys(wanted.questions))
    if missing:
        raise Unobserved(*missing)
    return tuple(results)


def not_all(found: MailHosts) -> tuple[Finding, ...]:
    """The remark that more hosts exist than were connected to, where that is so."""
    if found.count <= MAX_PROBED:
        return ()
    return (Finding.of("not-all-probed", probed=MAX_PROBED, all=found.count),)


def not_reached(failures: Iterable[CouldNotLook], details: tuple[Finding, ...] = ()) -> Ruling:
    """Nothing can be said of hosts that could not be asked."""
    what = listed(f"{f.question}: {f.obstacle}" if isinstance(f.question, SmtpProbe) else "" for f in failures)
    return Ruling(Outcome.INDETERMINATE, Finding.of("not-reached", what=what), details=details)


def listed(names: Iterable[str], count: int = 0) -> str:
    """Names for one sentence; of very many the first, and how many more there are of ``count`` in all."""
    every = tuple(names)
    more = max(count, len(every)) - len(every[:_SHOWN])
    return ", ".join(every[:_SHOWN]) + (f" (+{more})" if more else "")
