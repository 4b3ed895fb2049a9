"""What OpenSMTPD's lines say: every line of the recorded log, and cases for what that log does not hold."""

import dataclasses
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from deliverability.correlate import Query, TimeHints, resolve_times, tell
from deliverability.evidence.event import Action, DeliveryEvent, Result
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.names import Mailbox
from deliverability.ingest.opensmtpd import FORMAT
from deliverability.ingest.postfix import FORMAT as POSTFIX

CASES = Path(__file__).parents[1] / "cases"
LOG = CASES / "ingest" / "opensmtpd" / "opensmtpd-6.8.log"
HEAD = b"Nov 22 05:31:12 out1 smtpd[624]: "
SILENT = (b" smtp connected ", b" smtp disconnected ", b" mta connecting ", b" mta connected", b" mta disconnected ")


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
    cases = tomllib.loads((CASES / "ingest" / "opensmtpd" / "lines.toml").read_text("utf-8"))["case"]
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
    assert len(found) == (1 if expected else 0)
    if expected:
        assert {path: attribute(found[0], path) for path in expected} == expected


def test_the_recorded_log_is_accounted_for(recorded: list[DeliveryEvent]) -> None:
    assert Counter(e.action for e in recorded) == ACTIONS
    told = {e.line.place.line for e in recorded}
    silent = [raw for n, raw in enumerate(raw_lines(), 1) if n not in told and not any(w in raw for w in SILENT)]
    words = {re.sub(rb"[0-9a-f]{16} ", b"", raw.split(b"]: ", 1)[1])[:24] for raw in silent}
    assert words == SILENT_WORDS


ACTIONS = {
    Action.ATTEMPTED: 51,
    Action.DESCRIBED: 44,
    Action.ARRIVED: 38,
    Action.CONNECTED: 10,
    Action.REJECTED: 2,
    Action.CANCELLED: 1,
}
SILENT_WORDS = {
    b"Exiting",
    b"commands executed from a",
    b"info: OpenSMTPD 6.8.0p2 ",
    b"mta server-cert-check re",
    b'smtp bad-input result="5',
    b"smtp failed-command comm",  # a recipient that it cannot read
    b"smtp-out: Disabling rout",
    b"smtp-out: Enabling route",
    b"smtp-out: Error on sessi",
    b"smtp-out: Failed to reso",
    b"smtp-out: No valid route",
}


def states(recorded: list[DeliveryEvent], recipient: str) -> list[str]:
    known = resolve_times(recorded, TimeHints({}))
    return [d.state.value for m in tell(known, Query(recipients=(Mailbox.parse(recipient),))) for d in m.deliveries]


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("ok-1@corp.example", ["handed-over"]),
        ("ok-3@multiline.example", ["handed-over"]),
        ("ok-5@fallback.example", ["handed-over"]),
        ("nouser-1@gmail.example", ["refused"]),
        ("policy-1@gmail.example", ["refused"]),
        ("full-20@corp.example", ["deferred"]),
        ("ok-20@corp.example", ["handed-over"]),
        ("ok-7@refused.example", ["cancelled"]),
        ("ok-10@nosuchdomain.example", ["failed"]),
        ("ok-9@nullmx.example", ["deferred"]),
        ("ok-40@expired.example", ["expired"]),
        ("drop-1@corp.example", ["unknown"]),
        ("hang-dot@rude.example", ["unknown"]),
        ("team@hosting.example", ["handed-over"]),
        ("fwd@hosting.example", ["handed-over"]),
        ("robot@hosting.example", ["handed-over"]),
        ("box@hosting.example", ["handed-over"]),
        ("full@hosting.example", ["deferred"]),
        ("broken@hosting.example", ["failed"]),
        ("blocked-1@corp.example", ["refused"]),
        ("nobody-here@hosting.example", ["refused"]),
        ("victim@gmail.example", []),
    ],
)
def test_story(recorded: list[DeliveryEvent], recipient: str, expected: list[str]) -> None:
    assert states(recorded, recipient) == expected


def test_who_handed_it_in_is_told_by_the_line_that_opened_the_session(recorded: list[DeliveryEvent]) -> None:
    clients = Counter(str(e.session.client) for e in recorded if e.action is Action.ARRIVED and e.session)
    assert set(clients) == {"whmcs.hosting.example [203.0.113.10]", "None"}
    assert all(e.session and e.session.protocol == "ESMTP" for e in recorded if e.action is Action.ARRIVED)


def test_tls_is_tied_to_the_host_of_its_session(recorded: list[DeliveryEvent]) -> None:
    secured = {e.process: e for e in recorded if e.tls}
    assert secured
    for event in recorded:
        if event.action is Action.ATTEMPTED and event.process in secured and event.relay:
            assert event.relay == secured[event.process].relay


def test_an_address_behind_an_alias_keeps_the_alias(recorded: list[DeliveryEvent]) -> None:
    behind = {(e.recipient, e.original_recipient) for e in recorded if e.original_recipient}
    assert {
        ("ok-50@corp.example", "team@hosting.example"),
        ("ok-50@gmail.example", "team@hosting.example"),
        ("ok-51@corp.example", "fwd@hosting.example"),
    } <= behind


def test_an_id_that_comes_back_names_another_message() -> None:
    """Its 32 random bits repeat after some ten thousand messages."""
    message = b"36f9fe251641f731 smtp message msgid=3e2d099f size=447 nrcpt=1 proto=ESMTP"
    delivery = b"36f9fe251641f732 mta delivery evpid=3e2d099f7f1835f6 from=<a@b.example> to=<%s@corp.example> rcpt=<-> "
    delivery += b'source="203.0.113.25" relay="198.51.100.10 (mx.corp.example)" delay=1s result="Ok" stat="250 Ok"'
    told = [message, delivery]
    first = [b"2026-11-22T05:31:12+08:00 out1 smtpd[1]: " + words.replace(b"%s", b"anna") for words in told]
    second = [b"2026-12-24T05:31:12+08:00 out1 smtpd[1]: " + words.replace(b"%s", b"ben") for words in told]
    messages = tell(resolve_times(events([*first, *second]), TimeHints({})), Query())
    assert [[d.recipient for d in m.deliveries] for m in messages] == [["anna@corp.example"], ["ben@corp.example"]]


def traditional(raw: bytes) -> bytes:
    return re.sub(rb"\A2026-11-22T(\d\d:\d\d:\d\d)\.\d{6}\+08:00 out1\S+ ", rb"Nov 22 \1 out1 ", raw)


def rfc5424(raw: bytes) -> bytes:
    return re.sub(rb"\A(\S+ \S+) smtpd\[(\d+)\]: ", rb"<22>1 \1 smtpd \2 - - ", raw)


def said(event: DeliveryEvent) -> dict[str, Any]:
    fields = {f.name: getattr(event, f.name) for f in dataclasses.fields(event)}
    return {name: value for name, value in fields.items() if name not in ("at", "host", "line")}


@pytest.mark.parametrize("form", [traditional, rfc5424])
def test_other_syslog_forms_say_the_same(recorded: list[DeliveryEvent], form: Any) -> None:
    assert [said(e) for e in events([form(raw) for raw in raw_lines()])] == [said(e) for e in recorded]


def test_a_cut_line_says_no_more_than_the_whole() -> None:
    for raw in raw_lines():
        whole = {(e.recipient, e.result) for e in events([raw])}
        for end in range(len(raw) - 1, 60, -7):
            for event in FORMAT.parse([log_line(raw[:end], cut=True)]):
                if event.result in (Result.SENT, Result.UNCERTAIN):
                    assert (event.recipient, event.result) in whole


def test_ids_of_a_line() -> None:
    def ids(words: bytes) -> list[str]:
        return list(FORMAT.queue_ids(HEAD + words))

    envelope = ["3e2d099f", "3e2d099f7f1835f6"]
    assert ids(b"36f9fe251641f731 mta delivery evpid=3e2d099f7f1835f6 from=<> to=<a@b>") == envelope
    assert ids(b"36f9fe251641f731 mda event=delivery evpid=3e2d099f7f1835f6 from=<>") == envelope
    assert ids(b"36f9fe251641f731 smtp envelope evpid=3e2d099f7f1835f6 from=<>") == envelope
    assert ids(b"relay: Expire for 3e2d099f7f1835f6: from=<>") == envelope
    assert ids(b"36f9fe251641f731 smtp message msgid=3e2d099f size=1 nrcpt=1 proto=ESMTP") == ["3e2d099f"]
    assert ids(b"36f9fe251641f731 smtp connected address=203.0.113.10 host=h") == []
    assert list(FORMAT.queue_ids(b"Nov 22 05:31:12 out1 postfix/smtpd[1]: relay: Expire for 3e2d099f7f1835f6: x")) == []


def test_each_recorded_line_with_an_id_lists_it(recorded: list[DeliveryEvent]) -> None:
    assert all(e.queue_id in FORMAT.queue_ids(e.line.raw) for e in recorded if e.queue_id)


def test_postfix_lines_are_not_claimed_nor_the_other_way_round() -> None:
    postfix = (CASES / "logs" / "postfix" / "postfix-3.10.iso8601.log").read_bytes()
    assert FORMAT.sniff(postfix) == 0
    assert POSTFIX.sniff(LOG.read_bytes()) == 0
    assert FORMAT.sniff(LOG.read_bytes()) == 1
    assert not FORMAT.is_line(b"Nov 22 05:31:12 out1 postfix/smtpd[1]: connect from x")
    head = re.compile(FORMAT.head, re.MULTILINE)
    assert all(head.match(raw) for raw in raw_lines())
    assert not any(head.match(raw) for raw in postfix.splitlines())


def test_another_server_with_the_same_tag_is_not_claimed() -> None:
    halon = b"Mar 23 05:31:12 mx1 smtpd[5]: [0123-4567] 250 2.0.0 queued for anna@corp.example\n"
    old = b"Aug 17 01:26:02 ix smtpd[227]: smtp-in: Accepted message 4296f490 on session 08d856b172f69c5c: from=<a@b.example>\n"
    assert FORMAT.sniff(3 * halon) == 0
    assert FORMAT.sniff(3 * old) == 0
    assert FORMAT.sniff(raw_lines()[0] + b"\n") == 1


def test_needles_find_the_recipients_of_every_recorded_line(recorded: list[DeliveryEvent]) -> None:
    for event in recorded:
        if event.recipient:
            assert any(n in event.line.raw.lower() for n in FORMAT.needles(event.recipient))
