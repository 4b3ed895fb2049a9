"""What is wrong, risky or wasteful in a domain's SPF records, whoever the client.

RFC 7208 §3 (records), §4.6 (syntax), §4.6.4 (limits), §5 (mechanisms), §6 (modifiers), §7 (macros).  Every include and
redirect is followed, past the limits too, so that each branch has its price; nothing is matched against any client.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from deliverability.errors import printable
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion, Observations, Unobserved
from deliverability.protocols.spf_terms import MACRO, MECHANISMS, Term, misformed, network_flaw, terms

MAX_QUESTIONS: Final = 400
"""Questions of one survey; a real domain needs about forty."""
MAX_BRANCHES: Final = 100
MAX_REMARKS: Final = 60
MAX_RECORD: Final = 8192
"""Octets of one record that are read."""
ADVISED_OCTETS: Final = 450
"""RFC 7208 §3.4: so that the answer fits into 512 octets."""
MAX_MX: Final = 10

_VERSION = re.compile(rb"v=spf1(?: |\Z)", re.IGNORECASE)
_NEAR = re.compile(rb"[\"' \t]*(?:v\s*=\s*spf|spf[12]\b|spf\s*=)", re.IGNORECASE)
_JOINT = re.compile(rb"[+?~-]?(?:include:|ip4:|ip6:|a:|mx:|exists:|all\b|redirect=)", re.IGNORECASE)


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


FATAL: Final = frozenset(
    {Flaw.SEVERAL, Flaw.UNKNOWN, Flaw.SYNTAX, Flaw.NOT_ASCII, Flaw.BAD_MACRO, Flaw.NO_RECORD, Flaw.LOOP}
)
"""Flaws that make a receiver's evaluation end in ``permerror`` once it gets there."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One flaw, where it stands, and the term at fault: foreign text."""

    flaw: Flaw
    domain: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """What an evaluation costs when no mechanism matches (RFC 7208 §4.6.4)."""

    lookups: int = 0
    void_v4: int = 0
    """Look-ups without an answer for a client that connects over IPv4."""
    void_v6: int = 0

    def __add__(self, other: "Price") -> "Price":
        return Price(self.lookups + other.lookups, self.void_v4 + other.void_v4, self.void_v6 + other.void_v6)


@dataclass(frozen=True, slots=True)
class Branch:
    """One record of the tree."""

    domain: str
    via: str
    """The term that led here; empty at the root."""
    parent: int | None
    """Index of the branch above."""
    record: str
    own: Price = Price()
    total: Price = Price()
    """With everything below."""


@dataclass(frozen=True, slots=True)
class Survey:
    """All that a domain publishes for SPF."""

    branches: tuple[Branch, ...]
    remarks: tuple[Remark, ...]
    complete: bool
    """Nothing was left out: no limit, no name server that did not answer, no name that depends on the client."""

    @property
    def price(self) -> Price:
        """Of the whole tree."""
        return self.branches[0].total if self.branches else Price()


def survey(domain: Domain, observations: Observations) -> Survey:
    """Walk the whole tree; raises ``Unobserved`` with everything that a level needs at once."""
    return _Surveyor(domain, observations).run()


class _Surveyor:
    """One walk, level by level."""

    def __init__(self, domain: Domain, observations: Observations) -> None:
        self._observations = observations
        self._branches: list[Branch] = []
        self._remarks: dict[Remark, None] = {}
        self._missing: dict[DnsQuestion, None] = {}
        self._asked: set[DnsQuestion] = set()
        self._level: list[tuple[str, str, int | None]] = [(domain.name, "", None)]
        self._complete = True

    def run(self) -> Survey:
        while self._level:
            level, self._level = self._level, []
            for name, via, parent in level:
                self._branch(name, via, parent)
            if self._missing:
                raise Unobserved(*self._missing)
        self._total()
        return Survey(tuple(self._branches), tuple(self._remarks), self._complete)

    def _remark(self, flaw: Flaw, domain: str, text: str = "") -> None:
        if len(self._remarks) < MAX_REMARKS:
            self._remarks.setdefault(Remark(flaw, domain, printable(text, 120)))

    def _open(self, flaw: Flaw, domain: str, text: str) -> None:
        self._complete = False
        self._remark(flaw, domain, text)

    def _ask(self, domain: str, name: str, rdtype: str) -> DnsAnswer | None:
        """The answer; ``None`` where there is none yet, or none to be had."""
        bare = name.removesuffix(".")
        if not bare or len(bare) > 253 or not all(0 < len(label) < 64 for label in bare.split(".")):
            return None
        question = DnsQuestion(bare, rdtype)
        if question not in self._asked and len(self._asked) >= MAX_QUESTIONS:
            self._open(Flaw.LIMIT, domain, str(MAX_QUESTIONS))
            return None
        self._asked.add(question)
        try:
            answer = self._observations.ask(bare, rdtype)
        except Unobserved:
            self._missing.setdefault(question)
            return None
        if isinstance(answer, CouldNotLook):
            self._open(Flaw.COULD_NOT_LOOK, domain, f"{question}: {answer.obstacle}")
            return None
        return answer

    def _branch(self, name: str, via: str, parent: int | None) -> None:
        if len(self._branches) >= MAX_BRANCHES:
            self._open(Flaw.LIMIT, name, str(MAX_BRANCHES))
            return
        answer = self._ask(name, name, "TXT")
        if answer is None:
            return
        raw = [record.joined for record in answer.records if _VERSION.match(record.joined)]
        if not raw:
            self._without_record(answer, name, via, parent)
            return
        if len(raw) > 1:
            self._remark(Flaw.SEVERAL, name, f"{len(raw)}")
            return
        strings = next(r.strings for r in answer.records if r.joined == raw[0])
        text = raw[0][:MAX_RECORD].decode("latin-1")
        self._branches.append(Branch(name, via, parent, text))
        self._form(name, raw[0], strings)
        self._terms(name, terms(text), len(self._branches) - 1)

    def _without_record(self, answer: DnsAnswer, name: str, via: str, parent: int | None) -> None:
        for record in answer.records:
            if _NEAR.match(record.joined[:64]):
                self._remark(Flaw.NEAR_MISS, name, record.joined[:200].decode("latin-1"))
        if parent is None:
            return
        above = self._branches[parent].domain
        self._remark(Flaw.NO_RECORD, above, via)
        if not answer.records:
            self._pay(parent, Price(0, 1, 1))

    def _form(self, name: str, raw: bytes, strings: tuple[bytes, ...]) -> None:
        if len(raw) > ADVISED_OCTETS:
            self._remark(Flaw.LONG, name, f"{len(raw)}")
        if not raw.isascii():
            self._remark(Flaw.NOT_ASCII, name, raw.decode("latin-1"))
        for left, right in itertools.pairwise(strings):
            if left and not left.endswith(b" ") and _JOINT.match(right[:40]):
                self._remark(Flaw.JOINED, name, (left[-40:] + right[:40]).decode("latin-1"))

    def _pay(self, index: int, price: Price) -> None:
        branch = self._branches[index]
        self._branches[index] = replace(branch, own=branch.own + price)

    def _terms(self, name: str, found: tuple[Term, ...], index: int) -> None:
        counted = Counter(term.text.lower() for term in found)
        for text, times in counted.items():
            if times > 1:
                self._remark(Flaw.REPEATED, name, text)
        ended = next((i for i, term in enumerate(found) if term.name == "all" and not term.modifier), len(found))
        redirect = next((term for term in found if term.modifier and term.name == "redirect"), None)
        after = [term for term in found[ended + 1 :] if not term.modifier]
        if after:
            self._remark(Flaw.AFTER_ALL, name, after[0].text)
        if ended < len(found):
            self._all(name, found[ended])
            if redirect:
                self._remark(Flaw.REDIRECT_WITH_ALL, name, redirect.text)
        elif redirect is None and self._branches[index].parent is None:
            self._remark(Flaw.NO_ALL, name)
        for place, term in enumerate(found):
            self._syntax(name, term)
            handler = _PAID.get(term.name) if not term.modifier and place < ended else None
            if handler:
                handler(self, name, term, index)
        if redirect and ended == len(found):
            self._follow(name, redirect, index)

    def _all(self, name: str, term: Term) -> None:
        if term.qualifier in ("+", "?"):
            self._remark(Flaw.PLUS_ALL if term.qualifier == "+" else Flaw.NEUTRAL_ALL, name, term.text)

    def _syntax(self, name: str, term: Term) -> None:
        if not term.name:
            self._remark(Flaw.SYNTAX, name, term.text)
        elif not term.modifier and term.name not in MECHANISMS:
            self._remark(Flaw.UNKNOWN, name, term.text)
        elif not term.modifier and misformed(term):
            self._remark(Flaw.SYNTAX, name, term.text)
        if term.name in ("ip4", "ip6") and not term.modifier:
            self._network(name, term)
            return
        if "%" in term.value:
            if "%" in MACRO.sub("", term.value):
                self._remark(Flaw.BAD_MACRO, name, term.text)
            elif any(letter and letter.lower() in "sl" for letter in MACRO.findall(term.value)):
                self._remark(Flaw.MACRO, name, term.text)

    def _network(self, name: str, term: Term) -> None:
        flaw = network_flaw(term)
        if flaw:
            self._remark(Flaw(flaw), name, term.text)

    def _follow(self, name: str, term: Term, index: int) -> None:
        """An include or a redirect: one look-up, and all that is below."""
        self._pay(index, Price(1))
        target = self._target(name, term, term.value)
        if target is None:
            return
        above: int | None = index
        while above is not None:
            if self._branches[above].domain == target:
                self._remark(Flaw.LOOP, name, term.text)
                return
            above = self._branches[above].parent
        self._level.append((target, term.text, index))

    def _target(self, name: str, term: Term, value: str) -> str | None:
        """The name that a term asks; ``None`` where a macro over the client hides it."""
        if not value:
            return name
        letters = {letter.lower() for letter in MACRO.findall(value) if letter}
        if letters - {"d", "o"} or "%{" in re.sub(r"%\{[dDoO]\}", "", value):
            self._open(Flaw.NOT_WALKED, name, term.text)
            return None
        root = self._branches[0].domain
        filled = re.sub(r"%\{[dD]\}", lambda _m: name, value)
        filled = re.sub(r"%\{[oO]\}", lambda _m: root, filled)
        return filled.replace("%%", "%").replace("%_", " ").replace("%-", "%20").lower().removesuffix(".")

    def _address(self, name: str, term: Term, index: int) -> None:
        """``a``: one look-up, of A or of AAAA as the client connects."""
        self._pay(index, Price(1))
        target = self._target(name, term, term.value)
        if target is not None:
            self._addresses(name, term, index, target)

    def _addresses(self, name: str, term: Term, index: int, target: str) -> None:
        v4, v6 = self._ask(name, target, "A"), self._ask(name, target, "AAAA")
        void = Price(0, int(v4 is not None and not v4.records), int(v6 is not None and not v6.records))
        self._pay(index, void)
        if void.void_v4 and void.void_v6:
            self._remark(Flaw.VOID, name, term.text)

    def _mx(self, name: str, term: Term, index: int) -> None:
        """``mx``: one look-up; of those for its hosts one may be void for the whole term."""
        self._pay(index, Price(1))
        target = self._target(name, term, term.value)
        answer = self._ask(name, target, "MX") if target is not None else None
        if answer is None:
            return
        if not answer.records:
            self._pay(index, Price(0, 1, 1))
            self._remark(Flaw.VOID, name, term.text)
        if len(answer.records) > MAX_MX:
            self._remark(Flaw.MANY_MX, name, f"{term.text}: {len(answer.records)}")
            return
        hosts = [record.value for record in answer.records]
        found = [[self._ask(name, host, kind) for host in hosts] for kind in ("A", "AAAA")]
        void = [any(one is not None and not one.records for one in family) for family in found]
        self._pay(index, Price(0, int(void[0]), int(void[1])))

    def _exists(self, name: str, term: Term, index: int) -> None:
        self._pay(index, Price(1))
        target = self._target(name, term, term.value) if term.value else None
        answer = self._ask(name, target, "A") if target is not None else None
        if answer is not None and not answer.records:
            self._pay(index, Price(0, 1, 1))
            self._remark(Flaw.VOID, name, term.text)

    def _ptr(self, name: str, term: Term, index: int) -> None:
        self._pay(index, Price(1))
        self._remark(Flaw.PTR, name, term.text)

    def _total(self) -> None:
        """Children come after their parents: one pass from the end."""
        totals = [branch.own for branch in self._branches]
        for index in range(len(totals) - 1, 0, -1):
            parent = self._branches[index].parent
            if parent is not None:
                totals[parent] = totals[parent] + totals[index]
        self._branches = [replace(b, total=t) for b, t in zip(self._branches, totals, strict=True)]


_PAID: Final[dict[str, Callable[[_Surveyor, str, Term, int], None]]] = {
    "include": _Surveyor._follow,  # noqa: SLF001 - the class's own table
    "a": _Surveyor._address,  # noqa: SLF001
    "mx": _Surveyor._mx,  # noqa: SLF001
    "exists": _Surveyor._exists,  # noqa: SLF001
    "ptr": _Surveyor._ptr,  # noqa: SLF001
}


def branches_below(found: Survey) -> Iterator[Branch]:
    """The branches that hang on the domain's own record."""
    return (branch for branch in found.branches if branch.parent == 0)
