"""Addresses before anything is sent to them: their form, and whether their domain takes mail.

RFC 5321 §4.1.2 and §4.5.3.1 (form and limits), RFC 6531 §3.3 (UTF-8), §5.1 (MX), RFC 7505 (null MX).  The form is
judged by email-validator, the DNS by ourselves, as evidence.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.names import Domain, Mailbox
from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion, Observations
from deliverability.protocols.hosts import is_inside
from deliverability.protocols.mx import parse_ip

MAX_GIVEN: Final = 1000
"""Characters of an address that are looked at."""
MAX_LOCAL_PART: Final = 64
"""Octets (RFC 5321 §4.5.3.1.1)."""
MAX_ADDRESS: Final = 254
"""Octets: a path of 256 without its angle brackets (RFC 5321 §4.5.3.1.3)."""
MAX_TARGETS: Final = 10
"""MX names whose addresses are looked up."""


class Form(StrEnum):
    """What an address is, as to its form."""

    WELL_FORMED = "well-formed"
    INTERNATIONALIZED = "internationalized"
    """Its local part is not ASCII: every server on its way has to offer SMTPUTF8 (RFC 6531)."""
    ADDRESS_LITERAL = "address-literal"
    """An IP address stands for its domain (RFC 5321 §4.1.3)."""
    UNQUALIFIED = "unqualified"
    """Grammar, but its domain has no dot: Internet mail takes fully-qualified names only (RFC 5321 §2.3.5, RFC 7085)."""
    NO_AT_SIGN = "no-at-sign"
    WIDE_AT_SIGN = "wide-at-sign"
    """A full-width @, as Chinese and Japanese keyboards type it, stands for the one that mail knows."""
    TOO_LONG = "too-long"
    MALFORMED = "malformed"

    @property
    def well(self) -> bool:
        """Whether the grammar of SMTP carries it."""
        return self in (Form.WELL_FORMED, Form.INTERNATIONALIZED, Form.ADDRESS_LITERAL, Form.UNQUALIFIED)


@dataclass(frozen=True, slots=True)
class Judged:
    """The form of an address."""

    form: Form
    mailbox: Mailbox | None = None
    """What it names; ``None`` where it is malformed or has no domain."""
    problem: str = ""
    """What is wrong, in English: foreign text inside."""


def judge(text: str) -> Judged:
    """Judge the form of an address as it was given.  Total: any text gives an answer, in bounded time."""
    if len(text) > MAX_GIVEN:
        return Judged(Form.TOO_LONG, problem=f"more than {MAX_GIVEN} characters")
    # An address stands in one command line: what cannot stand there is no question of syntax alone.
    if any(not char.isprintable() for char in text):
        return Judged(Form.MALFORMED, problem="it holds control or invisible characters")
    local, at, domain = text.rpartition("@")
    if not at:
        return Judged(Form.WIDE_AT_SIGN if "\uff20" in text or "\ufe6b" in text else Form.NO_AT_SIGN)
    too_long = _too_long(local, domain)
    if too_long:
        return Judged(Form.TOO_LONG, problem=too_long)
    if domain.startswith("["):
        return _literal(local, domain)
    return _judged(text)


def _too_long(local: str, domain: str) -> str:
    octets = len(local.encode("utf-8", "surrogatepass"))
    if octets > MAX_LOCAL_PART:
        return f"{octets} octets before the '@', {MAX_LOCAL_PART} at most"
    whole = octets + 1 + len(domain.encode("utf-8", "surrogatepass"))
    return f"{whole} octets, {MAX_ADDRESS} at most" if whole > MAX_ADDRESS else ""


def _literal(local: str, domain: str) -> Judged:
    inside = domain.removeprefix("[").removesuffix("]")
    address = inside[5:] if inside[:5].lower() == "ipv6:" else inside
    try:
        version = ip_address(address).version
    except ValueError:
        return Judged(Form.MALFORMED, problem=f"{printable(domain, 80)} is no IP address in brackets")
    if not domain.endswith("]") or (version == 6) != (address != inside) or "%" in address:
        return Judged(Form.MALFORMED, problem=f"{printable(domain, 80)} is no IP address in brackets")
    stood_in = _judged(f"{local}@example.com")
    return Judged(Form.ADDRESS_LITERAL) if stood_in.form.well else stood_in


def _judged(text: str) -> Judged:
    from email_validator import EmailNotValidError, validate_email

    local, _, domain = text.rpartition("@")
    here = domain.lower() == "localhost"  # a special-use name (RFC 6761 §6.3), which the library calls malformed
    try:
        found = validate_email(
            f"{local}@example.com" if here else text,
            allow_smtputf8=True,
            allow_quoted_local=True,
            check_deliverability=False,
            # Whether a domain is of use is the DNS's to say, not syntax's.
            test_environment=True,
            globally_deliverable=False,
        )
        mailbox = Mailbox.parse(f"{found.local_part}@{'localhost' if here else found.ascii_domain}")
    except (EmailNotValidError, ParseError) as problem:
        return Judged(Form.MALFORMED, problem=printable(str(problem), 200).rstrip("."))
    except (ValueError, UnicodeError) as problem:  # what a library's codecs may still raise on hostile labels
        return Judged(Form.MALFORMED, problem=type(problem).__name__)
    if "." not in mailbox.domain.name:
        return Judged(Form.UNQUALIFIED, mailbox)
    return Judged(Form.WELL_FORMED if mailbox.local_part.isascii() else Form.INTERNATIONALIZED, mailbox)


class Takes(StrEnum):
    """Whether a domain takes mail."""

    MX = "mx"
    IMPLICIT_MX = "implicit-mx"
    """No MX record: its own addresses stand in (RFC 5321 §5.1)."""
    NULL_MX = "null-mx"
    """It says that it takes none (RFC 7505)."""
    NO_DOMAIN = "no-such-domain"
    NO_HOST = "no-host"
    """It exists, with neither MX nor address."""
    MX_WITHOUT_ADDRESS = "mx-without-address"
    INSIDE = "inside-address"
    """Its hosts have only addresses that no stranger can reach, such as 127.0.0.1."""
    NOT_ALL_LOOKED_UP = "not-all-looked-up"
    """None of the exchangers that were looked up has an address; there are more."""
    COULD_NOT_LOOK = "could-not-look"


@dataclass(frozen=True, slots=True)
class Reception:
    """How a domain takes mail."""

    takes: Takes
    targets: tuple[str, ...] = ()
    """Its mail exchangers, the preferred first."""
    obstacle: CouldNotLook | None = None
    observed_at: datetime | None = None


def reception(domain: Domain, observations: Observations) -> Reception:
    """Whether a domain takes mail; may raise ``Unobserved``."""
    answer = observations.ask(domain.name, "MX")
    if isinstance(answer, CouldNotLook):
        return Reception(Takes.COULD_NOT_LOOK, obstacle=answer, observed_at=answer.observed_at)
    seen = answer.observed_at
    if not answer.exists:
        return Reception(Takes.NO_DOMAIN, observed_at=seen)
    ordered = sorted(answer.records, key=lambda r: (r.preference or 0, r.value))
    named = tuple(dict.fromkeys(record.value.lower().removesuffix(".") for record in ordered))
    targets = tuple(name for name in named if name)
    return (
        Reception(Takes.NULL_MX, observed_at=seen)
        if named and not targets
        else _at(domain, targets, observations, seen)
    )


def _at(domain: Domain, targets: tuple[str, ...], observations: Observations, seen: datetime) -> Reception:
    """Whether one of the exchangers, or the domain itself, has an address."""
    hosts = targets[:MAX_TARGETS] or (domain.name,)
    looked = observations.ask_all(*(DnsQuestion(host, family) for host in hosts for family in ("A", "AAAA")))
    ips = [parse_ip(record.value) for found in looked if isinstance(found, DnsAnswer) for record in found.records]
    if any(ip is not None and not is_inside(ip) for ip in ips):
        return Reception(Takes.MX if targets else Takes.IMPLICIT_MX, targets, observed_at=seen)
    unanswered = next((found for found in looked if isinstance(found, CouldNotLook)), None)
    if unanswered:
        return Reception(Takes.COULD_NOT_LOOK, targets, unanswered, seen)
    if len(targets) > MAX_TARGETS:  # one of those not looked up may well have one
        return Reception(Takes.NOT_ALL_LOOKED_UP, targets, observed_at=seen)
    if ips:
        return Reception(Takes.INSIDE, hosts, observed_at=seen)
    return Reception(Takes.MX_WITHOUT_ADDRESS if targets else Takes.NO_HOST, targets, observed_at=seen)
