"""Where a domain wants its DMARC reports, and whether those places have agreed to take them.

RFC 9990 §4 (before it RFC 7489 §7.1): a destination outside the organizational domain must say yes in its own DNS, at
``<domain>._report._dmarc.<destination>``; without that a receiver sends it nothing.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, Observations, Unobserved
from deliverability.protocols.dmarc import DmarcRecord, OrganizationalDomain, organizational_domain, parse_record

MAX_DESTINATIONS: Final = 20
"""Addresses that are followed; receivers need not go beyond two."""


class Consent(StrEnum):
    """Whether a destination takes the reports of a domain."""

    OWN = "own"
    """It is of the same organizational domain: nobody needs to ask."""
    GIVEN = "given"
    MISSING = "missing"
    NOT_MAIL = "not-mail"
    """Not ``mailto:``, which is all that receivers must support."""
    UNREADABLE = "unreadable"
    """A ``mailto:`` without an address."""
    COULD_NOT_LOOK = "could-not-look"


@dataclass(frozen=True, slots=True)
class Destination:
    """One address for reports."""

    tag: str
    """``rua`` or ``ruf``."""
    uri: str
    """Foreign text."""
    consent: Consent
    target: Domain | None = None
    where: str = ""
    """The name that has to hold the consent."""
    obstacle: CouldNotLook | None = None


def destinations(record: DmarcRecord, domain: Domain, observations: Observations) -> tuple[Destination, ...]:
    """Every address of ``rua`` and ``ruf``; ``domain`` is where the record stands.

    Raises ``Unobserved`` for all of them at once.
    """
    listed = [("rua", uri) for uri in record.rua] + [("ruf", uri) for uri in record.ruf]
    found: list[Destination] = []
    missing: list[Unobserved] = []
    for tag, uri in listed[:MAX_DESTINATIONS]:
        try:
            found.append(_destination(tag, uri, domain, observations))
        except Unobserved as needed:
            missing.append(needed)
    if missing:
        raise Unobserved(*dict.fromkeys(question for needed in missing for question in needed.questions))
    return tuple(found)


def _destination(tag: str, uri: str, domain: Domain, observations: Observations) -> Destination:
    shown = printable(uri, 200)
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "mailto":
        return Destination(tag, shown, Consent.NOT_MAIL)
    address = rest.partition("!")[0].partition("?")[0]  # RFC 9989 §4.8: a size limit is obsolete and ignored
    local, _at, host = address.rpartition("@")
    try:
        target = Domain.parse(host) if local else None
    except ParseError:
        target = None
    if target is None:
        return Destination(tag, shown, Consent.UNREADABLE)
    if target.is_within(domain):
        return Destination(tag, shown, Consent.OWN, target)
    return _agreement(Destination(tag, shown, Consent.OWN, target), target, domain, observations)


def _agreement(own: Destination, target: Domain, domain: Domain, observations: Observations) -> Destination:
    """Whether the destination is of the same organization, or has said yes."""
    where = f"{domain.name}._report._dmarc.{target.name}"
    organizations = _organizations(domain, target, observations)
    obstacle = next((one.obstacle for one in organizations if one.obstacle), None)
    if obstacle is None and organizations[0].domain == organizations[1].domain:
        return own
    answer = observations.ask(where, "TXT")
    if isinstance(answer, CouldNotLook):
        return replace(own, consent=Consent.COULD_NOT_LOOK, where=where, obstacle=answer)
    if any(parse_record(text.joined) for text in answer.records):
        return replace(own, consent=Consent.GIVEN, where=where)
    consent = Consent.COULD_NOT_LOOK if obstacle else Consent.MISSING
    return replace(own, consent=consent, where=where, obstacle=obstacle)


def _organizations(domain: Domain, target: Domain, observations: Observations) -> tuple[OrganizationalDomain, ...]:
    missing: list[Unobserved] = []
    found: list[OrganizationalDomain] = []
    for name in (domain, target):
        try:
            found.append(organizational_domain(name, observations))
        except Unobserved as needed:
            missing.append(needed)
    if missing:
        raise Unobserved(*dict.fromkeys(question for needed in missing for question in needed.questions))
    return tuple(found)
