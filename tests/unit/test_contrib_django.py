"""The back end that records, in the real Django, and Anymail's signals; no network."""

import json
import logging
import re
import smtplib as stdlib
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from wired_smtp import Wired, close_all

if not settings.configured:
    settings.configure(USE_TZ=True)

import anymail.message
import anymail.signals
from anymail.exceptions import AnymailAPIError
from anymail.message import AnymailRecipientStatus
from anymail.signals import AnymailTrackingEvent
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, get_connection, send_mail
from django.core.mail.backends import smtp
from django.test.utils import override_settings

from deliverability.api.receipts import Receipt
from deliverability.contrib import anymail as watching
from deliverability.contrib._looking_up import find_dispatch
from deliverability.evidence.recorder import Finish, Hop, Intent, Later, Outcome, Record
from deliverability.evidence.story import Level, State
from deliverability.ledger.leaves import LeafKind, parse_body
from deliverability.ledger.log import Ledger
from deliverability.ledger.proving import numbers_for
from deliverability.ledger.spool import Spool, spooled
from deliverability.protocols.records import record_from_bytes

PAGE = Path(__file__).parents[2] / "docs" / "mailers.md"
SENDER, CHEN, LIN = "renewals@hosting.example", "chen@hinet.example", "lin@seed.example"
OURS = "deliverability.contrib.django.EmailBackend"
ANYMAIL = "anymail.backends.test.EmailBackend"


class Local(smtp.EmailBackend):  # type: ignore[misc]
    """Django's own SMTP back end, over a pair of sockets."""

    connection_class = Wired


class Silent(mail.backends.base.BaseEmailBackend):  # type: ignore[misc]
    """Somebody's back end, which tells of no server."""

    def send_messages(self, messages: list[Any]) -> int:
        if any("boom" in m.subject for m in messages):
            raise RuntimeError("boom")
        return len(messages)


class Refuses(Wired):
    def _get_socket(self, *_: object) -> Any:
        raise ConnectionRefusedError(111, "Connection refused")


class Unreached(smtp.EmailBackend):  # type: ignore[misc]
    connection_class = Refuses


def account_of(message: EmailMessage) -> str:
    return f"customer {message.to[0]}"


@pytest.fixture(autouse=True)
def world(tmp_path: Path) -> Iterator[None]:
    mail.outbox = []
    Wired.says = {}
    with override_settings(EMAIL_BACKEND=OURS, DELIVERABILITY={"ledger": tmp_path, "backend": f"{__name__}.Local"}):
        yield
    close_all()


def configured(tmp_path: Path, **options: Any) -> Any:
    return override_settings(DELIVERABILITY={"ledger": tmp_path, "backend": f"{__name__}.Local", **options})


def recorded(folder: Path) -> list[Record]:
    return [record_from_bytes(line) for file in spooled(folder / "spool") for line, _ in file.lines()]


def message(to: str = CHEN, subject: str = "Renewal", **options: Any) -> EmailMessage:
    return EmailMessage(subject, "Dear customer\n", SENDER, [to], **options)


def test_over_smtp_every_message_has_a_receipt(tmp_path: Path) -> None:
    one = message(headers={"X-Account": "4711"}, bcc=[LIN])
    with configured(tmp_path, account_header="x-account"):
        assert one.send() == 1
    receipt: Receipt = one.deliverability_receipt
    assert receipt.finishes == {CHEN: Finish.ACCEPTED, LIN: Finish.ACCEPTED} and receipt.recorded
    assert receipt.level is Level.HANDED_OVER
    first = recorded(tmp_path)[0]
    assert isinstance(first, Intent)
    assert (first.account, first.hop, first.next_hop, first.subject) == ("4711", Hop.RELAY, "localhost", "Renewal")
    assert len(recorded(tmp_path)) == 4


def test_send_mail_and_many_messages_over_one_connection(tmp_path: Path) -> None:
    assert send_mail("s", "b", SENDER, [CHEN, LIN]) == 1
    messages = [message(), message(LIN)]
    with get_connection() as connection:
        assert connection.send_messages(messages) == 2
    ids = {i for m in messages for i in m.deliverability_receipt.ids}
    assert len(ids) == 2
    assert sum(isinstance(r, Outcome) and r.finish is Finish.ACCEPTED for r in recorded(tmp_path)) == 4


def test_a_server_that_is_not_reached_leaves_its_mark(tmp_path: Path) -> None:
    one = message()
    with configured(tmp_path, backend=f"{__name__}.Unreached"), pytest.raises(ConnectionRefusedError):
        one.send()
    assert one.deliverability_receipt.finishes == {CHEN: Finish.DEFERRED}
    intent, outcome = recorded(tmp_path)
    assert isinstance(intent, Intent) and isinstance(outcome, Outcome)
    assert outcome.stage == "connect" and "ConnectionRefusedError" in outcome.detail


def test_silent_failures_are_no_silence_on_record(tmp_path: Path) -> None:
    with configured(tmp_path, backend=f"{__name__}.Unreached"):
        one = message()
        assert one.send(fail_silently=True) == 0
    assert one.deliverability_receipt.finishes == {CHEN: Finish.DEFERRED}
    Wired.says = {"final": "554 5.7.1 spam"}
    two = message()
    assert two.send(fail_silently=True) == 0
    assert two.deliverability_receipt.finishes == {CHEN: Finish.REFUSED}


def test_a_message_that_ends_the_session_leaves_the_others_untried() -> None:
    Wired.says = {f"rcpt TO:<{CHEN}>": "550 5.1.1 nobody"}
    messages = [message(LIN), message(CHEN), message(LIN)]
    with pytest.raises(stdlib.SMTPRecipientsRefused):
        get_connection().send_messages(messages)
    finishes = [next(iter(m.deliverability_receipt.finishes.values())) for m in messages]
    assert finishes == [Finish.ACCEPTED, Finish.REFUSED, Finish.DEFERRED]
    assert CHEN not in messages[2].deliverability_receipt.to_json()


def test_an_account_may_be_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with configured(tmp_path, account=f"{__name__}.account_of"):
        message().send()
    with configured(tmp_path, account=lambda _: 1 / 0), caplog.at_level(logging.CRITICAL, "deliverability.mailer"):
        assert message().send() == 1
    accounts = [r.account for r in recorded(tmp_path) if isinstance(r, Intent)]
    assert accounts == [f"customer {CHEN}", CHEN] and "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("kind", ["locmem", "console", "filebased", "dummy"])
def test_a_back_end_that_sends_nothing_claims_nothing(kind: str, tmp_path: Path) -> None:
    one = message()
    path = f"django.core.mail.backends.{kind}.EmailBackend"
    with configured(tmp_path, backend=path), override_settings(EMAIL_FILE_PATH=str(tmp_path)):
        assert one.send() == 1
    receipt: Receipt = one.deliverability_receipt
    assert receipt.finishes == {CHEN: Finish.FAILED} and receipt.level in (Level.NONE, Level.RECORDED)
    assert path in receipt.outcomes[0].detail and receipt.message_id is None
    assert len(mail.outbox) == (kind == "locmem")


def test_of_a_back_end_that_tells_nothing_nothing_is_known(tmp_path: Path) -> None:
    with configured(tmp_path, backend=f"{__name__}.Silent"):
        one, two = message(), message(subject="boom")
        assert one.send() == 1
        with pytest.raises(RuntimeError, match="boom"):
            two.send()
    for each in (one, two):
        assert each.deliverability_receipt.finishes == {CHEN: Finish.UNKNOWN}
        assert each.deliverability_receipt.retryable == ()


def test_a_header_with_a_line_break_is_refused_as_ever(tmp_path: Path) -> None:
    bad = message(subject="a\nBcc: x@x.example")
    with pytest.raises(ValueError, match=r"newline|linefeed"):
        bad.send()
    memory = configured(tmp_path, backend="django.core.mail.backends.locmem.EmailBackend")
    with memory, pytest.raises(ValueError, match=r"newline|linefeed"):
        bad.send()
    assert not any(isinstance(r, Outcome) and r.finish is Finish.ACCEPTED for r in recorded(tmp_path))


@pytest.mark.parametrize(
    "given",
    [{}, None, {"ledger": ""}, {"ledger": "x", "backend": OURS}, {"ledger": "x", "unknown": 1},
     {"ledger": "x", "on_recording_failure": "maybe"}],
)  # fmt: skip
def test_settings_that_say_too_little_or_too_much(given: Any) -> None:
    with override_settings(DELIVERABILITY=given), pytest.raises(ImproperlyConfigured):
        get_connection()


def test_the_wrapped_back_end_shows_through() -> None:
    connection = get_connection(username="u", password="p", fail_silently=True)
    assert (connection.username, connection.password, connection.fail_silently) == ("u", "p", True)
    with pytest.raises(AttributeError):
        _ = connection.nothing_of_the_sort


# --- Anymail ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def wrapped(tmp_path: Path) -> Iterator[Path]:
    with configured(tmp_path, backend=ANYMAIL):
        yield tmp_path
    for signal in (anymail.signals.pre_send, anymail.signals.post_send, anymail.signals.tracking):
        signal.disconnect(dispatch_uid=watching.__name__)


def event(kind: str, **facts: Any) -> AnymailTrackingEvent:
    given = {"message_id": "esp-1", "recipient": CHEN, "timestamp": datetime(2026, 11, 22, tzinfo=UTC), **facts}
    return AnymailTrackingEvent(event_type=kind, **given)


def track(kind: str, **facts: Any) -> None:
    anymail.signals.tracking.send(object, event=event(kind, **facts), esp_name="Mailgun")


def sent(one: EmailMessage, **answers: str) -> EmailMessage:
    status = {a: AnymailRecipientStatus("<esp-1>", answers.get(parseaddr(a)[1].partition("@")[0], "queued"))
              for a in one.recipients()}  # fmt: skip
    one.anymail_test_response = {"recipient_status": status}
    one.send()
    return one


def test_what_a_service_took_is_handed_over_under_its_own_id(wrapped: Path) -> None:
    one = sent(message(cc=[LIN], headers={"Message-ID": "<1@hosting.example>"}), lin="rejected")
    receipt: Receipt = one.deliverability_receipt
    assert receipt.finishes == {CHEN: Finish.ACCEPTED, LIN: Finish.REFUSED}
    assert receipt.outcomes[0].remote_queue_id == "esp-1" and receipt.message_id == "1@hosting.example"
    assert receipt.only(CHEN).level is Level.HANDED_OVER
    assert [type(r) for r in recorded(wrapped)] == [Intent, Intent, Outcome, Outcome]


@pytest.mark.parametrize(
    ("kind", "finish", "level", "state"),
    [
        ("delivered", Finish.ACCEPTED, "accepted", State.HANDED_OVER),
        ("bounced", Finish.REFUSED, None, State.BOUNCED),
        ("deferred", Finish.DEFERRED, None, State.HANDED_OVER),
        ("complained", None, None, State.HANDED_OVER),
    ],
)
def test_what_a_service_reports_is_its_own_word(
    wrapped: Path, kind: str, finish: Finish | None, level: str | None, state: State
) -> None:
    receipt: Receipt = sent(message()).deliverability_receipt
    track(kind, mta_response="smtp; 250 2.0.0\r\n OK", description="d")
    told = recorded(wrapped)[-1]
    assert isinstance(told, Later)
    assert (told.dispatch, told.finish, told.level, told.witness) == (receipt.ids[0], finish, level, "Mailgun")
    assert told.reply is not None and told.reply.text == "250 2.0.0 OK" and told.reply.enhanced_status_code == "2.0.0"
    from deliverability.api.receipt_story import from_records

    story = from_records(receipt.intents[0], receipt.outcomes, [told])
    assert story.deliveries[0].state is state


@pytest.mark.parametrize("kind", ["opened", "clicked", "unsubscribed", "subscribed", "unknown"])
def test_opens_and_clicks_are_not_kept(wrapped: Path, kind: str) -> None:
    sent(message())
    before = len(recorded(wrapped))
    track(kind)
    assert len(recorded(wrapped)) == before


@pytest.mark.parametrize(
    "facts", [{"message_id": "esp-2"}, {"recipient": LIN}, {"message_id": None}, {"recipient": None}]
)
def test_an_event_about_nothing_on_record_is_not_recorded(
    wrapped: Path, facts: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    sent(message())
    before = len(recorded(wrapped))
    track("delivered", **facts)
    assert len(recorded(wrapped)) == before and "no message on record" in caplog.text


def test_an_event_finds_its_message_in_the_ledger_too(wrapped: Path) -> None:
    receipt: Receipt = sent(message()).deliverability_receipt
    now = datetime.now(UTC)
    with Ledger.create(wrapped, "hosting.example/dispatch", now=now) as ledger:
        ledger.drain(now)
        assert find_dispatch(wrapped, "esp-1", CHEN.upper()) == receipt.ids[0]
        track("delivered", mta_response=None)
        assert ledger.drain(now) == 1


def test_an_event_that_is_taken_in_before_its_message_still_belongs_to_it(wrapped: Path) -> None:
    receipt: Receipt = sent(message()).deliverability_receipt
    (sender,) = (file.path for file in spooled(wrapped / "spool"))
    watching.record(wrapped, recorder=Spool(wrapped / "spool"))  # another process, the web hook's
    track("delivered")
    now = datetime.now(UTC)
    with Ledger.create(wrapped, "hosting.example/dispatch", now=now) as ledger:
        hidden = sender.rename(sender.with_name(".later"))
        ledger.drain(now)
        hidden.rename(sender)
        ledger.drain(now)
        numbers = numbers_for(ledger, dispatch=receipt.ids[0])
        bodies = [parse_body(e.body) for n in numbers if (e := ledger.store.entry(n)).body is not None]
    assert [b.kind for b in bodies] == [LeafKind.INTENT, LeafKind.OUTCOME, LeafKind.LATER]


def test_two_recipients_of_one_id_are_told_apart(wrapped: Path) -> None:
    receipt: Receipt = sent(message(cc=[LIN])).deliverability_receipt
    for recipient, dispatch in zip((CHEN, LIN), receipt.ids, strict=True):
        assert find_dispatch(wrapped, "esp-1", recipient) == dispatch


@pytest.mark.parametrize(("status", "finish"), [(400, Finish.FAILED), (500, Finish.UNKNOWN), (None, Finish.UNKNOWN)])
def test_an_error_of_the_service_is_no_acceptance(wrapped: Path, status: int | None, finish: Finish) -> None:
    one = message()
    problem = AnymailAPIError(f"posting to {CHEN}")
    problem.status_code = status
    one.anymail_test_response = problem
    with pytest.raises(AnymailAPIError):
        one.send()
    (outcome,) = one.deliverability_receipt.outcomes
    assert outcome.finish is finish and CHEN not in outcome.detail


def test_the_signals_alone_record_without_the_wrapping_back_end(tmp_path: Path, wrapped: Path) -> None:
    watching.record(tmp_path, account=lambda m: f"customer {m.to[0]}")
    watching.record(tmp_path)  # the second call replaces the first
    with override_settings(EMAIL_BACKEND=ANYMAIL):
        one = sent(message())
    assert one.deliverability_receipt.finishes == {CHEN: Finish.ACCEPTED}
    assert len(recorded(tmp_path)) == 2


def test_the_block_of_the_page(wrapped: Path) -> None:
    part = PAGE.read_text("utf-8").split("\n## Anymail\n")[1]
    (text,) = re.findall(r"^```py\n(.*?)^```$", part.split("\n## ")[0], re.MULTILINE | re.DOTALL)
    exec(text.replace("/var/lib/deliverability/ledger", str(wrapped)))
    with override_settings(EMAIL_BACKEND=ANYMAIL):
        one = sent(message())
    track("delivered")
    assert isinstance(recorded(wrapped)[-1], Later)
    assert one.deliverability_receipt.level is Level.HANDED_OVER


@pytest.mark.parametrize(
    ("text", "code", "enhanced"),
    [
        ("250 2.0.0 OK 1700000000 abc - gsmtp", 250, "2.0.0"),
        ("smtp;550 5.1.1 <x@y> User unknown", 550, "5.1.1"),
        ("550-5.7.1 one\n550 5.7.1 two", 550, "5.7.1"),
        ("Message accepted", None, None),
        ("sms; 250 OK", None, None),
        ("\ud800", None, None),
    ],
)
def test_mta_responses_are_read_as_replies(text: str, code: int | None, enhanced: str | None) -> None:
    found = watching.response(text)
    assert found is not None and (found.code, found.enhanced_status_code) == (code, enhanced)


@pytest.mark.parametrize("nothing", [None, "", " \n", 7, {"a": 1}])
def test_no_response_is_none(nothing: object) -> None:
    assert watching.response(nothing) is None


def test_a_receipt_is_a_small_value_for_a_queue() -> None:
    one = message()
    one.send()
    text = json.dumps(one.deliverability_receipt.to_dict())
    assert len(text) < 4096
    assert Receipt.from_dict(json.loads(text)) == one.deliverability_receipt
