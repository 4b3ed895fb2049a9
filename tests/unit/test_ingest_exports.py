"""Exports as their decoders unwrap them: whose row it is, and what each row may say; recipients never mix."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from deliverability import plugins
from deliverability.capture.decoders import delimited
from deliverability.evidence.event import Action, DeliveryEvent, Result, Transport
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.plugin import LogFormat
from deliverability.protocols.export_rows import address, addresses, needles, parse_row

CASES = Path(__file__).parents[1] / "cases" / "ingest"
FORMATS = ("exchange-tracking", "eximstats", "google-workspace", "microsoft-365-trace", "whm-mail-delivery", "whmcs")
FILES = [pytest.param(name, path, id=f"{name}/{path.stem}") for name in FORMATS for path in CASES.glob(f"{name}/*.log")]


def fmt(name: str) -> LogFormat:
    return plugins.load("ingest", name)


def events(name: str, path: Path) -> list[DeliveryEvent]:
    lines = path.read_bytes().split(b"\n")
    return list(fmt(name).parse(LogLine(Place("", path.name, n, 0), raw) for n, raw in enumerate(lines, 1)))


def of_row(name: str, **columns: Any) -> list[DeliveryEvent]:
    return list(fmt(name).parse([LogLine(Place("", "x", 1, 0), json.dumps(columns).encode())]))


def outcomes(found: list[DeliveryEvent]) -> dict[tuple[int, str], tuple[Any, ...]]:
    told = [e for e in found if e.recipient and e.action is not Action.DESCRIBED]
    keyed = {(e.line.place.line, e.recipient or ""): (e.action, e.result, e.transport) for e in told}
    assert len(keyed) == len(told)
    return keyed


SENT = (Action.ATTEMPTED, Result.SENT, Transport.SMTP)
STORED = (Action.ATTEMPTED, Result.SENT, Transport.MAILBOX)
UNTOLD = (Action.FILTERED, None, None)
EXPANDED = (Action.ATTEMPTED, Result.SENT, Transport.FORWARD)


@pytest.mark.parametrize(("name", "path"), [p for p in FILES if p.values[0] != "eximstats"])
def test_case_is_what_the_decoder_makes_of_the_export(name: str, path: Path) -> None:
    raw = path.with_suffix(".csv").read_bytes()
    table = delimited.table_of(raw)
    assert table is not None and table.layout is None
    made = b"".join(delimited.row_lines(io.BufferedReader(io.BytesIO(raw)), table))
    assert [as_row(line) for line in made.split(b"\n")] == [as_row(line) for line in path.read_bytes().split(b"\n")]


def as_row(line: bytes) -> Any:
    return json.loads(line) if line else None


@pytest.mark.parametrize(("name", "path"), FILES)
def test_a_row_belongs_to_one_format_alone(name: str, path: Path) -> None:
    content = path.read_bytes()
    rows = [line for line in content.split(b"\n") if line]
    assert all(fmt(name).is_line(row) for row in rows)
    assert {n: fmt(n).sniff(content) for n in plugins.ids("ingest")} == {
        n: float(n == name) for n in plugins.ids("ingest")
    }
    head = re.compile(fmt(name).head, re.MULTILINE)
    assert all(head.match(row) for row in rows)
    for other in set(FORMATS) - {name}:
        assert not any(re.match(fmt(other).head, row) for row in rows), other


@pytest.mark.parametrize(("name", "path"), FILES)
def test_every_line_is_found_by_its_recipients_and_ids(name: str, path: Path) -> None:
    for event in events(name, path):
        raw = event.line.raw
        for recipient in (event.recipient, *event.recipients):
            assert recipient is None or any(n in raw.lower() for n in fmt(name).needles(recipient))
        assert all(i.encode() in raw for i in fmt(name).queue_ids(raw))
        assert event.queue_id is None or fmt(name).queue_ids(raw)


@pytest.mark.parametrize("name", FORMATS)
def test_it_is_marked_as_built_from_documentation(name: str) -> None:
    assert fmt(name).unproven


@pytest.mark.parametrize("name", FORMATS)
def test_cases_lines_of_other_logs_and_json_are_not_its(name: str) -> None:
    for raw in (b"", b"{", b"{}", b"[]", b'{"a": 1}', b'{"a":', b"Nov 22 05:31:12 out1 postfix/smtp[6]: x", b"\xff{"):
        assert not fmt(name).is_line(raw)
        assert list(fmt(name).parse([LogLine(Place("", "x", 1, 0), raw)])) == []


# --- rows ---


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": "1", "a": "2"}',
        b'{"message-id": "1", "Message ID": "2"}',
        b'{"a": {"b": "c"}}',
        b'{"a": ["b"]}',
        b'{"a": NaN}',
        b'{"a": "1"',
        b'["a"]',
        b'"a"',
        b"{" + b'"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' + b"[" * 100_000,
        b'{"a": "' + b"x" * (1 << 20) + b'"}',
        json.dumps({str(n): "" for n in range(201)}).encode(),
    ],
)
def test_what_is_no_row(raw: bytes) -> None:
    assert parse_row(raw) is None


def test_a_row_is_read_by_column_however_it_is_spelled() -> None:
    row = parse_row('{"\ufeffMessage-ID": " <a@b> ", "Größe": 5, "x": null, "y": "\\ud800"}'.encode())
    assert row is not None
    assert (row.text("message_id"), row.number("größe"), row.text("x")) == ("<a@b>", 5, "")
    assert row.text("y") == "\ufffd"


def test_lists_of_addresses_are_read_whole_or_not_at_all() -> None:
    assert addresses("a@x.example;b@x.example; a@x.example") == ("a@x.example", "b@x.example")
    assert addresses('"a;b"@x.example;c@x.example') == ('"a;b"@x.example', "c@x.example")
    assert addresses("a@x.example;not an address;b@x.example") == ()
    assert addresses('a@x.example;"b@x.example') == ()
    assert addresses("a@x.example>b@x.example") == ()
    assert address('"Corp; Lena" <lena@corp.example>') == "lena@corp.example"
    assert address("a@x.example b@x.example") is None


def test_needles_as_json_spells_them() -> None:
    found = needles('"odd name"@bücher.example')
    assert b'\\"odd name\\"@b\xc3\xbccher.example' in found
    assert b'\\"odd name\\"@xn--bcher-kva.example' in found
    assert b'\\"odd name\\"@b\\u00fccher.example' in found
    assert needles("") == ()


# --- Microsoft Exchange ---

TRACKING = CASES / "exchange-tracking" / "MSGTRK2026112205-1.log"


def test_exchange_tells_each_recipient_apart() -> None:
    assert outcomes(events("exchange-tracking", TRACKING)) == {
        (10, "anna@corp.example"): SENT,
        (12, "lena@corp.example"): SENT,
        (12, "bob@corp.example"): (Action.ATTEMPTED, Result.DEFERRED, Transport.SMTP),
        (13, "staff@hosting.example"): SENT,
        (14, "staff@hosting.example"): STORED,
        (15, "bob@corp.example"): (Action.ATTEMPTED, Result.DEFERRED, Transport.SMTP),
        (16, "bob@corp.example"): (Action.ATTEMPTED, Result.EXPIRED, Transport.NONE),
        (18, "nouser@corp.example"): (Action.ATTEMPTED, Result.FAILED, Transport.SMTP),
        (21, "u1@hosting.example"): STORED,
    }


def test_exchange_keeps_what_the_next_hop_answered() -> None:
    found = {(e.line.place.line, e.recipient): e for e in events("exchange-tracking", TRACKING)}
    sent = found[10, "anna@corp.example"]
    assert str(sent.relay) == "mx.corp.example [203.0.113.25]"
    assert sent.reply and sent.reply.code == 250 and sent.reply.text.startswith("250 2.6.0 <inv-7001@hosting.example>")
    assert (sent.remote_queue_id, sent.stage, sent.witness) == ("5450313518243", "end-of-data", None)
    assert sent.text.endswith("S:IsSmtpResponseFromExternalServer=True")
    assert sent.queue_id == "6f2d3c1e-4a5b-4c6d-8e9f-08de29b10001"
    assert sent.at.instant and sent.at.instant.isoformat() == "2026-11-22T05:31:12.345000+00:00"
    full = found[12, "bob@corp.example"]
    assert full.reply and full.reply.text == "450 4.2.2 Mailbox full"
    assert full.remote_queue_id is None
    expired = found[16, "bob@corp.example"]
    assert (expired.reply, expired.dsn_code) == (None, "4.4.7")  # Exchange's own words, not a receiver's
    refused = found[18, "nouser@corp.example"]
    assert refused.reply and refused.reply.permanent
    assert found[13, "staff@hosting.example"].text.endswith("S:IsSmtpResponseFromExternalServer=False")


def test_exchange_describes_the_message_where_it_arrives() -> None:
    arrived = [e for e in events("exchange-tracking", TRACKING) if e.action is Action.ARRIVED]
    assert [e.subject for e in arrived][1] == 'Hosting renewal notice INV-7002, "last call" {urgent}'
    assert arrived[1].recipients == ("lena@corp.example", "bob@corp.example", "staff@hosting.example")
    assert [e.reverse_path for e in arrived] == ["renewals@hosting.example", "renewals@hosting.example", ""]
    assert arrived[1].session and str(arrived[1].session.client) == "[198.51.100.9]"


def exchange(**columns: str) -> list[DeliveryEvent]:
    base = {
        "date-time": "2026-11-22T05:31:12.345Z",
        "source": "SMTP",
        "event-id": "SEND",
        "internal-message-id": "29519319995411",
        "recipient-address": "a@corp.example;b@corp.example",
        "recipient-status": "",
    }
    return of_row("exchange-tracking", **base | {name.replace("_", "-"): value for name, value in columns.items()})


@pytest.mark.parametrize(
    "status",
    [
        "550 5.1.1 no;such user;250 2.1.5 OK",
        "250 2.1.5 OK",
        "250 2.1.5 OK;text of a stranger",
        "250 2.1.5 OK;250 2.1.5 OK;250 2.1.5 OK",
    ],
)
def test_exchange_statuses_that_cannot_be_told_apart_say_nothing(status: str) -> None:
    assert [(e.action, e.recipient) for e in exchange(recipient_status=status)] == [(Action.DESCRIBED, None)]
    _, *failed = exchange(
        recipient_status=status, event_id="FAIL", custom_data="S:IsSmtpResponseFromExternalServer=True"
    )
    assert [(e.result, e.reply, e.text) for e in failed] == [(Result.FAILED, None, "FAIL SMTP")] * 2


@pytest.mark.parametrize(
    "columns",
    [
        {"source": "GATEWAY"},
        {"source_context": ";550 5.7.1 no;ClientSubmitTime:"},
        {"recipient_address": "a@corp.example; not one"},
        {"event_id": "DELIVER", "source": "AGENT"},
        {"event_id": "DUPLICATEDELIVER", "source": "STOREDRIVER"},
        {"event_id": "EXPAND", "source": "ROUTING", "related_recipient_address": "all@corp.example"},
    ],
)
def test_exchange_rows_that_show_no_acceptance(columns: dict[str, str]) -> None:
    assert {e.result for e in exchange(**columns)} == {None}


@pytest.mark.parametrize(
    ("status", "expected"),
    [("Getting status", []), ("", []), ("None", [UNTOLD]), ("已傳遞", [UNTOLD]), ("Resolved", [EXPANDED])],
)
def test_a_status_that_tells_no_outcome_is_no_wait_in_a_queue(status: str, expected: list[Any]) -> None:
    found = of_row(
        "microsoft-365-trace", MessageId="<a@b>", SenderAddress="r@hosting.example", RecipientAddress="a@corp.example",
        Status=status,
    )  # fmt: skip
    assert list(outcomes(found).values()) == expected


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("Receive", []),
        ("Receive, Submit", []),
        ("Receive, Drop", [(Action.ATTEMPTED, Result.FAILED, Transport.NONE)]),
        ("Receive, Deliver, Journal", [STORED]),
        ("Receive, Quarantine", [UNTOLD]),
        ("Receive, Defer, Journal", [UNTOLD]),
    ],
)
def test_an_enhanced_summary_ends_with_its_last_step(steps: str, expected: list[Any]) -> None:
    found = of_row(
        "microsoft-365-trace", origin_timestamp_utc="2026-11-22T05:31:12.1Z", sender_address="r@hosting.example",
        recipient_status=f"a@corp.example##{steps}", message_id="<a@b>",
        network_message_id="b1b2c3d4-0000-4000-8000-000000000003",
    )  # fmt: skip
    assert list(outcomes(found).values()) == expected


@pytest.mark.parametrize("event_id", ["HAREDIRECT", "HARECEIVE", "HADISCARD", "AGENTINFO", "RESUBMITFAIL", "NEW", "*"])
def test_exchange_rows_that_say_nothing_of_the_message(event_id: str) -> None:
    assert exchange(event_id=event_id) == []


def test_exchange_failure_deleted_by_an_administrator_is_cancelled() -> None:
    _, *told = exchange(event_id="FAIL", source="ADMIN")
    assert [e.action for e in told] == [Action.CANCELLED] * 2


def test_an_exchange_row_alone_names_its_message() -> None:
    described, *sent = exchange(message_id="<m1@hosting.example>", message_subject="Renewal")
    assert (described.action, described.message_id, described.subject) == (
        Action.DESCRIBED, "m1@hosting.example", "Renewal"
    )  # fmt: skip
    assert [(e.recipient, e.result) for e in sent] == [
        ("a@corp.example", Result.SENT),
        ("b@corp.example", Result.SENT),
    ]


@pytest.mark.parametrize(
    "error",
    [
        "[{LED=550 5.1.1 no such user};{MSG=};{FQDN=};{IP=198.51.100.10};{LRT=}]",  # whoever handed it in
        "[{LED=550 5.3.4 SMTPSEND.OverAdvertisedSize; too large};{FQDN=mx.corp.example};{IP=198.51.100.10}]",
        "[{LED=550 5.4.316 Message expired};{FQDN=mx.corp.example};{IP=198.51.100.10}]",
        "[{LED=550 5.7.323 tlsa-invalid};{FQDN=mx.corp.example};{IP=198.51.100.10}]",
        "[{LED=451 4.7.1 try later};{FQDN=mx.corp.example};{IP=198.51.100.10}]",
        "[{LED=550 5.1.1 no};{FQDN=mx.victim.example};{MSG=};{FQDN=mx.corp.example};{IP=198.51.100.10}]",
        "[{LED=550 5.1.1 no};{OTHER=};{FQDN=mx.corp.example};{IP=198.51.100.10}]",
    ],
)
def test_an_exchange_error_that_need_not_be_the_receivers_is_no_reply(error: str) -> None:
    _, event = exchange(event_id="FAIL", recipient_address="a@corp.example", recipient_status=error)
    assert (event.result, event.reply, event.relay) == (Result.FAILED, None, None)


def test_exchange_errors_of_several_recipients_stay_with_their_own() -> None:
    errors = "[{LED=550 5.1.1 no such user};{FQDN=mx.corp.example};{IP=198.51.100.10}];[{LED=550 4.4.7 QUEUE.Expired; message expired};{FQDN=};{IP=}]"
    _, refused, expired = exchange(event_id="FAIL", recipient_status=errors)
    assert refused.reply and refused.reply.text == "550 5.1.1 no such user"
    assert str(refused.relay) == "mx.corp.example [198.51.100.10]"
    assert (expired.result, expired.reply) == (Result.EXPIRED, None)


def test_exchange_flag_told_twice_is_told_by_nobody() -> None:
    twice = "S:IsSmtpResponseFromExternalServer=True;S:IsSmtpResponseFromExternalServer=False"
    _, event = exchange(
        event_id="FAIL", recipient_address="a@corp.example", recipient_status="550 5.1.1 x", custom_data=twice
    )
    assert (event.reply, event.dsn_code) == (None, "5.1.1")


def test_exchange_before_2013_ties_a_fork_to_where_it_came_from() -> None:
    (event,) = exchange(event_id="TRANSFER", source="ROUTING", reference="29519319995410")
    assert [other for _, other in event.related] == ["29519319995410"]
    assert event.queue_id == "29519319995411"


# --- Microsoft 365 ---


def test_a_summary_claims_a_handover_at_most() -> None:
    found = events("microsoft-365-trace", CASES / "microsoft-365-trace" / "summary.log")
    assert outcomes(found) == {
        (2, "anna@corp.example"): SENT,
        (3, "bob@corp.example"): (Action.ATTEMPTED, Result.FAILED, Transport.NONE),
        (4, "lena@corp.example"): (Action.ATTEMPTED, Result.DEFERRED, Transport.NONE),
        (5, "u1@hosting.example"): SENT,
        (6, "u2@hosting.example"): UNTOLD,
        (7, "u3@hosting.example"): UNTOLD,
        (8, "all@hosting.example"): EXPANDED,
        (10, "two@corp.example"): SENT,
    }
    assert {e.witness for e in found} == {"Microsoft 365"}
    assert all(e.reply is None for e in found)
    relays = {e.recipient: str(e.relay) for e in found if e.relay}
    assert relays == {"anna@corp.example": "[203.0.113.25]"}  # two tried: which of them took it is not said


def test_the_time_of_receipt_is_not_the_time_of_delivery() -> None:
    found = events("microsoft-365-trace", CASES / "microsoft-365-trace" / "summary.log")
    for event in found:
        if event.action is Action.ARRIVED and event.line.place.line != 10:
            assert event.at.instant is not None
        else:
            assert event.at.instant is None and event.at.unclear
    assert found[-1].at.logged == "11/12/2026 5:31:12 AM"


def test_an_enhanced_summary_tells_mailboxes_from_handovers() -> None:
    found = events("microsoft-365-trace", CASES / "microsoft-365-trace" / "enhanced.log")
    assert outcomes(found) == {
        (2, "anna@corp.example"): SENT,
        (3, "u1@hosting.example"): STORED,
        (3, "bob@corp.example"): SENT,
        (3, "nouser@corp.example"): (Action.ATTEMPTED, Result.FAILED, Transport.NONE),
    }


@pytest.mark.parametrize(
    "status",
    [
        "a##x@corp.example##Receive, Fail;victim@corp.example",
        "a@corp.example##Receive, Send##Receive, Deliver",
        "a@corp.example##Receive, Deliver;victim",
        "victim##Receive, Deliver",
        "a b@corp.example##Receive, Deliver",
        "a@corp.example##Receive; b@corp.example Deliver",
    ],
)
def test_an_enhanced_summary_that_cannot_be_split_tells_nobodys_outcome(status: str) -> None:
    columns = {"recipient_status": status, "message_id": "<a@b>", "origin_timestamp_utc": ""}
    found = of_row("microsoft-365-trace", **columns, network_message_id="b1b2c3d4-0000-4000-8000-000000000003")
    assert [(e.action, e.recipient, e.recipients) for e in found] == [(Action.ARRIVED, None, ())]


def test_the_extended_report_names_the_host_and_its_reply() -> None:
    arrived, _, sent = events("microsoft-365-trace", CASES / "microsoft-365-trace" / "extended.log")
    assert arrived.action is Action.ARRIVED
    assert sent.reply and sent.reply.text == "250 2.0.0 Ok: queued as 4jXH3k3V2zzLhRZ"
    assert (str(sent.relay), sent.witness) == ("mx.corp.example [203.0.113.25]", "Microsoft 365")
    assert (sent.host, sent.writer) == (None, "microsoft-365/smtp")


def test_a_summary_without_microsofts_id_is_told_apart_by_sender_and_size() -> None:
    row = {"Received": "", "SenderAddress": "a@x.example", "RecipientAddress": "b@x.example", "Status": "Delivered"}
    found = [of_row("microsoft-365-trace", **row, MessageId="<m@x>", Size=size) for size in (1, 1, 2)]
    ids = [events[-1].queue_id for events in found]
    assert ids[0] == ids[1] != ids[2]
    assert of_row("microsoft-365-trace", **row, MessageId="", Size=1) == []


# --- Google Workspace ---


def test_email_log_search() -> None:
    found = events("google-workspace", CASES / "google-workspace" / "email-log-search.log")
    assert outcomes(found) == {
        (3, "anna@corp.example"): SENT,
        (4, "u1@hosting.example"): STORED,
        (5, "u2@hosting.example"): STORED,
        (6, "nouser@corp.example"): (Action.ATTEMPTED, Result.FAILED, Transport.SMTP),
        (7, "slow@corp.example"): (Action.ATTEMPTED, Result.DEFERRED, Transport.SMTP),
        (8, "odd@corp.example"): UNTOLD,
        (9, "all@hosting.example"): EXPANDED,
        (10, "anna@corp.example"): UNTOLD,  # a step of several recipients
        (10, "bob@corp.example"): UNTOLD,
        (11, "q@hosting.example"): UNTOLD,
    }
    by_recipient = {e.recipient: e for e in found if e.recipient and e.action is Action.ATTEMPTED}
    assert by_recipient["u2@hosting.example"].folder == "Spam"
    assert by_recipient["u1@hosting.example"].folder is None
    assert str(by_recipient["anna@corp.example"].relay) == "[203.0.113.25]"
    assert {e.witness for e in found} == {"Google Workspace"}


def test_rows_with_one_message_id_are_one_message_only_if_sender_and_size_agree() -> None:
    row = {"Message ID": "<a@b>", "Start date": "", "Event target": "SMTP_OUT", "Sender": "a@hosting.example"}
    ids = [of_row("google-workspace", **row, **{"Message size": size})[0].queue_id for size in ("1", "1", "2")]
    assert ids[0] == ids[1] != ids[2]


def test_google_receiving_is_no_delivery() -> None:
    found = events("google-workspace", CASES / "google-workspace" / "gmail-log-events.log")
    assert outcomes(found) == {(3, "u1@hosting.example"): SENT}
    assert found[-1].text == "Mark unread"
    assert found[0].at.instant and found[0].at.instant.hour == 5


def test_google_rejected_session_without_a_message_says_nothing() -> None:
    assert of_row("google-workspace", **{"Message ID": "N/A", "Start date": "", "Event target": "SMTP_IN"}) == []


def test_a_run_of_blank_lines_is_given_in_pieces() -> None:
    """What is in memory does not grow with it."""
    raw = b"a,b,c\n1,2,3\n" + b"\n" * 2_000_000 + b"4,5,6\n"
    table = delimited.table_of(raw[:1000])
    assert table is not None
    pieces = list(delimited.row_lines(io.BufferedReader(io.BytesIO(raw)), table))
    assert b"".join(pieces).count(b"\n") == raw.count(b"\n")
    assert max(map(len, pieces)) <= 1 << 20
