"""Ordinary answers of the DNS, read from their bytes without a general parser.

RFC 1035 §4 (messages, compression), RFC 6891 §6.1 (EDNS), RFC 2308 §5 (lifetime of negative answers), RFC 6698 §2.1
(TLSA).  Whatever is not ordinary (an error, a cut answer, an unknown type, another class, anything malformed) raises
:class:`UnfamiliarError`: the full parser in ``_dns_reply`` decides what it is.  Of a message that both read, both say
the same.

Records of the asked type and CNAMEs are read to their last octet; what no answer depends on (signatures, the names of
other servers) is only stepped over within its bounds.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from socket import AF_INET6, inet_ntoa, inet_ntop
from typing import Final, NoReturn

from deliverability.capture.dns_query import MAX_LABEL, MAX_NAME, RefusedError
from deliverability.evidence.observation import Obstacle, Record

MAX_LINKS: Final = 20
"""CNAMEs of one answer that are followed before it counts as a loop."""
MAX_POINTERS: Final = 16
"""Compression pointers of one name; real names have one or two."""
MAX_TTL: Final = 0x7FFFFFFF
"""RFC 2181 §8: a greater one counts as zero."""

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, REFUSED = 0, 1, 2, 3, 5
_RCODES: Final = {FORMERR: "FORMERR", SERVFAIL: "SERVFAIL", 4: "NOTIMP", 6: "YXDOMAIN", 9: "NOTAUTH", 16: "BADVERS"}

_NS, _CNAME, _SOA, _A, _AAAA, _OPT, _TSIG = 2, 5, 6, 1, 28, 41, 250
_IN: Final = 1
_AA, _RA, _AD = 0x0400, 0x0080, 0x0020
_ORDINARY: Final = 0xFA0F  # QR, opcode, TC, rcode
_HEADER: Final = struct.Struct("!HHHHHH")
_FIXED: Final = struct.Struct("!HHIH")
_TIMES: Final = struct.Struct("!IIIII")
_OPT_OCTETS: Final = 11
_DIGEST_OCTETS: Final = {1: 32, 2: 64}  # SHA-256 and SHA-512, RFC 6698 §2.1.3
_POINTER_TO_QUESTION: Final = b"\xc0\x0c"
_ESCAPED: Final = frozenset(b'"().;\\@$')
_PLAIN: Final = bytes(octet for octet in range(0x21, 0x7F) if octet not in _ESCAPED)


class UnfamiliarError(Exception):
    """Not an ordinary answer: it may be fine, and it may be garbage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A reply to the question that was asked."""

    wire: bytes
    rcode: int
    truncated: bool = False
    authenticated: bool = False
    records: tuple[Record, ...] = ()
    chain: tuple[str, ...] = ()
    """Targets of the CNAMEs, in order."""
    goes_on: bool = False
    """The chain's end is not in this answer."""
    ttl: int | None = None
    referral: bool = False

    @property
    def nxdomain(self) -> bool:
        """Whether the name (the last of the chain, RFC 6604 §3) does not exist."""
        return self.rcode == NXDOMAIN

    @property
    def format_error(self) -> bool:
        """The server did not understand the query."""
        return self.rcode == FORMERR

    def checked(self) -> "Reply":
        """This, or :class:`RefusedError` where it is no answer."""
        if self.rcode == REFUSED:
            raise RefusedError(Obstacle.REFUSED, "the server refused")
        if self.rcode not in (NOERROR, NXDOMAIN):
            told = _RCODES.get(self.rcode, f"error {self.rcode}")
            raise RefusedError(Obstacle.SERVFAIL, f"the server answered {told}")
        if self.truncated:
            raise RefusedError(Obstacle.MALFORMED, "cut answer over TCP")
        if self.referral:
            raise RefusedError(Obstacle.REFUSED, "the server does not recurse: it named other servers")
        return self


def decode(query: bytes, wire: bytes, kind: int) -> Reply:
    """What an ordinary answer to ``query`` says; raises :class:`UnfamiliarError`, and nothing else."""
    try:
        return _Reader(query, wire, kind).reply()
    except (struct.error, IndexError):
        raise UnfamiliarError from None


@dataclass(slots=True)
class _Set:
    """The records of one name and type."""

    ttl: int
    records: list[Record]

    def add(self, ttl: int, record: Record, *, single: bool) -> None:
        self.ttl = min(self.ttl, ttl)
        if single:
            self.records.clear()
        self.records.append(record)


class _Reader:
    """One answer, read once from front to back."""

    def __init__(self, query: bytes, wire: bytes, kind: int) -> None:
        self._wire = wire
        self._kind = kind
        self._names: dict[int, tuple[str, int]] = {}
        self._sets: dict[tuple[str, int], _Set] = {}
        self._soa: int | None = None
        self._servers = False
        self._edns = False
        self._question = query[12:-_OPT_OCTETS] if query[11] else query[12:]
        if query[:2] != wire[:2]:
            _unfamiliar()

    def reply(self) -> Reply:
        wire, question = self._wire, self._question
        _id, self._flags, questions, answers, authority, additional = _HEADER.unpack_from(wire)
        rcode = self._flags & 0x0F
        if self._flags & _ORDINARY & ~NXDOMAIN != 0x8000 or rcode not in (NOERROR, NXDOMAIN) or questions != 1:
            _unfamiliar()
        end = 12 + len(question)
        echoed = wire[12:end]
        if echoed[-4:] != question[-4:] or (echoed != question and echoed[:-4].lower() != question[:-4].lower()):
            _unfamiliar()
        self._asked = self._name(12)[0]
        for _ in range(answers):
            end = self._answer(end)
        for _ in range(authority):
            end = self._authority(end)
        for _ in range(additional):
            end = self._additional(end)
        return self._told(rcode)

    def _answer(self, offset: int) -> int:
        if self._wire[offset : offset + 2] == _POINTER_TO_QUESTION:
            owner, offset = self._asked, offset + 2
        else:
            owner, offset = self._name(offset)
        kind, ttl, start, stop = self._fixed(offset)
        if kind in (self._kind, _CNAME):
            record = _READ[kind](self, start, stop)
            known = self._sets.get((owner, kind))
            if known is None:
                self._sets[owner, kind] = _Set(ttl, [record])
            else:
                known.add(ttl, record, single=kind in (_CNAME, _SOA))
        return stop

    def _authority(self, offset: int) -> int:
        kind, ttl, start, stop = self._fixed(_skipped(self._wire, offset))
        if kind == _SOA:
            if self._soa is not None:
                _unfamiliar()
            self._soa = min(ttl, self._start_of_authority(start, stop)[-1])  # RFC 2308 §5
        elif kind == _NS:
            self._servers = True
        return stop

    def _additional(self, offset: int) -> int:
        wire = self._wire
        if wire[offset] == 0 and wire[offset + 1 : offset + 3] == b"\0\x29":
            # an extended error, options, or a second OPT: not here
            if self._edns or wire[offset + 5] or wire[offset + 9 : offset + 11] != b"\0\0":
                _unfamiliar()
            self._edns = True
            return offset + _OPT_OCTETS
        return self._fixed(_skipped(wire, offset))[-1]

    def _fixed(self, offset: int) -> tuple[int, int, int, int]:
        """Type, TTL, and the bounds of the data, of a record whose owner ends at ``offset``."""
        kind, group, ttl, length = _FIXED.unpack_from(self._wire, offset)
        start = offset + 10
        stop = start + length
        if group != _IN or stop > len(self._wire) or kind in (_OPT, _TSIG):
            _unfamiliar()
        if (kind == _A and length != 4) or (kind == _AAAA and length != 16):
            _unfamiliar()
        return kind, ttl if ttl <= MAX_TTL else 0, start, stop

    def _told(self, rcode: int) -> Reply:
        owner = self._asked
        chain: list[str] = []
        ttls: list[int] = []
        while True:
            found = self._sets.get((owner, self._kind))
            link = self._sets.get((owner, _CNAME))
            if found is not None or link is None:
                break
            if len(chain) > MAX_LINKS:
                _unfamiliar()
            owner = link.records[0].value
            chain.append(owner)
            ttls.append(link.ttl)
        if found is not None:
            ttls.append(found.ttl)
        elif self._soa is not None:
            ttls.append(self._soa)
        records = found.records if found else []
        empty = found is None and rcode == NOERROR and self._soa is None
        return Reply(
            wire=self._wire,
            rcode=rcode,
            authenticated=bool(self._flags & _AD),
            records=tuple(records) if len(records) < 2 else tuple(dict.fromkeys(records)),
            chain=tuple(chain),
            goes_on=bool(chain) and empty,
            ttl=min(ttls, default=None),
            referral=empty and not chain and self._servers and not self._flags & (_AA | _RA),
        )

    # --- data ---------------------------------------------------------------------------------------------------------

    def _name(self, offset: int) -> tuple[str, int]:
        """The name at ``offset`` as text, and where it ends."""
        known = self._names.get(offset)
        if known is None:
            labels, end = _labels(self._wire, offset, len(self._wire))
            known = self._names[offset] = _text(labels).lower(), end
        return known

    def _whole_name(self, start: int, stop: int) -> str:
        """The name that fills the data."""
        labels, end = _labels(self._wire, start, stop)
        if end != stop:
            _unfamiliar()
        return _text(labels).lower()

    def _address4(self, start: int, stop: int) -> Record:
        return Record(inet_ntoa(self._wire[start:stop]))

    def _address6(self, start: int, stop: int) -> Record:
        address = self._wire[start:stop]
        if address.startswith(bytes(10)):  # forms with an IPv4 address inside are written in several ways
            _unfamiliar()
        return Record(inet_ntop(AF_INET6, address))

    def _host(self, start: int, stop: int) -> Record:
        return Record(self._whole_name(start, stop))

    def _exchange(self, start: int, stop: int) -> Record:
        wire = self._wire
        if stop - start < 3:
            _unfamiliar()
        return Record(self._whole_name(start + 2, stop), (), wire[start] << 8 | wire[start + 1])

    def _strings(self, start: int, stop: int) -> Record:
        wire, strings = self._wire, []
        if start == stop:
            _unfamiliar()
        while start < stop:
            end = start + 1 + wire[start]
            if end > stop:
                _unfamiliar()
            strings.append(wire[start + 1 : end])
            start = end
        return Record(b"".join(strings).decode("latin-1"), tuple(strings))

    def _start_of_authority(self, start: int, stop: int) -> tuple[str, str, int, int, int, int, int]:
        first, end = _labels(self._wire, start, stop)
        second, end = _labels(self._wire, end, stop)
        if stop - end != _TIMES.size:
            _unfamiliar()
        return (_text(first) + ".", _text(second) + ".", *_TIMES.unpack_from(self._wire, end))

    def _zone(self, start: int, stop: int) -> Record:
        return Record(" ".join(str(field) for field in self._start_of_authority(start, stop)))

    def _association(self, start: int, stop: int) -> Record:
        wire = self._wire
        if not 4 <= stop - start <= 67:  # longer ones are written in pieces
            _unfamiliar()
        if stop - start - 3 != _DIGEST_OCTETS.get(wire[start + 2], stop - start - 3):
            _unfamiliar()
        return Record(f"{wire[start]} {wire[start + 1]} {wire[start + 2]} {wire[start + 3 : stop].hex()}")


_READ: Final[dict[int, Callable[[_Reader, int, int], Record]]] = {
    1: _Reader._address4,  # noqa: SLF001 - this module's own
    2: _Reader._host,  # noqa: SLF001
    5: _Reader._host,  # noqa: SLF001
    6: _Reader._zone,  # noqa: SLF001
    12: _Reader._host,  # noqa: SLF001
    15: _Reader._exchange,  # noqa: SLF001
    16: _Reader._strings,  # noqa: SLF001
    28: _Reader._address6,  # noqa: SLF001
    52: _Reader._association,  # noqa: SLF001
}


def _labels(wire: bytes, offset: int, limit: int) -> tuple[list[bytes], int]:
    """Labels of the name at ``offset``, which may run up to ``limit``, and where it ends.

    A pointer leads to before the piece it stands in, and what it leads to ends before that piece: no loop.
    """
    labels: list[bytes] = []
    start, end, size, pointers = offset, 0, 1, 0
    while True:
        if offset >= limit:
            _unfamiliar()
        length = wire[offset]
        offset += 1
        if not length:
            return labels, end or offset
        if length <= MAX_LABEL:
            size += length + 1
            if size > MAX_NAME or offset + length > limit:
                _unfamiliar()
            labels.append(wire[offset : offset + length])
            offset += length
            continue
        pointers += 1
        target = (length & 0x3F) << 8 | wire[offset]
        if length < 0xC0 or offset >= limit or target >= start or pointers > MAX_POINTERS:
            _unfamiliar()
        end = end or offset + 1
        limit, start, offset = start, target, target


def _skipped(wire: bytes, offset: int) -> int:
    """Where the name at ``offset`` ends, whatever it says."""
    while length := wire[offset]:
        if length >= 0xC0:
            return offset + 2
        if length > MAX_LABEL:
            _unfamiliar()
        offset += length + 1
    return offset + 1


def _text(labels: list[bytes]) -> str:
    """Without the trailing dot, with the escapes of RFC 1035 §5.1; the root is the empty string."""
    joined = b".".join(labels)
    if len(joined.translate(None, _PLAIN)) == len(labels) - 1:  # nothing but the dots between them
        return joined.decode("ascii")
    return ".".join("".join(map(_escape, label)) for label in labels)


def _escape(octet: int) -> str:
    if octet in _ESCAPED:
        return "\\" + chr(octet)
    return chr(octet) if 0x20 < octet < 0x7F else f"\\{octet:03d}"


def _unfamiliar() -> NoReturn:
    raise UnfamiliarError
