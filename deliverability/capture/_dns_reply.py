"""Bytes of any DNS message to what they say, through dnspython: for all that ``dns_wire`` does not read itself."""

import struct
from typing import Any, Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from deliverability.capture.dns_query import RefusedError
from deliverability.capture.dns_wire import MAX_LINKS, Reply
from deliverability.evidence.observation import Obstacle, Record

_UNREADABLE: Final = (dns.exception.DNSException, ValueError, IndexError, OverflowError, struct.error)


def to_name(text: str) -> dns.name.Name:
    """A name from its labels as they are: nothing in them is an escape.  Raises ``RefusedError``."""
    labels = [label.encode("utf-8", "surrogatepass") for label in text.split(".")] if text else []
    try:
        return dns.name.Name([*labels, b""])
    except dns.exception.DNSException:
        raise RefusedError(Obstacle.MALFORMED, "the DNS cannot hold this name") from None


def type_number(rdtype: str) -> int:
    """The number of a record type; raises ``RefusedError`` for one that there is not."""
    try:
        return int(dns.rdatatype.from_text(rdtype))
    except dns.exception.DNSException:
        raise RefusedError(Obstacle.MALFORMED, "unknown record type") from None


def read(query: bytes, wire: bytes, name: str, rdtype: str) -> Reply:
    """What a reply says; raises :class:`RefusedError` for one that is unreadable or answers another question."""
    try:
        message = dns.message.from_wire(wire, ignore_trailing=True, raise_on_truncation=False)
        rcode = message.rcode()
    except _UNREADABLE:
        if len(wire) > 2 and wire[2] & 0x02:  # TC: cut in the middle of a record
            return Reply(wire=wire, rcode=dns.rcode.NOERROR, truncated=True)
        raise RefusedError(Obstacle.MALFORMED, "unreadable answer") from None
    if wire[:2] != query[:2] or not message.flags & dns.flags.QR or message.opcode() != dns.opcode.QUERY:
        raise RefusedError(Obstacle.MALFORMED, "not an answer to the query")
    truncated = bool(message.flags & dns.flags.TC)
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Reply(wire=wire, rcode=rcode, truncated=truncated)  # such replies may leave the question out
    kind = dns.rdatatype.from_text(rdtype)
    asked = [(q.name, q.rdtype, q.rdclass) for q in message.question]
    if asked != [(to_name(name), kind, dns.rdataclass.IN)]:
        raise RefusedError(Obstacle.MALFORMED, "answer to another question")
    if truncated:
        return Reply(wire=wire, rcode=rcode, truncated=True)
    return _answer(message, wire, to_name(name), kind, rcode)


def _answer(
    message: dns.message.Message,
    wire: bytes,
    owner: dns.name.Name,
    kind: dns.rdatatype.RdataType,
    rcode: dns.rcode.Rcode,
) -> Reply:
    chain: list[str] = []
    ttls: list[int] = []
    rrset: dns.rrset.RRset | None = None
    while len(chain) <= MAX_LINKS:
        rrset = message.get_rrset(message.answer, owner, dns.rdataclass.IN, kind)
        link = message.get_rrset(message.answer, owner, dns.rdataclass.IN, dns.rdatatype.CNAME)
        if rrset is not None or link is None:
            break
        owner = link[0].target
        chain.append(_text(owner))
        ttls.append(link.ttl)
    else:
        raise RefusedError(Obstacle.MALFORMED, "CNAME loop or too long a chain")
    soa = [found for found in message.authority if found.rdtype == dns.rdatatype.SOA]
    servers = any(found.rdtype == dns.rdatatype.NS for found in message.authority)
    if rrset is not None:
        ttls.append(rrset.ttl)
    elif soa:
        ttls.append(min(soa[0].ttl, soa[0][0].minimum))  # RFC 2308 §5
    empty = rrset is None and rcode == dns.rcode.NOERROR and not soa
    return Reply(
        wire=wire,
        rcode=rcode,
        authenticated=bool(message.flags & dns.flags.AD),
        records=tuple(_record(rdata) for rdata in rrset or ()),
        chain=tuple(chain),
        goes_on=bool(chain) and empty,
        ttl=min(ttls, default=None),
        referral=empty and not chain and servers and not message.flags & (dns.flags.AA | dns.flags.RA),
    )


def _record(rdata: Any) -> Record:
    match dns.rdatatype.to_text(rdata.rdtype):
        case "A" | "AAAA":
            return Record(rdata.address)
        case "MX":
            return Record(_text(rdata.exchange), preference=rdata.preference)
        case "PTR" | "CNAME" | "NS":
            return Record(_text(rdata.target))
        case "TXT":
            return Record(b"".join(rdata.strings).decode("latin-1"), rdata.strings)
        case _:
            return Record(rdata.to_text())


def _text(name: dns.name.Name) -> str:
    """Lower-case, without the trailing dot; the root is the empty string."""
    return name.to_text(omit_final_dot=True).lower() if len(name) > 1 else ""
