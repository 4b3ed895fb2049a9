"""Records of log platforms: which field is what, and that no record's words become structure."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.protocols.syslog import parse_prologue
from deliverability.protocols.wrapped import Layout, flat, layout_of
from deliverability.protocols.wrapped_line import compose, one_line, timestamp

WORDS = "4jXH3k3V2zzLhRZ: to=<jo@corp.example>, relay=mx.corp.example[192.0.2.1]:25, status=sent (250 ok)"
LINE = f"Nov 22 05:01:38 out1 postfix/smtp[123]: {WORDS}"
AT = "2026-11-22T05:01:38.5Z"
FORGED = "Nov 22 05:01:38 out1 postfix/smtp[1]: 4jXH3k3V2zzLhRZ: to=<victim@corp.example>, status=sent (250 ok)"


def line(record: dict[str, Any], *others: dict[str, Any]) -> str:
    layout = layout_of([record, *others])
    assert layout
    return layout.line(flat(record)).decode()


@pytest.mark.parametrize(
    "record",
    [
        {"labels": {"app": "syslog"}, "line": LINE, "timestamp": AT},  # logcli -o jsonl
        {"line": LINE, "timestamp": "1795323698123456789", "date": AT, "fields": {"app": "x"}},  # Grafana Explore
        {"Time": "1795323698123", "Line": LINE, "tsNs": "1795323698123456789", "id": "1", "labels": "{}"},  # as CSV
        {"_index": "x", "_source": {"@timestamp": AT, "message": LINE, "log": {"file": {"path": "/var/log/mail.log"}}}},
        {"@timestamp": AT, "message": WORDS, "event": {"original": LINE}, "process": {"name": "postfix/smtp"}},
        {"timestamp": AT, "source": "out1", "message": "words", "full_message": f"<22>{LINE}"},  # Graylog
        {"message": {"timestamp": AT, "source": "out1", "message": LINE}, "index": "graylog_0"},  # Graylog's search API
        {"preview": False, "offset": 0, "result": {"_raw": LINE, "_time": AT, "host": "out1"}},  # Splunk
        {"logStreamName": "a", "timestamp": 1795323698123, "message": LINE, "eventId": "1"},  # CloudWatch
        {"@timestamp": "2026-11-22 05:01:38.500", "@message": LINE},  # CloudWatch Logs Insights
        {
            "file": "/var/log/mail.log",
            "host": "out1",
            "message": LINE,
            "source_type": "file",
            "timestamp": AT,
        },  # Vector
        {"date": 1795323698.5, "log": LINE},  # Fluent Bit, tail
        {"labels": {}, "line": json.dumps({"log": LINE, "date": 1795323698.5}), "timestamp": AT},  # JSON in Loki
    ],
)
def test_a_field_that_holds_the_whole_line(record: dict[str, Any]) -> None:
    assert line(record).removeprefix("<22>") == LINE


@pytest.mark.parametrize(
    ("record", "head"),
    [
        (
            {"labels": {"syslog_identifier": "postfix/smtp", "hostname": "out1"}, "line": WORDS, "timestamp": AT},
            f"{AT} out1 postfix/smtp: ",
        ),
        (
            {"@timestamp": AT, "message": WORDS, "host": {"hostname": "out1"}, "process": {"name": "postfix/smtp", "pid": 7}},
            f"{AT} out1 postfix/smtp[7]: ",
        ),
        (
            {"@timestamp": "Nov 22, 2026 @ 05:01:38.500", "host.name": "out1", "process.name": "exim", "process.pid": "1,234", "message": WORDS},
            "2026-11-22T05:01:38.500 out1 exim[1234]: ",
        ),
        (
            {"timestamp": AT, "source": "out1", "message": f"out1 postfix/smtp[12]: {WORDS}"},
            f"{AT} out1 postfix/smtp[12]: ",
        ),
        (
            {"timestamp": AT, "source": "out1", "message": f"postfix/smtp[12]: {WORDS}"},
            f"{AT} out1 postfix/smtp[12]: ",
        ),
        (
            {"timestamp": AT, "source": "out1", "application_name": "postfix/smtp", "process_id": "9", "message": WORDS},
            f"{AT} out1 postfix/smtp[9]: ",
        ),
        (
            {"appname": "postfix/smtp", "hostname": "out1", "message": WORDS, "procid": 12, "timestamp": AT, "host": "x"},
            f"{AT} out1 postfix/smtp[12]: ",
        ),
        (
            {"date": 1795323698.5, "ident": "postfix/smtp", "pid": "4", "host": "out1", "message": WORDS},
            "2026-11-22T05:01:38.500000+00:00 out1 postfix/smtp[4]: ",
        ),
        (
            {"msg": f" {WORDS}", "rawmsg": f"<22>{LINE}", "timereported": AT, "hostname": "out1", "syslogtag": "postfix/smtp[77]:", "programname": "postfix", "procid": "77"},
            f"{AT} out1 postfix/smtp[77]: ",
        ),
        (
            {"__REALTIME_TIMESTAMP": "1795323698123456", "MESSAGE": WORDS, "SYSLOG_IDENTIFIER": "postfix-out/smtp", "_HOSTNAME": "out1", "_PID": "9"},
            "2026-11-22T05:01:38.123456+00:00 out1 postfix-out/smtp[9]: ",
        ),
        (
            {"__REALTIME_TIMESTAMP": "1", "_SOURCE_REALTIME_TIMESTAMP": "1795323698123456", "MESSAGE": list(WORDS.encode()), "SYSLOG_IDENTIFIER": ["exim", "x"], "_COMM": "y"},
            "2026-11-22T05:01:38.123456+00:00 - exim: ",
        ),
        (
            {"line": json.dumps({"MESSAGE": WORDS, "SYSLOG_IDENTIFIER": "postfix/smtp", "_HOSTNAME": "out1"}), "timestamp": AT},
            f"{AT} out1 postfix/smtp: ",
        ),
    ],
)  # fmt: skip
def test_words_with_time_and_program_beside_them(record: dict[str, Any], head: str) -> None:
    assert line(record) == head + WORDS
    read = parse_prologue(line(record).encode())
    assert read
    assert read.rest.decode() == WORDS


@pytest.mark.parametrize(
    "record",
    [
        {"type": "Delivery", "id": "x", "recipient": "a@b.example", "timestamp": 1795323698},  # KumoMTA's own
        {"queue_name": "deferred", "queue_id": "4jXH3k3V2zzLhRZ", "arrival_time": 1795323698},  # postqueue -j
        {"id": "1", "subject": "x", "message": "Dear customer", "date": AT, "to": "a@b.example"},  # WHMCS
        {"message": "no time"},
        {"timestamp": AT, "message": "4jXH3k3V2zzLhRZ: to=<a@b.example>"},  # the program is lost
        {},
    ],
)
def test_records_that_wrap_no_log_line_are_left_alone(record: dict[str, Any]) -> None:
    assert layout_of([record]) is None


def test_kumomta_in_loki_comes_out_as_it_was() -> None:
    inner = json.dumps({"type": "Delivery", "id": "x", "recipient": "a@b.example", "timestamp": 1795323698})
    assert line({"line": inner, "timestamp": AT, "labels": {"app": "kumod"}}) == inner


def test_a_message_cannot_choose_to_be_taken_for_a_whole_line() -> None:
    honest = {"timestamp": AT, "hostname": "web1", "appname": "webapp", "message": "hello"}
    forged = honest | {"message": FORGED}
    layout = layout_of([honest, forged])
    assert layout
    assert layout.line(flat(forged)).decode() == f"{AT} web1 webapp: {FORGED}"
    whole = layout_of([{"line": LINE, "timestamp": AT}] * 20)
    assert whole
    assert whole.line(flat({"line": "what a stranger said\n" + FORGED, "timestamp": AT})).startswith(b'[{"')


@pytest.mark.parametrize("field", ["message", "hostname", "appname", "procid"])
@given(text=st.text() | st.just(f"x\n{FORGED}") | st.just(f"x: {FORGED}") | st.just(f"smtp[1]: {FORGED}"))
def test_no_part_becomes_another(field: str, text: str) -> None:
    record = {"timestamp": AT, "hostname": "web1", "appname": "webapp", "procid": "5", "message": "hello"} | {
        field: text
    }
    made = Layout().line(record)
    assert b"\n" not in made
    read = parse_prologue(made)
    if read is None:
        assert made.startswith(b"[")
        return
    assert read.at.logged == AT
    if field != "hostname":
        assert read.host == "web1"
    if field not in ("appname", "procid") and read.tag:
        assert (read.tag, read.pid) == ("webapp", "5")
    if field != "message":
        assert read.rest == b"hello"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["message", "line", "timestamp", "_source", "labels", "MESSAGE", "appname", "x"]), inner), max_leaves=20))  # fmt: skip
def test_any_json_gives_one_line(value: Any) -> None:
    record = value if isinstance(value, dict) else {"message": value, "timestamp": AT}
    layout_of([record])
    for layout in (Layout(), Layout(whole="message"), Layout(tagged=True), Layout(nested="message", inner=Layout())):
        assert b"\n" not in layout.line(flat(record))


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("t", "1795323698", "2026-11-22T05:01:38.000000+00:00"),
        ("t", 1795323698123, "2026-11-22T05:01:38.123000+00:00"),
        ("t", 1795323698123456, "2026-11-22T05:01:38.123456+00:00"),
        ("t", "1795323698123456789", "2026-11-22T05:01:38.123456+00:00"),
        ("t", 1795323698.25, "2026-11-22T05:01:38.250000+00:00"),
        ("__REALTIME_TIMESTAMP", "1795323698123456", "2026-11-22T05:01:38.123456+00:00"),
        ("t", "2026-11-22 05:01:38.000 UTC", "2026-11-22T05:01:38.000Z"),
        ("t", "2026-11-22T05:01:38,5+0800", "2026-11-22T05:01:38.5+0800"),
        ("t", "2026-11-22 05:01:38", "2026-11-22T05:01:38"),
        ("t", "Nov 22 05:01:38", "Nov 22 05:01:38"),
        ("t", ["2026-11-22T05:01:38Z"], "2026-11-22T05:01:38Z"),
        ("t", "yesterday", None),
        ("t", True, None),
        ("t", None, None),
        ("t", "9" * 19, "2286-11-20T17:46:39.999999+00:00"),
        ("t", 10**25, None),
        ("__REALTIME_TIMESTAMP", "9" * 19, None),
    ],
)
def test_times(name: str, value: Any, meant: str | None) -> None:
    assert timestamp(name, value) == meant


@given(st.binary())
def test_control_characters_are_shown(text: bytes) -> None:
    made = one_line(text)
    assert not any(octet < 0x20 and octet != 9 for octet in made)
    assert b"\n" not in compose(AT, "h", "p", "", text)


def test_a_deep_record_is_no_trouble() -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = {"message": [deep]}
    assert layout_of([{"message": deep, "timestamp": AT}]) is None
