"""What Dovecot's lines say: the recorded logs of Dovecot behind Postfix, and cases for what those logs do not hold."""

import dataclasses
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from deliverability.correlate import Query, TimeHints, resolve_times, tell
from deliverability.evidence.event import Action, DeliveryEvent, Result, Transport
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.names import Mailbox
from deliverability.evidence.story import Message, State
from deliverability.ingest.dovecot import FORMAT
from deliverability.ingest.postfix import FORMAT as POSTFIX
from deliverability.protocols import idclock
from deliverability.protocols.smtp import remote_queue_id

CASES = Path(__file__).parents[1] / "cases" / "ingest" / "dovecot"
TOGETHER = CASES / "postfix-and-dovecot-2.3.log"
OWN = CASES / "dovecot-2.3.own.log"
HEAD = b"Nov 22 05:31:12 store1 dovecot: "


def lines_of(raw: list[bytes]) -> list[LogLine]:
    return [LogLine(Place("", "mail.log", n, n * 100), line) for n, line in enumerate(raw, start=1)]


def raw_lines(path: Path = TOGETHER) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def events(raw: list[bytes]) -> list[DeliveryEvent]:
    return list(FORMAT.parse(lines_of(raw)))


@pytest.fixture(scope="module")
def recorded() -> list[DeliveryEvent]:
    return events(raw_lines())


@pytest.fixture(scope="module")
def both() -> list[DeliveryEvent]:
    found = [*POSTFIX.parse(lines_of(raw_lines())), *FORMAT.parse(lines_of(raw_lines()))]
    return resolve_times(found, TimeHints({}))


def load_cases() -> list[Any]:
    cases = tomllib.loads((CASES / "lines.toml").read_text("utf-8"))["case"]
    return [pytest.param(case, id=case["name"]) for case in cases]


@pytest.mark.parametrize("case", load_cases())
def test_case(case: dict[str, Any]) -> None:
    found = [e for e in events([HEAD + case["words"].encode()]) if e.action is not Action.ARRIVED]
    expected = case.get("expect")
    assert len(found) == (1 if expected else 0)
    if expected:
        assert {name: str(getattr(found[0], name)) for name in expected} == expected


def test_the_recorded_log_is_accounted_for(recorded: list[DeliveryEvent]) -> None:
    assert Counter(e.action for e in recorded) == {
        Action.ARRIVED: 25,
        Action.ATTEMPTED: 27,
        Action.CANCELLED: 2,
    }
    told = {e.line.place.line for e in recorded}
    silent = [
        raw for n, raw in enumerate(raw_lines(), 1) if n not in told and b" dovecot: " in raw and b"msgid=" in raw
    ]
    assert [b"vacation action: discarding vacation response" in raw for raw in silent] == [True] * len(silent)


def test_where_each_message_was_filed(recorded: list[DeliveryEvent]) -> None:
    folders = {
        ((e.message_id or "").partition(".")[0], e.recipient, e.folder)
        for e in recorded
        if e.folder and not (e.recipient or "").startswith("renewals")
    }
    assert folders == {
        ("inbox", "box@hosting.example", "INBOX"),
        ("junk", "junk@hosting.example", "Junk"),
        ("detail", "box@hosting.example", "bills"),
        ("copied", "copy@hosting.example", "Archive/2026"),
        ("folder-utf8", "flags@hosting.example", "帳單"),
        ("vacation", "away@hosting.example", "INBOX"),
        ("two-folders", "two@hosting.example", "A"),
        ("two-folders", "two@hosting.example", "B"),
        ("discarded-and-filed", "both@hosting.example", "Kept"),
        ("bad-folder", "broken@hosting.example", "INBOX"),
        ("several", "u1@hosting.example", "INBOX"),
        ("several", "junk@hosting.example", "Junk"),
        ("no-subject-match", "junk@hosting.example", "INBOX"),
        ("", "box@hosting.example", "INBOX"),
        ("lda", "box@hosting.example", "INBOX"),
        ("lda", "junk@hosting.example", "Junk"),
    }


def test_a_delivery_begins_once(recorded: list[DeliveryEvent]) -> None:
    arrived = Counter(e.queue_id for e in recorded if e.action is Action.ARRIVED)
    assert set(arrived.values()) == {1}
    assert {e.queue_id for e in recorded} == set(arrived)


def test_dovecots_own_file_says_what_syslog_says() -> None:
    found = [
        (e.action, e.recipient, e.result, e.folder) for e in events(raw_lines(OWN)) if e.action is Action.ATTEMPTED
    ]
    assert found == [
        (Action.ATTEMPTED, "box@hosting.example", Result.SENT, "INBOX"),
        (Action.ATTEMPTED, "junk@hosting.example", Result.SENT, "Junk"),
        (Action.ATTEMPTED, "full@hosting.example", Result.DEFERRED, None),
        (Action.ATTEMPTED, "full@hosting.example", Result.FAILED, None),
    ]
    assert all(e.at.local.hour == 18 and e.host is None for e in events(raw_lines(OWN)))


def test_another_log_timestamp_is_read_too() -> None:
    raw = [line.replace(b"Nov 22 ", b"2026-11-22 ") for line in raw_lines(OWN)]
    assert all(FORMAT.is_line(line) for line in raw)
    assert [e.at.has_year for e in events(raw)] == [True] * len(events(raw_lines(OWN)))


def test_session_ids_are_clocks_and_stand_in_the_reply() -> None:
    seen = 0
    stored = {e.queue_id: e for e in events(raw_lines())}
    for event in POSTFIX.parse(lines_of(raw_lines())):
        if event.transport is Transport.LMTP and event.result is Result.SENT:
            assert event.reply
            told = remote_queue_id(event.reply.text)
            assert told in stored
            clock = idclock.reply_clock(event.reply.text)
            assert clock
            assert event.at.instant
            assert abs((event.at.instant - clock).total_seconds()) < 2
            seen += 1
    assert seen > 15


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pL9eJ2ZkklUnHQAAplP5V",
        "dMYfFHtZ8LqcyvB0BRGz",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "/////3S+Amu/AAAAg+zDdQ",
        "1FHpNZy/Amu",
    ],
)
def test_what_is_no_session_id_has_no_clock(text: str) -> None:
    assert idclock.dovecot(text) is None


def test_the_clock_of_a_session_is_that_of_all_its_recipients() -> None:
    told = {str(idclock.dovecot("UHY9M3i+Amu/AAAAg+zDdQ" + suffix)) for suffix in ("", ":R2", ":T3:R2")}
    assert told == {"2026-11-22 10:05:44.859666+00:00"}


def test_a_cut_line_says_nothing() -> None:
    cut = [LogLine(Place("", "-", n, 0), raw, cut=True) for n, raw in enumerate(raw_lines(), start=1)]
    assert list(FORMAT.parse(cut)) == []


def messages(both: list[DeliveryEvent], recipient: str, message_id: str) -> list[Message]:
    found = tell(both, Query(recipients=(Mailbox.parse(recipient),)))
    return [m for m in found if m.message_id and m.message_id.startswith(message_id)]


@pytest.mark.parametrize(
    ("recipient", "message_id", "state"),
    [
        ("box@hosting.example", "inbox.", "delivered"),
        ("junk@hosting.example", "junk.", "delivered"),
        ("u1@hosting.example", "several.", "delivered"),
        ("junk@hosting.example", "several.", "delivered"),
        ("copy@hosting.example", "copied.", "delivered"),
        ("both@hosting.example", "discarded-and-filed.", "delivered"),
        ("fwd@hosting.example", "forwarded.", "unknown"),
        ("drop@hosting.example", "discarded.", "cancelled"),
        ("refuse@hosting.example", "rejected.", "failed"),
    ],
)
def test_postfix_and_dovecot_tell_one_story(
    both: list[DeliveryEvent], recipient: str, message_id: str, state: str
) -> None:
    (message,) = messages(both, recipient, message_id)
    assert [d.state.value for d in message.deliveries] == [state]
    assert len(message.queue_ids) >= 2


def test_an_address_with_a_detail_is_followed_into_the_store(both: list[DeliveryEvent]) -> None:
    (message,) = messages(both, "box+bills@hosting.example", "detail.")
    assert [d.state.value for d in message.deliveries] == ["delivered"]


def test_what_the_store_refused_is_one_message(both: list[DeliveryEvent]) -> None:
    (message,) = messages(both, "full@hosting.example", "over-quota.")
    assert [d.state.value for d in message.deliveries] == ["refused"]


def test_the_session_id_ties_even_without_a_message_id(both: list[DeliveryEvent]) -> None:
    found = tell(both, Query(recipients=(Mailbox.parse("box@hosting.example"),)))
    assert not [m for m in found if m.message_id is None]


def test_a_store_behind_a_unix_socket_is_ours() -> None:
    raw = [line.replace(b"127.0.0.1[127.0.0.1]:2424", b"out1[private/dovecot-lmtp]") for line in raw_lines()]
    found = [*POSTFIX.parse(lines_of(raw)), *FORMAT.parse(lines_of(raw))]
    (message,) = messages(resolve_times(found, TimeHints({})), "junk@hosting.example", "junk.")
    assert len(message.queue_ids) == 2


def test_the_folder_reaches_the_story(both: list[DeliveryEvent]) -> None:
    (message,) = messages(both, "junk@hosting.example", "junk.")
    assert [a.folder for a in message.deliveries[0].attempts] == [None, "Junk"]


def traditional(raw: bytes) -> bytes:
    return re.sub(rb"\A2026-11-22T(\d\d:\d\d:\d\d)\.\d{6}\+08:00 out1\S+ ", rb"Nov 22 \1 out1 ", raw)


def rfc5424(raw: bytes) -> bytes:
    return re.sub(rb"\A(\S+ \S+) dovecot: ", rb"<22>1 \1 dovecot - - - ", raw)


def said(event: DeliveryEvent) -> dict[str, Any]:
    fields = {f.name: getattr(event, f.name) for f in dataclasses.fields(event)}
    return {name: value for name, value in fields.items() if name not in ("at", "host", "line")}


@pytest.mark.parametrize("form", [traditional, rfc5424])
def test_other_syslog_forms_say_the_same(recorded: list[DeliveryEvent], form: Any) -> None:
    assert [said(e) for e in events([form(raw) for raw in raw_lines()])] == [said(e) for e in recorded]


def test_a_shared_log_has_each_line_claimed_by_its_writer() -> None:
    dovecot = [raw for raw in raw_lines() if b" dovecot: " in raw[:80]]
    assert all(FORMAT.is_line(raw) and not POSTFIX.is_line(raw) for raw in dovecot)
    rest = [raw for raw in raw_lines() if raw not in dovecot]
    assert rest
    assert not any(FORMAT.is_line(raw) for raw in rest)
    assert FORMAT.sniff(TOGETHER.read_bytes()) == len(dovecot) / len(raw_lines())
    assert FORMAT.sniff(OWN.read_bytes()) == 1
    head = re.compile(FORMAT.head, re.MULTILINE)
    assert [bool(head.match(raw)) for raw in raw_lines()] == [raw in dovecot for raw in raw_lines()]


def test_ids_of_a_line() -> None:
    assert FORMAT.queue_ids(HEAD + b"lmtp(a@b)<1><1FHpNZy/Amu/AAAAg+zDdQ:R2>: msgid=<x>: saved mail to INBOX") == [
        "1FHpNZy/Amu/AAAAg+zDdQ:R2"
    ]
    assert FORMAT.queue_ids(HEAD + b"imap(a@b)<1><1FHpNZy/Amu/AAAAg+zDdQ>: msgid=<x>: saved mail to INBOX") == []
    assert FORMAT.queue_ids(HEAD + b"lmtp(1): Connect from ::1") == []
    assert FORMAT.queue_ids(b"Nov 22 05:31:12 out1 postfix/lmtp[1]: x") == []


def test_needles_find_a_user_with_and_without_domain(recorded: list[DeliveryEvent]) -> None:
    for event in recorded:
        if event.recipient:
            assert any(n in event.line.raw.lower() for n in FORMAT.needles(event.recipient))
    bare = (b"lmtp(box)<191><x>: msgid=<a>", b"lmtp(191, box): x: msgid=<a>", b"lda(box): msgid=<a>")
    assert all(any(n in raw for n in FORMAT.needles("Box@hosting.example")) for raw in bare)
    assert b"" not in FORMAT.needles("")


# --- the delivery agent as a program, without a session id (before 2.3) ----------------------------------------------

PIPE = """\
Nov 22 05:01:37 mx postfix/pickup[10]: 7A1B2C3D4E9: uid=0 from=<root>
Nov 22 05:01:37 mx postfix/cleanup[722]: 7A1B2C3D4E9: message-id=<7@h.example>
Nov 22 05:01:37 mx postfix/qmgr[723]: 7A1B2C3D4E9: from=<root@h.example>, size=500, nrcpt=1 (queue active)
%s
Nov 22 05:01:38 mx postfix/pipe[11]: 7A1B2C3D4E9: to=<box+x@hosting.example>, relay=dovecot, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered via dovecot service)
Nov 22 05:01:39 mx postfix/qmgr[723]: 7A1B2C3D4E9: removed
"""
STORED = "Nov 22 05:01:38 mx dovecot: lda(%s): sieve: msgid=<7@h.example>: stored mail into mailbox 'Junk'"


@pytest.mark.parametrize(
    ("stored", "state", "folder"),
    [
        (STORED % "box@hosting.example", State.DELIVERED, "Junk"),
        (STORED % "box", State.DELIVERED, "Junk"),
        ((STORED % "box@hosting.example").replace("lda(", "deliver("), State.DELIVERED, "Junk"),
        (STORED % "other@hosting.example", State.HANDED_OVER, None),
        ((STORED % "box@hosting.example").replace("7@h", "8@h"), State.HANDED_OVER, None),
        ((STORED % "box@hosting.example").replace(" mx ", " mx2 "), State.HANDED_OVER, None),
        ((STORED % "box@hosting.example").replace("05:01:38", "04:01:38"), State.HANDED_OVER, None),
        ("\n".join((STORED % "box@hosting.example", STORED % "box")), State.HANDED_OVER, None),
        # Two mails with one Message-ID, the hand-over of one of them not in this log: nothing says which was filed where.
        (
            "\n".join((STORED % "box@hosting.example", (STORED % "box@hosting.example").replace("Junk", "INBOX"))),
            State.HANDED_OVER,
            None,
        ),
    ],
)
def test_what_the_delivery_agent_filed_is_that_messages(stored: str, state: State, folder: str | None) -> None:
    raw = (PIPE % stored).encode().split(b"\n")[:-1]
    found = resolve_times([*POSTFIX.parse(lines_of(raw)), *FORMAT.parse(lines_of(raw))], TimeHints({}))
    messages = tell(found, Query(recipients=(Mailbox.parse("box+x@hosting.example"),)))
    ((delivery,),) = (m.deliveries for m in messages)
    assert (delivery.state, delivery.decisive and delivery.decisive.folder) == (state, folder)
    assert messages[0].queue_ids == ("7A1B2C3D4E9",)
    assert len(messages[0].stays) == 1


def test_a_delivery_without_an_id_stands_for_itself_where_no_queue_tells_of_it() -> None:
    raw = [(STORED % "box@hosting.example").encode()]
    (message,) = tell(resolve_times(events(raw), TimeHints({})), Query())
    assert (message.queue_ids, message.message_id) == ((), "7@h.example")
    assert message.deliveries[0].state is State.DELIVERED


def test_an_address_is_looked_for_without_its_detail() -> None:
    assert b"(box@hosting.example)" in FORMAT.needles("Box+x@hosting.example")
