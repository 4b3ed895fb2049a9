"""The story of one message to one recipient, as the logs tell it."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from deliverability.evidence.event import ABOUT_US, LogTime, Result, Session, Transport
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.smtp import Host, Reply, Tls


class Level(IntEnum):
    """What is claimed of a notice, weakest first (DESIGN §2, ADR 0002)."""

    NONE = -1
    """Nothing: it did not leave, or nothing is known."""
    RECORDED = 0
    HANDED_OVER = 1
    ACCEPTED = 2
    DELIVERED = 3
    DISPLAYED = 4


class State(StrEnum):
    """How the story of one message to one recipient stands."""

    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    HANDED_OVER = "handed-over"
    DEFERRED = "deferred"
    """Our server is still trying."""
    QUEUED = "queued"
    """In our queue, no attempt logged yet, or on hold."""
    REFUSED = "refused"
    """A 5yz reply, of the receiving side or of our own server at submission."""
    FAILED = "failed"
    """Our server gave up and no server of the receiving side had taken part."""
    BOUNCED = "bounced"
    """A failure notice came back after acceptance."""
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    """An operator removed it from the queue."""
    RECORDED = "recorded"
    """The mailer's own list names it, and no mail server's log does (L0)."""
    UNKNOWN = "unknown"
    """The record breaks off, or the line was lost after the end of DATA."""
    NOT_FOUND = "not-found"


class Role(StrEnum):
    """Who the host that answered was, to the recipient."""

    RECIPIENT_MX = "recipient-mx"
    OWN_MX = "own-mx"
    """The recipient's MX, and our own server."""
    OWN_RELAY = "own-relay"
    """A host of ours: smarthost, content filter."""
    INTERMEDIARY = "intermediary"
    """Named as such by the configuration: an ESP, a filter service."""
    UNCONFIRMED = "unconfirmed"
    NONE = "none"
    """No other host took part."""


class Tie(StrEnum):
    """What proves that two queue entries are one message."""

    FIRST = "first"
    REQUEUED = "requeued"
    """The new entry names the old one (Postfix ``orig_id``)."""
    QUEUED_AS = "queued-as"
    """The reply of the hop before named this entry, and the Message-IDs agree."""
    SAME_MAIL = "same-mail"
    """The reply named no id; host, Message-ID, size, recipient and time all fit, and fit this entry alone."""


@dataclass(frozen=True, slots=True)
class Stay:
    """One stay of the message in one queue of ours."""

    queue_id: str | None
    """``None`` for a message that our server refused before it gave it an id."""
    log: str
    tie: Tie
    arrived: LogTime | None
    session: Session | None = None
    ended: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to hand the message on, for one recipient."""

    at: LogTime
    queue_id: str | None
    log: str
    recipient: str
    result: Result
    transport: Transport
    relay: Host | None
    reply: Reply | None
    tls: Tls | None
    local_ip: str | None
    remote_queue_id: str | None
    stage: str | None
    route: str | None
    text: str
    lines: tuple[LogLine, ...]
    folder: str | None = None
    """The mailbox folder that it was filed to, where the mail store's own log says so."""
    witness: str | None = None
    """Whose record this is, when it is not our own server's."""
    followed_to: str | None = None
    """The queue entry of ours that this hand-over led to (content filter, second host)."""

    @property
    def instant(self) -> datetime | None:
        """UTC time of the log line."""
        return self.at.instant

    @property
    def refused(self) -> bool:
        """Whether the other server refused the message for good: by its reply, or by our own server's word for that."""
        permanent = self.reply is not None and self.reply.permanent and self.stage not in ABOUT_US
        return self.result is Result.REFUSED or (self.result is Result.FAILED and permanent)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one recipient."""

    recipient: str
    """The address that the sender wrote to: before aliases, where the log shows it."""
    forward_paths: tuple[str, ...]
    """The addresses that were tried for it, when aliases led elsewhere."""
    state: State
    attempts: tuple[Attempt, ...]
    decisive: Attempt | None
    """The attempt that :attr:`state` rests on."""
    refused_by_us: bool = False
    """Our own server refused it at submission: it was never dispatched."""
    held: bool = False
    notices: tuple[str, ...] = ()
    """Queue ids of the failure or delay notices that our server wrote about it."""
    parts: tuple["Delivery", ...] = ()
    """Where aliases led to several addresses: the story of each."""
    halted: LogTime | None = None
    """When it was put on hold, or taken out of the queue, where a line says so."""


@dataclass(frozen=True, slots=True)
class Signing:
    """That a signer of ours says it signed the message; the signature itself was not seen."""

    signing_domain: str
    selector: str | None
    line: LogLine


@dataclass(frozen=True, slots=True)
class Message:
    """One message as our queues saw it."""

    message_id: str | None
    subject: str | None
    reverse_path: str | None
    size: int | None
    stays: tuple[Stay, ...]
    deliveries: tuple[Delivery, ...]
    lines: tuple[LogLine, ...]
    """Every log line that the story rests on, in order."""
    other_recipients: int = 0
    """How many more recipients the message had, whom nobody asked about."""
    signings: tuple[Signing, ...] = ()
    """DKIM signatures that our signers logged."""
    recorded: tuple[LogLine, ...] = ()
    """Rows of a mailer's own list that name this notice: same recipient and subject, and made at that time."""
    account: str | None = None
    """The sender's own name for the customer, where such a row gives it."""
    by_mailer: bool = False
    """Whether the sending program's own records tell it, and no server's log: it was in no queue of ours."""
    witness: str | None = None
    """The service whose record alone tells it: no server of ours is known to have had it."""

    @property
    def arrived(self) -> LogTime | None:
        """When our first queue took it in."""
        return self.stays[0].arrived if self.stays else None

    @property
    def queue_ids(self) -> tuple[str, ...]:
        """All of our queue ids that it had, in order."""
        return tuple(stay.queue_id for stay in self.stays if stay.queue_id)


UNREADABLE = frozenset({"unreadable", "damaged"})
"""Kinds of gaps that no look could reach into: a "not found" beside one is "could not look"."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A place where the log itself shows that something is missing."""

    kind: str
    """``cut-line``, ``rate-limit``, ``missing-rotation``, ``binary``, ``clock-back``, ``silence``."""
    line: LogLine | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """The part of a sorted file that a time window reached; the rest was not read."""

    begin: int
    stop: int
    """Offsets, in octets."""
    before: LogTime | None
    """The time of the last line that was left out before it; ``None`` at the beginning of the file."""
    after: LogTime | None
    """The time of the first line that was left out after it; ``None`` at the end of the file."""


@dataclass(frozen=True, slots=True)
class FileCoverage:
    """What one file covers."""

    log: str
    file: str
    format: str | None
    """``None``: no known format was recognised, and nothing was read from it."""
    size: int
    """Octets, uncompressed."""
    lines: int
    unread: int
    """Lines that are not of the format."""
    first: LogTime | None
    last: LogTime | None
    unproven_formats: tuple[str, ...] = ()
    """Those of the formats in it that were read by their documentation alone; :attr:`format` need not be one of them."""
    container: str | None = None
    """What the lines were unwrapped from (``journal export``, ``NDJSON``, ``CSV``); the lines shown are the inner ones."""
    records_subjects: bool | None = None
    """Whether the lines carry subjects; ``None`` when no message was seen at all."""
    gaps: tuple[Gap, ...] = ()
    looked: Looked | None = None
    """What was looked through when not the whole file; :attr:`lines`, :attr:`unread` and the times are those of it."""

    @property
    def unproven(self) -> bool:
        """Whether some of its lines were read by the documentation of their format alone."""
        return bool(self.unproven_formats)


@dataclass(frozen=True, slots=True)
class Hole:
    """A time from which a log source has, or may have, no lines."""

    kind: str
    """``missing-rotation``, ``silence`` (no line for a long time), ``rate-limit``, ``unreadable``, ``damaged``."""
    after: datetime | None
    """The last line before it, UTC; ``None`` where nothing before it is known."""
    before: datetime | None
    """The first line after it."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SourceCoverage:
    """One log of one host, all its rotations together."""

    log: str
    """The name of the source, else empty."""
    file: str
    """The file that is written now, by its name without rotation."""
    covered: tuple[tuple[datetime, datetime], ...]
    """From the first to the last line of what hangs together, UTC, oldest first."""
    missing: tuple[Hole, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was looked through: without it, "not found" means nothing (DESIGN §4.11)."""

    files: tuple[FileCoverage, ...]
    sources: tuple[SourceCoverage, ...] = ()
    """The same by log source: which times are covered, and which are missing."""

    @property
    def blind(self) -> bool:
        """Whether a file could not be read, or not to its end: what was not found may stand there."""
        return any(gap.kind in UNREADABLE for file in self.files for gap in file.gaps)

    @property
    def unread(self) -> int:
        """Lines in all files that could not be read."""
        return sum(f.unread for f in self.files)

    @property
    def first(self) -> datetime | None:
        """The earliest instant that any file covers."""
        known = [f.first.instant for f in self.files if f.first and f.first.instant]
        return min(known, default=None)

    @property
    def last(self) -> datetime | None:
        """The latest instant that any file covers."""
        known = [f.last.instant for f in self.files if f.last and f.last.instant]
        return max(known, default=None)


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything the logs say about what was asked."""

    messages: tuple[Message, ...]
    coverage: Coverage
    notes: tuple[str, ...] = ()
    """Things the reader must know: a log without subjects, a time that had to be assumed."""
