"""What is wrong, risky or wasteful in a domain's SPF records, whoever the client.

RFC 7208 §3 (records), §4.6 (syntax), §4.6.4 (limits), §5 (mechanisms), §6 (modifiers), §7 (macros).  Every include and
redirect is followed, past the limits too, so that each branch has its price; nothing is matched against any client.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from deliverability.errors import printable
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion, Observations, Unobserved
from deliverability.protocols.spf_reading import SHOWN, VERSION, Flaw, Reading, read
from deliverability.protocols.spf_terms import MACRO, Term

__all__ = ["FATAL", "Branch", "Flaw", "Price", "Remark", "Survey", "branches_below", "survey"]

MAX_QUESTIONS: Final = 400
"""Questions of one survey; a real domain needs about forty."""
MAX_BRANCHES: Final = 100
MAX_REMARKS: Final = 60
MAX_OF_A_KIND: Final = 20
"""Remarks about the same flaw, whatever the term."""
MAX_MX: Final = 10

_NEAR = re.compile(rb"[\"' \t]*(?:v\s*=\s*spf|spf[12]\b|spf\s*=)", re.IGNORECASE)


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
    everybody: tuple[str, str] | None = None
    """Domain and term that let the whole Internet pass, where the domain's own record leads there; else ``None``."""
    neutral: bool = False
    """The domain's own record says nothing of those whom it does not name: ``?all``, or no ``all`` and no redirect."""

    @property
    def price(self) -> Price:
        """Of the whole tree."""
        return self.branches[0].total if self.branches else Price()


def survey(domain: Domain, observations: Observations) -> Survey:
    """Walk the whole tree; raises ``Unobserved`` with everything that a level needs at once."""
    return observations.once(_survey, domain)


def _survey(domain: Domain, observations: Observations) -> Survey:
    return _Surveyor(domain, observations).run()


@dataclass(slots=True)
class _Grown:
    """A branch whose price is still being counted."""

    domain: str
    via: str
    parent: int | None
    record: str
    lookups: int = 0
    void_v4: int = 0
    void_v6: int = 0
    everybody: tuple[str, str] | None = None


class _Surveyor:
    """One walk, level by level."""

    def __init__(self, domain: Domain, observations: Observations) -> None:
        self._observations = observations
        self._branches: list[_Grown] = []
        self._remarks: dict[Remark, None] = {}
        self._missing: dict[DnsQuestion, None] = {}
        self._asked: set[DnsQuestion] = set()
        self._level: list[tuple[str, str, int | None]] = [(domain.name, "", None)]
        self._complete = True
        self._neutral = False
        self._kinds: Counter[Flaw] = Counter()

    def run(self) -> Survey:
        while self._level:
            level, self._level = self._level, []
            for name, via, parent in level:
                self._branch(name, via, parent)
            if self._missing:
                raise Unobserved(*self._missing)
        branches = self._total()
        everybody = self._branches[0].everybody if branches else None
        left_out = self._kinds.total() - len(self._remarks)
        more = (Remark(Flaw.MORE, "", str(left_out)),) if left_out else ()
        return Survey(branches, (*self._remarks, *more), self._complete, everybody, self._neutral)

    def _remark(self, flaw: Flaw, domain: str, text: str = "") -> None:
        """``text`` as it is fit to be shown; what is beyond the bounds is counted."""
        remark = Remark(flaw, domain, text)
        if remark in self._remarks:
            return
        self._kinds[flaw] += 1
        if len(self._remarks) < MAX_REMARKS and self._kinds[flaw] <= MAX_OF_A_KIND:
            self._remarks[remark] = None

    def _open(self, flaw: Flaw, domain: str, text: str) -> None:
        self._complete = False
        self._remark(flaw, domain, printable(text, SHOWN))

    def _ask(self, domain: str, name: str, rdtype: str) -> DnsAnswer | None:
        """The answer; ``None`` where there is none yet, or none to be had."""
        question = _question(name, rdtype) if len(name) < MAX_NAME else None
        if question is None:
            return None
        if question not in self._asked and len(self._asked) >= MAX_QUESTIONS:
            self._open(Flaw.LIMIT, domain, str(MAX_QUESTIONS))
            return None
        self._asked.add(question)
        try:
            answer = self._observations.answers[question]
        except KeyError:
            self._missing.setdefault(question)
            return None
        if isinstance(answer, DnsAnswer):
            return answer
        if isinstance(answer, CouldNotLook):
            self._open(Flaw.COULD_NOT_LOOK, domain, f"{question}: {answer.obstacle}")
        return None

    def _branch(self, name: str, via: str, parent: int | None) -> None:
        if len(self._branches) >= MAX_BRANCHES:
            self._open(Flaw.LIMIT, name, str(MAX_BRANCHES))
            return
        answer = self._ask(name, name, "TXT")
        if answer is None:
            return
        records = [record for record in answer.records if VERSION.match(record.joined)]
        if not records:
            self._without_record(answer, name, via, parent)
            return
        if len(records) > 1:
            self._remark(Flaw.SEVERAL, name, f"{len(records)}")
            return
        reading = read(records[0].strings)
        self._branches.append(_Grown(name, via, parent, reading.text))
        self._terms(name, reading, len(self._branches) - 1)

    def _without_record(self, answer: DnsAnswer, name: str, via: str, parent: int | None) -> None:
        for record in answer.records:
            if _NEAR.match(record.joined[:64]):
                self._remark(Flaw.NEAR_MISS, name, printable(record.joined[:200].decode("latin-1"), SHOWN))
        if parent is None:
            return
        above = self._branches[parent].domain
        self._remark(Flaw.NO_RECORD, above, printable(via, SHOWN))
        if not answer.records:
            self._void(parent)

    def _void(self, index: int, v4: int = 1, v6: int = 1) -> None:
        self._branches[index].void_v4 += v4
        self._branches[index].void_v6 += v6

    def _terms(self, name: str, reading: Reading, index: int) -> None:
        for flaw, text in reading.flaws:
            self._remark(flaw, name, text)
        if reading.everybody:
            self._branches[index].everybody = (name, reading.everybody)
        if self._branches[index].parent is None:
            self._neutral = reading.unfinished or any(flaw is Flaw.NEUTRAL_ALL for flaw, _ in reading.flaws)
            if reading.unfinished:
                self._remark(Flaw.NO_ALL, name)
        for said in reading.said:
            for flaw, text in said.flaws:
                self._remark(flaw, name, text)
            if said.walked:
                self._branches[index].lookups += 1
                _WALK[said.term.name](self, name, said.term, index)
        if reading.redirect:
            self._branches[index].lookups += 1
            self._follow(name, reading.redirect, index)

    def _follow(self, name: str, term: Term, index: int) -> None:
        """An include or a redirect: one look-up, and all that is below."""
        target = self._target(name, term, term.value)
        if target is None:
            return
        above: int | None = index
        while above is not None:
            if self._branches[above].domain == target:
                self._remark(Flaw.LOOP, name, printable(term.text, SHOWN))
                return
            above = self._branches[above].parent
        self._level.append((target, term.text, index))

    def _target(self, name: str, term: Term, value: str) -> str | None:
        """The name that a term asks; ``None`` where a macro over the client hides it."""
        if not value:
            return name
        if "%" not in value:
            return value.lower().removesuffix(".")
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
        target = self._target(name, term, term.value)
        if target is None:
            return
        v4, v6 = (self._ask(name, target, family) for family in ("A", "AAAA"))
        void_v4, void_v6 = v4 is not None and not v4.records, v6 is not None and not v6.records
        self._void(index, int(void_v4), int(void_v6))
        if void_v4 and void_v6:
            self._remark(Flaw.VOID, name, printable(term.text, SHOWN))

    def _mx(self, name: str, term: Term, index: int) -> None:
        """``mx``: one look-up; of those for its hosts one may be void for the whole term."""
        target = self._target(name, term, term.value)
        answer = self._ask(name, target, "MX") if target is not None else None
        if answer is None:
            return
        if not answer.records:
            self._void(index)
            self._remark(Flaw.VOID, name, printable(term.text, SHOWN))
        if len(answer.records) > MAX_MX:
            self._remark(Flaw.MANY_MX, name, printable(f"{term.text}: {len(answer.records)}", SHOWN))
            return
        hosts = [record.value for record in answer.records]
        found = [[self._ask(name, host, kind) for host in hosts] for kind in ("A", "AAAA")]
        void = [any(one is not None and not one.records for one in family) for family in found]
        self._void(index, int(void[0]), int(void[1]))

    def _exists(self, name: str, term: Term, index: int) -> None:
        target = self._target(name, term, term.value) if term.value else None
        answer = self._ask(name, target, "A") if target is not None else None
        if answer is not None and not answer.records:
            self._void(index)
            self._remark(Flaw.VOID, name, printable(term.text, SHOWN))

    def _ptr(self, name: str, term: Term, index: int) -> None:
        del index
        self._remark(Flaw.PTR, name, printable(term.text, SHOWN))

    def _total(self) -> tuple[Branch, ...]:
        """Children come after their parents: one pass from the end."""
        grown = self._branches
        owns = [(one.lookups, one.void_v4, one.void_v6) for one in grown]
        for one in reversed(grown):
            if one.parent is not None:
                above = grown[one.parent]
                above.lookups += one.lookups
                above.void_v4 += one.void_v4
                above.void_v6 += one.void_v6
                if one.via[:1] not in ("-", "~", "?"):  # who passes below, passes here
                    above.everybody = above.everybody or one.everybody
        return tuple(
            Branch(
                one.domain, one.via, one.parent, one.record, Price(*own), Price(one.lookups, one.void_v4, one.void_v6)
            )
            for one, own in zip(grown, owns, strict=True)
        )


MAX_NAME: Final = 255
"""Characters of a name that could still be asked."""


@lru_cache(maxsize=4096)
def _question(name: str, rdtype: str) -> DnsQuestion | None:
    """The question for a name, ``None`` if the DNS cannot hold it; one object for one question."""
    bare = name.removesuffix(".")
    if not bare or len(bare) > 253 or not all(0 < len(label) < 64 for label in bare.split(".")):
        return None
    return DnsQuestion(bare, rdtype)


_WALK: Final[dict[str, Callable[[_Surveyor, str, Term, int], None]]] = {
    "include": _Surveyor._follow,  # noqa: SLF001 - the class's own table
    "a": _Surveyor._address,  # noqa: SLF001
    "mx": _Surveyor._mx,  # noqa: SLF001
    "exists": _Surveyor._exists,  # noqa: SLF001
    "ptr": _Surveyor._ptr,  # noqa: SLF001
}


def branches_below(found: Survey) -> Iterator[Branch]:
    """The branches that hang on the domain's own record."""
    return (branch for branch in found.branches if branch.parent == 0)
