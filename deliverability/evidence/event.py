"""Delivery events: what one log line says, in one vocabulary for every mail server.

An event says no more than its line.  Who the other host was to the recipient, and what several lines
mean together, is concluded later (``correlate``, ``assess``).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.smtp import Host, Reply, Tls


class TimeBasis(StrEnum):
    """How a part of a log time came to be known, strongest first (DESIGN §4.10)."""

    LOGGED = "logged"
    """The line itself says it."""
    QUEUE_ID = "queue-id"
    """From the UTC clock inside our own MTA's message ids in the same file."""
    REPLY = "receiver-reply"
    """From the clock inside receivers' replies in the same file."""
    OPTION = "option"
    """The user said so (``--tz``, ``--year``)."""
    FILE_DATE = "file-date"
    """From the date of the file."""
    ASSUMED = "assumed"
    """Nothing says it: UTC, or the year of the look-up, was taken."""


@dataclass(frozen=True, slots=True)
class LogTime:
    """A log line's time: what it says, and what instant that is once zone and year are known."""

    logged: str
    """The text of the line."""
    local: datetime
    """Naive wall-clock time; year 2000 (a leap year) where the line has none."""
    has_year: bool
    offset: timedelta | None
    """UTC offset that the line itself states."""
    instant: datetime | None = None
    """UTC; ``None`` until resolved (``correlate``) unless the line states year and zone."""
    year_from: TimeBasis | None = None
    zone_from: TimeBasis | None = None
    contradicted: str | None = None
    """An id in the line that carries a clock which contradicts the line's time."""
    unclear: bool = False
    """:attr:`local` is no wall-clock time of the event, and nothing may turn it into an instant: the text has several
    readings (day or month first, a zone abbreviation), or the row has only the time of something earlier."""
    of_earlier: bool = False
    """The text is the time of something earlier, such as the message's arrival; of the event itself none is known."""


class Action(StrEnum):
    """What a line reports."""

    ARRIVED = "arrived"
    """A queue id came to be: the message entered this queue."""
    DESCRIBED = "described"
    """Facts about a queue id: Message-ID, Subject, envelope sender, size."""
    ATTEMPTED = "attempted"
    """An attempt to deliver to one recipient ended, with :attr:`DeliveryEvent.result`."""
    TROUBLE = "trouble"
    """A host failed during an attempt that went on elsewhere or later."""
    CONNECTED = "connected"
    """A fact about a session, with no queue id: TLS, a failed connection.  Tied by process."""
    HELD = "held"
    """On hold or frozen: nothing is tried until somebody releases it."""
    RELEASED = "released"
    NOTIFIED = "notified"
    """Our MTA wrote a bounce or delay notice to the sender."""
    REMOVED = "removed"
    """The queue entry ended (Postfix ``removed``, Exim ``Completed``)."""
    CANCELLED = "cancelled"
    """An operator deleted it or marked a recipient as done, or a filter of ours kept it: proves no delivery."""
    REJECTED = "rejected"
    """Our own server refused the message, or one recipient, when it was submitted."""
    SIGNED = "signed"
    """A signer of ours says that it added a DKIM signature: :attr:`DeliveryEvent.signing_domain`, ``selector``."""
    FILTERED = "filtered"
    """A filter of ours judged the message (spam score, DMARC); its words are in :attr:`DeliveryEvent.text`."""
    RECORDED = "recorded"
    """A mailer's own list says that a notice was made for a recipient; no mail server speaks here (L0)."""
    GAP = "gap"
    """The log itself says that lines are missing (rate limit, restart)."""


class Result(StrEnum):
    """How one attempt ended."""

    SENT = "sent"
    """The next hop answered 2yz, or final delivery was written."""
    DEFERRED = "deferred"
    FAILED = "failed"
    """Given up: 5yz, or nothing to hand it to."""
    REFUSED = "refused"
    """Given up on a 5yz that the log does not hold: a word of our own server's for it stands there instead."""
    EXPIRED = "expired"
    """Given up after trying for too long."""
    UNCERTAIN = "uncertain"
    """The connection broke after the end of DATA: it may have been accepted (RFC 1047)."""


ABOUT_US = frozenset({"auth", "starttls"})
"""Stages of a session whose replies are about our own server: no message was offered yet."""


class Transport(StrEnum):
    """By what the attempt was made."""

    SMTP = "smtp"
    LMTP = "lmtp"
    MAILBOX = "mailbox"
    """Written into a mailbox by our own MTA (Postfix local or virtual, Exim appendfile)."""
    PIPE = "pipe"
    FORWARD = "forward"
    DISCARD = "discard"
    REPLY = "reply"
    """An automatic reply: made beside the delivery, or in its stead; it keeps nothing of the message."""
    NONE = "none"
    """No transport ran: routing failed, or the address is an error."""


class Relation(StrEnum):
    """How another queue id on the same line relates to this one."""

    REQUEUED_FROM = "requeued-from"
    """This id replaces that one (Postfix ``orig_id=``)."""
    NOTICE_FOR = "notice-for"
    """This id is a bounce or delay notice about that one (Exim ``R=``)."""
    NOTICE = "notice"
    """That id is the notice our MTA wrote about this one."""


@dataclass(frozen=True, slots=True)
class Session:
    """How a message came in: who handed it to this queue."""

    client: Host | None = None
    helo: str | None = None
    protocol: str | None = None
    authenticated: str | None = None
    """Authenticated user or local user id, as logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryEvent:
    """One line of a mail log."""

    action: Action
    line: LogLine
    at: LogTime
    writer: str
    """Format and process: ``postfix/smtp``, ``exim``."""
    host: str | None = None
    """The host that wrote the line, where the line says it."""
    process: str | None = None
    """Writer and process id, as far as logged: ties lines of one session together."""
    queue_id: str | None = None
    related: tuple[tuple[Relation, str], ...] = ()

    # Facts about the message (ARRIVED, DESCRIBED, REJECTED)
    message_id: str | None = None
    """RFC 5322 Message-ID without angle brackets."""
    subject: str | None = None
    """Decoded (RFC 2047, Exim's octal escapes)."""
    reverse_path: str | None = None
    """RFC5321.MailFrom; ``""`` is the null reverse-path."""
    size: int | None = None
    """Octets."""
    recipients: tuple[str, ...] = ()
    """All envelope recipients that the line lists."""
    recipient_count: int | None = None
    session: Session | None = None

    # One attempt (ATTEMPTED, TROUBLE, CONNECTED)
    recipient: str | None = None
    """The address that was really tried (RFC5321.RcptTo)."""
    original_recipient: str | None = None
    """The address before aliases, where it differs (Postfix ``orig_to=``, Exim ``<…>``)."""
    result: Result | None = None
    transport: Transport | None = None
    relay: Host | None = None
    local_ip: str | None = None
    """The address that our MTA connected from (Exim ``I=``)."""
    route: str | None = None
    """Router and transport as logged (Exim ``R=``/``T=``)."""
    tls: Tls | None = None
    reply: Reply | None = None
    dsn_code: str | None = None
    """RFC 3463 status that *our* MTA gives the attempt (Postfix ``dsn=``); not the other side's word."""
    remote_queue_id: str | None = None
    folder: str | None = None
    """The mailbox folder that final delivery filed it to, as the mail store logs it (``INBOX``, ``Junk``)."""
    stage: str | None = None
    """What the reply answered: ``connect``, ``ehlo``, ``mail``, ``rcpt``, ``data``, ``end-of-data``."""
    probe: bool = False
    """An address probe: no message was sent (Postfix ``deliverable``, Exim callout)."""
    signing_domain: str | None = None
    """DKIM ``d=`` (SIGNED)."""
    selector: str | None = None
    """DKIM ``s=`` (SIGNED)."""
    account: str | None = None
    """The sender's own name for the customer (RECORDED): an id of the billing system."""
    witness: str | None = None
    """Whose record it is when not our own server's: ``Microsoft 365``, ``Google Workspace``."""
    text: str = ""
    """The line's own words, where no field above holds them."""
