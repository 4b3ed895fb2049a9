"""Syslog and cPanel's records as log platforms and interfaces hand them out: the same story in every wrapping."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.errors import CannotLookError
from deliverability.evidence.story import Message

TO = "anna@corp.example"
AT = "2026-11-22T05:31:12.000Z"
NANO = "1795325472000000000"
SENT = (
    f"8DC3BBDEAF: to=<{TO}>, relay=mx.corp.example[198.51.100.10]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, "
    'status=sent (250 2.0.0 Ok: ["1795325472000000001","queued] as 9EC3BBDEAF)'
)
WORDS = (
    ("postfix/smtpd", 1, "8DC3BBDEAF: client=web.hosting.example[203.0.113.9]"),
    ("postfix/cleanup", 2, "8DC3BBDEAF: message-id=<inv-1@hosting.example>"),
    ("postfix/qmgr", 3, "8DC3BBDEAF: from=<r@hosting.example>, size=558, nrcpt=1 (queue active)"),
    ("postfix/smtp", 4, SENT),
)
WHOLE = tuple(f"{AT} mx1 {tag}[{pid}]: {words}" for tag, pid, words in WORDS)


def told(folder: Path, text: str) -> tuple[Message, ...]:
    log = folder / "export"
    log.write_text(text, "utf-8")
    return read_logs(Request(logs=(str(log),), to=(TO,)))[0].messages


def ndjson(make: Callable[[str, int, str, str], object]) -> str:
    return "".join(json.dumps(make(*parts, whole)) + "\n" for parts, whole in zip(WORDS, WHOLE, strict=True))


def csv(head: str, make: Callable[[str, int, str], str]) -> str:
    return head + "\n" + "".join(make(*parts) + "\n" for parts in WORDS)


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


LOKI = {
    "status": "success",
    "data": {
        "resultType": "streams",
        "result": [
            {"stream": {"job": "mail"}, "values": [[NANO, WHOLE[0]], [NANO, WHOLE[1]]]},
            {"stream": {"job": "mail"}, "values": [[NANO, WHOLE[2]], [NANO, WHOLE[3], {"structuredMetadata": {}}]]},
        ],
        "stats": {"summary": {"bytesProcessedPerSecond": 1}},
    },
}
PAPERTRAIL = {"source_ip": "203.0.113.1", "source_name": "mx1", "source_id": 7, "facility": "Mail", "severity": "Info"}
CURSOR = f"[s=19936efa65f5475dbc950d2faef30386;i=1;b={'0' * 32};m=1;t={int(NANO) // 1000:x};x=1]"
VERBOSE = "    _TRANSPORT=syslog\n    SYSLOG_IDENTIFIER={}\n    SYSLOG_PID={}\n    MESSAGE={}\n    _HOSTNAME=mx1\n"
WRAPPED = {
    "Papertrail's interface": json.dumps(
        {
            "min_id": "7",
            "events": [
                {**PAPERTRAIL, "generated_at": AT, "program": f"{tag}[{pid}]", "message": words}
                for tag, pid, words in WORDS
            ],
        }
    ),
    "Papertrail's archive": "".join(
        f"{n}\t2026-11-22 13:31:12 +0800\t{AT}\t7\tmx1\t203.0.113.1\tMail\tInfo\t{tag}[{pid}]\t{words}\n"
        for n, (tag, pid, words) in enumerate(WORDS, 900000000000000000)
    ),
    "journalctl -o verbose": "".join(
        f"Sun 2026-11-22 13:31:12.000000 CST {CURSOR}\n{VERBOSE.format(*parts)}" for parts in WORDS
    ),
    "Loki's interface": json.dumps(LOKI),
    "Loki's interface, indented": json.dumps(LOKI, indent=2),
    "Datadog, NDJSON": ndjson(
        lambda tag, _pid, _words, whole: {"id": "A", "content": {"timestamp": AT, "service": tag, "message": whole}}
    ),
    "Datadog, archive": ndjson(
        lambda tag, pid, words, _whole: {
            "_id": "A",
            "date": AT,
            "host": "mx1",
            "message": words,
            "attributes": {"syslog": {"appname": tag, "procid": pid}},
        }
    ),
    "Datadog, CSV": csv(
        "Date,Host,Service,Message", lambda tag, pid, words: f'{AT},"mx1","postfix",{quoted(f"{tag}[{pid}]: {words}")}'
    ),
    "Google Cloud, text": ndjson(lambda _t, _p, _w, whole: {"insertId": "x", "textPayload": whole, "timestamp": AT}),
    "Google Cloud, JSON list": json.dumps(
        [{"insertId": "x", "jsonPayload": {"message": whole}, "timestamp": AT} for whole in WHOLE]
    ),
    "CloudWatch, aws logs tail": "".join(f"2026-11-22T05:31:13.000000+00:00 mail/mx1 {whole}\n" for whole in WHOLE),
    "Azure": ndjson(
        lambda tag, pid, words, _whole: {
            "TimeGenerated": AT,
            "HostName": "mx1",
            "ProcessName": tag,
            "ProcessID": pid,
            "SyslogMessage": words,
        }
    ),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_the_story_is_the_same_in_every_wrapping(name: str, tmp_path: Path) -> None:
    (message,) = told(tmp_path, WRAPPED[name])
    (delivery,) = message.deliveries
    assert (message.message_id, message.reverse_path) == ("inv-1@hosting.example", "r@hosting.example")
    assert delivery.state.value == "handed-over"
    (attempt,) = delivery.attempts
    assert attempt.instant is not None
    assert attempt.instant.isoformat() == "2026-11-22T05:31:12+00:00"
    assert attempt.reply is not None
    assert attempt.reply.code == 250


def test_a_loki_answer_that_breaks_off_says_so(tmp_path: Path) -> None:
    log = tmp_path / "export"
    log.write_text(json.dumps(LOKI)[:-40], "utf-8")
    coverage = read_logs(Request(logs=(str(log),), to=(TO,)))[0].coverage
    assert any("breaks off" in gap.detail for gap in coverage.files[0].gaps)


def test_metrics_of_loki_are_no_log(tmp_path: Path) -> None:
    metrics = {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "2"]]}]}}
    with pytest.raises(CannotLookError):
        told(tmp_path, json.dumps(metrics))


FOUND = {
    "type": "success", "sender": "r@hosting.example", "email": "r@hosting.example", "user": "acct", "recipient": TO,
    "deliveredto": TO, "host": "mx.corp.example", "ip": "198.51.100.10", "msgid": "1vMhoQ-00000001AbC-0aBc",
    "router": "dkim_lookuphost", "transport": "dkim_remote_smtp", "message": "Accepted", "sendunixtime": "1763795618",
    "actionunixtime": "1763795623", "senderhost": "localhost", "senderip": "127.0.0.1", "size": "100",
    "transport_is_remote": "1",
}  # fmt: skip
REFUSED = f"SMTP error from remote mail server after RCPT TO:<{TO}>: 550 5.1.1 no such user"


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({}, "handed-over"),
        ({"type": "defer", "message": REFUSED.replace("550 5.1.1", "451 4.7.1")}, "deferred"),
        ({"type": "failure", "message": REFUSED}, "refused"),
        ({"transport": "boxtrapper_autowhitelist", "transport_is_remote": "0"}, "queued"),
        ({"transport": "dovecot_virtual_delivery", "transport_is_remote": "0", "host": "localhost"}, "delivered"),
    ],
)
def test_what_cpanels_interface_found(changed: dict[str, str], state: str, tmp_path: Path) -> None:
    answer = {"data": {"records": [FOUND | changed]}, "metadata": {"command": "emailtrack_search", "result": 1}}
    (message,) = told(tmp_path, json.dumps(answer))
    assert [d.state.value for d in message.deliveries] == [state]
    assert message.queue_ids == ("1vMhoQ-00000001AbC-0aBc",)


def test_what_cpanels_interface_calls_under_way_names_nobody(tmp_path: Path) -> None:
    waiting = FOUND | {"type": "inprogress", "recipient": "unknown", "deliveredto": "unknown", "message": "In progress"}
    assert told(tmp_path, json.dumps({"data": {"records": [waiting, waiting]}})) == ()
