"""DANE for SMTP: what a domain's signed DNS says of its mail servers' certificates (RFC 7672, RFC 6698, RFC 7671).

TLSA records bind only where DNSSEC protects them, and the MX and address records that lead to them (RFC 7672 §2.2).
That is validated here, by ``protocols.dnssec``; what a resolver says of it counts for nothing.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import SmtpAnswer
from deliverability.protocols.certificate import issued_by, public_key_info, read_certificate
from deliverability.protocols.dnssec import Status, Validation, Validator
from deliverability.protocols.inbound import each

MAX_RECORDS: Final = 64
"""TLSA records of one host that are looked at."""
MAX_CHAIN: Final = 10
"""Certificates of a chain that are followed."""
MAX_TEXT: Final = 140_000  # characters: 65,535 octets in hexadecimal
_TRUST_ANCHOR, _END_ENTITY = 2, 3  # RFC 7218 §2.1: DANE-TA, DANE-EE
_SIZES: Final = {0: None, 1: 32, 2: 64}  # RFC 7218 §2.3: Full, SHA2-256, SHA2-512


@dataclass(frozen=True, slots=True)
class Tlsa:
    """A TLSA record (RFC 6698 §2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes

    @classmethod
    def parse(cls, text: str) -> "Tlsa":
        """Read the presentation form, RFC 6698 §2.2; raises :class:`~deliverability.errors.ParseError`."""
        found = _form().match(text) if len(text) <= MAX_TEXT else None
        digits = found[4].replace(" ", "") if found else "?"
        usage, selector, matching = (int(n) for n in found.group(1, 2, 3)) if found else (0, 0, 0)
        if found is None or len(digits) % 2 or max(usage, selector, matching) > 255:
            raise ParseError(f"not a TLSA record: {printable(text, 60)!r}")
        data = bytes.fromhex(digits)
        return cls(usage, selector, matching, data)

    @property
    def usable(self) -> bool:
        """Whether a mail server may act on it: usage 2 or 3 only (RFC 7672 §3.1.3), of a form that is defined."""
        if self.usage not in (_TRUST_ANCHOR, _END_ENTITY) or self.selector not in (0, 1) or not self.data:
            return False
        return self.matching in _SIZES and _SIZES[self.matching] in (None, len(self.data))

    def associates(self, der: bytes) -> bool:
        """Whether it is this certificate, or its public key, that the record names."""
        try:
            selected = public_key_info(der) if self.selector == 1 else der
        except ParseError:
            return False
        if self.matching == 0:
            return selected == self.data
        return hashlib.new("sha256" if self.matching == 1 else "sha512", selected).digest() == self.data

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.matching} {self.data.hex()[:16]}…"


class Match(StrEnum):
    """How a server's certificate relates to its TLSA records."""

    MATCHES = "matches"
    MISMATCH = "mismatch"
    UNUSABLE = "unusable"
    """No record is one that mail servers may act on: TLS is demanded, and nobody is authenticated (RFC 7672 §2.2)."""
    CHAIN_NOT_SEEN = "chain-not-seen"
    """A record names an authority, and only the server's own certificate is on record."""


@dataclass(frozen=True, slots=True)
class HostRecords:
    """What the DNS says of one mail host."""

    host: str
    base: str
    """The name that the records belong to: the host's, or the one that its alias leads to (RFC 7672 §2.2.2)."""
    shown: Validation
    """What decided it: of the addresses where these are not secure, else of the TLSA records."""
    records: tuple[Tlsa, ...] = ()
    """Secure ones only: others bind nobody."""
    malformed: int = 0

    @property
    def published(self) -> bool:
        """Whether there is any record that binds."""
        return bool(self.records or self.malformed)


def host_records(host: str, validator: Validator) -> HostRecords:
    """The TLSA records of a mail host's port 25; may raise ``Unobserved``.

    RFC 7672 §2.2.2: none are looked for where the addresses are not secure, but for a host whose name is an alias in a
    signed zone.  An alias that is secure to its end is followed first.
    """
    addresses = each(("A", "AAAA"), lambda family: validator.validate(host, family))
    worst = max(addresses, key=lambda one: _DOUBT.index(one.status))
    alias = next((one for one in addresses if one.canonical_name != host), None)
    if worst.status in (Status.BOGUS, Status.INDETERMINATE):
        return HostRecords(host, host, worst)
    if worst.status is Status.INSECURE and (alias is None or alias.alias_status is not Status.SECURE):
        return HostRecords(host, host, worst)
    if worst.status is Status.SECURE and alias is not None:
        found = validator.validate(f"_25._tcp.{alias.canonical_name}", "TLSA")
        if found.status in (Status.BOGUS, Status.INDETERMINATE) or (found.status is Status.SECURE and found.exists):
            return _with_records(host, alias.canonical_name, found)
    return _with_records(host, host, validator.validate(f"_25._tcp.{host}", "TLSA"))


_DOUBT: Final = (Status.SECURE, Status.INSECURE, Status.INDETERMINATE, Status.BOGUS)


def _with_records(host: str, base: str, found: Validation) -> HostRecords:
    records, malformed = _parsed(found.records if found.status is Status.SECURE else ())
    return HostRecords(host, base, found, records, malformed)


def match(records: Sequence[Tlsa], shown: SmtpAnswer, names: Iterable[str]) -> Match:
    """Hold what a server showed against its records; ``names`` are those an authority's certificates may be for."""
    usable = [record for record in records if record.usable]
    if not usable:
        return Match.UNUSABLE
    if any(r.usage == _END_ENTITY and r.associates(shown.certificate) for r in usable):
        return Match.MATCHES  # names and dates do not count here, RFC 7672 §3.1.1
    anchors = [record for record in usable if record.usage == _TRUST_ANCHOR]
    if anchors and not shown.chain:
        return Match.CHAIN_NOT_SEEN
    if anchors and _anchored(anchors, shown, names):
        return Match.MATCHES
    return Match.MISMATCH


def reference_names(host: HostRecords, domain: Domain) -> tuple[str, ...]:
    """The names of which the certificate must hold one, where an authority vouches for it (RFC 7672 §3.2.2)."""
    return tuple(dict.fromkeys((host.base, host.host, domain.name)))


def _anchored(anchors: Sequence[Tlsa], shown: SmtpAnswer, names: Iterable[str]) -> bool:
    """Whether a chain leads from the server's certificate to an authority that a record names (RFC 7672 §3.1.2)."""
    try:
        leaf = read_certificate(shown.certificate)
    except ParseError:
        return False
    at = shown.observed_at
    if not leaf.valid_at(at) or not any(leaf.holds_for(name) for name in names):
        return False
    current, left = shown.certificate, list(shown.chain[:MAX_CHAIN])
    while True:
        issuer = next((der for der in left if _may_issue(der, at) and issued_by(current, der)), None)
        if issuer is None:
            return False
        if any(anchor.associates(issuer) for anchor in anchors):
            return True
        left.remove(issuer)
        current = issuer


def _may_issue(der: bytes, at: datetime) -> bool:
    try:
        found = read_certificate(der)
    except ParseError:
        return False
    return found.is_authority and found.valid_at(at)


def _parsed(records: Iterable[object]) -> tuple[tuple[Tlsa, ...], int]:
    good, bad = [], 0
    for record in list(records)[:MAX_RECORDS]:
        try:
            good.append(Tlsa.parse(getattr(record, "value", "")))
        except ParseError:
            bad += 1
    return tuple(good), bad


@cache
def _form() -> re.Pattern[str]:
    return re.compile(r"(\d{1,3}) (\d{1,3}) (\d{1,3}) ([0-9A-Fa-f ]*)\Z", re.ASCII)
