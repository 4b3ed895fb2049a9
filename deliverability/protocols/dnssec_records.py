"""DNS messages with signatures, read within bounds: names, records and sets for whoever validates them.

RFC 1035 §4 (messages), RFC 4034 §3 and §4 (RRSIG, NSEC).  dnspython reads; this file and ``dnssec_keys`` are the only doors
to it here.  What a stranger can make costly is bounded before it is done.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rdataclass
import dns.rdatatype

from deliverability.errors import ParseError
from deliverability.evidence.observation import DnsQuestion, Record

Name = dns.name.Name
ROOT: Final = dns.name.root

SOA, NS, CNAME, DS, DNAME, RRSIG, NSEC, DNSKEY, NSEC3 = 6, 2, 5, 43, 39, 46, 47, 48, 50

MAX_WIRE: Final = 65_535
"""Octets of a message, RFC 1035 §4.2.2."""
MAX_RECORDS: Final = 1024
"""Records of one message."""
MAX_SIGNATURES: Final = 8
"""Signatures of one RRset that are looked at; zones have one for each algorithm, two while a key is rolled."""
MAX_LABELS: Final = 40
"""Labels of a name; a reverse name of IPv6 has 34."""
_HEADER: Final = struct.Struct("!HHHHHH")


class LimitError(Exception):
    """What is asked goes beyond the bounds above; caught by the validator, never passed on."""


@dataclass(frozen=True, slots=True)
class RecordSet:
    """The records of one name and type, with the signatures that came with them."""

    owner: Name
    rdtype: int
    data: Any
    """The RRset as dnspython has it."""
    signatures: tuple[Any, ...] = ()

    def signers(self, below: Name, *, strictly: bool = False) -> tuple[Name, ...]:
        """Names that say they signed it, and are ``below`` or above it in the tree (``strictly``: above)."""
        found = {sig.signer for sig in self.signatures[:MAX_SIGNATURES]}
        return tuple(name for name in found if below.is_subdomain(name) and not (strictly and name == below))

    def records(self) -> tuple[Record, ...]:
        """The records as evidence has them."""
        return tuple(_record(rdata) for rdata in self.data)


@dataclass(frozen=True, slots=True)
class Message:
    """An answer: its two sections that matter, each set under its owner and type."""

    answer: Mapping[tuple[Name, int], RecordSet]
    authority: Mapping[tuple[Name, int], RecordSet]

    def deepest_signer(self, name: Name, *, strictly: bool = False) -> Name | None:
        """Who says to have signed what proves that something is absent, or is an alias, at ``name``."""
        proving = [one for one in self.authority.values() if one.rdtype in (NSEC, NSEC3)]
        proving += [one for (owner, kind), one in self.answer.items() if owner == name and kind in (DS, CNAME)]
        proving += [one for (owner, kind), one in self.answer.items() if kind == DNAME and name.is_subdomain(owner)]
        return deepest(signer for one in proving for signer in one.signers(name, strictly=strictly))


def deepest(names: Iterable[Name]) -> Name | None:
    """The one with the most labels."""
    return max(names, key=len, default=None)


def to_name(question: DnsQuestion) -> Name:
    """Labels as they are; raises :class:`~deliverability.errors.ParseError` for what the DNS cannot hold."""
    labels = [label.encode("utf-8", "surrogatepass") for label in question.name.split(".")] if question.name else []
    if len(labels) > MAX_LABELS:
        raise LimitError("labels")
    try:
        return Name([*labels, b""])
    except dns.exception.DNSException:
        raise ParseError("the DNS cannot hold this name") from None


def to_type(question: DnsQuestion) -> int:
    """The number of the type; raises :class:`~deliverability.errors.ParseError`."""
    try:
        return int(dns.rdatatype.from_text(question.rdtype))
    except (dns.exception.DNSException, ValueError):
        raise ParseError("unknown record type") from None


def to_text(name: Name) -> str:
    """Lower-case, without the trailing dot; the root is the empty string."""
    return name.to_text(omit_final_dot=True).lower() if len(name) > 1 else ""


def read(wire: bytes, name: Name, kind: int) -> Message:
    """An answer to this very question.

    Raises :class:`~deliverability.errors.ParseError` for what is none, and :class:`LimitError`.
    """
    if not 12 <= len(wire) <= MAX_WIRE:
        raise ParseError("no DNS message on record")
    if sum(_HEADER.unpack_from(wire)[2:]) > MAX_RECORDS:
        raise LimitError("records")
    try:
        message = dns.message.from_wire(wire, ignore_trailing=True)
        rcode, opcode = message.rcode(), message.opcode()
    except Exception:  # noqa: BLE001 - whatever a parser makes of hostile octets, they are no answer
        raise ParseError("unreadable answer") from None
    if not message.flags & dns.flags.QR or message.flags & dns.flags.TC or opcode != dns.opcode.QUERY:
        raise ParseError("not a whole answer")
    if rcode not in (0, 3) or len(message.question) != 1:
        raise ParseError("not an answer")
    asked = message.question[0]
    if (asked.name, asked.rdtype, asked.rdclass) != (name, kind, dns.rdataclass.IN):
        raise ParseError("answer to another question")
    return Message(_sets(message.answer), _sets(message.authority))


def _sets(section: Iterable[Any]) -> dict[tuple[Name, int], RecordSet]:
    sets = [found for found in section if found.rdclass == dns.rdataclass.IN]
    signatures = {(one.name, int(one.covers)): tuple(one) for one in sets if one.rdtype == RRSIG}
    return {
        (one.name, int(one.rdtype)): RecordSet(
            one.name, int(one.rdtype), one, signatures.get((one.name, int(one.rdtype)), ())
        )
        for one in sets
        if one.rdtype != RRSIG
    }


def has_type(rdata: Any, kind: int) -> bool:
    """Whether the type bitmap of an NSEC or NSEC3 record has this type (RFC 4034 §4.1.2)."""
    for window, bitmap in rdata.windows:
        if window == kind >> 8:
            at = (kind & 0xFF) >> 3
            return at < len(bitmap) and bool(bitmap[at] & (0x80 >> (kind & 7)))
    return False


def substituted(name: Name, dname: RecordSet) -> Name | None:
    """Where a DNAME record leads ``name`` (RFC 6672 §2.2); ``None`` where that is too long."""
    try:
        return name.relativize(dname.owner).derelativize(dname.data[0].target)
    except dns.exception.DNSException:
        return None


def _record(rdata: Any) -> Record:
    match dns.rdatatype.to_text(rdata.rdtype):
        case "A" | "AAAA":
            return Record(rdata.address)
        case "MX":
            return Record(to_text(rdata.exchange), preference=rdata.preference)
        case "PTR" | "CNAME" | "NS":
            return Record(to_text(rdata.target))
        case "TXT":
            return Record(b"".join(rdata.strings).decode("latin-1"), rdata.strings)
        case _:
            return Record(rdata.to_text())
