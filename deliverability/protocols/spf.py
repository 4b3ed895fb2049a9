"""SPF: whether a domain authorises an address to send with it (RFC 7208).

Answers come from :class:`~deliverability.evidence.observation.Observations`; what is missing is raised as
``Unobserved``.  pyspf evaluates, behind one adapter that never asks the network.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from deliverability.errors import ParseError, printable
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsQuestion,
    Observation,
    Observations,
    Unobserved,
)
from deliverability.protocols.mx import parse_ip
from deliverability.protocols.spf_reading import VERSION, Reading, is_plain_name, read

if TYPE_CHECKING:
    from deliverability.protocols.spf_steps import Step

MAX_LOOKUPS: Final = 10
"""Terms that ask the DNS, in all records together (RFC 7208 §4.6.4)."""
MAX_VOID_LOOKUPS: Final = 2
"""Look-ups without an answer, above which a receiver should stop (RFC 7208 §4.6.4)."""
DEFAULT_EXPLANATION: Final = "SPF fail - not authorized"
"""Stands where a domain explains nothing."""
UNKNOWN_HELO: Final = "helo.invalid"
"""Stands, in what is never asked, for a name that nobody told; RFC 2606 §2."""
MAX_SENDER: Final = 512
"""Characters of a reverse-path or HELO name; RFC 5321 §4.5.3.1 allows 256."""


class SpfResult(StrEnum):
    """What SPF says, in the words of RFC 7208 §2.6 and RFC 8601 §2.7.2."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class Identity(StrEnum):
    """Whose domain was looked at (RFC 7208 §2.3, §2.4)."""

    MAILFROM = "mailfrom"
    HELO = "helo"


@dataclass(frozen=True, slots=True)
class SpfEvaluation:
    """One evaluation of ``check_host``."""

    result: SpfResult
    domain: str
    """The SPF-authenticated identifier, if the result is ``pass``; as it was given."""
    identity: Identity
    mechanism: str | None = None
    """The term of the domain's own record that decided."""
    explanation: str | None = None
    """What the domain says to those it refuses (RFC 7208 §6.2): foreign text."""
    problem: str | None = None
    """What was wrong with the records, after ``permerror``: foreign text inside."""
    obstacle: CouldNotLook | None = None
    """The look-up behind ``temperror``."""
    unsettled: str | None = None
    """The letter of a macro whose value is unknown and had to be asked for: ``h`` (HELO), ``l`` or ``s`` (the sender's local
    part).  Then there is no result, and :attr:`result` says ``none``."""
    lookups: int = 0
    void_lookups: int = 0
    trace: tuple["Step", ...] = ()
    """Every query and what each record came to, in order."""

    @property
    def observed_at(self) -> datetime | None:
        """When the newest of the answers was seen; ``None`` where none was needed."""
        return max((step.observed_at for step in self.trace if step.observed_at), default=None)


class PublicationState(StrEnum):
    """What a domain publishes for SPF, whoever the client."""

    PUBLISHED = "published"
    NONE = "none"
    SEVERAL = "several"
    MALFORMED = "malformed"
    TOO_MANY_LOOKUPS = "too-many-lookups"
    COULD_NOT_LOOK = "could-not-look"


@dataclass(frozen=True, slots=True)
class SpfPublication:
    """A domain's SPF record and all that it includes."""

    state: PublicationState
    record: str | None = None
    """The domain's own record: foreign text."""
    lookups: int = 0
    """Terms that ask the DNS when no mechanism matches (RFC 7208 §4.6.4)."""
    problem: str | None = None
    depends_on_client: bool = False
    """Macros name further records by the client's address or name; those could not be walked."""
    observed_at: datetime | None = None


def check_host(  # noqa: PLR0913 - RFC 7208 §4.1 names the arguments
    client_ip: str,
    reverse_path: str,
    helo: str,
    observations: Observations,
    *,
    receiver: str = "unknown",
    at: datetime | None = None,
    local_part_known: bool = True,
) -> SpfEvaluation:
    """Evaluate RFC 7208 §4 for the MAIL FROM identity, or for HELO if the reverse-path is null (§2.4).

    ``at`` is the time that a ``%{t}`` in an explanation shows.  An empty ``helo`` is one that is not known, as is the
    reverse-path's local part without ``local_part_known``: records that ask for it are left open.  Raises ``Unobserved`` for what is not on record,
    and :class:`~deliverability.errors.ParseError` if ``client_ip`` is no address.
    """
    from deliverability.protocols import _pyspf

    ip = parse_ip(client_ip)
    if ip is None:
        raise ParseError(f"not an IP address: {printable(client_ip)!r}")
    identity, local, domain = _sender(reverse_path, helo)
    if not domain or len(domain) > MAX_SENDER or len(local) > MAX_SENDER or len(helo) > MAX_SENDER:
        return SpfEvaluation(SpfResult.NONE, domain[:MAX_SENDER], identity)
    _pyspf.require(domain, observations)
    client = str(ip).partition("%")[0]
    query = _pyspf.Query(client, f"{local}@{domain}", helo or UNKNOWN_HELO, observations, receiver)
    query.l, query.o, query.d = local, domain, domain  # pyspf splits at the first "@", RFC 5321 at the last
    query.t = str(int(at.timestamp())) if at else "0"
    query.unknown = frozenset(("" if helo else "h") + ("" if local_part_known else "ls"))
    try:
        word, _code, explanation = query.check()
    except _pyspf.Unsettled as unsettled:
        return SpfEvaluation(
            SpfResult.NONE, domain, identity, unsettled=str(unsettled), lookups=query.lookups, trace=tuple(query.trace)
        )
    result = SpfResult(word)
    if result is SpfResult.FAIL and query.wanted:
        raise Unobserved(*dict.fromkeys(query.wanted))
    return SpfEvaluation(
        result,
        domain,
        identity,
        mechanism=query.mechanism,
        explanation=explanation if result is SpfResult.FAIL else None,
        problem=_pyspf.problem_of(query) if result is SpfResult.PERMERROR else None,
        obstacle=query.obstacle if result is SpfResult.TEMPERROR else None,
        lookups=query.lookups,
        void_lookups=query.void_lookups,
        trace=tuple(query.trace),
    )


def published(domain: Domain, observations: Observations) -> SpfPublication:
    """What the domain publishes: whether exactly one record, well-formed, within the limit on look-ups.

    Walks every include and redirect as if no mechanism matched: the longest way that a receiver may have to go.
    """
    answer = observations.ask(domain.name, "TXT")
    if isinstance(answer, CouldNotLook):
        told = f"{answer.question}: {answer.obstacle}"
        return SpfPublication(PublicationState.COULD_NOT_LOOK, problem=told, observed_at=answer.observed_at)
    records = [r.joined.decode("ascii", "backslashreplace") for r in answer.records if VERSION.match(r.joined)]
    if len(records) != 1:
        state = PublicationState.SEVERAL if records else PublicationState.NONE
        return SpfPublication(state, " | ".join(records) or None, observed_at=answer.observed_at)
    lookups = _plain_lookups(domain.name, observations)
    if lookups is not None:
        return SpfPublication(PublicationState.PUBLISHED, records[0], lookups, observed_at=answer.observed_at)
    from deliverability.protocols import _pyspf

    survey = _pyspf.Survey(domain.name, observations)
    word = SpfResult(survey.check()[0])
    state = PublicationState.PUBLISHED
    problem: str | None = None
    if word is SpfResult.TEMPERROR:
        state, problem = PublicationState.COULD_NOT_LOOK, _pyspf.problem_of(survey)
    elif word is SpfResult.PERMERROR:
        over = survey.lookups > MAX_LOOKUPS
        state = PublicationState.TOO_MANY_LOOKUPS if over else PublicationState.MALFORMED
        problem = _pyspf.problem_of(survey)
    return SpfPublication(state, records[0], survey.lookups, problem, survey.depends_on_client, answer.observed_at)


def _plain_lookups(root: str, observations: Observations) -> int | None:
    """What a domain's records cost that are :attr:`~deliverability.protocols.spf_reading.Reading.plain` throughout.

    Of such records every term is well-formed and nothing matches "everybody" on the way, so that the walk goes through
    all of them and counts their terms.  ``None`` where any is not plain, cannot be had, or leads beyond the limit: then
    the evaluator has to tell.  Asks in the order in which the evaluator would, and ahead of need what it would.
    """
    if not is_plain_name(root):
        return None
    known = observations.answers
    foreseen: list[DnsQuestion] = []
    ahead = [DnsQuestion(root, "TXT")]
    walked: set[DnsQuestion] = set()
    lookups = 0
    while ahead:
        question = ahead.pop()
        answer = known.get(question)
        if answer is None:
            raise Unobserved(question, *(q for q in dict.fromkeys(foreseen) if q not in known and q != question))
        reading = _plain_reading(answer)
        walked.add(question)
        if reading is None or lookups + reading.lookups > MAX_LOOKUPS:
            return None
        if not walked.isdisjoint(reading.asks):
            return None  # perhaps a loop, which the evaluator sees before it asks any further
        lookups += reading.lookups
        foreseen += reading.asks
        ahead.extend(reversed(reading.asks))
    return lookups


def _plain_reading(answer: Observation) -> Reading | None:
    if not isinstance(answer, DnsAnswer):
        return None
    records = [record for record in answer.records if record.joined[:6].lower() == b"v=spf1"]
    if len(records) != 1 or not VERSION.match(records[0].joined):
        return None
    reading = read(records[0].strings)
    return reading if reading.plain else None


def _sender(reverse_path: str, helo: str) -> tuple[Identity, str, str]:
    path = reverse_path.strip().removeprefix("<").removesuffix(">")
    if not path:
        return Identity.HELO, "postmaster", _dns_form(helo.strip())
    local, at, domain = path.rpartition("@")
    # RFC 7208 §4.3: where there is no local part, "postmaster" stands in
    return Identity.MAILFROM, (local if at else "") or "postmaster", _dns_form(domain)


def _dns_form(domain: str) -> str:
    """A-labels for U-labels (RFC 8616 §4); ASCII stays as given, however odd."""
    if domain.isascii():
        return domain
    try:
        return Domain.parse(domain).name
    except ParseError:
        return ""
