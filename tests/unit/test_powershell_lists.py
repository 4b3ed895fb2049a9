"""What PowerShell shows of Microsoft's logs, as people copy it into tickets."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.capture.blocks import blocks
from deliverability.capture.decoders.listed import names_of
from deliverability.capture.files import LogFile, container_of
from deliverability.evidence.event import Action, DeliveryEvent, Result
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ingest import exchange_tracking, microsoft_365_trace

ID = "8b7c8c1e-1111-4000-8000-3f6f00000002"
TRACKED = {
    "RunspaceId": "8b7c8c1e-0000-4000-8000-3f6f00000001",
    "Timestamp": "11/22/2026 5:01:38 AM",
    "ClientHostname": "EX1",
    "ServerIp": "198.51.100.10",
    "ServerHostname": "mx.corp.example",
    "SourceContext": "08DE;250 2.0.0 Ok: queued as ZMgzFGrJdvFpRDH;ClientSubmitTime:",
    "Source": "SMTP",
    "EventId": "SEND",
    "InternalMessageId": "68719476737",
    "MessageId": "<1@hosting.example>",
    "NetworkMessageId": ID,
    "Recipients": "{jo32@corp.example}",
    "RecipientStatus": "{250 2.1.5 Recipient OK}",
    "MessageSubject": "Renewal",
    "ReturnPath": "renewals@hosting.example",
}
TRACED = {
    "MessageId": "<1@hosting.example>",
    "Received": "11/22/2026 5:01:38 AM",
    "SenderAddress": "renewals@hosting.example",
    "RecipientAddress": "jo32@corp.example",
    "Subject": "Renewal",
    "Status": "Delivered",
    "ToIP": "198.51.100.10",
    "MessageTraceId": ID,
}


def listed(*records: dict[str, str]) -> bytes:
    made = ["".join(f"{name:<{max(map(len, one))}} : {value}\r\n" for name, value in one.items()) for one in records]
    return ("\r\n\r\n" + "\r\n".join(made) + "\r\n\r\n").encode()


def csv(*records: dict[str, str]) -> bytes:
    rows = [records[0].keys(), *(one.values() for one in records)]
    return ("#TYPE Selected\r\n" + "".join(",".join(f'"{cell}"' for cell in row) + "\r\n" for row in rows)).encode()


def read(content: bytes) -> list[bytes]:
    return b"".join(block.content for block in blocks(LogFile("", "-", None, content))).split(b"\n")


def events(content: bytes) -> list[DeliveryEvent]:
    lines = [LogLine(Place("", "-", number, 0), raw) for number, raw in enumerate(read(content), 1)]
    return [*exchange_tracking.FORMAT.parse(lines), *microsoft_365_trace.FORMAT.parse(lines)]


def with_list(recipients: str) -> dict[str, str]:
    return TRACKED | {"Recipients": recipients}


@pytest.mark.parametrize(
    "content", [listed(TRACKED), csv(with_list("jo32@corp.example") | {"RecipientStatus": ""})], ids=["list", "csv"]
)
def test_a_tracking_log_is_read(content: bytes) -> None:
    _, event = events(content)
    assert (event.action, event.result, event.recipient) == (Action.ATTEMPTED, Result.SENT, "jo32@corp.example")
    assert event.queue_id == ID
    assert event.reply is not None
    assert event.remote_queue_id == "ZMgzFGrJdvFpRDH"
    assert (event.at.local.month, event.at.local.day, event.at.instant) == (11, 22, None)  # nobody told the zone


@pytest.mark.parametrize("form", [listed, csv])
def test_a_message_trace_is_read(form) -> None:
    arrived, taken = events(form(TRACED))
    assert arrived.at.instant is not None
    assert (taken.result, taken.recipient, taken.witness) == (Result.SENT, "jo32@corp.example", "Microsoft 365")


@pytest.mark.parametrize("form", [listed, csv])
def test_a_day_that_can_be_two_is_not_guessed(form) -> None:
    record = TRACKED | {"Timestamp": "03/04/2026 05:01:38", "Recipients": "jo32@corp.example", "RecipientStatus": ""}
    _, event = events(form(record))
    assert event.at.unclear
    assert event.at.instant is None
    assert event.at.logged == "03/04/2026 05:01:38"


def test_each_record_stands_where_it_begins() -> None:
    content = b"[PS] C:\\>Get-MessageTrace | fl\r\n" + listed(TRACED, TRACED | {"Status": "Failed"})
    assert container_of(LogFile("", "-", None, content)) == "Format-List"
    made = read(content)
    assert len(made) == len(content.split(b"\n"))
    places = [number for number, line in enumerate(made) if line.startswith(b"{")]
    assert [content.split(b"\n")[place].split()[0] for place in places] == [b"MessageId", b"MessageId"]


def test_several_recipients_of_a_list_are_told_apart() -> None:
    record = with_list("{jo32@corp.example, mei@corp.example}") | {"EventId": "RECEIVE", "RecipientStatus": "{, }"}
    (event,) = events(listed(record))
    assert event.recipients == ("jo32@corp.example", "mei@corp.example")


@pytest.mark.parametrize(
    "recipients", ["{a@b.example, c@d.example...}", "{a@b.example, c@d.example…}", "System.String[]"]
)
def test_recipients_that_were_not_written_make_no_statement(recipients: str) -> None:
    content = listed(with_list(recipients))
    assert events(content) == []
    assert not any(exchange_tracking.FORMAT.is_line(line) for line in read(content))


def test_what_a_subject_holds_is_no_field() -> None:
    """A line break in a value is indented beneath it."""
    beneath = "Hi\r\n" + " " * 20 + "Status           : Failed\r\n" + " " * 20 + "RecipientAddress : mei@corp.example"
    content = listed(TRACED | {"Subject": beneath})
    assert [event.recipient for event in events(content) if event.recipient] == ["jo32@corp.example"]
    at_the_margin = listed(TRACED | {"Subject": "Hi\r\nStatus           : Failed"})
    assert events(at_the_margin) == []


def test_an_address_that_was_broken_in_two_is_not_put_together() -> None:
    assert events(listed(TRACED | {"RecipientAddress": "jo32@corp\r\n" + " " * 20 + ".example"})) == []


@pytest.mark.parametrize(
    "content",
    [
        b"From: a@b.example\nTo: c@d.example\nSubject: x\nMessageId : 1\nDate: y\n\nRecipients : x\n",
        b"Name : a\nMessageId : b\nRecipients : c\n",
    ],
)
def test_other_text_is_no_list(content: bytes) -> None:
    assert names_of(content) is None


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([*listed(TRACED).splitlines(), b"   more", b"Status : x", b"\xff : ", b""]), max_size=40)
)
def test_any_mixture_keeps_its_line_numbers(lines: list[bytes]) -> None:
    content = listed(TRACED) + b"\n".join(lines)
    made = read(content)
    assert len(made) == len(content.split(b"\n"))
    assert all(isinstance(json.loads(line), dict) for line in made if line.startswith(b"{"))
