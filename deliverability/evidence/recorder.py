"""What a mailer records of each message to each recipient, and the protocol by which it does (DESIGN §4.7).

One :class:`Intent`, durable before DATA; then outcomes.  What a crash leaves open becomes *unknown*, never success.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from deliverability.evidence.smtp import Host, Reply, Tls


class Hop(StrEnum):
    """What the next hop is to the recipient, as the mailer chose it."""

    RECIPIENT_MX = "recipient-mx"
    """Found through the MX of the recipient's domain at that moment."""
    RELAY = "relay"
    """A smarthost or a service that sends for us: its word is not the recipient's (DESIGN §4.8)."""


class Finish(StrEnum):
    """How one attempt ended for one recipient, no stronger than what was heard."""

    ACCEPTED = "accepted"
    """2yz to the end of DATA (LMTP: this recipient's own)."""
    DEFERRED = "deferred"
    """4yz, or no server was reached: nobody took it."""
    REFUSED = "refused"
    """5yz."""
    FAILED = "failed"
    """Given up by us before any server could take it: no such domain, null MX, a message that cannot be sent."""
    UNCERTAIN = "uncertain"
    """The connection broke after the end of DATA: it may have been accepted (RFC 1047)."""
    UNKNOWN = "unknown"
    """The sending process ended between the intent and an outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """That a message is about to be handed over; durable before DATA."""

    dispatch: str
    """One message to one recipient: 32 hexadecimal digits."""
    sending: str
    """The transaction, shared by its recipients: 32 hexadecimal digits."""
    at: datetime
    """UTC."""
    account: str
    """The mailer's own name for the customer, else the canonical address."""
    reverse_path: str
    forward_path: str
    message_id: str | None
    """Without angle brackets."""
    subject: str | None
    author_domain: str | None
    size: int
    """Octets of the message as handed to DATA, before dot-stuffing."""
    sha256: str
    """Of those octets, hexadecimal."""
    signatures: tuple[tuple[str, str], ...] = ()
    """DKIM ``d=`` and ``s=`` that the message bears."""
    next_hop: str
    """Host name or address, as chosen."""
    hop: Hop
    channel: str = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended for one recipient."""

    dispatch: str
    at: datetime
    finish: Finish
    stage: str | None
    """The command that :attr:`reply` answered: ``connect``, ``ehlo``, ``mail``, ``rcpt``, ``data``, ``end-of-data``."""
    reply: Reply | None = None
    rcpt_reply: Reply | None = None
    """What RCPT was answered, where a later command decided."""
    relay: Host | None = None
    local_ip: str | None = None
    """The address that we connected from."""
    helo: str | None = None
    tls: Tls | None = None
    certificate_sha256: str | None = None
    remote_queue_id: str | None = None
    """The id in the accepting reply."""
    transcript_sha256: str | None = None
    """Of the session's octets as kept, credentials redacted."""
    detail: str = ""
    """Our own words, where no reply says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the DNS said beside the sending, and whether the message's signatures held as it left."""

    dispatch: str
    at: datetime
    observations: tuple[object, ...] = ()
    """``evidence.observation.Observation`` values."""
    verified: tuple[tuple[str, str, str], ...] = ()
    """Signing domain, selector, and the RFC 8601 result of each signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """What came to be known after the outcome: a DSN, an MDN, a service's event, an export of another's log."""

    dispatch: str
    at: datetime
    kind: str
    """``dsn``, ``mdn``, ``esp-event``."""
    finish: Finish | None
    level: str | None
    """``accepted``, ``delivered`` or ``displayed``, where the event reports one."""
    witness: str | None
    """Whose record it is."""
    reply: Reply | None = None
    relay: Host | None = None
    exhibit_sha256: str | None = None
    """Of the raw event as it came."""
    detail: str = ""


Record = Intent | Outcome | Snapshot | Later


class Recorder(Protocol):
    """Where a mailer's records go."""

    def record(self, records: Sequence[Record]) -> None:
        """Make them durable, all or none, before returning; raises :class:`~deliverability.errors.RecordingError`."""


@runtime_checkable
class OctetRecorder(Recorder, Protocol):
    """A recorder that writes octets: what they are can be worked out by one thread while another waits for the disk."""

    def to_octets(self, records: Sequence[Record]) -> bytes:
        """What :meth:`record_octets` takes for these; raises :class:`~deliverability.errors.RecordingError`."""

    def record_octets(self, octets: bytes) -> None:
        """:meth:`record`, for octets of one or several calls of :meth:`to_octets`, in order."""
