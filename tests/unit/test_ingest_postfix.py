"""What Postfix's lines say: every line of the recorded logs, and cases for what those logs do not hold."""

import dataclasses
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from deliverability.evidence.event import Action, DeliveryEvent, Relation, Result, Transport
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ingest.postfix import FORMAT
from deliverability.protocols.syslog import parse_prologue

CASES = Path(__file__).parents[1] / "cases"
ISO = CASES / "logs" / "postfix" / "postfix-3.10.iso8601.log"
TRADITIONAL = CASES / "logs" / "postfix" / "postfix-3.10.rfc3164.log"
HEAD = b"Nov 22 05:31:12 out1 "


def log_line(raw: bytes, number: int = 1, *, cut: bool = False) -> LogLine:
    return LogLine(Place("", "mail.log", number, 0), raw, cut)


def raw_lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def events(raw: list[bytes]) -> list[DeliveryEvent]:
    return list(FORMAT.parse(log_line(line, number) for number, line in enumerate(raw, start=1)))


def one(raw: bytes, *, cut: bool = False) -> DeliveryEvent | None:
    found = list(FORMAT.parse([log_line(raw, cut=cut)]))
    assert len(found) <= 1
    return found[0] if found else None


def load_cases() -> list[Any]:
    files = sorted((CASES / "ingest" / "postfix").glob("*.toml"))
    return [
        pytest.param(case, id=f"{file.stem}: {case['name']}")
        for file in files
        for case in tomllib.loads(file.read_text("utf-8"))["case"]
    ]


def case_line(case: dict[str, Any], head: bytes = HEAD) -> bytes:
    words = case["words"].encode("latin-1" if case.get("latin1") else "utf-8")
    return head + case["tag"].encode() + b"[624]: " + words


def attribute(event: DeliveryEvent, path: str) -> str:
    value: Any = event
    for name in path.split("."):
        value = getattr(value, name)
    return str(value)


@pytest.mark.parametrize("case", load_cases())
def test_case(case: dict[str, Any]) -> None:
    event = one(case_line(case))
    expected = case.get("expect")
    if expected is None:
        assert event is None
    else:
        assert event is not None
        assert {path: attribute(event, path) for path in expected} == expected


@pytest.mark.parametrize("case", load_cases())
def test_case_belongs_to_the_format_exactly_when_its_writer_does(case: dict[str, Any]) -> None:
    assert FORMAT.is_line(case_line(case)) is (not case["tag"].startswith("web"))


@pytest.fixture(scope="module")
def iso() -> list[DeliveryEvent]:
    return events(raw_lines(ISO))


def said(event: DeliveryEvent) -> dict[str, Any]:
    fields = {f.name: getattr(event, f.name) for f in dataclasses.fields(event)}
    fields.pop("at")
    return fields | {"line": event.line.place}


def test_both_forms_of_one_log_say_the_same(iso: list[DeliveryEvent]) -> None:
    assert [said(e) for e in events(raw_lines(TRADITIONAL))] == [said(e) for e in iso]


def test_every_line_of_the_recorded_log_is_accounted_for(iso: list[DeliveryEvent]) -> None:
    assert Counter(e.action for e in iso) == {
        Action.DESCRIBED: 459,
        Action.ATTEMPTED: 230,
        Action.CONNECTED: 133,
        Action.REMOVED: 125,
        Action.ARRIVED: 124,
        Action.TROUBLE: 21,
        Action.NOTIFIED: 20,
        Action.REJECTED: 2,
        Action.HELD: 1,
    }
    raw = raw_lines(ISO)
    told = {e.line.place.line for e in iso}
    silent = [parse_prologue(line) for number, line in enumerate(raw, start=1) if number not in told]
    words = [head.rest for head in silent if head and b"connect from localhost[127.0.0.1]" not in head.rest]
    assert [w[:40] for w in words] == [
        b'[origin software="rsyslogd" swVersion="8',
        b"Deleted: 0 messages",
        b"starting the Postfix mail system",
        b"daemon started -- version 3.10.13, confi",
        b"warning: no MX host for missingmx.exampl",
        b"Placed on hold: 13 messages",
        b"Released from hold: 14 messages",
        b"Requeued: 12 messages",
        b"stopping the Postfix mail system",
        b"terminating on signal 15",
        b"waiting for the Postfix mail system to t",
    ]


def test_every_delivery_line_of_the_recorded_log_gives_its_status(iso: list[DeliveryEvent]) -> None:
    attempts = {e.line.place.line: e for e in iso if e.action is Action.ATTEMPTED}
    words = {b"sent": Result.SENT, b"deferred": Result.DEFERRED, b"bounced": Result.FAILED, b"deliverable": None}
    seen = 0
    for number, raw in enumerate(raw_lines(ISO), start=1):
        _, found, rest = raw.partition(b", status=")
        if not found or b"header Subject" in raw:
            continue
        seen += 1
        event = attempts[number]
        expected = Result.UNCERTAIN if b"may be sent more than once" in rest else words[rest.split(b" ")[0]]
        assert event.result is expected
        assert event.recipient
        assert event.dsn_code
        assert event.recipient.encode() in raw
    assert seen == len(attempts)


def outcomes(iso: list[DeliveryEvent], recipient: str) -> list[tuple[Result | None, int | None, str | None]]:
    return [
        (e.result, e.reply.code if e.reply else None, e.stage)
        for e in iso
        if e.action is Action.ATTEMPTED and recipient in (e.recipient, e.original_recipient)
    ]


SENT = (Result.SENT, 250, "end-of-data")


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("jo32@corp.example", [SENT]),
        ("ml@multiline.example", [SENT]),
        ("all@alias.example", [SENT] * 3),
        ("u1@hosting.example", [SENT]),
        ("nouser1@gmail.example", [(Result.FAILED, 550, "rcpt")]),
        ("unauth@gmail.example", [(Result.FAILED, 550, "end-of-data")]),
        ("cs01@icloud.example", [(Result.FAILED, 554, "end-of-data")]),
        ("x@nosuchdomain.example", [(Result.FAILED, None, None)]),
        ("jörg@noutf8.example", [(Result.FAILED, None, None)]),
        ("用户@utf8.example", [SENT]),
        ('"odd name"@corp.example', [SENT]),
        ("o'neil+tag=1@corp.example", [SENT]),
        ("dup@corp.example", [SENT, SENT]),
        ("verifyonly@corp.example", [(None, 250, "rcpt")]),
        ("victim@gmail.example", []),
    ],
)
def test_story(iso: list[DeliveryEvent], recipient: str, expected: list[tuple[Result | None, int | None, str]]) -> None:
    assert outcomes(iso, recipient) == expected


def test_lost_after_the_end_of_the_data_is_never_a_success_nor_a_clean_failure(iso: list[DeliveryEvent]) -> None:
    assert set(outcomes(iso, "x@dropdata.example")) == {(Result.UNCERTAIN, None, "end-of-data")}


def test_greeting_that_refuses_is_a_reply(iso: list[DeliveryEvent]) -> None:
    assert set(outcomes(iso, "x@banner554.example")) == {(Result.DEFERRED, 554, "connect")}


def test_connection_refused_is_our_own_word(iso: list[DeliveryEvent]) -> None:
    refused = [e for e in iso if e.recipient == "x@refused.example"]
    assert {(e.result, e.reply, e.relay, e.stage) for e in refused} == {(Result.DEFERRED, None, None, "connect")}
    tied = [e for e in iso if e.action is Action.CONNECTED and e.tls is None and "refused.example" in e.text]
    assert {e.process for e in tied} == {e.process for e in refused}


def test_failed_first_mx_is_tied_to_the_attempt_by_its_process(iso: list[DeliveryEvent]) -> None:
    (attempt,) = [e for e in iso if e.recipient == "x@fallback.example"]
    before = [e for e in iso if e.process == attempt.process and e.line.place.line < attempt.line.place.line]
    assert (before[-1].action, before[-1].text) == (
        Action.CONNECTED,
        "connect to mx1.fallback.example[127.0.2.13]:25: Connection refused",
    )


def test_content_filter_reply_names_the_new_id(iso: list[DeliveryEvent]) -> None:
    (first,) = [e for e in iso if e.recipient == "f0@gmail.example" and e.relay and e.relay.port == 10024]
    assert first.remote_queue_id == "4jXH3l3T3hzLhST"
    assert first.process == "postfix/amavis/smtp[808]"
    (second,) = [e for e in iso if e.recipient == "f0@gmail.example" and e.queue_id == first.remote_queue_id]
    assert second.reply
    assert second.reply.text.endswith("- gsmtp")


def test_final_delivery_over_lmtp(iso: list[DeliveryEvent]) -> None:
    (u1,) = [e for e in iso if e.recipient == "u1@hosting.example"]
    assert (u1.transport, u1.remote_queue_id) == (Transport.LMTP, "dMYfFHtZ8LqcyvB0BRGz")


def test_requeued_messages_name_their_old_ids(iso: list[DeliveryEvent]) -> None:
    requeued = [e for e in iso if e.related and e.related[0][0] is Relation.REQUEUED_FROM]
    assert len(requeued) == 12
    assert {e.related[0][1] for e in requeued} <= {e.queue_id for e in iso}


def test_imitations_in_the_recorded_log_are_text(iso: list[DeliveryEvent]) -> None:
    (subject,) = [e for e in iso if e.subject and "FAKE123" in e.subject]
    assert subject.subject == (
        "status=sent (250 2.0.0 Ok: queued as FAKE123)? to=<victim@gmail.example>, relay=mx.fake[1.2.3.4]:25"
    )
    assert subject.action is Action.DESCRIBED
    assert [e.action for e in iso if e.message_id == "status=sent"] == [Action.DESCRIBED]
    assert "FAKE123" not in {i for line in raw_lines(ISO) for i in FORMAT.queue_ids(line)}


def test_reply_of_another_charset_is_kept_as_logged(iso: list[DeliveryEvent]) -> None:
    (gbk,) = [e for e in iso if e.recipient == "gbk@qq.example"]
    assert gbk.reply
    assert gbk.reply.text.startswith("550 Mailbox unavailable or access denied [???")


def test_ids_of_a_line_are_its_own_and_those_it_links_to() -> None:
    def ids(words: bytes) -> list[str]:
        return list(FORMAT.queue_ids(HEAD + b"postfix/x[1]: " + words))

    assert ids(b"4jXH4r3mQqzLhQX: uid=1 from=<a> orig_id=4jXH3k6G2CzLhS8") == ["4jXH4r3mQqzLhQX", "4jXH3k6G2CzLhS8"]
    assert ids(b"7C1A02B3F4: sender delay notification: 8D2B13C405") == ["7C1A02B3F4", "8D2B13C405"]
    assert ids(b"7C1A02B3F4: to=<a@b>, relay=l, delay=1, status=sent (250 Ok: queued as 8D2B13C405)") == [
        "7C1A02B3F4",
        "8D2B13C405",
    ]
    assert ids(b"7C1A02B3F4: client=a[192.0.2.1], orig_queue_id=8D2B13C405") == ["7C1A02B3F4", "8D2B13C405"]
    assert ids(b"warning: 7C1A02B3F4: queue file size limit exceeded") == ["7C1A02B3F4"]
    assert ids(b"7C1A02B3F4: info: header Subject: queued as 8D2B13C405 orig_id=8D2B13C405") == ["7C1A02B3F4"]
    assert ids(b"NOQUEUE: reject: RCPT from a[192.0.2.1]: 550 no") == []
    assert ids(b"warning: hostname a does not resolve to address 192.0.2.1") == []
    assert list(FORMAT.queue_ids(HEAD + b"dovecot[1]: 7C1A02B3F4: x")) == []


def test_each_recorded_line_with_an_id_lists_it(iso: list[DeliveryEvent]) -> None:
    assert all(e.queue_id in FORMAT.queue_ids(e.line.raw) for e in iso if e.queue_id)


LOST_TAG = b"<22>1 2026-11-22T05:01:38.480725+08:00 out1 postfix 624 - - "


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (b"relay=mx.corp.example[192.0.2.10]:25, delay=1, dsn=2.0.0, status=sent (250 Ok)", Transport.SMTP),
        (b"relay=out1[private/dovecot-lmtp], delay=1, dsn=2.0.0, status=sent (250 Ok)", Transport.LMTP),
        (b"relay=local, delay=1, dsn=2.0.0, status=sent (delivered to mailbox)", Transport.MAILBOX),
        (b"relay=virtual, delay=1, dsn=2.0.0, status=sent (delivered to maildir)", Transport.MAILBOX),
        (b"relay=dovecot, delay=1, dsn=2.0.0, status=sent (delivered via dovecot service)", Transport.PIPE),
        (b"relay=none, delay=1, dsn=4.4.1, status=deferred (connect to a[192.0.2.1]:25: timed out)", Transport.NONE),
    ],
)
def test_kind_of_delivery_where_syslog_lost_the_program(words: bytes, expected: Transport) -> None:
    event = one(LOST_TAG + b"7C1A02B3F4: to=<a@corp.example>, " + words)
    assert event
    assert (event.transport, event.writer) == (expected, "postfix")


def test_removal_of_unknown_writer_is_no_cancellation() -> None:
    event = one(LOST_TAG + b"7C1A02B3F4: removed")
    assert event
    assert event.action is Action.REMOVED


def test_recorded_log_without_program_names_says_the_same_of_each_message(iso: list[DeliveryEvent]) -> None:
    def collapsed(raw: bytes) -> bytes:
        head = parse_prologue(raw)
        assert head
        pid = (head.pid or "-").encode()
        return b"<22>1 %s out1 %s %s - - %s" % (raw.split(b" ")[0], head.tag.split("/")[0].encode(), pid, head.rest)

    lost = events([collapsed(raw) for raw in raw_lines(ISO)])
    said_of = [(e.action, e.queue_id, e.recipient, e.result, e.reply, e.related, e.subject) for e in lost]
    assert said_of == [(e.action, e.queue_id, e.recipient, e.result, e.reply, e.related, e.subject) for e in iso]


def test_cut_line_gives_no_value_that_may_be_incomplete() -> None:
    assert one(HEAD + b"postfix/cleanup[1]: 7C1A02B3F4: message-id=<a@b", cut=True) is None
    assert one(HEAD + b"postfix/bounce[1]: 4jXH4r3mQqzLhQX: sender delay notification: 4jXH3k6G2CzLh", cut=True) is None
    assert one(HEAD + b"postfix/smtpd[1]: 7C1A02B3F4: client=a[192.0.2.1]", cut=True) is None
    assert one(HEAD + b"postfix/cleanup[1]: 7C1A02B3F4: info: header Subject: Rene", cut=True) is None
    kept = one(
        HEAD + b"postfix/smtp[1]: 7C1A02B3F4: to=<a@b>, relay=c[192.0.2.1]:25, delay=1, status=sent (25", cut=True
    )
    assert kept
    assert kept.result is Result.SENT


def test_sniff() -> None:
    assert FORMAT.sniff(ISO.read_bytes()[:5000]) > 0.9
    assert FORMAT.sniff(TRADITIONAL.read_bytes()[:5000]) > 0.9
    assert FORMAT.sniff(b"") == 0
    assert FORMAT.sniff(b"Nov 22 05:31:12 postfix sshd[1]: hello\n") == 0
    assert FORMAT.sniff(b"Nov 22 05:31:12 out1 exim[1]: hello\nNov 22 05:31:13 out1 rsyslogd: x\n") == 0
    half = HEAD + b"postfix/qmgr[1]: x\n" + HEAD + b"dovecot: x\n" + HEAD + b"postfix/qm"
    assert FORMAT.sniff(half) == 0.5
    for log in ("4.96/mainlog", "4.98-cpanel/mainlog", "4.96/syslog", "4.98-cpanel/syslog"):
        assert FORMAT.sniff((CASES / "logs" / "exim" / log).read_bytes()) == 0


def test_is_line_knows_lines_of_the_logger_itself() -> None:
    assert FORMAT.is_line(HEAD + b"rsyslogd: imjournal: 5 messages lost due to rate-limiting")
    assert FORMAT.is_line(HEAD + b"last message repeated 3 times")
    assert FORMAT.is_line(LOST_TAG + b"x")
    assert not FORMAT.is_line(b"\tpostfix/smtp[1]: x")
    assert not FORMAT.is_line(HEAD + b"sshd[1]: x")


def test_needles_find_every_spelling() -> None:
    def hit(address: str, line: str) -> bool:
        return any(needle in line.encode().lower() for needle in FORMAT.needles(address))

    assert hit("Anna@Corp.Example", "to=<anna@corp.example>")
    assert hit("anna@corp.example", "to=<ANNA@CORP.EXAMPLE>")
    assert hit("odd name@corp.example", 'to=<"odd name"@corp.example>')
    assert hit('"odd name"@corp.example', "to=<odd name@corp.example>")
    assert hit('"a\\"b"@corp.example', 'to=<"a\\"b"@corp.example>')
    assert hit("info@bücher.example", "to=<info@xn--bcher-kva.example>")
    assert hit("info@xn--bcher-kva.example", "to=<info@bücher.example>")
    assert hit("jörg@utf8.example", "to=<JÖRG@utf8.example>")
    assert hit("JÖRG@utf8.example", "to=<jo\u0308rg@utf8.example>")
    assert hit("root", "to=<root>")
    assert not hit("anna@corp.example", "to=<hanna@other.example>")


@pytest.mark.parametrize("address", ["", "<>", " ", "@", "\x00", "a" * 10_000, "\ud800@x", "a@" + "b" * 400])
def test_needles_take_anything_and_are_never_empty_strings(address: str) -> None:
    assert b"" not in FORMAT.needles(address)


def test_needles_find_the_recipients_of_every_recorded_line(iso: list[DeliveryEvent]) -> None:
    for event in iso:
        if event.recipient:
            assert any(n in event.line.raw.lower() for n in FORMAT.needles(event.recipient))
