"""Anymail's signals as records: what a service was given, what it answered, and what it reports later.

>>> from deliverability.contrib import anymail                                     # doctest: +SKIP
>>> anymail.record("/var/lib/deliverability/ledger")          # once, in AppConfig.ready()

A service's answer is *handed over*, under the id that it gave (Amazon SES and others put it in place of our Message-ID).
Its tracking events are a third party's record: Anymail's ``delivered`` means accepted by the receiving MTA, and that is
all it is taken for; opens and clicks show no person reading and are not kept.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import parseaddr
from functools import partial
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

from anymail.signals import post_send, pre_send, tracking  # type: ignore[import-untyped]

from deliverability.api.receipts import utc_now
from deliverability.api.sending import Begun, Ended, Envelope, OnRecordingFailure, SessionFacts
from deliverability.contrib._looking_up import find_dispatch, unsealed
from deliverability.contrib._recording import AccountOf, Guarded, Ledger, begun, conclude, named, spool
from deliverability.errors import UsageError, printable
from deliverability.evidence.recorder import Finish, Hop, Later, Recorder
from deliverability.evidence.smtp import Host, Reply
from deliverability.protocols.intents import canonical_account
from deliverability.protocols.smtp import parse_reply
from deliverability.protocols.smtp_session_mail import with_crlf

RECEIPT: Final = "deliverability_receipt"
MAX_RESPONSE: Final = 8192
MAX_ID: Final = 512
log = logging.getLogger("deliverability.mailer")

_begun: "WeakKeyDictionary[Any, Begun]" = WeakKeyDictionary()
"""Messages that a service is being asked to take."""

_ANSWERS: Final = {
    "sent": Finish.ACCEPTED,
    "queued": Finish.ACCEPTED,
    "invalid": Finish.REFUSED,
    "rejected": Finish.REFUSED,
    "failed": Finish.FAILED,
}
"""What a service answers for a recipient; of anything else nothing is known."""
_EVENTS: Final[dict[str, tuple[Finish | None, str | None]]] = {
    "delivered": (Finish.ACCEPTED, "accepted"),
    "deferred": (Finish.DEFERRED, None),
    "bounced": (Finish.REFUSED, None),
    "rejected": (Finish.FAILED, None),
    "failed": (Finish.FAILED, None),
    "queued": (None, None),
    "sent": (None, None),
    "complained": (None, None),
    "autoresponded": (None, None),
}
"""Anymail's event types that tell of the message's way, with what they show."""

Find = Callable[[str, str], str | None]
"""A service's id and a recipient → the dispatch."""


class _Receiver:
    """Takes the signals for one ledger."""

    def __init__(
        self, recorder: Recorder, folder: Path | None, find: Find, account: AccountOf | None, policy: OnRecordingFailure
    ) -> None:
        self._recorder, self._folder, self._find = Guarded(recorder), folder, find
        self._account, self._policy = account, policy

    def pre_send(self, message: Any, esp_name: str, **_: Any) -> None:
        """The intents, durable before the service is asked; raises only under ``"hold"``."""
        setattr(message, RECEIPT, None)
        one = begun(partial(self._made, message, esp_name), self._recorder, self._policy)
        if one is not None:
            _begun[message] = one

    def _made(self, message: Any, esp_name: str) -> tuple[bytes, Envelope]:
        written = message.message()
        given = {name.lower() for name in message.extra_headers}
        for name in ("Message-ID", "Date"):  # made anew each time; the service makes its own
            if name.lower() not in given:
                del written[name]
        sender = getattr(message, "envelope_sender", None)
        return with_crlf(written.as_bytes()), Envelope(
            reverse_path=parseaddr(sender if isinstance(sender, str) else message.from_email)[1],
            recipients=tuple(dict.fromkeys(parseaddr(one)[1] or one for one in message.recipients())),
            next_hop=esp_name,
            hop=Hop.RELAY,
            account=named(self._account, message) if self._account else None,
        )

    def post_send(self, message: Any, status: Any, esp_name: str, **_: Any) -> None:
        """What the service answered, for each recipient; raises nothing."""
        one = _begun.pop(message, None)
        if one is None:
            return
        found = {canonical_account(str(address)): told for address, told in status.recipients.items()}
        told = [found.get(canonical_account(i.forward_path)) for i in one.intents]
        ids = [_id(getattr(t, "message_id", None)) for t in told]
        endings = [_answered(getattr(t, "status", None)) for t in told]
        session = SessionFacts(relay=Host(esp_name, None))
        setattr(message, RECEIPT, conclude(one, endings, session, service_ids=ids))

    def tracking(self, event: Any, esp_name: str, **_: Any) -> None:
        """A service's report; where it cannot be recorded this raises, so that the service reports again."""
        if event.event_type not in _EVENTS:
            return
        name = _id(event.message_id)
        dispatch = self._find(name, event.recipient or "") if name else None
        if dispatch is None:
            log.warning("a tracking event of %s is about no message on record", esp_name)
            return
        # The spool of the process that sent it may be taken in after this one: what it says goes before the event,
        # once more, so that the ledger knows what the event is about.  It keeps equal records once.
        before = unsealed(self._folder, dispatch) if self._folder else []
        self._recorder.record([*before, later(event, esp_name, dispatch)])


def record(
    ledger: Ledger | None = None,
    *,
    recorder: Recorder | None = None,
    find: Find | None = None,
    account: AccountOf | None = None,
    on_recording_failure: OnRecordingFailure = "send",
) -> None:
    """Record what Anymail sends and hears from now on; calling it again replaces what was said before.

    ``find`` tells which dispatch a service's id and a recipient stand for; without it the ledger and its spool are
    asked.  ``account`` gives your own name for the customer, for a message.
    """
    if ledger is None and (recorder is None or find is None):
        raise UsageError("say where to record: record(FOLDER), or record(recorder=…, find=…)")
    folder = Path(ledger) if ledger is not None else None
    looked_up = find or partial(find_dispatch, folder or Path())
    receiver = _Receiver(recorder or spool(ledger or ""), folder, looked_up, account, on_recording_failure)
    for signal, method in (
        (pre_send, receiver.pre_send),
        (post_send, receiver.post_send),
        (tracking, receiver.tracking),
    ):
        signal.disconnect(dispatch_uid=__name__)
        signal.connect(method, weak=False, dispatch_uid=__name__)


def broken(messages: Iterable[Any], problem: BaseException) -> None:
    """Messages between whose intents and outcomes an error came: the service may have taken them, or not."""
    for message in messages:
        one = _begun.pop(message, None)
        if one is not None:
            setattr(message, RECEIPT, conclude(one, [_broken(problem)] * len(one.intents)))


def _broken(problem: BaseException) -> Ended:
    code = getattr(problem, "status_code", None)
    words = type(problem).__name__ + ("" if code is None else f", HTTP {code}")  # its text names all recipients
    refused = isinstance(code, int) and 400 <= code < 500 and code not in (408, 409, 425, 429)
    return Ended(finish=Finish.FAILED if refused else Finish.UNKNOWN, detail=f"the service was asked: {words}")


def _answered(status: str | None) -> Ended:
    finish = _ANSWERS.get(status or "", Finish.UNKNOWN)
    words = f"answered by the service: {status or 'nothing'}"
    if finish is Finish.ACCEPTED:
        return Ended(finish=finish, stage="end-of-data", reply=Reply(None, None, status or ""), detail=words)
    return Ended(finish=finish, detail=words)


# --- what a service reports later -------------------------------------------------------------------------------------


def later(event: Any, esp_name: str, dispatch: str) -> Later:
    """A tracking event as a record; the service is its witness."""
    finish, level = _EVENTS[event.event_type]
    at = event.timestamp if isinstance(event.timestamp, datetime) and event.timestamp.tzinfo else None
    said = [event.event_type, event.reject_reason, event.description]
    return Later(
        dispatch=dispatch,
        at=(at or utc_now()).astimezone(UTC),
        kind="esp-event",
        finish=finish,
        level=level,
        witness=esp_name,
        reply=response(event.mta_response),
        detail=printable("; ".join(str(one) for one in said if one), MAX_RESPONSE),
    )


def response(text: object) -> Reply | None:
    """``mta_response`` as a reply: services quote it whole, on several lines, or as RFC 3464 §2.3.6 has it (``smtp; …``)."""
    if not isinstance(text, str):
        return None
    plain = " ".join(text[:MAX_RESPONSE].split())
    kind, semicolon, rest = plain.partition(";")
    if semicolon and kind.strip().lower() in ("smtp", "lmtp", "x-unix"):
        plain = rest.strip()
    plain = plain.encode("utf-8", "replace").decode()
    return parse_reply(plain) if plain else None


def _id(given: object) -> str | None:
    """A service's id as its answer and its events both bear it; some put angle brackets around it."""
    if given is None:
        return None
    name = str(given).strip().removeprefix("<").removesuffix(">").encode("utf-8", "replace").decode()
    return name if 0 < len(name) <= MAX_ID else None
