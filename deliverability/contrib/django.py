"""A Django e-mail back end that wraps yours, and records every message and what came of it.

::

    EMAIL_BACKEND = "deliverability.contrib.django.EmailBackend"
    DELIVERABILITY = {"ledger": "/var/lib/deliverability/ledger"}

``DELIVERABILITY`` takes ``ledger`` (the folder); ``backend``, the one that sends (Django's SMTP back end);
``account_header``, a header field that bears your own name for the customer, or ``account``, a callable, or the dotted
path of one, that gives it for a message; ``on_recording_failure``, ``"send"`` or ``"hold"``.

A record is durable when it is made and does not live in the database: it survives a request that is rolled back.  Each
message sent bears ``message.deliverability_receipt``.  A back end that sends nothing (console, file, memory, dummy)
asks nobody anything, and its messages are recorded as *failed*, for no server was given them.
"""

from collections.abc import Sequence
from email.utils import parseaddr
from typing import Any, Final

from django.conf import settings  # type: ignore[import-untyped]
from django.core.exceptions import ImproperlyConfigured  # type: ignore[import-untyped]
from django.core.mail.backends import base, console, dummy, locmem, smtp  # type: ignore[import-untyped]
from django.utils.module_loading import import_string  # type: ignore[import-untyped]

from deliverability.api.receipts import Receipt
from deliverability.api.sending import Begun, Ended, Envelope
from deliverability.contrib._recording import AccountOf, Guarded, begun, conclude, named, never_sent, spool
from deliverability.contrib._transaction import in_words
from deliverability.contrib.smtplib import SMTP, Recording
from deliverability.errors import RecordingError
from deliverability.evidence.recorder import Finish, Hop
from deliverability.protocols.smtp_session_mail import with_crlf

DEFAULT: Final = "django.core.mail.backends.smtp.EmailBackend"
SENDS_NOTHING: Final = (console.EmailBackend, locmem.EmailBackend, dummy.EmailBackend)  # a file's is a console's
KNOWN: Final = frozenset({"ledger", "backend", "account", "account_header", "on_recording_failure"})
RECEIPT: Final = "deliverability_receipt"


class EmailBackend(base.BaseEmailBackend):  # type: ignore[misc]
    """Sends through the configured back end, and records."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        alias = options.get("alias")  # of Django's MAILERS, from 6.1
        super().__init__(**({} if alias is None else {"alias": alias}))
        self.fail_silently = bool(options.get("fail_silently"))
        self._settings = _Settings()
        kind = import_string(self._settings.backend)
        if issubclass(kind, EmailBackend):
            raise ImproperlyConfigured("DELIVERABILITY['backend'] is the back end that sends, not the one that records")
        self._inner: Any
        if issubclass(kind, smtp.EmailBackend):
            self._inner = _over_smtp(kind, self._settings)(*arguments, **options)
        else:
            self._inner = kind(*arguments, **options)
            if hasattr(kind, "esp_name"):
                self._watch_anymail()

    def __getattr__(self, name: str) -> Any:
        if name == "_inner":
            raise AttributeError(name)
        return getattr(self._inner, name)

    def __deepcopy__(self, memo: dict[int, Any]) -> "EmailBackend":
        """Messages are copied with the connection that they bear; ours is shared, for it holds files."""
        return self

    def open(self) -> Any:
        """As the wrapped back end."""
        return self._inner.open()

    def close(self) -> Any:
        """As the wrapped back end."""
        return self._inner.close()

    def send_messages(self, email_messages: Sequence[Any]) -> Any:
        """As the wrapped back end; returns what it returns, and raises what it raises."""
        messages = list(email_messages)
        before = [getattr(m, RECEIPT, None) for m in messages]
        if isinstance(self._inner, smtp.EmailBackend):
            return self._by_smtp(messages, before)
        if hasattr(self._inner, "esp_name"):
            return self._by_anymail(messages)
        return self._by_other(messages)

    # --- the kinds of back ends ---

    def _by_smtp(self, messages: list[Any], before: list[Receipt | None]) -> Any:
        problem: BaseException | None = None
        try:
            return self._inner.send_messages(messages)
        except BaseException as raised:
            problem = raised
            raise
        finally:
            if self._inner.tells_each and (problem is not None or self._inner.connection is None):
                tried = [getattr(m, RECEIPT, None) is not r for m, r in zip(messages, before, strict=True)]
                self._untried([m for m, was in zip(messages, tried, strict=True) if not was], problem, any(tried))

    def _untried(self, messages: list[Any], problem: BaseException | None, others: bool) -> None:
        """Messages that never came to a transaction: the server was not reached, or another message ended it."""
        if isinstance(problem, RecordingError):
            return
        why = "another message ended the session" if others else in_words(problem) if problem else "no connection"
        ending = Ended(finish=Finish.DEFERRED, stage="connect", detail=f"not tried: {why}")
        for message in messages:
            receipt = never_sent(lambda m=message: self._made(m), self._settings.recorder, ending)  # type: ignore[misc]
            setattr(message, RECEIPT, receipt)

    def _by_anymail(self, messages: list[Any]) -> Any:
        from deliverability.contrib import anymail

        try:
            return self._inner.send_messages(messages)
        except BaseException as problem:
            anymail.broken(messages, problem)
            raise

    def _by_other(self, messages: list[Any]) -> Any:
        """What this back end does with messages is not known: nothing is claimed of it."""
        nothing = isinstance(self._inner, SENDS_NOTHING)
        finish = Finish.FAILED if nothing else Finish.UNKNOWN
        what = "handed to a back end that sends nothing" if nothing else "handed to a back end that tells of no server"
        words = f"{what}: {self._settings.backend}"
        begun_ones = [(m, self._begun(m)) for m in messages]
        try:
            return self._inner.send_messages(messages)
        except BaseException as problem:
            words = f"{words}; {in_words(problem)}"
            raise
        finally:
            for message, one in begun_ones:
                if one is not None:
                    ended = Ended(finish=finish, detail=words)
                    setattr(message, RECEIPT, conclude(one, [ended] * len(one.intents)))

    def _begun(self, message: Any) -> Begun | None:
        return begun(lambda: self._made(message), self._settings.recorder, self._settings.on_recording_failure)

    def _made(self, message: Any) -> tuple[bytes, Envelope]:
        next_hop = getattr(self._inner, "host", None) or self._settings.backend
        return octets(message), envelope(message, next_hop, self._settings.account_of(message))

    def _watch_anymail(self) -> None:
        from deliverability.contrib import anymail

        kept = self._settings
        anymail.record(kept.ledger, account=kept.account_of, on_recording_failure=kept.on_recording_failure)


def _over_smtp(kind: Any, chosen: "_Settings") -> type:
    """The SMTP back end, or one made from it, over connections that record."""

    class Recorded(kind):  # type: ignore[misc]
        tells_each = kind.send_messages is smtp.EmailBackend.send_messages
        """Whether every message goes through ``_send`` below, so that it is known which were tried."""

        @property
        def connection_class(self) -> type[SMTP]:
            return chosen.recording.of(super().connection_class)

        def _send(self, email_message: Any) -> Any:
            connection: Any = self.connection
            if not isinstance(connection, SMTP):
                return super()._send(email_message)
            connection.account, connection.receipt = chosen.account_of(email_message), None
            try:
                return super()._send(email_message)
            finally:
                receipt = getattr(connection, "receipt", None)
                if receipt is not None:
                    setattr(email_message, RECEIPT, receipt)

    Recorded.__name__ = Recorded.__qualname__ = kind.__name__
    made: type = Recorded
    return made


class _Settings:
    """``DELIVERABILITY``, read once for each back end."""

    def __init__(self) -> None:
        given = getattr(settings, "DELIVERABILITY", None)
        if not isinstance(given, dict) or not given.get("ledger"):
            raise ImproperlyConfigured('say where to record: DELIVERABILITY = {"ledger": FOLDER}')
        unknown = sorted(set(given) - KNOWN)
        if unknown:
            raise ImproperlyConfigured(f"DELIVERABILITY: unknown {', '.join(map(repr, unknown))}")
        self.ledger = given["ledger"]
        self.backend: str = given.get("backend", DEFAULT)
        self.on_recording_failure = given.get("on_recording_failure", "send")
        if self.on_recording_failure not in ("send", "hold"):
            raise ImproperlyConfigured("DELIVERABILITY['on_recording_failure'] is 'send' or 'hold'")
        account = given.get("account")
        self._account: AccountOf | None = import_string(account) if isinstance(account, str) else account
        self._header: str | None = given.get("account_header")
        self.recorder = Guarded(spool(self.ledger))
        self.recording = Recording(recorder=self.recorder, on_recording_failure=self.on_recording_failure)

    def account_of(self, message: Any) -> str | None:
        """Your own name for the customer."""
        if self._account is not None:
            return named(self._account, message)
        if self._header is not None:
            wanted = self._header.lower()
            return next((str(v) for k, v in message.extra_headers.items() if k.lower() == wanted and v), None)
        return None


def octets(message: Any) -> bytes:
    """The message as it can be known before it is sent.

    Django makes Message-ID and Date anew each time it writes a message: ones that it made are left out.
    """
    written = message.message()
    given = {name.lower() for name in message.extra_headers}
    for name in ("Message-ID", "Date"):
        if name.lower() not in given:
            del written[name]
    return with_crlf(written.as_bytes())


def envelope(message: Any, next_hop: str, account: str | None) -> Envelope:
    """Who writes to whom."""
    return Envelope(
        reverse_path=parseaddr(message.from_email)[1],
        recipients=tuple(parseaddr(one)[1] or one for one in message.recipients()),
        next_hop=next_hop,
        hop=Hop.RELAY,
        account=account,
    )
