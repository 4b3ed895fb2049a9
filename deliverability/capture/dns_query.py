"""Questions to name servers as bytes (RFC 1035 §4.1, RFC 6891 §6.1, RFC 4035 §3.2)."""

import struct
from typing import Final

from deliverability.evidence.observation import Obstacle

KINDS: Final = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "TLSA": 52}
"""Record types whose answers are read without a general parser."""
MAX_NAME: Final = 255
"""Octets of a name, RFC 1035 §3.1."""
MAX_LABEL: Final = 63

_IN, _OPT = 1, 41
_RD_AD: Final = 0x0120  # recursion desired; AD asks to hear of validation (RFC 6840 §5.7)
_RD_CD: Final = 0x0110  # recursion desired, and what is bogus too: it is judged here (RFC 4035 §3.2.2)
_DO: Final = 0x8000  # of the OPT record's TTL: with signatures (RFC 3225 §3)
_HEADER: Final = struct.Struct("!HHHHHH")
_FIXED: Final = struct.Struct("!HHIH")


class RefusedError(Exception):
    """A reply that answers nothing, or a question that cannot be put; says why."""

    def __init__(self, obstacle: Obstacle, detail: str) -> None:
        super().__init__(detail)
        self.obstacle = obstacle


def encode_name(text: str) -> bytes:
    """A name from its labels as they are: nothing in them is an escape.  Raises :class:`RefusedError`."""
    if not text:
        return b"\0"
    parts: list[bytes] = []
    for label in text.encode("utf-8", "surrogatepass").split(b"."):
        if not 0 < len(label) <= MAX_LABEL:
            raise RefusedError(Obstacle.MALFORMED, "the DNS cannot hold this name")
        parts += (_LENGTHS[len(label)], label)
    parts.append(b"\0")
    name = b"".join(parts)
    if len(name) > MAX_NAME:
        raise RefusedError(Obstacle.MALFORMED, "the DNS cannot hold this name")
    return name


_LENGTHS: Final = tuple(bytes((length,)) for length in range(MAX_LABEL + 1))


def encode_query(name: str, kind: int, query_id: int, payload: int | None, *, signed: bool = False) -> bytes:
    """A query for a recursive server; ``payload`` octets are offered for a UDP reply, ``None``: without EDNS.

    ``signed``: signatures are wanted, whether or not the server finds them valid; they need EDNS.
    """
    header = _HEADER.pack(query_id, _RD_CD if signed else _RD_AD, 1, 0, 0, 1 if payload else 0)
    question = encode_name(name) + struct.pack("!HH", kind, _IN)
    edns = b"\0" + _FIXED.pack(_OPT, payload, _DO if signed else 0, 0) if payload else b""
    return header + question + edns
