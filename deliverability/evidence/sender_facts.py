"""What an allowlist file is made from: facts about one sender, each in a form that can end no line and open no string.

RFC 5321 §4.1.2 (dot-atoms, lengths), RFC 5890 §2.3.2.1 (A-labels), RFC 8601 §2.5 (authserv-id).
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from ipaddress import ip_address
from typing import Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.names import Domain

MAX_LOCAL_PART: Final = 64
"""Octets (RFC 5321 §4.5.3.1.1)."""
MAX_NAME: Final = 100
"""Characters of a display name."""
MAX_IPS: Final = 100
MAX_SIGNERS: Final = 10
MAX_SELECTORS: Final = 20
LONGEST: Final = timedelta(days=1096)
"""A rule that nobody looks at again within three years is forgotten, not kept."""

_ATEXT = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_AUTHSERV_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\Z")
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?\Z")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Signer:
    """A domain that signs the sender's mail and is aligned with its author domain (RFC 9989 §4.4.1)."""

    domain: str
    """``d=``, lower-case A-labels."""
    selectors: tuple[str, ...] = ()
    """``s=``, as far as known."""

    def __post_init__(self) -> None:
        _host(self.domain, "signing domain")
        _few(self.selectors, MAX_SELECTORS, "selectors")
        for selector in self.selectors:
            if not _SELECTOR.match(selector):
                raise ParseError(f"not a DKIM selector: {printable(selector, 80)!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderFacts:
    """One sender, as far as it is known.

    Every value is checked when it is made (:class:`~deliverability.errors.ParseError`): what stands here is printable,
    on one line, and within the octets that its RFC allows.  An engine may still give a meaning to some of them, and
    each form writes them as its own medium wants them.
    """

    address: str
    """The address in From: dot-atom, ``@``, A-labels.  Never quoted, never internationalized before the ``@``: engines
    differ in how they compare such addresses."""
    display_name: str = ""
    signers: tuple[Signer, ...] = ()
    """Aligned ones alone; empty: not known to be signed."""
    envelope_domain: str | None = None
    """Domain of RFC5321.MailFrom."""
    egress_ips: tuple[str, ...] = ()
    """Addresses that connect to the recipients' MX."""
    issued_on: date
    expires_on: date
    """The last day on which the rule is meant to hold."""
    authserv_id: str | None = None
    """What the recipient's *own* mail system writes at the head of ``Authentication-Results``; never guessed."""

    def __post_init__(self) -> None:
        _address(self.address)
        _name(self.display_name)
        _few(self.signers, MAX_SIGNERS, "signing domains")
        _few(self.egress_ips, MAX_IPS, "IP addresses")
        if self.envelope_domain is not None:
            _host(self.envelope_domain, "envelope domain")
        for ip in self.egress_ips:
            _ip(ip)
        if self.authserv_id is not None and not _AUTHSERV_ID.match(self.authserv_id):
            raise ParseError(
                f"not an authserv-id: {printable(self.authserv_id, 80)!r}; it is the first word of the line"
                " Authentication-Results that your own mail system writes, often its host name"
            )
        if not timedelta(0) < self.expires_on - self.issued_on <= LONGEST:
            raise ParseError(
                f"it has to expire within {LONGEST.days} days of {self.issued_on}, not on {self.expires_on}"
            )

    @property
    def local_part(self) -> str:
        """What stands before the ``@``, as it was written."""
        return self.address.rpartition("@")[0]

    @property
    def author_domain(self) -> str:
        """Domain of RFC5322.From, lower-case A-labels."""
        return self.address.rpartition("@")[2]


def sender_address(text: str) -> str:
    """An address in the form that :attr:`SenderFacts.address` has; an internationalized domain becomes A-labels.

    Raises :class:`~deliverability.errors.ParseError` for one that no allowlist can hold safely.
    """
    bare = text.strip()
    if len(bare) > MAX_LOCAL_PART + 255:
        raise ParseError(f"not an address: {printable(bare, 80)!r}")
    bare = bare[1:-1] if bare.startswith("<") and bare.endswith(">") else bare
    local, _, domain = bare.rpartition("@")
    address = f"{local}@{Domain.parse(domain).name}"
    _address(address)
    return address


def _address(text: str) -> None:
    local, _, domain = text.rpartition("@")
    if not 0 < len(local) <= MAX_LOCAL_PART or not all(atom and _ATEXT.issuperset(atom) for atom in local.split(".")):
        raise ParseError(
            f"no allowlist is made for {printable(text, 120)!r}: before the '@' it needs 1 to {MAX_LOCAL_PART} of"
            " the letters, digits and signs that stand in an address without quotes"
        )
    _host(domain, "domain of the address")


def _host(name: str, what: str) -> None:
    if len(name) > 253 or not _HOST.match(name) or name.rpartition(".")[2].isdigit():
        raise ParseError(f"{what}: not a host name in lower-case A-labels: {printable(name, 120)!r}")


def _name(text: str) -> None:
    if len(text) > MAX_NAME or any(unicodedata.category(char) in _UNSEEN for char in text):
        raise ParseError(f"display name: at most {MAX_NAME} visible characters, not {printable(text, 120)!r}")


def _ip(text: str) -> None:
    try:
        right = str(ip_address(text)) == text and "%" not in text
    except ValueError:
        right = False
    if not right:
        raise ParseError(f"not an IP address in its usual form: {printable(text, 80)!r}")


def _few(values: tuple[object, ...], limit: int, what: str) -> None:
    if len(values) > limit:
        raise ParseError(f"more than {limit} {what}")
