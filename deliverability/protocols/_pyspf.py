"""The only file that knows pyspf 2.0.14: its evaluator, fed from recorded answers.

Imported on first use (pyspf pulls in a resolver that is never asked).  Where pyspf leaves RFC 7208, the method
that does so is overridden here and says which section it follows instead.
"""

import contextlib
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from typing import Final, cast

from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion, Observations, Record, Unobserved

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # invalid escapes in pyspf 2.0.14's own source
    import spf

MAX_RECORD: Final = 8192
"""Octets of one record that are evaluated; RFC 7208 §3.4 advises 450."""
MAX_TERM: Final = 1024
"""Octets of one term: pyspf's expressions take quadratic time on longer ones."""
MAX_FORESEEN: Final = 40
"""Questions that may be asked ahead of need."""
MAX_MX: Final = 10  # RFC 7208 §4.6.4, as are the next two
MAX_PTR: Final = 10
MAX_VOID: Final = 2
MAX_STEPS: Final = 400

_TERM = re.compile(r"[+?~-]?(?:(include|a|mx|ptr)(?::([^/%]+))?(?:/[\d/]*)?|(redirect)=([^/%]+))\Z", re.IGNORECASE)
_CLIENT_MACRO = re.compile(r"%\{[^}doDO]", re.ASCII)

PermError = spf.PermError


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


class Query(spf.query):
    """One evaluation for one client address."""

    def __init__(self, client_ip: str, sender: str, helo: str, observations: Observations, receiver: str) -> None:
        super().__init__(i=client_ip, s=sender, h=helo, receiver=receiver)
        self.observations = observations
        self.obstacle: CouldNotLook | None = None
        """The look-up that made the result ``temperror``."""
        self.wanted: list[DnsQuestion] = []
        """What an explanation would need; asked for only once the result is known to be ``fail``."""
        self.trace: list[Step] = []
        self._foreseen: dict[DnsQuestion, None] = {}

    def dns(
        self, name: str, qtype: str, cnames: dict[str, str] | None = None, ignore_void: bool = False
    ) -> list[object]:
        """Answer from the record, or raise ``Unobserved`` with what this record's other terms will need too."""
        del cnames  # the resolver that answered has followed them
        question = _question(name, qtype)
        if question is None:
            return []
        try:
            (observation,) = self.observations.ask_all(question)
        except Unobserved:
            raise self._unobserved(question) from None
        if isinstance(observation, CouldNotLook):
            self._note("query", str(question), observation.obstacle.value, observed_at=observation.observed_at)
            self.obstacle = observation
            raise spf.TempError(f"{question}: {observation.obstacle}")
        void = not observation.records and not ignore_void
        said = str(len(observation.records)) if observation.records else "NODATA" if observation.exists else "NXDOMAIN"
        self._note("query", str(question), said, void=void, observed_at=observation.observed_at)
        if void:
            self._void()
        return [_value(qtype, record) for record in observation.records]

    def check0(self, spf: str | None, recursion: int) -> tuple[str, int, str]:
        """One record's result."""
        result: tuple[str, int, str] = super().check0(spf, recursion)
        self._note("record", result[0])
        return result

    def cidrmatch(self, ipaddrs: list[object], n: int) -> bool:
        """Whether the client's address is in one of the networks."""
        found = bool(super().cidrmatch(ipaddrs, n))
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
        if len(text) > MAX_RECORD or any(len(term) > MAX_TERM for term in text.split(" ")):
            raise PermError("record or term too long")
        for question in self._foresee(text, domain):
            if len(self._foreseen) < MAX_FORESEEN:
                self._foreseen.setdefault(question)
        return text

    def dns_mx(self, domainname: str) -> list[object]:
        """Addresses of all MX, asked at once; one void at most for the whole term (RFC 7208 §4.6.4)."""
        records = cast("list[tuple[int, str]]", self.dns(domainname, "MX"))
        if len(records) > MAX_MX:
            raise PermError(f"More than {MAX_MX} MX records returned")
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
        try:
            return super().get_explanation(spec)
        except Unobserved as missing:
            self.wanted += (q for q in missing.questions if isinstance(q, DnsQuestion))
        except spf.TempError:
            pass  # RFC 7208 §6.2: the default explanation stands
        return None

    def _require(self, names: Iterable[str]) -> None:
        questions = filter(None, (_question(name, self.A) for name in names))
        missing = [q for q in dict.fromkeys(questions) if q not in self.observations.answers]
        if missing:
            raise self._unobserved(*missing)

    def _unobserved(self, *needed: DnsQuestion) -> Unobserved:
        known = self.observations.answers
        return Unobserved(*needed, *(q for q in self._foreseen if q not in known and q not in needed))

    def _count_void(self, names: Iterable[str]) -> None:
        answers = (self.observations.answers.get(q) for name in names if (q := _question(name, self.A)))
        if any(isinstance(answer, DnsAnswer) and not answer.records for answer in answers):
            self._void()

    def _void(self) -> None:
        self.void_lookups += 1
        if self.void_lookups > MAX_VOID:
            raise PermError(f"Void lookup limit of {MAX_VOID} exceeded")

    def _foresee(self, text: str, domain: str) -> Iterator[DnsQuestion]:
        """What the terms of one record will ask, as far as no macro hides it."""
        for term in text.split(" ")[1:]:
            match = _TERM.match(term)
            if not match:
                continue
            mechanism, argument, redirect, target = match.groups()
            if redirect:
                question = _question(target, "TXT")
            elif mechanism.lower() == "ptr":
                question = _question(f"{'.'.join(reversed(self.i.split('.')))}.{self.v}.arpa", "PTR")
            else:
                kind = {"include": "TXT", "mx": "MX"}.get(mechanism.lower(), self.A)
                question = _question(argument or domain, kind)
            if question is not None:
                yield question


class Survey(Query):
    """One walk over all that a domain publishes, for no client in particular: no address ever matches."""

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

    def _foresee(self, text: str, domain: str) -> Iterator[DnsQuestion]:
        return (question for question in super()._foresee(text, domain) if question.rdtype == "TXT")


def _question(name: str, qtype: str) -> DnsQuestion | None:
    """The question for a name, or ``None`` if the DNS cannot hold it: such a name has no records (RFC 7208 §4.3)."""
    bare = name.removesuffix(".")
    labels = [label.encode("utf-8", "surrogatepass") for label in bare.split(".")]
    if not all(0 < len(label) < 64 for label in labels) or sum(len(label) + 1 for label in labels) > 254:
        return None
    return DnsQuestion(bare, qtype)


def _value(qtype: str, record: Record) -> object:
    if qtype == "MX":
        return (record.preference or 0, record.value)
    return record.strings if qtype == "TXT" else record.value
