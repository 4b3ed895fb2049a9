"""The only file that knows pyspf 2.0.14: its evaluator, fed from recorded answers.

Imported on first use (pyspf pulls in a resolver that is never asked).  Where pyspf leaves RFC 7208, the method
that does so is overridden here and says which section it follows instead.
"""

import contextlib
import re
import warnings
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final, cast

from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion, Observations, Record, Unobserved
from deliverability.protocols import spf_problems
from deliverability.protocols.spf_problems import MAX_MX, MAX_VOID
from deliverability.protocols.spf_steps import MAX_KEPT, Below, Step, Way, foresee, question_of
from deliverability.protocols.spf_terms import MAX_TERMS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # invalid escapes in pyspf 2.0.14's own source
    import spf

MAX_RECORD: Final = 65_535
"""Octets of one record that are evaluated, as many as the DNS can hold; RFC 7208 §3.4 advises 450."""
MAX_TERM: Final = 1024
"""Octets of one term: pyspf's expressions take quadratic time on longer ones."""
MAX_FORESEEN: Final = 40
"""Questions that may be asked ahead of need."""
MAX_PTR: Final = 10  # RFC 7208 §4.6.4
MAX_STEPS: Final = 400
MAX_SHARED: Final = 500
"""Included records whose way to the result is kept; each with what it rests on:"""
MAX_SEEN: Final = 30
MAX_SEEN_OCTETS: Final = 8192

_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=", re.ASCII)
_REDIRECT = re.compile(r"redirect=", re.IGNORECASE)
_LETTER = re.compile(r"%\{([A-Za-z])")
_CLIENT_MACRO = re.compile(r"%\{[^}doDO]", re.ASCII)

PermError = spf.PermError


class Unsettled(Exception):  # noqa: N818 - no error: nobody has told what is needed
    """A name that is asked is made of something unknown; its argument is the macro's letter."""


class Query(spf.query):
    """One evaluation for one client address."""

    shares = True
    """Ways through included records are kept for the other bundles of a run."""

    def __init__(self, client_ip: str, sender: str, helo: str, observations: Observations, receiver: str) -> None:
        super().__init__(i=client_ip, s=sender, h=helo, receiver=receiver)
        self.observations = observations
        self.obstacle: CouldNotLook | None = None
        """The look-up that made the result ``temperror``."""
        self.wanted: list[DnsQuestion] = []
        """What an explanation would need; asked for only once the result is known to be ``fail``."""
        self.trace: list[Step] = []
        self.unknown: frozenset[str] = frozenset()
        """Letters of macros whose value nobody has told."""
        self._hidden: dict[str, str] = {}
        self._foreseen: dict[DnsQuestion, None] = {}
        self._way = Way(0, 0, 0)
        self._level: int | None = None
        self._counts_next = True

    def dns(
        self, name: str, qtype: str, cnames: dict[str, str] | None = None, ignore_void: bool = False
    ) -> list[object]:
        """Answer from the record, or raise ``Unobserved`` with what this record's other terms will need too."""
        del cnames  # the resolver that answered has followed them
        if name in self._hidden:
            raise Unsettled(self._hidden[name])
        question = question_of(name, qtype)
        if question is None:
            return []
        observation = self.observations.answers.get(question)
        if observation is None:
            raise self._unobserved(question)
        if not isinstance(observation, DnsAnswer):
            self._way.whole = False
            if not isinstance(observation, CouldNotLook):
                raise TypeError(f"{question} was answered by something else than the DNS")
            self._note("query", str(question), observation.obstacle.value, observed_at=observation.observed_at)
            self.obstacle = observation
            raise spf.TempError(f"{question}: {observation.obstacle}")
        self._way.seen.append(observation)
        void = not observation.records and not ignore_void
        said = str(len(observation.records)) if observation.records else "NODATA" if observation.exists else "NXDOMAIN"
        self._note("query", str(question), said, void=void, observed_at=observation.observed_at)
        if void:
            self._void()
        return [_value(qtype, record) for record in observation.records]

    def check1(self, spf: str | None, domain: str, recursion: int) -> tuple[str, int, str]:
        """One record and all below it; of an included one the way to its result is kept for others that include it."""
        if recursion == self._level:  # a redirect: an include goes one level down
            self.check_lookups()
        if not recursion or not spf or not self.shares:
            return super().check1(spf, domain, recursion)
        key = ("spf", spf, domain, self.c)
        below = self.observations.shared.get(key)
        if below is not None and self._repeats(below):
            return cast("Below", below).result
        outer, self._way = self._way, Way(len(self.trace), self.lookups, self.void_lookups)
        try:
            found = super().check1(spf, domain, recursion)
            self._keep(key, found)
            return found
        finally:
            outer.join(self._way)
            self._way = outer

    def _keep(self, key: object, result: tuple[str, int, str]) -> None:
        """Put on record how an included record came to its result, with the answers that this rests on."""
        way, shared = self._way, self.observations.shared
        if not way.whole or len(self.trace) >= MAX_STEPS or len(way.seen) > MAX_SEEN:
            return
        if sum(len(seen.wire) for seen in way.seen) > MAX_SEEN_OCTETS:
            return
        if len(shared) >= MAX_SHARED:
            shared.clear()
        counted = self.lookups - way.lookups, self.void_lookups - way.void_lookups
        shared[key] = Below(result, tuple(way.seen), tuple(self.trace[way.steps :]), *counted, tuple(way.foreseen))

    def _repeats(self, below: Below) -> bool:
        """Take over what another evaluation found, if this one would find just that."""
        answers = self.observations.answers
        if (
            self.lookups + below.lookups > spf.MAX_LOOKUP
            or self.void_lookups + below.void_lookups > MAX_VOID
            or len(self.trace) + len(below.trace) > MAX_STEPS
            or len(self._foreseen) + len(below.foreseen) > MAX_FORESEEN
            or not all(answers.get(seen.question) is seen for seen in below.seen)
        ):
            return False
        self.lookups += below.lookups
        self.void_lookups += below.void_lookups
        self.trace += below.trace
        self._way.seen += below.seen
        self._way.foreseen += below.foreseen
        self._foreseen.update(dict.fromkeys(below.foreseen))
        return True

    def check0(self, spf: str | None, recursion: int) -> tuple[str, int, str]:
        """One record's result."""
        outer, self._level = self._level, recursion
        self._counts_next = not any(_REDIRECT.match(term) for term in (spf or "").split(" "))
        try:
            result: tuple[str, int, str] = super().check0(spf, recursion)
        finally:
            self._level = outer
        self._note("record", result[0])
        return result

    def check_lookups(self) -> None:
        """Count a term that asks the DNS: pyspf counts a redirect as it reads it, before the mechanisms.

        RFC 7208 §4.6.4: terms count when they are evaluated; §6.1: a redirect is, where no mechanism matches.
        """
        if self._counts_next:
            super().check_lookups()
        self._counts_next = True

    def expand_domain(self, arg: str) -> str:
        """Expand a name, and remember what of it is unknown."""
        expanded: str = super().expand_domain(arg)
        letter = next((letter for letter in _LETTER.findall(arg) if letter.lower() in self.unknown), None)
        if letter:
            self._hidden[expanded] = letter.lower()
        return expanded

    def expand(self, s: str, stripdot: bool = True) -> str:
        """Expand macros, which may stand for the sender."""
        if "%" in s:
            self._way.whole = False
        return super().expand(s, stripdot)

    def validate_mechanism(self, mech: str) -> tuple[object, ...]:
        """A term taken apart; what holds no macro comes to the same for every sender."""
        if "%" in mech or len(mech) > MAX_KEPT:
            return super().validate_mechanism(mech)
        # a term with a name or an address of its own means the same in every domain's record, but for an include of itself
        domain = "" if ":" in mech and self.d not in mech else self.d
        return _validated(mech, domain, self.v, self.cidrmax)

    def cidrmatch(self, ipaddrs: list[object], n: int) -> bool:
        """Whether the client's address is in one of the networks."""
        for address in ipaddrs:
            _network(address)  # one that is none spoils the whole term
        found = any(_within(self.c, address, n) for address in ipaddrs)
        if found:
            self._note("match", str(ip_network(f"{self.c}/{n}", strict=False)))
        return found

    def _note(
        self, kind: str, subject: str, said: str = "", *, void: bool = False, observed_at: datetime | None = None
    ) -> None:
        if len(self.trace) < MAX_STEPS:
            self.trace.append(Step(kind, self.d, subject, said, void, observed_at))

    def dns_spf(self, domain: str) -> str | None:
        """One record's text, within bounds; remembers what its terms will ask."""
        text = super().dns_spf(domain)
        if text is None:
            return None
        if (
            len(text) > MAX_RECORD
            or text.count(" ") > MAX_TERMS
            or any(len(term) > MAX_TERM for term in text.split(" "))
        ):
            raise PermError(spf_problems.TOO_LONG)
        for question in self._foresee(text, domain):
            self._way.foreseen.append(question)
            if len(self._foreseen) < MAX_FORESEEN:
                self._foreseen.setdefault(question)
        return _with_known_modifiers(text) if text.count("=") > 1 else text

    def dns_mx(self, domainname: str) -> list[object]:
        """Addresses of all MX, asked at once; one void at most for the whole term (RFC 7208 §4.6.4)."""
        records = cast("list[tuple[int, str]]", self.dns(domainname, "MX"))
        if len(records) > MAX_MX:
            raise PermError(spf_problems.MANY_MX)
        names = [name for _preference, name in sorted(records)]
        self._require(names)
        found = [address for name in names for address in self.dns(name, self.A, ignore_void=True)]
        self._count_void(names)
        return found

    def validated_ptrs(self) -> list[object]:
        """Names of the client whose addresses include it.

        RFC 7208 §5.5: an error at the PTR record is no match, an error at a name's addresses skips that name;
        pyspf ends with ``temperror`` in both cases.
        """
        try:
            names = [str(name) for name in self.dns_ptr(self.i)[:MAX_PTR]]
        except spf.TempError:
            return []
        self._require(names)
        valid: list[object] = []
        for name in names:
            with contextlib.suppress(spf.TempError):
                if self.cidrmatch(self.dns(name, self.A, ignore_void=True), self.cidrmax):
                    valid.append(name)
        self._count_void(names)
        return valid

    def get_explanation(self, spec: str) -> str | None:
        """An explanation, or nothing yet: pyspf wants it for every record, RFC 7208 §6.2 only after ``fail``."""
        self._way.whole = False
        try:
            return super().get_explanation(spec)
        except Unobserved as missing:
            self.wanted += (q for q in missing.questions if isinstance(q, DnsQuestion))
        except spf.TempError:
            pass  # RFC 7208 §6.2: the default explanation stands
        return None

    def _require(self, names: Iterable[str]) -> None:
        questions = filter(None, (question_of(name, self.A) for name in names))
        missing = [q for q in dict.fromkeys(questions) if q not in self.observations.answers]
        if missing:
            raise self._unobserved(*missing)

    def _unobserved(self, *needed: DnsQuestion) -> Unobserved:
        known = self.observations.answers
        return Unobserved(*needed, *(q for q in self._foreseen if q not in known and q not in needed))

    def _count_void(self, names: Iterable[str]) -> None:
        answers = (self.observations.answers.get(q) for name in names if (q := question_of(name, self.A)))
        if any(isinstance(answer, DnsAnswer) and not answer.records for answer in answers):
            self._void()

    def _void(self) -> None:
        self.void_lookups += 1
        if self.void_lookups > MAX_VOID:
            raise PermError(spf_problems.MANY_VOID)

    def _foresee(self, text: str, domain: str) -> Iterable[DnsQuestion]:
        """What the terms of one record will ask, as far as no macro hides it."""
        return foresee(text, domain, self.A, f"{'.'.join(reversed(self.i.split('.')))}.{self.v}.arpa")


def problem_of(query: Query) -> str | None:
    """What was wrong, for the middle of a sentence: the term at fault inside, as far as pyspf tells it."""
    error = cast("Any", query).perm_error
    if error is None:
        told: str | None = query.prob
        return told
    return spf_problems.told(str(error.msg), str(error.mech or ""))


def _with_known_modifiers(record: str) -> str:
    """The record as pyspf reads it right: it takes ``Redirect=`` for unknown, and refuses an unknown one that is repeated.

    RFC 7208 §4.6.1: names are case-insensitive; §6: unknown modifiers are ignored wherever they stand.
    """
    version, *rest = record.split(" ")
    kept, seen = [version], set()
    for term in rest:
        found = _MODIFIER.match(term)
        name = found[1].lower() if found else ""
        if name and name not in ("redirect", "exp") and name in seen:
            continue
        seen.add(name)
        kept.append(f"{name}={term[len(name) + 1 :]}" if name else term)
    return " ".join(kept)


def require(domain: str, observations: Observations) -> None:
    """The first thing that an evaluation asks; raises ``Unobserved`` before there is an evaluator to set up."""
    question = question_of(domain, "TXT")
    if question is not None and question not in observations.answers:
        raise Unobserved(question)


class Survey(Query):
    """One walk over all that a domain publishes, for no client in particular: no address ever matches."""

    shares = False

    def __init__(self, domain: str, observations: Observations) -> None:
        super().__init__("192.0.2.0", f"postmaster@{domain}", domain, observations, "unknown")
        self.depends_on_client = False
        """A record is named by a macro over the client: what is published there cannot be listed."""
        self._client_names: set[str] = set()

    def dns(
        self, name: str, qtype: str, cnames: dict[str, str] | None = None, ignore_void: bool = False
    ) -> list[object]:
        """TXT only, and a void costs nothing: nothing else changes what is published."""
        del ignore_void
        return super().dns(name, qtype, cnames, ignore_void=True) if qtype == "TXT" else []

    def dns_mx(self, domainname: str) -> list[object]:
        """Not asked."""
        del domainname
        return []

    def validated_ptrs(self) -> list[object]:
        """Not asked."""
        return []

    def cidrmatch(self, ipaddrs: list[object], n: int) -> bool:
        """No client, no match."""
        del ipaddrs, n
        return False

    def expand_domain(self, arg: str) -> str:
        """Expand, and remember which names depend on the client."""
        expanded = super().expand_domain(arg)
        if _CLIENT_MACRO.search(arg):
            self._client_names.add(expanded)
        return expanded

    def dns_spf(self, domain: str) -> str | None:
        """A record that depends on the client stands for one that matches nobody."""
        if domain not in self._client_names:
            return super().dns_spf(domain)
        self.depends_on_client = True
        return "v=spf1 ?all"

    def get_explanation(self, spec: str) -> str | None:
        """Not asked."""
        del spec
        return None

    def _foresee(self, text: str, domain: str) -> Iterable[DnsQuestion]:
        return (question for question in super()._foresee(text, domain) if question.rdtype == "TXT")


@lru_cache(maxsize=2048)
def _validated(mech: str, domain: str, version: str, cidrmax: int) -> tuple[object, ...]:
    """A term without macros as pyspf reads it; whatever it raises is raised anew each time."""
    reader: Any = spf.query.__new__(spf.query)
    reader.d, reader.v, reader.cidrmax, reader.strict = domain, version, cidrmax, True
    found: tuple[object, ...] = reader.validate_mechanism(mech)
    return found


@lru_cache(maxsize=4096)
def _network(address: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(address)  # type: ignore[arg-type]
    except ValueError:
        raise PermError(spf_problems.NO_NETWORK, str(address)) from None


@lru_cache(maxsize=4096)
def _within(client: str, address: object, prefix: int) -> bool:
    """Whether the client is in the network around an address; pyspf's ``cidrmatch``, whose errors it has."""
    try:
        return ip_address(client) in _network(address).supernet(new_prefix=prefix)
    except ValueError:
        raise PermError(spf_problems.NO_NETWORK, f"{address}/{prefix}") from None


def _value(qtype: str, record: Record) -> object:
    if qtype == "MX":
        return (record.preference or 0, record.value)
    return record.strings if qtype == "TXT" else record.value
