"""Drop-in for :mod:`smtplib`: sends as the standard library does, and records what came of it for each recipient.

>>> from deliverability.contrib.smtplib import SMTP                                 # doctest: +SKIP
>>> with SMTP("smtp.example", 587, ledger="/var/lib/deliverability/ledger") as client:
...     client.send_message(message)
...     client.receipt.to_json()

Return values and exceptions are those of :mod:`smtplib`.  Intents are durable before MAIL, outcomes are recorded
after the transaction, however it ended.  The next hop counts as a relay: what it accepted is *handed over* (DESIGN
§4.8).  The single commands (``mail``, ``rcpt``, ``data``) are not recorded when called by themselves.
"""

import hashlib
import re
import smtplib
import ssl
from collections.abc import Collection, Sequence
from email.message import Message
from email.utils import parseaddr
from typing import Any, Final

from deliverability.api.receipts import Receipt
from deliverability.api.sending import Begun, Ended, Envelope, OnRecordingFailure, SessionFacts, policy_of
from deliverability.contrib._recording import Guarded, Ledger, begun, conclude, never_sent, spool
from deliverability.contrib._transaction import Transaction, reply_of
from deliverability.errors import ParseError, UsageError
from deliverability.evidence.recorder import Hop, Recorder
from deliverability.evidence.smtp import Host, Tls
from deliverability.protocols.mail import parse_mail

_EOL: Final = re.compile(r"\r\n|\n|\r")
_REFUSED_HERE: Final = (smtplib.SMTPNotSupportedError, ValueError, TypeError)


class SMTP(smtplib.SMTP):
    """:class:`smtplib.SMTP` that records; takes the same arguments, and by name those that say where to."""

    recorder: Recorder | None = None
    account: str | None = None
    """Your own name for the customer, of the messages to come."""
    account_header: str | None = None
    """A header field that names the customer, where :attr:`account` does not."""
    on_recording_failure: OnRecordingFailure = "send"
    receipt: Receipt | None = None
    """Of the last transaction, whether it succeeded or raised."""

    _now: Transaction | None = None
    _helo: str | None = None

    def __init__(
        self,
        *arguments: Any,
        ledger: Ledger | None = None,
        recorder: Recorder | None = None,
        account: str | None = None,
        account_header: str | None = None,
        on_recording_failure: OnRecordingFailure | None = None,
        **options: Any,
    ) -> None:
        """Say where to record: ``ledger``, its folder, or ``recorder``, anything that records; else as the class says.

        With ``on_recording_failure="hold"`` a message that cannot be recorded is not sent, and ``sendmail`` raises
        :class:`~deliverability.errors.RecordingError`.
        """
        chosen = recorder or (spool(ledger) if ledger is not None else self.recorder)
        if chosen is None:
            raise UsageError("say where to record: SMTP(..., ledger=FOLDER)")
        self._recorder: Recorder = Guarded(chosen)
        self.account = account or self.account
        self.account_header = account_header or self.account_header
        self.on_recording_failure = policy_of(on_recording_failure or self.on_recording_failure)
        super().__init__(*arguments, **options)

    # --- what is recorded ---

    def sendmail(
        self,
        from_addr: str,
        to_addrs: str | Sequence[str],
        msg: Any,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> Any:
        """As :meth:`smtplib.SMTP.sendmail`; :attr:`receipt` then says what became of it for each recipient."""
        self.receipt = None
        one = self._begin(from_addr, to_addrs, msg)
        if one is None:
            return super().sendmail(from_addr, to_addrs, msg, mail_options, rcpt_options)
        self._now = now = Transaction(len(one.intents))
        session = self._facts()
        try:
            returned = super().sendmail(from_addr, to_addrs, msg, mail_options, rcpt_options)
        except BaseException as problem:
            now.broken(problem, ours=isinstance(problem, _REFUSED_HERE))
            raise
        else:
            return returned
        finally:
            self._now = None
            self.receipt = conclude(one, now.endings(), self._facts() or session)

    def send_message(
        self,
        msg: Message,
        from_addr: str | None = None,
        to_addrs: str | Sequence[str] | None = None,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> Any:
        """As :meth:`smtplib.SMTP.send_message`; what stops it before the transaction is recorded as well."""
        self.receipt = None
        session = self._facts()
        try:
            return super().send_message(msg, from_addr, to_addrs, mail_options, rcpt_options)
        except Exception as problem:
            known = getattr(self, "receipt", None)  # of the transaction, where it came to one
            if known is None and isinstance(problem, (OSError, *_REFUSED_HERE)):
                made = lambda: self._unsent(msg, from_addr, to_addrs)  # noqa: E731
                self.receipt = never_sent(made, self._recorder, self._ending(problem), self._facts() or session)
            raise

    @staticmethod
    def _ending(problem: Exception) -> Ended:
        now = Transaction(1)
        now.broken(problem, ours=isinstance(problem, _REFUSED_HERE))
        return now.endings()[0]

    def _begin(self, sender: object, to: object, message: object) -> Begun | None:
        given = [to] if isinstance(to, str) else to
        if not isinstance(given, Collection) or not all(isinstance(one, str) for one in given):
            return None  # the standard class says what is wrong with it
        if not isinstance(sender, str) or not isinstance(message, str | bytes | bytearray):
            return None
        # Text that is not ASCII is not sent: the standard class raises before MAIL.
        content = _EOL.sub("\r\n", message).encode("utf-8", "replace") if isinstance(message, str) else bytes(message)
        if not content.endswith(b"\r\n"):
            content += b"\r\n"
        made = lambda: (content, self._envelope(sender, given, content))  # noqa: E731
        return begun(made, self._recorder, self.on_recording_failure)

    def _envelope(self, sender: str, to: Collection[str], content: bytes) -> Envelope:
        return Envelope(
            reverse_path=_path(sender),
            recipients=tuple(_path(one) for one in to),
            next_hop=self._relay().name or self._relay().ip or "",
            hop=Hop.RELAY,
            account=self.account or self._named(content),
        )

    def _unsent(self, message: Message, sender: str | None, to: str | Sequence[str] | None) -> tuple[bytes, Envelope]:
        from deliverability.protocols.smtp_session_mail import outgoing

        out = outgoing(message, sender, to)
        return out.content, self._envelope(out.reverse_path, out.recipients, out.content)

    def _named(self, content: bytes) -> str | None:
        if self.account_header is None:
            return None
        try:
            return parse_mail(content).text(self.account_header) or None
        except ParseError:
            return None

    # --- what is heard ---

    def mail(self, sender: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        """As :meth:`smtplib.SMTP.mail`."""
        if self._now:
            self._now.stage = "mail"
        code, said = super().mail(sender, options)
        if self._now:
            self._now.heard_mail(reply_of(code, said))
        return code, said

    def rcpt(self, recip: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        """As :meth:`smtplib.SMTP.rcpt`."""
        if self._now:
            self._now.stage = "rcpt"
        code, said = super().rcpt(recip, options)
        if self._now:
            self._now.heard_rcpt(reply_of(code, said))
        return code, said

    def data(self, msg: Any) -> tuple[int, bytes]:
        """As :meth:`smtplib.SMTP.data`."""
        if self._now:
            self._now.stage = "data"
        return super().data(msg)

    def getreply(self) -> tuple[int, bytes]:
        """As :meth:`smtplib.SMTP.getreply`."""
        code, said = super().getreply()
        if self._now:
            self._now.heard(reply_of(code, said))
        return code, said

    def send(self, s: Any) -> None:
        """As :meth:`smtplib.SMTP.send`."""
        if self._now is None or not self._now.may_send:
            super().send(s)
            return
        self._now.leaves()
        try:
            super().send(s)
        except smtplib.SMTPServerDisconnected:
            self._now.stayed()  # the system did not take all of it, and so not its end
            raise

    def putcmd(self, cmd: str, args: str = "") -> None:
        """As :meth:`smtplib.SMTP.putcmd`."""
        if cmd.lower() in ("ehlo", "helo"):
            self._helo = args or None
            if self._now:
                self._now.stage = "ehlo"
        super().putcmd(cmd, args)

    # --- with whom ---

    def connect(self, host: str = "localhost", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:
        """As :meth:`smtplib.SMTP.connect`."""
        self._named_host = host.rpartition(":")[0] if host.count(":") == 1 and not port else host
        return super().connect(host, port, source_address)

    def _relay(self) -> Host:
        name = getattr(self, "_named_host", "")
        try:
            ip, port = self.sock.getpeername()[:2] if self.sock else (None, None)
        except (OSError, ValueError):
            ip, port = None, None
        return Host(name if name and name != ip else None, ip or None, port)

    def _facts(self) -> SessionFacts | None:
        """Of the session as it is now; ``None`` where there is none any more."""
        if self.sock is None:
            return None
        try:
            local = self.sock.getsockname()
            tls, certificate = _tls(self.sock)
        except (OSError, ValueError):
            local, tls, certificate = None, None, None
        return SessionFacts(
            relay=self._relay(),
            local_ip=local[0] if isinstance(local, tuple) else None,
            helo=self._helo,
            tls=tls,
            certificate_sha256=certificate,
        )


class SMTP_SSL(SMTP, smtplib.SMTP_SSL):  # noqa: N801 - named after what it stands in for
    """:class:`smtplib.SMTP_SSL` that records."""


class Recording:
    """:mod:`smtplib` for programs that look its classes up there, with ``SMTP`` and ``SMTP_SSL`` that record.

    >>> smtplib = Recording("/var/lib/deliverability/ledger")                      # doctest: +SKIP
    """

    def __init__(self, ledger: Ledger | None = None, *, recorder: Recorder | None = None, **options: Any) -> None:
        """Record to ``ledger`` or ``recorder``; ``options``: ``account``, ``account_header``, ``on_recording_failure``."""
        if recorder is None and ledger is None:
            raise UsageError("say where to record: Recording(FOLDER)")
        unknown = sorted(set(options) - {"account", "account_header", "on_recording_failure"})
        if unknown:
            raise UsageError(f"Recording takes no {', '.join(unknown)}")
        policy_of(options.get("on_recording_failure", "send"))
        self._options = {"recorder": recorder or spool(ledger or ""), **options}
        self.SMTP = self.of(smtplib.SMTP)
        self.SMTP_SSL = self.of(smtplib.SMTP_SSL)

    def of(self, kind: type[smtplib.SMTP]) -> type[SMTP]:
        """A class of somebody's own, recording."""
        bases = (SMTP,) if kind is smtplib.SMTP else (kind,) if issubclass(kind, SMTP) else (SMTP, kind)
        return type(kind.__name__, bases, dict(self._options))

    def __getattr__(self, name: str) -> Any:
        return getattr(smtplib, name)


def _path(address: str) -> str:
    """The address as it stands in the command."""
    return parseaddr(address)[1] or address.strip().removeprefix("<").removesuffix(">")


def _tls(sock: Any) -> tuple[Tls | None, str | None]:
    if not isinstance(sock, ssl.SSLSocket):
        return None, None
    cipher, peer = sock.cipher(), sock.getpeercert(binary_form=True)
    checked = sock.context.verify_mode is ssl.CERT_REQUIRED and sock.context.check_hostname
    tls = Tls(sock.version() or "", cipher[0] if cipher else None, checked)
    return tls, hashlib.sha256(peer).hexdigest() if peer else None
