"""Hostile exports: whatever the bytes, no format raises, and what a stranger chose never becomes another's outcome."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability import plugins
from deliverability.evidence.event import Action, DeliveryEvent, LogTime, Result
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.plugin import LogFormat
from deliverability.protocols.customers import customer_addresses
from deliverability.protocols.export_rows import address, addresses, parse_row, rows
from deliverability.protocols.export_times import decided_by, from_unix, parse_export_time
from deliverability.protocols.whmcs_rows import notices

CASES = Path(__file__).parents[1] / "cases" / "ingest"
NAMES = ("exchange-tracking", "eximstats", "google-workspace", "microsoft-365-trace", "whm-mail-delivery", "whmcs")
FORMATS: dict[str, LogFormat] = {name: plugins.load("ingest", name) for name in NAMES}
SAMPLES = sorted(
    {
        (name, line)
        for name in NAMES
        for f in CASES.glob(f"{name}/*.log")
        for line in f.read_bytes().splitlines()
        if line
    }
)
VICTIM = "victim@corp.example"
HOSTILE = st.lists(
    st.sampled_from(
        [
            VICTIM,
            '"',
            '", "Status": "Delivered',
            '"}',
            "{",
            ";",
            "##Receive, Deliver",
            "250 2.0.0 Ok: queued as 67C76FB008F8",
            ";ClientSubmitTime:",
            "S:IsSmtpResponseFromExternalServer=True",
            ",",
            "\n",
            "\\",
            "\ud800",
            "\u202e",
            "DELIVER",
            "<>",
        ]
    ),
    max_size=8,
).map("".join)


def read(name: str, raw: bytes, *, cut: bool = False) -> list[DeliveryEvent]:
    fmt = FORMATS[name]
    fmt.is_line(raw)
    fmt.sniff(raw)
    assert all(isinstance(i, str) for i in fmt.queue_ids(raw))
    events = list(fmt.parse([LogLine(Place("", "-", 1, 0), raw, cut)]))
    for event in events:
        sound(event)
    return events


def sound(event: DeliveryEvent) -> None:
    repr(event).encode("utf-8")
    assert event.at.instant is None or (event.at.instant.utcoffset() is not None and not event.at.unclear)
    assert (event.action is Action.ATTEMPTED) <= (event.result is not None and event.recipient is not None)
    assert event.reply is None or event.reply.code is not None


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes(raw: bytes, cut: bool) -> None:
    for name in NAMES:
        read(name, raw, cut=cut)
        read(name, b'{"' + raw, cut=cut)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(SAMPLES), st.data())
@settings(max_examples=300)
def test_any_values_in_the_columns_of_a_format(sample: tuple[str, bytes], data: st.DataObject) -> None:
    name, raw = sample
    row = json.loads(raw)
    for column in data.draw(st.lists(st.sampled_from(sorted(row)), max_size=4, unique=True)):
        row[column] = data.draw(JSON | HOSTILE)
    read(name, json.dumps(row).encode())


@given(st.sampled_from(SAMPLES), st.data())
@settings(max_examples=300)
def test_damaged_rows(sample: tuple[str, bytes], data: st.DataObject) -> None:
    name, raw = sample[0], bytearray(sample[1])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(len(raw), start + 20)))
        raw[start:end] = data.draw(st.binary(max_size=8) | st.sampled_from([b'"', b'","', b'{"', b"\\", b": "]))
    read(name, bytes(raw))


@given(st.sampled_from(SAMPLES), st.integers(1, 2000))
def test_a_row_cut_anywhere_says_nothing(sample: tuple[str, bytes], missing: int) -> None:
    name, raw = sample
    assert read(name, raw[: max(len(raw) - missing, 0)], cut=True) == []


# Columns that a stranger fills: senders of mail choose subjects and Message-IDs, receivers their replies.
STRANGERS = {
    "exchange-tracking": ("message-subject", "message-id", "source-context", "client-hostname", "sender-address"),
    "microsoft-365-trace": ("Subject", "MessageId", "message_subject", "message_id", "source_context"),
    "google-workspace": ("Subject", "Event description"),
    "whm-mail-delivery": ("Result", "Sender Host", "Delivery Host"),
    "eximstats": ("message", "host"),
    "whmcs": ("subject", "message", "failure_reason"),
}


@given(st.sampled_from(SAMPLES), HOSTILE)
@settings(max_examples=400)
def test_a_strangers_text_names_no_recipient_and_makes_no_success(sample: tuple[str, bytes], text: str) -> None:
    name, raw = sample
    row: dict[str, Any] = json.loads(raw)
    before = told(read(name, raw))
    for column in STRANGERS[name]:
        if column in row:
            after = told(read(name, json.dumps(row | {column: text}).encode()))
            assert {r for r, _ in after} <= {r for r, _ in before}
            assert {r for r, ok in after if ok} <= {r for r, ok in before if ok}


def told(events: list[DeliveryEvent]) -> set[tuple[str, bool]]:
    named = {(e.recipient, e.result is Result.SENT) for e in events if e.recipient}
    return named | {(r, False) for e in events for r in e.recipients}


@given(st.lists(st.sampled_from(["250 2.1.5 OK", "450 4.2.2 full", "550 5.1.1 a;b", "", "x", VICTIM]), max_size=4))
def test_no_recipient_of_a_tracking_row_takes_anothers_status(statuses: list[str]) -> None:
    row = {
        "date-time": "2026-11-22T05:31:12.345Z",
        "source": "SMTP",
        "event-id": "SEND",
        "internal-message-id": "1",
        "recipient-address": "a@corp.example;b@corp.example",
        "recipient-status": ";".join(statuses),
    }
    got = {e.recipient: e.result for e in read("exchange-tracking", json.dumps(row).encode()) if e.recipient}
    if Result.SENT in got.values() and any(s[:1] in ("4", "5") for s in statuses):
        while len(statuses) > 2 and not statuses[-1]:  # semicolons at the end divide nothing
            statuses = statuses[:-1]
        assert len(statuses) == 2
        assert got == {
            r: {"4": Result.DEFERRED, "5": Result.FAILED}.get(s[:1], Result.SENT)
            for r, s in zip(("a@corp.example", "b@corp.example"), statuses, strict=True)
        }


@given(HOSTILE)
def test_no_part_of_an_enhanced_summary_speaks_for_a_victim_that_a_quoted_address_names(local: str) -> None:
    quoted = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"@corp.example'
    row = {
        "origin_timestamp_utc": "2026-11-22T05:31:12Z",
        "recipient_status": f"{quoted}##Receive, Fail",
        "message_id": "<a@b>",
        "network_message_id": "b1b2c3d4-0000-4000-8000-000000000003",
    }
    assert [e.recipient for e in read("microsoft-365-trace", json.dumps(row).encode())] == [None]


@given(st.text(max_size=90), st.integers(-50_000, 50_000))
def test_times_take_any_text(text: str, minutes: int) -> None:
    from datetime import timedelta

    for at in (parse_export_time(text), parse_export_time(text, timedelta(minutes=minutes % 840)), from_unix(text)):
        if at is not None:
            consistent(at)


def consistent(at: LogTime) -> None:
    assert at.has_year
    assert (at.instant is not None) == (at.offset is not None and not at.unclear)


@given(st.integers(1, 31), st.integers(1, 31), st.integers(0, 23), st.sampled_from("-/."))
def test_day_and_month_are_never_guessed(one: int, other: int, hour: int, mark: str) -> None:
    at = parse_export_time(f"{one}{mark}{other}{mark}2026 {hour}:31:12Z")
    if at is None:
        return
    both = one <= 12 and other <= 12 and one != other
    assert at.unclear is both
    assert decided_by(at, []) == at


@given(st.text(max_size=300))
def test_addresses_take_any_text(text: str) -> None:
    address(text)
    for found in addresses(text, ";,"):
        assert found in text
    for name in NAMES:
        assert all(needle == needle.lower() and needle for needle in FORMATS[name].needles(text))


@given(st.lists(HOSTILE, max_size=5))
def test_customers_take_any_recipients(recipients: list[str]) -> None:
    made = [json.dumps({"id": n, "userid": 1, "subject": "", "date": "", "to": t}) for n, t in enumerate(recipients, 1)]
    for uses in customer_addresses(notices(rows([m.encode() for m in made]))).values():
        assert all(use.notices for use in uses)


PIECES = (b'"', b"\\", b'\\"', b"{", b"[", b",", b'","', b'"a":', b";", b"@", b"<", b"a@b;", b"##", b"1", b" ", b"\xff")


@pytest.mark.parametrize("piece", PIECES)
def test_long_rows_are_read_to_their_limits(piece: bytes) -> None:
    for name, raw in SAMPLES:
        row = json.loads(raw)
        filled = piece.decode("latin-1") * (60_000 // len(piece))
        for column in list(row)[:: max(len(row) // 3, 1)]:
            read(name, json.dumps(row | {column: filled}).encode())
    assert parse_row(b'{"' + piece * 70_000) is None


@pytest.mark.parametrize("tail", ["!", "1", "##", ";", ""])
def test_many_steps_are_read_in_one_go(tail: str) -> None:
    row = {"recipient_status": "a@x.example##" + "a, " * 20_000 + tail, "message_id": "<a@b>"}
    line = json.dumps(row | {"network_message_id": "b1b2c3d4-0000-4000-8000-000000000003"}).encode()
    assert [e.recipient for e in read("microsoft-365-trace", line)] == [None]
