"""What a caller asks: one value, so that the command line, Python and later a web page ask alike."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from deliverability.config import Configuration
from deliverability.errors import ParseError, UsageError, printable
from deliverability.evidence.bundle import Own
from deliverability.evidence.names import Domain, Mailbox
from deliverability.evidence.observation import Observations

if TYPE_CHECKING:
    from deliverability.correlate import Query

EVERYBODY = "*"


class Pick(StrEnum):
    """What to do when several messages match."""

    ONE = "one"
    """Ask: raise :class:`~deliverability.errors.AmbiguousError`."""
    LATEST = "latest"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How DNS is asked."""

    nameservers: tuple[str, ...] = ()
    """``IP``, ``IP:PORT`` or ``[IPv6]:PORT``; empty: those of the system."""
    timeout: float = 3.0
    """Seconds for one try at one server."""
    offline: bool = False
    """Ask nothing: what is not in :attr:`Request.observations` is *could not look*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """For whom an answer is put into words."""

    lang: str | None = None
    """``en`` or ``zh-Hant-TW``; ``None``: the configuration's first, else English."""
    zone: str | None = None
    """IANA name of the reader's time zone; ``None``: the configuration's, else that of the language."""
    edition: str = "customer"
    """``customer``, ``redacted`` or ``support``."""
    details: bool = False
    """Whether a table of checks shows the steps and remarks behind each verdict."""
    link: str = ""
    """A short link for a telephone message; empty: the configuration's."""
    paper: str = "a4"
    """``a4`` or ``letter``."""
    screen: int | None = None
    """Width of the terminal in columns, for tables; ``None``: lines are not wrapped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A question about a notice that was sent, or about a domain that will send."""

    logs: tuple[str, ...] = ()
    """``PATH``, ``NAME=PATH`` or ``-``."""
    archive: Path | None = None
    """An archive to answer from, beside :attr:`logs`."""
    to: tuple[str, ...] = ()
    """Addresses; ``@DOMAIN`` for all of a domain; ``*`` for everybody."""
    message_id: str | None = None
    queue_id: str | None = None
    remote_id: str | None = None
    """The id that the receiving server gave the message, as its reply tells it."""
    subject: str | None = None
    sender: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    tz: str | None = None
    """The zone of log lines that state none."""
    pick: Pick = Pick.ONE

    mail: bytes | None = None
    """The message as it was sent."""
    mail_origin: str = "message"
    from_ip: str | None = None
    helo: str | None = None
    selectors: tuple[str, ...] = ()
    author_domain: str | None = None

    asked_for: tuple[str, ...] = ()
    """Checks that contact third parties: ``smtp``, ``https``, ``dnsbl:LIST``."""

    network: Network = field(default_factory=Network)
    observations: Observations = field(default_factory=Observations)
    """Answers on record, for a replay."""
    configuration: Configuration = field(default_factory=Configuration)
    now: datetime | None = None
    """The clock; ``None``: the machine's."""

    def query(self) -> "Query":
        """The part that the logs are searched by; raises :class:`UsageError` for what cannot be meant."""
        if not (self.to or self.message_id or self.queue_id or self.remote_id or self.subject or self.sender):
            raise UsageError(
                "say which notice: --to ADDRESS, --message-id ID or --queue-id ID (or --remote-id, --subject, --from)"
            )
        ids = ((self.message_id, "--message-id"), (self.queue_id, "--queue-id"), (self.remote_id, "--remote-id"))
        for value, option in ids:
            if value is not None and (not value.strip("<> ") or not value.isprintable() or len(value) > 1000):
                raise UsageError(f"{option} {printable(value)!r} is not an id as mail servers write it")
        if self.subject is not None and not self.subject.strip():
            raise UsageError("--subject needs some words of the subject")
        from deliverability.correlate import Query

        return Query(
            recipients=tuple(_mailbox(text, "--to") for text in self.to if _whole(text)),
            message_id=self.message_id,
            queue_id=self.queue_id.strip() if self.queue_id else None,
            remote_id=self.remote_id.strip() if self.remote_id else None,
            subject=self.subject,
            sender=_mailbox(self.sender, "--from") if self.sender else None,
            since=self.since,
            until=self.until,
        )

    def domains(self) -> tuple[Domain, ...]:
        """The domains of which everybody is asked for."""
        texts = [text.strip().strip("<>") for text in self.to if not _whole(text) and text.strip() != EVERYBODY]
        for text in texts:
            if text.partition("@")[0] not in ("", EVERYBODY) or not text.partition("@")[2]:
                raise UsageError(f"--to {printable(text)!r}: give an address, @DOMAIN for all of a domain, or '*'")
        return tuple(domain(text.partition("@")[2], "--to") for text in texts)

    def everybody(self) -> bool:
        """Whether all recipients are asked for; raises :class:`UsageError` where nothing else bounds the question."""
        if all(text.strip() != EVERYBODY for text in self.to):
            return False
        if not any((self.since, self.until, self.message_id, self.queue_id, self.remote_id, self.subject, self.sender)):
            raise UsageError(
                "--to '*' asks for everybody: give a window (--since, --until), --from, --subject, or an id as well"
            )
        return True

    def checked(self) -> "Request":
        """Itself, or :class:`UsageError` for an option that is not of its form."""
        if self.from_ip is not None:
            try:
                ip_address(self.from_ip)
            except ValueError:
                raise UsageError(f"--from-ip {printable(self.from_ip)!r} is not an IP address") from None
        for text, option in ((self.author_domain, "--author-domain"), (self.helo, "--helo")):
            if text is not None:
                domain(text, option)
        for selector in self.selectors:
            domain(selector, "--selector")
        self.asked()
        return self

    def asked(self) -> frozenset[str]:
        """The opt-in checks as :attr:`Evidence.asked_for` has them; raises :class:`UsageError` for an unknown one."""
        for name in self.asked_for:
            if name.startswith("dnsbl:") and name != "dnsbl:":
                domain(name.removeprefix("dnsbl:"), "--with dnsbl")
            elif name not in ("smtp", "https"):
                raise UsageError(f"--with {printable(name)!r}: there are smtp, https and dnsbl:LIST")
        lists = frozenset({"dnsbl"}) if any(n.startswith("dnsbl:") for n in self.asked_for) else frozenset()
        return frozenset(self.asked_for) | lists

    def own(self) -> Own:
        """What the configuration says about our own side."""
        given = self.configuration
        return Own(given.own_hosts, given.own_networks, given.intermediaries, given.routed_by_mx)


def _whole(text: str) -> bool:
    """Whether an address is meant, and not all of a domain or everybody."""
    return text.strip().strip("<>").partition("@")[0] not in ("", EVERYBODY, "%")


def domain(text: str, option: str) -> Domain:
    """A domain given as an option, or :class:`UsageError` naming the option."""
    try:
        return Domain.parse(text)
    except ParseError as problem:
        raise UsageError(f"{option}: {problem}") from None


def _mailbox(text: str, option: str) -> Mailbox:
    try:
        return Mailbox.parse(text)
    except ParseError as problem:
        raise UsageError(f"{option}: {problem}") from None
