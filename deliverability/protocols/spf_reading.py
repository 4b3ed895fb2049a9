"""One SPF record, read once for all who walk through it (RFC 7208 §3, §4.6, §5, §6, §7).

What a record says does not depend on who asks, and thousands of domains include the same few records: everything that
the text alone shows is worked out here, and kept for ordinary records.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Final

from deliverability.errors import printable
from deliverability.evidence.observation import DnsQuestion
from deliverability.protocols.spf_terms import MACRO, MECHANISMS, Term, domain_flaw, misformed, network_flaw, terms

MAX_RECORD: Final = 65_535
"""Octets of one record that are read: as many as the DNS can hold."""
MAX_KEPT: Final = 512
"""Octets of a record whose reading is kept; RFC 7208 §3.4 advises 450."""
ADVISED_OCTETS: Final = 450
"""RFC 7208 §3.4: so that the answer fits into 512 octets."""
SHOWN: Final = 120
"""Characters of a term in a remark."""

VERSION: Final = re.compile(rb"v=spf1(?: |\Z)", re.IGNORECASE)  # RFC 7208 §4.5
_JOINT = re.compile(rb"[+?~-]?(?:include:|ip4:|ip6:|a:|mx:|exists:|all\b|redirect=)", re.IGNORECASE)
_NAME = r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.){1,20}[a-z]{2,63}"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_V4_PREFIX, _V6_PREFIX = r"(?:/(?:3[0-2]|[12]?[0-9]))?", r"(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))?"
_PLAIN_NAME = re.compile(_NAME + r"\Z", re.IGNORECASE)
_PLAIN_TERM = re.compile(
    rf"[+?~-]?(?:all|include:{_NAME}|(?:a|mx)(?::{_NAME})?{_V4_PREFIX}"
    rf"|ip4:{_OCTET}(?:\.{_OCTET}){{3}}{_V4_PREFIX}|ip6:[0-9a-f:]{{2,39}}{_V6_PREFIX})\Z|redirect={_NAME}\Z",
    re.IGNORECASE,
)


class Flaw(StrEnum):
    """What a remark is about; the words belong to whoever shows it."""

    SEVERAL = "several-records"
    NEAR_MISS = "near-miss"
    PLUS_ALL = "plus-all"
    NEUTRAL_ALL = "neutral-all"
    NO_ALL = "no-all"
    AFTER_ALL = "after-all"
    REDIRECT_WITH_ALL = "redirect-with-all"
    PTR = "ptr"
    UNKNOWN = "unknown-mechanism"
    IGNORED = "unknown-modifier"
    SYNTAX = "syntax"
    LONG = "long-record"
    JOINED = "joined-strings"
    NOT_ASCII = "not-ascii"
    MACRO = "macro-by-sender"
    BAD_MACRO = "bad-macro"
    NO_RECORD = "include-without-record"
    LOOP = "loop"
    VOID = "void-lookup"
    MANY_MX = "many-mx"
    BROAD = "broad-network"
    PRIVATE = "private-network"
    REPEATED = "repeated-term"
    NOT_WALKED = "depends-on-client"
    COULD_NOT_LOOK = "not-counted"
    LIMIT = "survey-limit"
    MORE = "more-remarks"


@dataclass(frozen=True, slots=True)
class Said:
    """What one term says by itself, and whether it is walked."""

    term: Term
    flaws: tuple[tuple[Flaw, str], ...]
    walked: bool
    """A mechanism that stands before any ``all``."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the text of a record shows."""

    text: str
    flaws: tuple[tuple[Flaw, str], ...]
    """Of the record as a whole, each with the text at fault, fit to be shown."""
    said: tuple[Said, ...]
    """Term by term; only those with a flaw, or that are walked."""
    redirect: Term | None
    """Followed when nothing matches: not where the record has ``all``."""
    unfinished: bool
    """Neither ``all`` nor ``redirect``."""
    everybody: str
    """The term that authorises the whole Internet, or all that has IPv4 or IPv6; empty where none does."""
    plain: bool
    """Only what RFC 7208 §12 allows, in its commonest forms: no macros, no modifier but one ``redirect``, nothing after
    ``all``, and no ``+all``."""
    asks: tuple[DnsQuestion, ...]
    """Of a plain record: the records that it goes on to, in order."""
    lookups: int
    """Of a plain record: its own terms that ask the DNS (RFC 7208 §4.6.4)."""


def read(strings: tuple[bytes, ...]) -> Reading:
    """Read one record, given as its character-strings; never raises."""
    return _read_ordinary(strings) if sum(map(len, strings)) <= MAX_KEPT else _read(strings)


def is_plain_name(name: str) -> bool:
    """A domain name as nearly all are: letters, digits, hyphens, underscores, under a top-level domain of letters."""
    return len(name) <= 253 and _PLAIN_NAME.match(name) is not None


def _read(strings: tuple[bytes, ...]) -> Reading:
    raw = b"".join(strings)
    text = raw[:MAX_RECORD].decode("latin-1")
    found = terms(text)
    ended = next((i for i, term in enumerate(found) if term.name == "all" and not term.modifier), len(found))
    redirect = next((term for term in found if term.modifier and term.name == "redirect"), None)
    flaws = tuple((flaw, printable(what, SHOWN)) for flaw, what in _flaws(raw, strings, found, ended, redirect))
    said = []
    for place, term in enumerate(found):
        own = tuple((flaw, printable(_readable(term.text), SHOWN)) for flaw in _term_flaws(term))
        walked = place < ended and not term.modifier and term.name in _WALKED and (Flaw.SYNTAX not in dict(own))
        if own or walked:
            said.append(Said(term, own, walked))
    goes_on = redirect if ended == len(found) else None
    plain = (
        len(raw) <= MAX_KEPT
        and ended >= len(found) - 1
        and not {Flaw.PLUS_ALL, Flaw.REDIRECT_WITH_ALL} & {flaw for flaw, _ in flaws}
    )
    plain = plain and all(_is_plain(term) for term in found) and sum(term.modifier for term in found) <= 1
    asks = [term.value for term in found if term.name == "include"] if plain else []
    asks += [goes_on.value] if plain and goes_on else []
    return Reading(
        text,
        flaws,
        tuple(said),
        goes_on,
        unfinished=ended == len(found) and redirect is None,
        everybody=_everybody(found[: ended + 1]),
        plain=plain,
        asks=tuple(DnsQuestion(name, "TXT") for name in asks),
        lookups=sum(term.name in _ASKING for term in found) if plain else 0,
    )


def _readable(text: str) -> str:
    """Octets that were taken for Latin-1, as UTF-8 where they are: that is what somebody typed."""
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "backslashreplace")


_read_ordinary = lru_cache(maxsize=512)(_read)
_MODIFIERS: Final = frozenset({"redirect", "exp", "ra", "rp", "rr"})  # RFC 7208 §6, RFC 6652 §3
_BROAD: Final = frozenset({"broad-network", "private-network"})
_WALKED: Final = frozenset({"include", "a", "mx", "exists", "ptr"})
_ASKING: Final = frozenset({"include", "a", "mx", "redirect"})


def _is_plain(term: Term) -> bool:
    if len(term.value) > 253 or not _PLAIN_TERM.match(term.text):
        return False
    return term.name != "ip6" or network_flaw(term) != "syntax"


def _everybody(walked: tuple[Term, ...]) -> str:
    """The term by which all pass, or the networks that cover all addresses together, as two halves do."""
    passing = [term for term in walked if not term.modifier and term.qualifier == "+" and not misformed(term)]
    alone = next((term.text for term in passing if _is_everybody(term)), "")
    if alone:
        return printable(alone, SHOWN)
    four, six = ([t for t in passing if t.name == name and network_flaw(t) in _BROAD] for name in ("ip4", "ip6"))
    whole = list(collapse_addresses(IPv4Network(t.value + t.cidr, strict=False) for t in four))
    if whole == [IPv4Network("0.0.0.0/0")]:
        return printable(" ".join(term.text for term in four), SHOWN)
    widest = list(collapse_addresses(IPv6Network(t.value + t.cidr, strict=False) for t in six))
    return printable(" ".join(term.text for term in six), SHOWN) if widest == [IPv6Network("::/0")] else ""


def _is_everybody(term: Term) -> bool:
    if term.name in ("ip4", "ip6"):
        return term.cidr == "/0" and network_flaw(term) != "syntax"
    return term.name == "all"


def _flaws(
    raw: bytes, strings: tuple[bytes, ...], found: tuple[Term, ...], ended: int, redirect: Term | None
) -> Iterator[tuple[Flaw, str]]:
    """Of the record as a whole."""
    if len(raw) > ADVISED_OCTETS:
        yield Flaw.LONG, f"{len(raw)}"
    if not raw.isascii():
        yield Flaw.NOT_ASCII, raw.decode("utf-8", "backslashreplace")
    for left, right in itertools.pairwise(strings):
        if left and not left.endswith(b" ") and _JOINT.match(right[:40]):
            yield Flaw.JOINED, (left[-40:] + right[:40]).decode("latin-1")
    for text, times in Counter(term.text.lower() for term in found).items():
        if times > 1:
            yield Flaw.REPEATED, text
    if ended < len(found):
        yield from _flaws_of_all(found[ended], found[ended + 1 :], redirect)


def _flaws_of_all(last: Term, rest: tuple[Term, ...], redirect: Term | None) -> Iterator[tuple[Flaw, str]]:
    after = [term for term in rest if not term.modifier]
    if after:
        yield Flaw.AFTER_ALL, after[0].text
    if last.qualifier in ("+", "?"):
        yield Flaw.PLUS_ALL if last.qualifier == "+" else Flaw.NEUTRAL_ALL, last.text
    if redirect:
        yield Flaw.REDIRECT_WITH_ALL, redirect.text


def _term_flaws(term: Term) -> Iterator[Flaw]:
    written = _writing_flaw(term)
    if written:
        yield written
    if term.name in ("ip4", "ip6") and not term.modifier:
        flaw = network_flaw(term)
        if flaw:
            yield Flaw(flaw)
    elif "%" in term.value:
        if "%" in MACRO.sub("", term.value):
            yield Flaw.BAD_MACRO
        elif any(letter and letter.lower() in "sl" for letter in MACRO.findall(term.value)):
            yield Flaw.MACRO


def _writing_flaw(term: Term) -> Flaw | None:
    """How a term is written, whatever it names."""
    if not term.name or not term.text.isascii():
        return Flaw.SYNTAX
    if term.modifier:
        return None if term.name in _MODIFIERS else Flaw.IGNORED
    if term.name not in MECHANISMS:
        return Flaw.UNKNOWN
    strange = term.name in _WALKED and term.value and domain_flaw(term.value)
    return Flaw.SYNTAX if strange or misformed(term) else None
