"""The steps of an SPF evaluation, and what it will ask (RFC 7208 §4.6, §5); nothing here knows who evaluates."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final

from deliverability.evidence.observation import DnsAnswer, DnsQuestion

MAX_KEPT: Final = 512
"""Characters of a record, term or name whose reading is kept for the next domain that has it too."""

_TERM = re.compile(r"[+?~-]?(?:(include|a|mx|ptr)(?::([^/%]+))?(?:/[\d/]*)?|(redirect)=([^/%]+))\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an evaluation, in the order in which it was taken."""

    kind: str
    """``query``, ``match`` (an address of the client's was found) or ``record`` (a record has its result)."""
    domain: str
    """Whose record was being evaluated."""
    subject: str
    """The question, the network that matched, or the record's result."""
    said: str = ""
    """What the DNS said: a number of records, ``NODATA``, ``NXDOMAIN`` or the obstacle."""
    void: bool = False
    """Nothing came back, and RFC 7208 §4.6.4 counts it."""
    observed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Below:
    """How an included record came to its result."""

    result: tuple[str, int, str]
    seen: tuple[DnsAnswer, ...]
    """What it rests on: for the same client, and with these very answers, it comes to the same."""
    trace: tuple[Step, ...]
    lookups: int
    void_lookups: int
    foreseen: tuple[DnsQuestion, ...]


@dataclass(slots=True)
class Way:
    """The way through one record and all below it, while it is gone."""

    steps: int
    """Of the whole evaluation before it began, as are the next two."""
    lookups: int
    void_lookups: int
    seen: list[DnsAnswer] = field(default_factory=list)
    foreseen: list[DnsQuestion] = field(default_factory=list)
    whole: bool = True
    """It rests on the client's address and these answers alone: no macro, no explanation, no look-up that failed."""

    def join(self, below: "Way") -> None:
        """What a record below rests on, this one rests on."""
        self.seen += below.seen
        self.foreseen += below.foreseen
        self.whole = self.whole and below.whole


def foresee(text: str, domain: str, family: str, pointer: str) -> tuple[DnsQuestion, ...]:
    """What the terms of one record will ask, as far as no macro hides it.

    ``family`` is A or AAAA as the client connects, ``pointer`` the name of its PTR record.
    """
    return (
        _foresee_kept(text, domain, family, pointer)
        if len(text) <= MAX_KEPT
        else _foresee(text, domain, family, pointer)
    )


def _foresee(text: str, domain: str, family: str, pointer: str) -> tuple[DnsQuestion, ...]:
    found: list[DnsQuestion | None] = []
    for term in text.split(" ")[1:]:
        match = _TERM.match(term)
        if not match:
            continue
        mechanism, argument, redirect, target = match.groups()
        if redirect:
            found.append(question_of(target, "TXT"))
        elif mechanism.lower() == "ptr":
            found.append(question_of(pointer, "PTR"))
        else:
            kind = {"include": "TXT", "mx": "MX"}.get(mechanism.lower(), family)
            found.append(question_of(argument or domain, kind))
    return tuple(question for question in found if question is not None)


_foresee_kept = lru_cache(maxsize=512)(_foresee)


def question_of(name: str, qtype: str) -> DnsQuestion | None:
    """The question for a name, or ``None`` if the DNS cannot hold it: such a name has no records (RFC 7208 §4.3)."""
    return _question(name, qtype) if len(name) <= MAX_KEPT else None


@lru_cache(maxsize=4096)
def _question(name: str, qtype: str) -> DnsQuestion | None:
    bare = name.removesuffix(".")
    labels = [label.encode("utf-8", "surrogatepass") for label in bare.split(".")]
    if not all(0 < len(label) < 64 for label in labels) or sum(len(label) + 1 for label in labels) > 254:
        return None
    return DnsQuestion(bare, qtype)
