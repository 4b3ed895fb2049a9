"""Block lists in the DNS: whether an address is listed, and whether the list answered us at all (RFC 5782).

No list is ever asked unless the caller names it, because each has terms of its own and it is the caller who has to
meet them.  As their operators state them (2026; read the page of the list before naming it):

- Spamhaus (``zen.spamhaus.org``): free for low-volume, non-commercial use, from a resolver of your own; queries through
  public resolvers or in excess are answered with 127.255.255.254 and .255, a mistyped zone with .252, and none of these
  may be read as a listing (spamhaus.org/returnc).  Anything else needs a key for its Data Query Service; the key is
  part of the zone's name and is not shown.
- Barracuda (``b.barracudacentral.org``): the resolver's address has to be registered first.
- SpamCop (``bl.spamcop.net``): free; SpamCop itself advises to score by it, not to refuse.
- Abusix (``*.mail.abusix.zone``): needs a key, which is part of the zone's name and is not shown.
- SURBL, URIBL: lists of domains, not of addresses, so not for this check; 127.0.0.1 is how they refuse.
- SORBS was shut down in 2024, as other lists were before; some that were abandoned list everything.

Some resolvers answer such questions with "no such name" by order of the list.  Only the test entry, which every list
has to contain (RFC 5782 §5), tells that silence from "not listed".
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from deliverability.evidence.names import Domain
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsObservation,
    DnsQuestion,
    Observations,
    Obstacle,
)
from deliverability.protocols.mx import parse_ip

PREFIX: Final = "dnsbl:"
"""How a caller names a list, ``dnsbl:zen.example``."""
MAX_REASON: Final = 300
"""Characters of a list's own words."""
_LISTING: Final = ip_network("127.0.0.0/8")  # RFC 5782 §2.1
_ERRORS: Final = ip_network("127.255.255.0/24")  # Spamhaus, and whoever followed
_REFUSAL: Final = ip_address("127.0.0.1")  # RFC 5782 §5: never a listing; SURBL and URIBL refuse with it
_TEST: Final = {
    4: (ip_address("127.0.0.2"), ip_address("127.0.0.1")),
    6: (ip_address("::ffff:7f00:2"), ip_address("::ffff:7f00:1")),
}
_REFUSED: Final = (Obstacle.REFUSED, Obstacle.SERVFAIL)
_KEYED: Final = {".dq.spamhaus.net": "zen.dq.spamhaus.net", ".mail.abusix.zone": "mail.abusix.zone"}


class Listing(StrEnum):
    """What a list says."""

    LISTED = "listed"
    NOT_LISTED = "not-listed"
    REFUSED = "query-refused"
    """The list, or the resolver for it, does not answer us: says nothing of the address."""
    SILENT = "test-entry-missing"
    """The entry that every list contains is not there: the list is gone, or not answering us."""
    LISTS_ALL = "lists-everything"
    """An address that may never be listed is: the list is gone."""
    STRANGE = "strange-answer"
    """An answer outside 127.0.0.0/8: not a list, or a resolver that makes answers up."""
    COULD_NOT_LOOK = "could-not-look"


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """One list's word on one address."""

    zone: str
    """As it may be shown: without a key."""
    listing: Listing
    codes: tuple[str, ...] = ()
    reason: str = ""
    """The list's own words, foreign text."""
    obstacle: Obstacle | None = None
    observed_at: datetime | None = None


def query_name(ip: IPv4Address | IPv6Address, zone: Domain) -> str:
    """The name under which ``zone`` would list ``ip`` (RFC 5782 §2.1, §2.4)."""
    return f"{ip.reverse_pointer.rpartition('.in-addr.')[0] or ip.reverse_pointer.rpartition('.ip6.')[0]}.{zone.name}"


def look_up(ip: IPv4Address | IPv6Address, zone: Domain, observations: Observations) -> ListAnswer:
    """What ``zone`` says of ``ip``; may raise ``Unobserved``."""
    shown = shown_zone(zone)
    names = [query_name(one, zone) for one in (ip, *_TEST[ip.version])]
    asked, present, absent = observations.ask_all(*(DnsQuestion(name, "A") for name in names))
    told = _trouble(asked, present, absent)
    if told:
        obstacle = next((o.obstacle for o in (asked, present, absent) if isinstance(o, CouldNotLook)), None)
        return ListAnswer(shown, told, _codes(asked), obstacle=obstacle, observed_at=asked.observed_at)
    codes = _codes(asked)
    if not codes:
        return ListAnswer(shown, Listing.NOT_LISTED, observed_at=asked.observed_at)
    words = observations.ask(names[0], "TXT")
    reason = words.records[0].value[:MAX_REASON] if isinstance(words, DnsAnswer) and words.records else ""
    return ListAnswer(shown, Listing.LISTED, codes, reason, observed_at=asked.observed_at)


def shown_zone(zone: Domain) -> str:
    """The zone's name without the customer's key."""
    return next((public for suffix, public in _KEYED.items() if zone.name.endswith(suffix)), zone.name)


def _trouble(asked: DnsObservation, present: DnsObservation, absent: DnsObservation) -> Listing | None:
    """Why the list's answer says nothing of the address; ``None`` if it does."""
    all_three = (asked, present, absent)
    values = [parse_ip(code) for one in all_three for code in _codes(one)]
    if any(ip is not None and (ip in _ERRORS or ip == _REFUSAL) for ip in values):
        return Listing.REFUSED
    if any(ip is None or ip not in _LISTING for ip in values):
        return Listing.STRANGE
    failed = [one.obstacle for one in all_three if isinstance(one, CouldNotLook)]
    if failed:
        return Listing.REFUSED if all(why in _REFUSED for why in failed) else Listing.COULD_NOT_LOOK
    if _codes(absent):
        return Listing.LISTS_ALL
    return None if _codes(present) else Listing.SILENT


def _codes(found: DnsObservation) -> tuple[str, ...]:
    return tuple(record.value for record in found.records) if isinstance(found, DnsAnswer) else ()
