"""TLS-RPT: the record that says where failures to set up TLS are to be reported (RFC 8460 §3)."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import DnsAnswer

MAX_URIS: Final = 50
_VERSION: Final = "v=TLSRPTv1"
_SCHEMES: Final = ("mailto:", "https:")


@dataclass(frozen=True, slots=True)
class Reporting:
    """Where reports go."""

    rua: tuple[str, ...]
    """URIs that reports can be sent to: ``mailto:`` or ``https:``."""
    unusable: tuple[str, ...]
    """URIs of other schemes, which no reporter uses."""


def record_name(domain: Domain) -> str:
    """Where the record stands."""
    return f"_smtp._tls.{domain.name}"


def announced(answer: DnsAnswer) -> tuple[str, ...]:
    """The TXT records that are of this kind; others at the name are to be passed over."""
    return tuple(r.value for r in answer.records if re.match(r"v=TLSRPTv1[ \t]*(?:;|\Z)", r.value))


def parse_record(text: str) -> Reporting:
    """Read a record; raises :class:`~deliverability.errors.ParseError`."""
    fields = [part.strip(" \t") for part in text.split(";")]
    if text[:1].isspace() or fields[0] != _VERSION:
        raise ParseError("the record does not begin with v=TLSRPTv1")
    if fields[-1] == "":
        fields.pop()
    lists = []
    for field in fields[1:]:
        match = _field().match(field)
        if not match:
            raise ParseError(f"not a field of the record: {printable(field, 60)!r}")
        lists += [match[2]] if match[1] == "rua" else []
    if len(lists) != 1:
        raise ParseError("the record needs one rua field")
    uris = tuple(uri.strip(" \t") for uri in lists[0].split(","))
    if len(uris) > MAX_URIS or not all(_uri().match(uri) for uri in uris):
        raise ParseError(f"rua is not a list of URIs: {printable(lists[0], 60)!r}")
    usable = tuple(uri for uri in uris if uri.lower().startswith(_SCHEMES))
    return Reporting(usable, tuple(uri for uri in uris if uri not in usable))


@cache
def _field() -> re.Pattern[str]:
    return re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([!-:<-~][ -:<-~\t]*)\Z")


@cache
def _uri() -> re.Pattern[str]:
    # RFC 3986 §3.1; comma, semicolon and exclamation mark have to be percent-encoded here (RFC 8460 §3)
    return re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}:[\"-+\--:<-~]+\Z")
