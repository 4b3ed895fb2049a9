"""DNS as evidence: what was asked, what was answered, and what could not be looked up (ADR 0003).

Evaluators are pure functions of :class:`Observations`.  What is missing they raise as
:class:`Unobserved`; the network is asked elsewhere, all missing questions at once.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class DnsQuestion:
    """A name and a type; the class is always IN."""

    name: str
    """Lower-case, A-labels, without the trailing dot."""
    rdtype: str
    """``A``, ``AAAA``, ``MX``, ``TXT``, ``PTR`` …"""
    signed: bool = False
    """Its signatures too, valid or not (DNSSEC: DO and CD, RFC 4035 §3.2); read such an answer by ``protocols.dnssec``.

    Aliases that lead out of the answer are not followed: what they lead to is a question of its own."""

    def __post_init__(self) -> None:
        """Normalise, so that one question has one form."""
        name, rdtype = self.name.lower().removesuffix("."), self.rdtype.upper()
        if name != self.name:
            object.__setattr__(self, "name", name)
        if rdtype != self.rdtype:
            object.__setattr__(self, "rdtype", rdtype)

    def __str__(self) -> str:
        return f"{self.name or '.'} {self.rdtype}{' +dnssec' if self.signed else ''}"


class Rcode(StrEnum):
    """The two response codes that are an answer (RFC 1035 §4.1.1, RFC 2308)."""

    NOERROR = "NOERROR"
    NXDOMAIN = "NXDOMAIN"


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record of the asked type, after CNAMEs."""

    value: str
    """Host name (lower-case, no trailing dot) of MX, PTR, CNAME; address of A, AAAA; TXT joined, as Latin-1."""
    strings: tuple[bytes, ...] = ()
    """The character-strings of a TXT record, as they came."""
    preference: int | None = None
    """Of an MX record."""

    @property
    def joined(self) -> bytes:
        """The character-strings of a TXT record without anything between them (RFC 7208 §3.3, RFC 6376 §3.6.2.2)."""
        return b"".join(self.strings)


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """A resolver answered: the records, or that there are none."""

    question: DnsQuestion
    rcode: Rcode
    records: tuple[Record, ...]
    canonical_name: str
    """The name after CNAMEs."""
    ttl: int | None
    resolver: str
    """Address and port that answered."""
    observed_at: datetime
    authenticated: bool = False
    """The resolver set AD: it says that it validated DNSSEC (its word, not ours)."""
    wire: bytes = b""
    """The response as it came."""

    @property
    def exists(self) -> bool:
        """The name exists, whether or not it has records of this type."""
        return self.rcode is Rcode.NOERROR


@dataclass(frozen=True, slots=True, order=True)
class HttpsQuestion:
    """A document to be fetched over HTTPS, without following redirects (RFC 8461 §3.3)."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class HttpsAnswer:
    """What a web server answered, or that its certificate does not hold for its name."""

    question: HttpsQuestion
    status: int | None
    """HTTP status code; ``None`` where TLS was not established because the certificate failed."""
    media_type: str
    body: bytes
    """At most 64 KiB."""
    certificate_error: str | None
    """Why the certificate does not hold, in the words of the TLS library; ``None`` when it does."""
    observed_at: datetime


@dataclass(frozen=True, slots=True, order=True)
class SmtpProbe:
    """Greet a mail server, offer STARTTLS, and leave before any mail (opt-in: it opens a connection)."""

    host: str
    port: int = 25

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SmtpAnswer:
    """How a mail server introduced itself."""

    question: SmtpProbe
    ip: str
    greeting: str
    capabilities: tuple[str, ...]
    """EHLO keywords with their parameters, before STARTTLS."""
    starttls: bool
    tls_version: str | None
    """``None`` where TLS was not established; offered all the same, :attr:`certificate_error` says why not."""
    certificate: bytes
    """The server's certificate, DER; empty without TLS."""
    chain: tuple[bytes, ...]
    """The certificates after it, as presented, DER."""
    certificate_error: str | None
    """Why it does not hold for :attr:`SmtpProbe.host` by the public roots; ``None`` when it does."""
    observed_at: datetime


class Obstacle(StrEnum):
    """Why there is no answer.  None of these says anything about the name."""

    TIMEOUT = "timeout"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    MALFORMED = "malformed"
    NETWORK = "network"
    """No resolver could be reached at all."""
    LIMIT = "limit"
    """Not asked: the look-up reached its limit on questions or rounds."""
    OFFLINE = "offline"
    """Not asked: the replay has no answer on record, or the network was not to be used."""


@dataclass(frozen=True, slots=True)
class CouldNotLook:
    """Nobody could say: never to be read as "there is none"."""

    question: "Question"
    obstacle: Obstacle
    detail: str
    resolver: str
    observed_at: datetime


Question = DnsQuestion | HttpsQuestion | SmtpProbe
"""What can be observed."""

DnsObservation = DnsAnswer | CouldNotLook
Observation = DnsAnswer | HttpsAnswer | SmtpAnswer | CouldNotLook


class Unobserved(BaseException):
    """An evaluator needs answers that are not on record yet.

    Derives from :class:`BaseException` so that no ``except Exception`` of a library between the evaluator and
    us can swallow it.
    """

    def __init__(self, *questions: Question) -> None:
        super().__init__(*questions)
        self.questions: tuple[Question, ...] = questions


@dataclass(frozen=True, slots=True)
class Observations:
    """All answers on record, one per question."""

    answers: Mapping[Question, Observation] = field(default_factory=lambda: MappingProxyType({}))
    memo: dict[object, Any] = field(default_factory=dict, repr=False, compare=False)
    """What :meth:`once` has worked out; holds as long as no answer in :attr:`answers` is replaced."""
    shared: dict[object, Any] = field(default_factory=dict, repr=False, compare=False)
    """Worked out from answers that other bundles of one run have too.

    Whoever takes something from it makes sure that it rests on the very answers that are on record here, and whoever
    puts something in sees to it that it stays small."""

    @classmethod
    def of(cls, observations: Iterable[Observation]) -> "Observations":
        """Build from single observations; of two for one question the later given stands."""
        return cls(MappingProxyType({o.question: o for o in observations}))

    def ask(self, name: str, rdtype: str) -> DnsObservation:
        """What the DNS said, or raise :class:`Unobserved`."""
        question = DnsQuestion(name, rdtype)
        try:
            found = self.answers[question]
        except KeyError:
            raise Unobserved(question) from None
        if isinstance(found, (DnsAnswer, CouldNotLook)):
            return found
        raise TypeError(f"{question} was answered by something else than the DNS")

    def ask_all(self, *questions: DnsQuestion) -> tuple[DnsObservation, ...]:
        """What the DNS said to all of them, or raise :class:`Unobserved` naming every one that is missing."""
        answers, found, missing = self.answers, [], []
        for question in questions:
            try:
                found.append(answers[question])
            except KeyError:
                missing.append(question)
        if missing:
            raise Unobserved(*missing)
        return tuple(o for o in found if isinstance(o, (DnsAnswer, CouldNotLook)))

    def once(self, work: Callable[..., T], *arguments: Hashable) -> T:
        """``work(*arguments, observations)``, worked out once for these observations however many checks want it.

        For pure functions only.  One that raises, as for what is missing, is tried again the next time.
        """
        key = (work, arguments)
        if key not in self.memo:
            self.memo[key] = work(*arguments, self)
        found: T = self.memo[key]
        return found

    def fetch(self, url: str) -> HttpsAnswer | CouldNotLook:
        """What a web server said, or raise :class:`Unobserved`."""
        question = HttpsQuestion(url)
        found = self.answers.get(question)
        if isinstance(found, HttpsAnswer | CouldNotLook):
            return found
        raise Unobserved(question)

    def probe(self, host: str, port: int = 25) -> SmtpAnswer | CouldNotLook:
        """How a mail server introduced itself, or raise :class:`Unobserved`."""
        question = SmtpProbe(host, port)
        found = self.answers.get(question)
        if isinstance(found, SmtpAnswer | CouldNotLook):
            return found
        raise Unobserved(question)

    def joined(self, more: Iterable[Observation]) -> "Observations":
        """These and ``more``; for a question in both, ``more`` stands."""
        return Observations(MappingProxyType({**self.answers, **{o.question: o for o in more}}))

    def __iter__(self) -> Iterator[Observation]:
        return iter(sorted(self.answers.values(), key=lambda o: (type(o.question).__name__, str(o.question))))

    def __len__(self) -> int:
        return len(self.answers)
