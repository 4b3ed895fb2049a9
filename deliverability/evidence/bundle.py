"""Evidence: everything that a check may look at, and what was concluded from it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Generic, TypeVar

from deliverability.evidence.exhibit import Exhibit
from deliverability.evidence.names import Domain, Mailbox
from deliverability.evidence.observation import Observations
from deliverability.evidence.story import Attempt, Coverage, Delivery, Level, Message, Role, State
from deliverability.evidence.verdict import Verdict

T = TypeVar("T")


class Subject(StrEnum):
    """What a check is about."""

    DISPATCH = "dispatch"
    MESSAGE = "message"
    DOMAIN = "domain"
    ADDRESS = "address"


class Origin(StrEnum):
    """Where a fact about the sending side came from; always shown beside it."""

    LOG = "log"
    MESSAGE = "message"
    OPTION = "option"
    CONFIGURATION = "configuration"
    DERIVED = "derived"
    """Taken from another fact, such as the author domain from the envelope sender: weaker, never silently."""


@dataclass(frozen=True, slots=True)
class Sourced(Generic[T]):
    """A fact and where it came from."""

    value: T
    origin: Origin


@dataclass(frozen=True, slots=True)
class Own:
    """What the configuration says about our own side."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    intermediaries: frozenset[str] = frozenset()
    """Host names, domains or IP addresses of ESPs, filter services and relays that our mail goes through."""
    routed_by_mx: bool = False
    """Our MTA hands mail for other domains straight to their MX: no smarthost, no transport map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that a check may look at.  Of a domain check it holds no message."""

    subject: Subject
    assessed_at: datetime
    """The clock, given from outside, UTC."""
    observations: Observations = field(default_factory=Observations)
    own: Own = field(default_factory=Own)
    message: Message | None = None
    delivery: Delivery | None = None
    mail: Exhibit | None = None
    """The message itself, ``message/rfc822``, as it was sent."""
    recipient_domain: Domain | None = None
    author_domain: Sourced[Domain] | None = None
    """Domain of RFC5322.From."""
    reverse_path: Sourced[str] | None = None
    client_ip: Sourced[str] | None = None
    """The address that connected to the recipient's MX."""
    helo: Sourced[str] | None = None
    signing_domain: Sourced[Domain] | None = None
    selectors: tuple[Sourced[str], ...] = ()
    address: Mailbox | None = None
    """The address that an address check is about."""
    address_given: str | None = None
    """The same as it was given, which need not be an address at all: foreign text."""
    about: Domain | None = None
    """The domain, or the account's domain, that the notice is about: a contact address on it goes down with it."""
    bulk: bool | None = None
    """Whether the message is subscribed or marketing mail; ``None``: nobody said."""
    asked_for: frozenset[str] = frozenset()
    """Opt-in checks that the caller asked for, by :attr:`Check.opt_in`."""
    trust_anchors: tuple[str, ...] = ()
    """DS records of the DNS root that DNSSEC is validated from, ``TAG ALGORITHM TYPE HEX``; empty: those of IANA."""

    @property
    def attempt(self) -> Attempt | None:
        """The attempt on which the delivery's state rests."""
        return self.delivery.decisive if self.delivery else None

    @property
    def dispatched_at(self) -> datetime | None:
        """When the message left, as far as known."""
        return self.attempt.instant if self.attempt else None


class Strength(StrEnum):
    """How strong the source of a claim is, weakest first (DESIGN §2)."""

    OWN_RECORD = "own-record"
    OWN_RECORD_ANCHORED = "own-record-anchored"
    THIRD_PARTY_RECORD = "third-party-record"
    SIGNED_BY_RECEIVER = "signed-by-receiver"


@dataclass(frozen=True, slots=True)
class Claim:
    """What is claimed of one delivery, no stronger than its evidence."""

    state: State
    level: Level
    role: Role
    """Who answered."""
    basis: str
    """Why that role: ``mx-name``, ``mx-address``, ``routed-by-mx``, ``own-configuration`` …"""
    strength: Strength = Strength.OWN_RECORD
    observed_later: bool = False
    """The recipient's MX was looked up after the dispatch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Evidence and what follows from it; a renderer needs nothing else."""

    ruleset: str
    """Version of the rules that made it: equal rules and evidence give an equal assessment."""
    evidence: Evidence
    claim: Claim | None
    verdicts: tuple[Verdict, ...]
    coverage: Coverage | None = None
    provider: str | None = None
    """Id of the mailbox provider's plug-in."""
    report_id: str = ""
    """Derived from the evidence: equal evidence, equal id."""
