"""What Sendmail's lines say: every line of the recorded log, and cases for what that log does not hold."""

import dataclasses
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from deliverability.correlate import Query, TimeHints, resolve_times, tell
from deliverability.evidence.event import Action, DeliveryEvent, Relation, Result, Transport
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.names import Mailbox
from deliverability.ingest.sendmail import FORMAT
from deliverability.protocols import idclock

CASES = Path(__file__).parents[1] / "cases"
LOG = CASES / "ingest" / "sendmail" / "sendmail-8.17.log"
HEAD = b"Nov 22 05:31:12 out1 sm-mta[624]: "


def log_line(raw: bytes, number: int = 1, *, cut: bool = False) -> LogLine:
    return LogLine(Place("", "mail.log", number, number * 100), raw, cut)


def raw_lines() -> list[bytes]:
    return LOG.read_bytes().split(b"\n")[:-1]


def events(raw: list[bytes]) -> list[DeliveryEvent]:
    return list(FORMAT.parse(log_line(line, number) for number, line in enumerate(raw, start=1)))


@pytest.fixture(scope="module")
def recorded() -> list[DeliveryEvent]:
    return events(raw_lines())


def load_cases() -> list[Any]:
    cases = tomllib.loads((CASES / "ingest" / "sendmail" / "lines.toml").read_text("utf-8"))["case"]
    return [pytest.param(case, id=case["name"]) for case in cases]


def attribute(event: DeliveryEvent, path: str) -> str:
    value: Any = event
    for name in path.split("."):
        value = getattr(value, name)
    return str(value)


@pytest.mark.parametrize("case", load_cases())
def test_case(case: dict[str, Any]) -> None:
    found = events([HEAD + case["words"].encode()])
    expected = case.get("expect")
    assert len(found) == case.get("events", 1 if expected else 0)
    if expected:
        assert {path: attribute(found[0], path) for path in expected} == expected


def test_the_recorded_log_is_accounted_for(recorded: list[DeliveryEvent]) -> None:
    assert Counter(e.action for e in recorded) == ACTIONS
    told = {e.line.place.line for e in recorded}
    silent = [raw for number, raw in enumerate(raw_lines(), start=1) if number not in told]
    about_messages = [raw for raw in silent if re.search(rb": (?:to=|[0-9A-Za-z]{8}\d{6}: )", raw.split(b"]: ", 1)[1])]
    assert about_messages == []


ACTIONS = {
    Action.ATTEMPTED: 119,
    Action.ARRIVED: 46,
    Action.NOTIFIED: 10,
    Action.CONNECTED: 8,
    Action.TROUBLE: 6,
    Action.REMOVED: 6,
    Action.REJECTED: 2,
}


def states(recorded: list[DeliveryEvent], recipient: str) -> list[str]:
    known = resolve_times(recorded, TimeHints({}))
    found = tell(known, Query(recipients=(Mailbox.parse(recipient),)))
    return [d.state.value for m in found for d in m.deliveries]


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("ok-3@multiline.example", ["handed-over"]),
        ("grey-1@hinet.net", ["handed-over"]),
        ("nouser-20@corp.example", ["refused"]),
        ("policy-1@gmail.example", ["refused"]),
        ("full-20@corp.example", ["deferred"]),
        ("ok-21@corp.example", ["handed-over"]),
        ("ok-7@refused.example", ["deferred"]),
        ("ok-8@silent.example", ["deferred"]),
        ("ok-10@nosuchdomain.example", ["failed"]),
        ("ok-9@nullmx.example", ["failed"]),
        ("ok-40@expired.example", ["expired"]),
        ("drop-22@corp.example", ["unknown"]),
        ("hang-dot@rude.example", ["unknown"]),
        ("hang-data@rude.example", ["deferred"]),
        ("close-rcpt@rude.example", ["deferred"]),
        ("close-data@rude.example", ["unknown"]),  # a reset after the end of the data is logged in the same words
        ("close-body@rude.example", ["unknown"]),
        ("box@hosting.example", ["handed-over", "handed-over"]),
        ("robot@hosting.example", ["handed-over"]),
        ("broken@hosting.example", ["failed"]),
        ("full@hosting.example", ["deferred"]),
        ("blocked-1@corp.example", ["refused"]),
        ("nobody-here@hosting.example", ["refused"]),
        ("ok-60@corp.example", ["handed-over"]),
        ("ok-61@corp.example", ["handed-over"]),
        ("ok-333-renewals-department-of-a-company@corp.example", ["handed-over"]),
        ("victim@gmail.example", []),
    ],
)
def test_story(recorded: list[DeliveryEvent], recipient: str, expected: list[str]) -> None:
    assert states(recorded, recipient) == expected


def test_an_alias_is_known_where_the_log_level_is_high_enough(recorded: list[DeliveryEvent]) -> None:
    behind = {
        (e.recipient, e.original_recipient)
        for e in recorded
        if e.original_recipient and "hosting" in e.original_recipient
    }
    assert {
        ("ok-50@corp.example", "team@hosting.example"),
        ("ok-50@gmail.example", "team@hosting.example"),
        ("ok-51@corp.example", "fwd@hosting.example"),
    } <= behind


def test_the_two_queues_of_a_submission_are_one_message(recorded: list[DeliveryEvent]) -> None:
    known = resolve_times(recorded, TimeHints({}))
    (message,) = tell(known, Query(recipients=(Mailbox.parse("ok-61@corp.example"),)))
    assert len(message.queue_ids) == 2
    assert message.message_id == "submitted.1@billing.hosting.example"


def test_a_clone_names_the_message_it_came_of(recorded: list[DeliveryEvent]) -> None:
    (clone,) = [e for e in recorded if e.action is Action.ARRIVED and e.related]
    assert clone.related[0][0] is Relation.REQUEUED_FROM
    assert clone.related[0][1] in {e.queue_id for e in recorded if e.message_id}


def test_every_id_tells_the_second_of_its_arrival(recorded: list[DeliveryEvent]) -> None:
    seen = 0
    for event in recorded:
        if event.action is Action.ARRIVED and event.queue_id and event.at.instant:
            told = idclock.sendmail(event.queue_id)
            assert told
            assert abs((event.at.instant - told).total_seconds()) <= 2
            seen += 1
    assert seen > 40


def traditional(raw: bytes) -> bytes:
    """The same line as RFC 3164 has it."""
    return re.sub(rb"\A2026-11-22T(\d\d:\d\d:\d\d)\.\d{6}\+08:00 out1\S+ ", rb"Nov 22 \1 out1 ", raw)


def rfc5424(raw: bytes) -> bytes:
    return re.sub(rb"\A(\S+ \S+) ([a-z-]+)\[(\d+)\]: ", rb"<22>1 \1 \2 \3 - - ", raw)


def said(event: DeliveryEvent) -> dict[str, Any]:
    fields = {f.name: getattr(event, f.name) for f in dataclasses.fields(event)}
    for name in ("at", "host", "line"):
        fields.pop(name)
    return fields


@pytest.mark.parametrize("form", [traditional, rfc5424])
def test_other_syslog_forms_say_the_same(recorded: list[DeliveryEvent], form: Any) -> None:
    changed = [form(raw) for raw in raw_lines()]
    assert all(FORMAT.is_line(raw) for raw in changed)
    assert [said(e) for e in events(changed)] == [said(e) for e in recorded]


def test_a_cut_line_tells_of_no_outcome() -> None:
    """What is lost may be the true outcome, and what is left an address that imitates one."""
    for raw in raw_lines():
        for end in range(len(raw), 60, -7):
            assert not [e for e in FORMAT.parse([log_line(raw[:end], cut=True)]) if e.recipient and b" to=" in raw]


def test_a_reply_whose_end_syslog_lost_is_no_success() -> None:
    whole = HEAD + b"u0S9Fxqr012345: to=<a@b.example>, delay=00:00:00, xdelay=00:00:00, mailer=esmtp, pri=1, "
    whole += b"relay=mx.b.example. [192.0.2.1], dsn=2.0.0, stat=Sent (ok)"
    assert [e.result for e in events([whole])] == [Result.SENT]
    assert events([whole[:-1]]) == []


@pytest.mark.parametrize(
    "text", ["", "6AMA2kPg", "6AMA2kPg00011", "6CMA2kPg000117", "6A0A2kPg000117", "ABCDEFGHIJKLMN"]
)
def test_what_is_no_id_has_no_clock(text: str) -> None:
    assert idclock.sendmail(text) is None or text == "6AMA2kPg00011"


def test_an_id_is_a_clock_whose_year_repeats_after_sixty() -> None:
    assert str(idclock.sendmail("6AMA2kPg000117")) == "2026-11-22 10:02:46+00:00"
    assert str(idclock.sendmail("Z1SN00aa12345")) == "1995-02-28 23:00:00+00:00"
    assert str(idclock.sendmail("Y1SN00aa12345")) == "2054-02-28 23:00:00+00:00"
    assert idclock.sendmail("51TN00aa12345") is None  # 29 February 2025
    assert (
        str(idclock.reply_clock("250 2.0.0 6AMA2kPg000117 Message accepted for delivery"))
        == "2026-11-22 10:02:46+00:00"
    )


def test_a_host_that_fell_silent_before_the_data_accepted_nothing(recorded: list[DeliveryEvent]) -> None:
    silent = {e.recipient: (e.result, e.stage) for e in recorded if "timed out with" in e.text and e.recipient}
    assert silent == {
        "ok-8@silent.example": (Result.DEFERRED, "connect"),
        "hang-data@rude.example": (Result.DEFERRED, "data"),
        "hang-dot@rude.example": (Result.UNCERTAIN, None),
    }
    together = HEAD + b"u0S9Fxqr012345: timeout waiting for input from mx.b.example. during client RCPT"
    outcome = HEAD + b"u0S9Fxqr012345: to=<a@b.example>,<c@b.example>, delay=00:01:00, xdelay=00:01:00, mailer=esmtp, "
    outcome += b"pri=1, relay=%s [192.0.2.1], dsn=4.4.2, stat=Deferred: Connection timed out with mx.b.example."
    both = events([together, outcome.replace(b"%s", b"mx.b.example.")])
    assert [e.result for e in both if e.recipient] == [Result.DEFERRED] * 2
    other = events([together, outcome.replace(b"%s", b"mx2.b.example.")])
    assert [e.result for e in other if e.recipient] == [Result.UNCERTAIN] * 2
    alone = events([raw for raw in raw_lines() if b"timeout waiting" not in raw and b"to=<ok-8@silent" in raw])
    assert {e.result for e in alone} == {Result.UNCERTAIN}


def test_a_message_to_nobody_is_no_arrival(recorded: list[DeliveryEvent]) -> None:
    nobody = [raw for raw in raw_lines() if b"nrcpts=0" in raw]
    assert nobody
    assert events(nobody) == []


def test_ids_of_a_line() -> None:
    def ids(words: bytes) -> list[str]:
        return list(FORMAT.queue_ids(HEAD + words))

    assert ids(b"u0S9Fxqr012345: u0SDFxqr012399: DSN: User unknown") == ["u0S9Fxqr012345", "u0SDFxqr012399"]
    assert ids(b"u0S9Fxqr012345: u0SDFxqr012399: clone: owner=x") == ["u0S9Fxqr012345", "u0SDFxqr012399"]
    assert ids(b"u0S9Fxqr012345: to=<a@b>, stat=Sent (u0S9Fxab012399 Message accepted for delivery)") == [
        "u0S9Fxqr012345",
        "u0S9Fxab012399",
    ]
    assert ids(b"u0S9Fxqr012345: to=<a@b>, stat=Sent (Ok: queued as 4jXH3k3V2zzLhRZ)") == [
        "u0S9Fxqr012345",
        "4jXH3k3V2zzLhRZ",
    ]
    assert ids(b"u0S9Fxqr012345: from=<a@b>, msgid=<queued as 4jXH3k3V2zzLhRZ>") == ["u0S9Fxqr012345"]
    assert ids(b"STARTTLS=client, relay=x") == []
    assert list(FORMAT.queue_ids(b"Nov 22 05:31:12 out1 postfix/smtp[1]: u0S9Fxqr012345: to=<a@b>")) == []


def test_each_recorded_line_with_an_id_lists_it(recorded: list[DeliveryEvent]) -> None:
    assert all(e.queue_id in FORMAT.queue_ids(e.line.raw) for e in recorded if e.queue_id)


def test_other_servers_lines_are_not_claimed() -> None:
    postfix = (CASES / "logs" / "postfix" / "postfix-3.10.iso8601.log").read_bytes()
    assert FORMAT.sniff(postfix) == 0
    assert not any(FORMAT.is_line(raw) for raw in postfix.splitlines())
    assert not FORMAT.is_line(b"Nov 22 05:31:12 out1 postfix/sendmail[1]: warning: x")
    assert FORMAT.sniff(LOG.read_bytes()) == 1


def test_the_head_matches_exactly_the_lines_of_the_format() -> None:
    head = re.compile(FORMAT.head, re.MULTILINE)
    assert all(head.match(raw) for raw in raw_lines())
    assert not head.match(b"Nov 22 05:31:12 out1 postfix/smtpd[1]: x")


def test_needles_find_the_recipients_of_every_recorded_line(recorded: list[DeliveryEvent]) -> None:
    for event in recorded:
        if event.recipient and "@" in event.recipient:
            assert any(n in event.line.raw.lower() for n in FORMAT.needles(event.recipient))


def test_who_did_it_is_told_by_the_mailer(recorded: list[DeliveryEvent]) -> None:
    by = {(e.route, e.transport) for e in recorded if e.action is Action.ATTEMPTED and e.result is Result.SENT}
    assert by == {
        ("mailer=esmtp", Transport.SMTP),
        ("mailer=relay", Transport.SMTP),
        ("mailer=local", Transport.PIPE),
        ("mailer=prog", Transport.PIPE),
    }
