"""The drop-in beside the class it stands in for: the same values, the same exceptions, and what is recorded.

Over a pair of sockets within this process; nothing is listened on.
"""

import hashlib
import logging
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from wired_smtp import TAKEN, Memory, Says, Wired, close_all

from deliverability.api.receipts import Receipt
from deliverability.contrib import smtplib as ours
from deliverability.errors import RecordingError, UsageError
from deliverability.evidence.recorder import Finish, Intent, Outcome, Record
from deliverability.ledger.spool import spooled
from deliverability.protocols.records import record_from_bytes

SENDER, CHEN, LIN = "renewals@hosting.example", "chen@hinet.example", "lin@seed.example"
MESSAGE = b"From: renewals@hosting.example\r\nX-Account: 4711\r\nMessage-ID: <1@hosting.example>\r\n\r\n.dot\r\nbye\r\n"


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    yield
    close_all()


def plain(says: Says) -> smtplib.SMTP:
    return type("Plain", (Wired,), {"says": says})("mx.example", local_hostname="app.example")


def recording(says: Says, memory: Memory, **options: object) -> ours.SMTP:
    kind = ours.Recording(recorder=memory, **options).of(type("Wired", (Wired,), {"says": says}))
    return kind("mx.example", local_hostname="app.example")


def told(client: smtplib.SMTP, to: object, message: object = MESSAGE) -> object:
    try:
        return client.sendmail(SENDER, to, message)  # type: ignore[arg-type]
    except Exception as problem:  # noqa: BLE001 - whatever it is, the other class raises it too
        return type(problem), problem.args


FAULTS: list[tuple[Says, Finish, str]] = [
    ({}, Finish.ACCEPTED, "end-of-data"),
    ({"ehlo": None}, Finish.DEFERRED, "ehlo"),
    ({"ehlo": "554 no", "helo": "554 5.7.1 no"}, Finish.REFUSED, "ehlo"),
    ({"ehlo": "421 later", "helo": "421 later"}, Finish.DEFERRED, "ehlo"),
    ({"mail": None}, Finish.DEFERRED, "mail"),
    ({"mail": "451 4.3.0 later"}, Finish.DEFERRED, "mail"),
    ({"mail": "421 4.3.0 later"}, Finish.DEFERRED, "mail"),
    ({"mail": "550 5.7.1 no"}, Finish.REFUSED, "mail"),
    ({"mail": "\0what"}, Finish.DEFERRED, "mail"),
    ({"rcpt": None}, Finish.DEFERRED, "rcpt"),
    ({"rcpt": "450 4.2.0 greylisted"}, Finish.DEFERRED, "rcpt"),
    ({"rcpt": "550 5.1.1 nobody"}, Finish.REFUSED, "rcpt"),
    ({"rcpt": "\0what"}, Finish.DEFERRED, "rcpt"),
    ({"data": None}, Finish.DEFERRED, "data"),
    ({"data": "451 4.3.0 later"}, Finish.DEFERRED, "data"),
    ({"data": "250 2.0.0 Ok: queued as ABCDEF1"}, Finish.DEFERRED, "data"),
    ({"data": "554 5.7.1 no"}, Finish.REFUSED, "data"),
    ({"final": None}, Finish.UNCERTAIN, "end-of-data"),
    ({"final": "\0what"}, Finish.UNCERTAIN, "end-of-data"),
    ({"final": "354 more"}, Finish.UNCERTAIN, "end-of-data"),
    ({"final": "x" * 9000}, Finish.UNCERTAIN, "end-of-data"),
    ({"final": "451 4.3.0 later"}, Finish.DEFERRED, "end-of-data"),
    ({"final": "421 4.3.0 later"}, Finish.DEFERRED, "end-of-data"),
    ({"final": "554 5.7.1 spam"}, Finish.REFUSED, "end-of-data"),
    ({"final": "252 2.0.0 maybe, but taken"}, Finish.ACCEPTED, "end-of-data"),
]


@pytest.mark.parametrize(("says", "finish", "stage"), FAULTS, ids=[str(f[0])[:40] for f in FAULTS])
def test_what_happens_is_what_the_standard_class_does_and_no_more_is_recorded(
    says: Says, finish: Finish, stage: str
) -> None:
    memory = Memory()
    client = recording(says, memory)
    assert told(client, [CHEN]) == told(plain(says), [CHEN])
    intent, outcome = memory.records
    assert isinstance(intent, Intent) and isinstance(outcome, Outcome)
    assert (outcome.finish, outcome.stage, outcome.dispatch) == (finish, stage, intent.dispatch)
    assert client.receipt is not None and client.receipt.finishes == {CHEN: finish}
    assert client.receipt.retryable == ((CHEN,) if finish is Finish.DEFERRED else ())


def test_a_body_that_never_left_whole_can_be_sent_again() -> None:
    big = MESSAGE + b"x\r\n" * 3_000_000  # more than the system keeps for a reader who does not read
    client = recording({"body": None}, Memory())
    assert told(client, [CHEN], big) == told(plain({"body": None}), [CHEN], big)
    assert client.receipt is not None
    (outcome,) = client.receipt.outcomes
    assert (outcome.finish, outcome.stage) == (Finish.DEFERRED, "data")


def test_the_record_is_of_what_went_over_the_wire() -> None:
    memory = Memory()
    client = recording({}, memory, account_header="X-Account")
    assert client.sendmail(SENDER, CHEN, MESSAGE) == {}
    assert client.server.messages == [MESSAGE]  # type: ignore[attr-defined]
    intent, outcome = memory.records
    assert isinstance(intent, Intent) and isinstance(outcome, Outcome)
    assert intent.sha256 == hashlib.sha256(MESSAGE).hexdigest() and intent.size == len(MESSAGE)
    assert (intent.account, intent.message_id, intent.forward_path) == ("4711", "1@hosting.example", CHEN)
    assert (outcome.helo, outcome.remote_queue_id) == ("app.example", "4XyZ1234567abcd")
    assert outcome.relay is not None and outcome.relay.name == "mx.example"
    assert outcome.reply is not None and outcome.reply.text == TAKEN
    assert outcome.rcpt_reply is not None and outcome.rcpt_reply.code == 250


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb\r\n", "", "a\rb\n\n"])
def test_text_is_recorded_as_it_is_sent(text: str) -> None:
    memory = Memory()
    client = recording({}, memory)
    client.sendmail(SENDER, [CHEN], text)
    (sent,) = client.server.messages  # type: ignore[attr-defined]
    assert isinstance(memory.records[0], Intent)
    assert memory.records[0].sha256 == hashlib.sha256(sent).hexdigest()


def test_each_recipient_has_an_answer_of_its_own() -> None:
    says: Says = {f"rcpt TO:<{LIN}>": "550 5.1.1 nobody", "rcpt TO:<x@x.example>": "252 cannot say"}
    memory = Memory()
    to = [CHEN, LIN, "x@x.example"]
    client = recording(says, memory)
    assert told(client, to) == told(plain(says), to)
    assert client.receipt is not None
    # The server said 2yz to the third and took the message, whatever the standard class makes of 252.
    assert client.receipt.finishes == {CHEN: Finish.ACCEPTED, LIN: Finish.REFUSED, "x@x.example": Finish.ACCEPTED}


def test_a_customer_may_have_a_number_for_a_name() -> None:
    memory = Memory()
    client = recording({}, memory, account=4711)
    client.sendmail(SENDER, CHEN, MESSAGE)
    intent = memory.records[0]
    assert isinstance(intent, Intent) and intent.account == "4711"


def test_a_server_that_leaves_at_the_second_recipient_took_nothing() -> None:
    says: Says = {f"rcpt TO:<{LIN}>": "421 4.3.2 leaving"}
    client = recording(says, Memory())
    assert told(client, [CHEN, LIN, "x@x.example"]) == told(plain(says), [CHEN, LIN, "x@x.example"])
    assert client.receipt is not None
    assert set(client.receipt.finishes.values()) == {Finish.DEFERRED}
    assert LIN not in client.receipt.outcomes[0].detail  # one recipient's record names no other


@pytest.mark.parametrize("to", [None, 7, [7], [], iter([CHEN])])
def test_calls_that_the_standard_class_refuses_are_refused_as_it_does(to: object) -> None:
    expected = told(plain({}), iter([CHEN]) if hasattr(to, "__next__") else to)
    assert told(recording({}, Memory()), to) == expected


@pytest.mark.parametrize("message", ["não", 7, None])
def test_messages_that_cannot_be_sent(message: object) -> None:
    assert told(recording({}, Memory()), [CHEN], message) == told(plain({}), [CHEN], message)


def test_an_address_that_cannot_be_written_ends_it_before_data() -> None:
    client = recording({}, Memory())
    to = [CHEN, "é@hinet.example"]
    assert told(client, to) == told(plain({}), to)
    assert client.receipt is not None and set(client.receipt.finishes.values()) == {Finish.FAILED}
    assert client.server.messages == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("to", ['"a\r\nb"@hinet.example', "chen@hinet.example>\r\nDATA", "Chen <chen@hinet.example>"])
def test_the_address_on_record_is_the_one_in_the_command(to: str) -> None:
    memory = Memory()
    client = recording({}, memory)
    assert told(client, to) == told(plain({}), to)
    intent, outcome = memory.records
    assert isinstance(intent, Intent) and isinstance(outcome, Outcome)
    if client.server.messages:  # type: ignore[attr-defined]
        assert f"<{intent.forward_path}>" == smtplib.quoteaddr(to)
    else:  # newer versions of Python refuse some of them
        assert outcome.finish is Finish.FAILED


def test_send_message_is_recorded_too() -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Bcc"], message["Subject"] = SENDER, CHEN, LIN, "續約通知"
    message.set_content("hello")
    memory = Memory()
    client = recording({}, memory)
    assert client.send_message(message) == {}
    intents = [r for r in memory.records if isinstance(r, Intent)]
    assert {i.forward_path for i in intents} == {CHEN, LIN} and intents[0].subject == "續約通知"
    assert client.receipt is not None and len(client.receipt.ids) == 2


def test_a_message_that_never_comes_to_a_transaction_is_recorded() -> None:
    message = EmailMessage()
    message["From"], message["To"] = SENDER, "陳@hinet.example"
    message.set_content("hello")
    memory = Memory()
    client = recording({}, memory)
    with pytest.raises(smtplib.SMTPNotSupportedError):
        client.send_message(message)
    assert client.receipt is not None and set(client.receipt.finishes.values()) == {Finish.FAILED}


def test_an_interrupted_transaction_is_recorded_as_what_it_was() -> None:
    class Interrupted(ours.SMTP):
        def data(self, msg: object) -> tuple[int, bytes]:
            raise KeyboardInterrupt

    memory = Memory()
    client = ours.Recording(recorder=memory).of(type("W", (Interrupted, Wired), {}))("mx.example")
    with pytest.raises(KeyboardInterrupt):
        client.sendmail(SENDER, [CHEN], MESSAGE)
    assert client.receipt is not None and client.receipt.finishes == {CHEN: Finish.DEFERRED}


def test_amazon_ses_names_the_message_anew() -> None:
    name = "0000012345678e09-123a4cdc-b56c-78dd-b90b-d123be456789-000000"
    client = recording({"final": f"250 Ok {name}"}, Memory())
    client.sendmail(SENDER, [CHEN], MESSAGE)
    assert client.receipt is not None and client.receipt.outcomes[0].remote_queue_id == name
    assert client.receipt.message_id == "1@hosting.example"


@pytest.mark.parametrize("kind", [Intent, Outcome])
def test_a_recorder_that_fails_is_loud_and_stops_nothing(kind: type[Record], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL, "deliverability.mailer"):
        client = recording({}, Memory(kind))
        assert client.sendmail(SENDER, [CHEN], MESSAGE) == {}
    assert client.receipt is not None and client.receipt.finishes == {CHEN: Finish.ACCEPTED}
    assert not client.receipt.recorded and "could not be recorded" in caplog.text and CHEN not in caplog.text


def test_hold_sends_nothing_unrecorded() -> None:
    client = recording({}, Memory(Intent), on_recording_failure="hold")
    with pytest.raises(RecordingError):
        client.sendmail(SENDER, [CHEN], MESSAGE)
    assert client.server.messages == []  # type: ignore[attr-defined]
    late = recording({}, Memory(Outcome), on_recording_failure="hold")
    assert late.sendmail(SENDER, [CHEN], MESSAGE) == {}  # it was taken: an error now would send it twice


def test_all_connections_of_a_process_share_one_spool_file(tmp_path: Path) -> None:
    kind = ours.Recording(tmp_path).of(Wired)
    for _ in range(3):
        with kind("mx.example", local_hostname="app.example") as client:
            client.sendmail(SENDER, [CHEN], MESSAGE)
    (file,) = spooled(tmp_path / "spool")
    records = [record_from_bytes(line) for line, _ in file.lines()]
    assert [type(r) for r in records] == [Intent, Outcome] * 3
    assert isinstance(client, ours.SMTP) and client.receipt is not None
    assert Receipt.from_json(client.receipt.to_json()) == client.receipt


def test_without_a_place_to_record_nothing_is_begun() -> None:
    with pytest.raises(UsageError, match="ledger"):
        ours.SMTP("mx.example")


def test_options_that_nobody_knows_are_not_ignored() -> None:
    with pytest.raises(UsageError, match="acount"):
        ours.Recording(recorder=Memory(), acount="4711")


def test_it_stands_in_for_the_module() -> None:
    module = ours.Recording(recorder=Memory())
    assert issubclass(module.SMTP, smtplib.SMTP) and issubclass(module.SMTP_SSL, smtplib.SMTP_SSL)
    assert module.SMTPException is smtplib.SMTPException and module.SMTP_SSL.default_port == 465
