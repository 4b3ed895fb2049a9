"""What an operator may say, as frozen values; each is read and checked by its siblings here."""

from dataclasses import dataclass, field

from deliverability.config.values import IPNetwork

SCHEMA_VERSION = 1
MAX_SIZE = 1 << 20  # octets of a configuration file


@dataclass(frozen=True, slots=True)
class Sender:
    """One domain that sends notices, and what its mail normally carries."""

    domain: str
    """Domain of the envelope sender (RFC5321.MailFrom), lower-case A-labels."""
    author_domain: str | None = None
    """Domain of RFC5322.From, where it differs."""
    selectors: tuple[str, ...] = ()
    """DKIM selectors (RFC 6376 §3.1) that its mail is signed with."""
    egress_ips: tuple[str, ...] = ()
    """Addresses that connect to the recipients' MX for it."""
    helo: str | None = None
    """The name that the egress host announces in EHLO."""


@dataclass(frozen=True, slots=True)
class LogSource:
    """A log by name: a path, or a command whose standard output is the log."""

    name: str
    path: str | None = None
    command: tuple[str, ...] | None = None
    """Program and arguments, never run through a shell."""


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """How reports look and whom they point to."""

    languages: tuple[str, ...] = ()
    """RFC 5646 tags, preferred first."""
    timezone: str | None = None
    """The reader's zone: an IANA name or ``±HH:MM``."""
    brand_name: str | None = None
    contact: str | None = None
    """How the customer reaches the sender, as text."""
    action_url: str | None = None
    """Where the customer pays or restores."""
    change_address_url: str | None = None
    """Where the customer corrects the address that was used."""
    short_link: str | None = None
    """Where a message to a telephone points to; else :attr:`action_url`."""
    logo: str | None = None
    """Path of a PNG or JPEG file."""
    colour: str | None = None
    """``#rrggbb``, of links and buttons."""
    sender: str | None = None
    """The address in the From line of the notices, where it is always the same."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamping authority (RFC 3161)."""

    name: str
    url: str
    roots: str | None = None
    """Path of a PEM file with the roots that its tokens are held against."""


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Where the tamper-evident log lies, and who signs and stamps its heads."""

    path: str | None = None
    """Its folder."""
    head: str | None = None
    """The last signed head; better on another disk than the log."""
    signer: tuple[str, ...] = ()
    """Program that signs a head given on standard input, never run through a shell; empty: the keys in the folder."""
    authorities: tuple[Authority, ...] = ()


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """Where logs are kept after they have rotated away (``deliverability ingest``)."""

    path: str | None = None
    """As written: relative to the configuration's own directory."""
    keep_days: int | None = None
    """How long; ``None``: for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that ``deliverability.toml`` may say."""

    senders: tuple[Sender, ...] = ()
    own_hosts: frozenset[str] = frozenset()
    own_networks: tuple[IPNetwork, ...] = ()
    intermediaries: frozenset[str] = frozenset()
    routed_by_mx: bool = False
    logs: tuple[LogSource, ...] = ()
    timezone: str | None = None
    """The zone of log lines that state none: an IANA name or ``±HH:MM``."""
    report: ReportSettings = field(default_factory=ReportSettings)
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)
    nameservers: tuple[str, ...] = ()
    """Resolvers to ask, ``IP``, ``IP:port`` or ``[IPv6]:port``; empty: those of the system."""
    trust_anchors: tuple[str, ...] = ()
    """DS records of the root that DNSSEC is held against, in presentation form; empty: IANA's."""
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    schema_version: int = SCHEMA_VERSION
    origin: str = ""
    """Where it was read from, for a person."""


def find_sender(configuration: Configuration, domain: str) -> Sender | None:
    """The sender whose *envelope* domain is ``domain``; a domain above or below it is another sender."""
    wanted = domain.rstrip(".").lower()
    return next((sender for sender in configuration.senders if sender.domain == wanted), None)
