"""What Exim's lines say: every line of the recorded logs, and cases for what those logs do not hold."""

import dataclasses
import tomllib
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deliverability.evidence.event import Action, DeliveryEvent, Relation, Result, Transport
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ingest.exim import FORMAT, MAX_PENDING

CASES = Path(__file__).parents[1] / "cases"
LOGS = CASES / "logs" / "exim"
VERSIONS = ("4.96", "4.98-cpanel")
HEAD = b"2026-11-22 05:31:12 1xV0AW-00002y-0H "
SYSLOG = b"Nov 22 05:31:12 host7 exim[%d]: "
SILENT = (b"queue run", b"cwd=", b"SMTP connection from", b"Sender identification", b"daemon started", b"Spool file ")


def raw_lines(version: str, name: str) -> list[bytes]:
    return (LOGS / version / name).read_bytes().split(b"\n")[:-1]


def log_lines(raw: list[bytes]) -> list[LogLine]:
    return [LogLine(Place("", "log", number, 0), line) for number, line in enumerate(raw, start=1)]


def events(raw: list[bytes]) -> list[DeliveryEvent]:
    return list(FORMAT.parse(log_lines(raw)))


def load_cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{file.stem}: {case['name']}")
        for file in sorted((CASES / "ingest" / "exim").glob("*.toml"))
        for case in tomllib.loads(file.read_text("utf-8"))["case"]
    ]


def case_line(case: dict[str, Any]) -> bytes:
    return case["line"].encode() if "line" in case else HEAD + case["words"].encode()


def attribute(event: DeliveryEvent, path: str) -> str:
    value: Any = event
    for name in path.split("."):
        value = getattr(value, name)
    return str(value)


@pytest.mark.parametrize("case", load_cases())
def test_case(case: dict[str, Any]) -> None:
    found = events([case_line(case)])
    expected = case.get("expect")
    if expected is None:
        assert found == []
    else:
        assert [{path: attribute(event, path) for path in expected} for event in found] == [expected]


@pytest.mark.parametrize("case", [c for c in load_cases() if "words" in c.values[0]])
def test_case_says_the_same_through_syslog(case: dict[str, Any]) -> None:
    raw = case_line(case)
    assert [said(e) for e in events([SYSLOG % 142 + raw])] == [said(e) for e in events([raw])]


def said(event: DeliveryEvent) -> dict[str, Any]:
    fields = {f.name: getattr(event, f.name) for f in dataclasses.fields(event)}
    return {k: v for k, v in fields.items() if k not in ("line", "host", "process")}


# --- the recorded logs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_every_line_of_the_main_log_is_accounted_for(version: str) -> None:
    raw = raw_lines(version, "mainlog")
    found = events(raw)
    assert Counter(e.action for e in found) == {
        Action.ATTEMPTED: 253,
        Action.ARRIVED: 119,
        Action.REMOVED: 119,
        Action.TROUBLE: 31,
        Action.HELD: 8,
        Action.RELEASED: 3,
        Action.REJECTED: 2,
        Action.CANCELLED: 1,
        Action.DESCRIBED: 1,
    }
    assert all(FORMAT.is_line(line) for line in raw)
    told = {e.line.place.line for e in found}
    assert [line for n, line in enumerate(raw, 1) if n not in told and not any(s in line for s in SILENT)] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_main_log_and_syslog_say_the_same(version: str) -> None:
    # The daemon's first lines were written before syslog ran; the reject log goes to syslog as well.
    main = [said(e) for e in events(raw_lines(version, "mainlog"))]
    main += [said(e) for e in events(raw_lines(version, "rejectlog")) if e.queue_id]
    syslog = events(raw_lines(version, "syslog"))
    assert sorted(map(repr, main)) == sorted(repr(said(e)) for e in syslog)
    assert {e.host for e in syslog} == {"server7"}
    assert all(e.process and e.process.startswith("exim[") for e in syslog)


@pytest.mark.parametrize("version", VERSIONS)
def test_reject_log_gives_the_refusals_and_no_header(version: str) -> None:
    raw = raw_lines(version, "rejectlog")
    found = events(raw)
    assert [(e.action, e.recipient, e.reverse_path, e.line.place.line) for e in found] == [
        (Action.REJECTED, "blocked@corp.example", "renewals@hosting.example", 1),
        (Action.REJECTED, "rej@corp.example", "renewals@hosting.example", 2),
    ]
    assert [FORMAT.is_line(line) for line in raw] == [True, True] + [False] * 17
    assert FORMAT.sniff(b"\n".join([*raw, b""])) == 1.0


def story(version: str, address: str) -> list[DeliveryEvent]:
    found = events(raw_lines(version, "mainlog"))
    return [e for e in found if e.action is Action.ATTEMPTED and address in (e.recipient, e.original_recipient)]


LAST = {
    "jo32@corp.example": (Result.SENT, "250", None),
    "lena94@gmail.example": (Result.SENT, "250", "2.0.0"),
    "ml@multiline.example": (Result.SENT, "250", "2.0.0"),
    "y@slow.example": (Result.SENT, "250", "2.0.0"),
    "x@fallback.example": (Result.SENT, "250", "2.0.0"),
    "hi@hinet.example": (Result.SENT, "250", None),
    "throttle@outlook.example": (Result.SENT, "250", None),
    "g1@greylist.example": (Result.SENT, "250", "2.0.0"),
    "overquota@gmail.example": (Result.EXPIRED, None, None),
    "x@refused.example": (Result.EXPIRED, None, None),
    "x@servfail.example": (Result.EXPIRED, None, None),
    "x@tlsbad.example": (Result.EXPIRED, None, None),
    "x@dropdata.example": (Result.EXPIRED, None, None),
    "x@banner554.example": (Result.FAILED, "554", None),
    "nouser1@gmail.example": (Result.FAILED, "550", "5.1.1"),
    "bad1@partial.example": (Result.FAILED, "550", "5.1.1"),
    "disabled@yahoo.example": (Result.FAILED, "554", None),
    "unauth@gmail.example": (Result.FAILED, "550", "5.7.26"),
    "dmarc515@outlook.example": (Result.FAILED, "550", "5.7.515"),
    "s3150@outlook.example": (Result.FAILED, "550", "5.7.1"),
    "cs01@icloud.example": (Result.FAILED, "554", "5.7.1"),
    "verify@eximhost.example": (Result.FAILED, "550", None),
    "x@nosuchdomain.example": (Result.FAILED, None, None),
    "x@nullmx.example": (Result.FAILED, None, None),
    "x@missingmx.example": (Result.FAILED, None, None),
    "u1@hosting.example": (Result.SENT, "250", "2.0.0"),
    "o'neil+tag=1@corp.example": (Result.SENT, "250", "2.0.0"),
    "percent%x@corp.example": (Result.SENT, "250", "2.0.0"),
    '"odd name"@corp.example': (Result.SENT, "250", "2.0.0"),
    "jörg@utf8.example": (Result.SENT, "250", "2.0.0"),
    "用户@utf8.example": (Result.SENT, "250", "2.0.0"),
    "jörg@noutf8.example": (Result.SENT, "250", "2.0.0"),
    "billing@alias.example": (Result.SENT, "250", "2.0.0"),
    "held@corp.example": (Result.SENT, "250", "2.0.0"),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("address", LAST)
def test_how_the_story_of_an_address_ends(version: str, address: str) -> None:
    result, code, enhanced = LAST[address]
    last = story(version, address)[-1]
    assert last.result is result
    assert str(last.reply.code if last.reply else None) == str(code)
    if enhanced:
        assert last.reply is not None
        assert last.reply.enhanced_status_code == enhanced


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lost_answer_is_never_a_plain_failure(version: str) -> None:
    found = story(version, "x@dropdata.example")
    really_tried = [e for e in found if e.transport is Transport.SMTP]
    assert really_tried
    assert {(e.result, e.stage) for e in really_tried} == {(Result.UNCERTAIN, "end-of-data")}
    not_tried = [e for e in found if e.result is Result.DEFERRED]
    assert {e.transport for e in not_tried} == {Transport.NONE}


@pytest.mark.parametrize("version", VERSIONS)
def test_replies_in_chinese_are_readable(version: str) -> None:
    assert "[邮箱不存在]" in story(version, "gbk@qq.example")[-1].reply.text  # type: ignore[union-attr]
    assert "邮件内容被拒绝" in story(version, "utfq@qq.example")[-1].reply.text  # type: ignore[union-attr]


@pytest.mark.parametrize("version", VERSIONS)
def test_seven_recipients_four_outcomes(version: str) -> None:
    found = events(raw_lines(version, "mainlog"))
    queue_id = story(version, "ok1@partial.example")[0].queue_id
    first = defaultdict(list)
    for e in found:
        if e.queue_id == queue_id and e.action is Action.ATTEMPTED:
            first[e.recipient].append(e.result)
    assert {address: results[0] for address, results in first.items()} == {
        "ok1@partial.example": Result.SENT,
        "ok2@partial.example": Result.SENT,
        "bad1@partial.example": Result.FAILED,
        "full1@partial.example": Result.DEFERRED,
        "ok@gmail.example": Result.SENT,
        "nouser@gmail.example": Result.FAILED,
        "c@corp.example": Result.SENT,
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_an_alias_is_the_address_that_the_customer_knows(version: str) -> None:
    assert {e.recipient for e in story(version, "all@alias.example")} == {
        "a1@corp.example",
        "a2@gmail.example",
        "a3@partial.example",
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_local_mailboxes_are_reached_over_lmtp(version: str) -> None:
    assert {(e.transport, e.remote_queue_id is not None) for e in story(version, "u2@hosting.example")} == {
        (Transport.LMTP, True)
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_nobody_ever_wrote_to_the_imitated_victim(version: str) -> None:
    for name in ("mainlog", "rejectlog", "syslog"):
        for e in events(raw_lines(version, name)):
            named = (e.recipient, e.original_recipient, *e.recipients)
            assert not any(n and "victim" in n for n in named)
            assert e.message_id is None or "victim" not in e.message_id


@pytest.mark.parametrize("version", VERSIONS)
def test_notices_name_the_message_that_they_are_about(version: str) -> None:
    found = events(raw_lines(version, "mainlog"))
    arrived = {e.queue_id for e in found if e.action is Action.ARRIVED}
    notices = [e for e in found if e.related]
    assert len(notices) == 25
    assert all(e.reverse_path == "" and e.related[0][0] is Relation.NOTICE_FOR for e in notices)
    assert {e.related[0][1] for e in notices} <= arrived


@pytest.mark.parametrize("version", VERSIONS)
def test_an_operators_mark_is_no_acceptance(version: str) -> None:
    found = [e for e in events(raw_lines(version, "mainlog")) if e.action is Action.CANCELLED]
    assert [(e.recipient, e.result, e.text) for e in found] == [
        ("rate@gmail.example", None, "address <rate@gmail.example> marked delivered by root")
    ]
    assert {e.result for e in story(version, "rate@gmail.example")} == {Result.DEFERRED}


def test_cpanels_selectors_give_recipients_and_the_clients_port() -> None:
    arrived = [e for e in events(raw_lines("4.98-cpanel", "mainlog")) if e.action is Action.ARRIVED]
    assert all(e.recipients and e.size for e in arrived)
    assert [e.recipients for e in arrived if e.subject is None] == [("z1@corp.example",)]  # cron gave it none
    from_clients = [e.session for e in arrived if e.session and e.session.client]
    assert {(s.client.ip, s.helo) for s in from_clients if s.client} == {("127.0.0.1", "whmcs.hosting.example")}
    assert all(s.client and s.client.port for s in from_clients)


def test_every_arrival_of_a_mailer_has_its_facts() -> None:
    arrived = [e for e in events(raw_lines("4.96", "mainlog")) if e.action is Action.ARRIVED]
    assert all(e.session and e.session.protocol and e.size for e in arrived)


# --- syslog's parts ---------------------------------------------------------------------------------------------------

LONG = HEAD + b"<= a@b.example H=(x) [192.0.2.1] P=esmtp S=583 id=x@b.example for anna@corp.example bo@corp.example"


def part(number: int, total: int, words: bytes, *, pid: int = 142, mark: bytes = b"/") -> bytes:
    return SYSLOG % pid + b"[%d%s%d] " % (number, mark, total) + words


def test_parts_of_one_line_are_joined_even_between_others() -> None:
    raw = [
        part(1, 3, LONG[:60]),
        part(1, 2, LONG.replace(b"2y-0H", b"33-0H")[:70], pid=143),
        part(2, 3, LONG[60:110]),
        SYSLOG % 7 + HEAD + b"Completed",
        part(2, 2, LONG[70:], pid=143),
        part(3, 3, LONG[110:]),
    ]
    found = events(raw)
    whole = said(events([LONG])[0])
    assert [(e.queue_id, e.line.place.line, e.line.cut) for e in found] == [
        ("1xV0AW-00002y-0H", 4, False),
        ("1xV0AW-000033-0H", 2, False),
        ("1xV0AW-00002y-0H", 1, False),
    ]
    assert said(found[2]) == whole
    assert said(found[1]) == whole | {"queue_id": "1xV0AW-000033-0H"}


@pytest.mark.parametrize(
    "rest",
    [
        [],
        [part(3, 3, b"gone.example")],
        [SYSLOG % 142 + b"2026-11-22 05:31:13 End queue run: pid=142"],
        [part(1, 2, b"2026-11-22 05:31:13 nothing")],
    ],
)
def test_a_lost_part_is_visible(rest: list[bytes]) -> None:
    found = events([part(1, 3, LONG[:-9]), *rest])
    assert [e.line.cut for e in found] == [True]
    # The last address may have lost its end, and is not told.
    assert found[0].recipients == ("anna@corp.example",)
    assert found[0].line.raw == part(1, 3, LONG[:-9])


def test_a_part_without_its_first_says_nothing() -> None:
    assert events([part(2, 2, HEAD + b"=> anna@corp.example R=r T=remote_smtp H=h [192.0.2.1]")]) == []


REFUSED = HEAD + b"H=(x) [192.0.2.66] F=<a@b.example> rejected after DATA: no"
ENVELOPE = [b"Envelope-from: <a@b.example>", b"Envelope-to: <anna@corp.example>", b'    <"b o"@corp.example>']
HEADERS = [b"P Received: from x", b"\tfor victim@gmail.example;", b"F From: a@b.example", b"    <victim@gmail.example>"]


def refused(raw: list[bytes]) -> list[str | None]:
    found = events(raw)
    assert {e.action for e in found} == {Action.REJECTED}
    return [e.recipient for e in found]


def test_envelope_of_a_refusal_in_the_reject_log() -> None:
    assert refused([REFUSED, *ENVELOPE, *HEADERS]) == ["anna@corp.example", '"b o"@corp.example']


def test_envelope_of_a_refusal_in_syslog_and_the_line_before_it_told_once() -> None:
    parts = [REFUSED, *ENVELOPE, *HEADERS]
    split = [part(n, 8, words, mark=b"\\" if n < 8 else b"/") for n, words in enumerate(parts, 1)]
    assert refused([SYSLOG % 142 + REFUSED, *split]) == [None, "anna@corp.example", '"b o"@corp.example']
    assert refused([SYSLOG % 142 + REFUSED, SYSLOG % 142 + REFUSED]) == [None]


@pytest.mark.parametrize(
    "raw",
    [
        [REFUSED, *HEADERS, *ENVELOPE],
        [REFUSED, ENVELOPE[0], HEADERS[0], *ENVELOPE[1:]],
        [REFUSED, b"Envelope-to: <victim@gmail.example>"],
    ],
)
def test_headers_cannot_imitate_the_envelope(raw: list[bytes]) -> None:
    assert refused(raw) == [None]


def test_lines_that_do_not_stand_together_are_not_put_together() -> None:
    lines = [line for line in log_lines([REFUSED, ENVELOPE[0], b"", ENVELOPE[1]]) if line.raw]
    assert [e.recipient for e in FORMAT.parse(lines)] == [None]


def test_unfinished_entries_of_many_processes_are_bounded() -> None:
    raw = [part(1, 2, LONG, pid=pid) for pid in range(1, 2 * MAX_PENDING)]
    found = events(raw)
    assert len(found) == len(raw)
    assert all(e.line.cut for e in found)


# --- recognising, finding ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["mainlog", "syslog"])
def test_recorded_logs_are_recognised(version: str, name: str) -> None:
    raw = (LOGS / version / name).read_bytes()
    assert FORMAT.sniff(raw) == 1.0
    assert FORMAT.sniff(raw[:3000]) == 1.0


@pytest.mark.parametrize(
    "sample",
    [
        b"",
        b"\n\n",
        b"2026-11-22 05:31:12 status installed libc6:amd64 2.36\n",
        b"2026-11-22 05:31:12 [error] oops\n2026-11-22 05:31:13 ok\n",
        b"Nov 22 05:31:12 out1 postfix/smtp[624]: 4jXH3k3V2zzLhRZ: to=<a@b.example>\n",
        b"\x1f\x8b\x08\x00",
    ],
)
def test_other_files_are_not(sample: bytes) -> None:
    assert FORMAT.sniff(sample) == 0.0


@pytest.mark.parametrize("version", VERSIONS)
def test_each_event_is_found_by_its_id_and_by_its_address(version: str) -> None:
    for e in events(raw_lines(version, "mainlog")):
        ids = FORMAT.queue_ids(e.line.raw)
        assert e.queue_id is None or e.queue_id in ids
        assert {other for _, other in e.related} <= set(ids)
        for address in filter(None, (e.original_recipient or e.recipient, *e.recipients)):
            assert any(needle in e.line.raw.lower() for needle in FORMAT.needles(address))


def test_ids_are_taken_from_the_writers_own_fields() -> None:
    line = (
        HEAD + b'=> a@b.example R=1xV0Zz-00002y-0H T=remote_smtp H=h [192.0.2.1] C="250 OK id=1vM986-00000000Q9T-g59S"'
    )
    own = ["1xV0AW-00002y-0H", "1vM986-00000000Q9T-g59S"]
    assert FORMAT.queue_ids(line) == own
    assert FORMAT.queue_ids(SYSLOG % 142 + line) == own
    assert FORMAT.queue_ids(part(1, 2, line)) == own
    assert FORMAT.queue_ids(b"2026-11-22 05:31:12 H=(1xV0AW-00002y-0H) [192.0.2.66] rejected") == []
    assert FORMAT.queue_ids(b"Nov 22 05:31:12 host7 sshd[1]: 1xV0AW-00002y-0H x") == []


def test_needles_cover_the_spellings_of_an_address() -> None:
    needles = set(FORMAT.needles("Jörg@Bücher.example"))
    assert {
        "jörg@bücher.example".encode(),
        "jörg@xn--bcher-kva.example".encode(),
        b"j\\303\\266rg@b\\303\\274cher.example",
    } <= needles
    assert all(needle == needle.lower() for needle in needles)
    assert set(FORMAT.needles('"odd name"@corp.example')) == {b'"odd name"@corp.example', b"odd name@corp.example"}
    assert FORMAT.needles("no address") == (b"no address",)


def test_the_time_zone_of_the_line_is_kept() -> None:
    (event,) = events([b"2026-11-22 05:31:12 +0800 1xV0AW-00002y-0H Completed"])
    assert event.at.offset == timedelta(hours=8)
    assert events([b"2026-11-22 05:31:12 +9900 1xV0AW-00002y-0H Completed"]) == []


def test_a_line_that_exim_itself_cut() -> None:
    raw = HEAD + b"<= a@b.example H=(x) [192.0.2.1] P=esmtp S=5 for anna@corp.example bo@co"
    (event,) = events([raw + b"**** log string overflowed log buffer ****"])
    assert event.recipients == ("anna@corp.example",)
