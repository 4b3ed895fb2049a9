"""The commonest stories are told in brief from a few facts: the same as at length."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.api import cohort, cohort_telling
from deliverability.api.cohort import BriefCohort, Wanted
from deliverability.api.requests import Request
from deliverability.api.scan import SAMPLE
from deliverability.api.search import load_formats
from deliverability.capture import aside
from deliverability.correlate import Query
from deliverability.correlate.plain import Brief, Fact, tell_plainly
from deliverability.errors import ParseError
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.log_format import LogFormat
from deliverability.evidence.names import Mailbox
from deliverability.protocols.postfix_glance import glance

LOGS = Path(__file__).parents[1] / "cases" / "logs"
PLAIN = {"postfix/postfix-3.10.iso8601.log": 10, "postfix/postfix-3.10.rfc3164.log": 10, "exim/4.98-cpanel/mainlog": 2}
"""Logs, and how many stories in each are plain at least."""
HEAD = "2026-11-22T05:00:0{}.000001+00:00 out1 postfix/{}[7]: {}: "
FIRST, SECOND = "4dDGHm4hqfz14Fm", "4dDGHm4hqfz14Fn"
SENT = "to=<{}>, relay=mx.b.example[192.0.2.1]:25, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 Ok{})"
QUICK = [fmt for fmt in load_formats() if fmt.glance]


def asked(log: Path) -> list[Wanted]:
    """Everything in a log that looks like an address or a Message-ID."""
    text = log.read_text("utf-8", "replace")
    found = dict.fromkeys(re.findall(r"[\w.+'=%-]+@[a-z0-9.-]*[a-z0-9]", text))
    rows = [Wanted(address=one) for one in found if is_address(one)]
    return rows + [
        Wanted(message_id=one) for one in dict.fromkeys(re.findall(r"[=<]<?([^<>\s,;=]+@[^<>\s,;]+)>", text))
    ]


def is_address(text: str) -> bool:
    try:
        Mailbox.parse(text)
    except ParseError:
        return False
    return True


def rows_of(log: Path, wanted: list[Wanted]) -> list[object]:
    cohort = BriefCohort(Request(logs=(str(log),)), wanted)
    return [row for batch in cohort.batches(lambda _start, _rows: None) for row in batch.rows]


def at_length(log: Path, wanted: list[Wanted], patch: pytest.MonkeyPatch) -> list[object]:
    with patch.context() as inside:
        inside.setattr(cohort_telling, "tell_plainly", lambda *_: None)
        return rows_of(log, wanted)


@pytest.mark.parametrize("name", PLAIN)
def test_in_brief_as_at_length(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = asked(LOGS / name)
    told: list[tuple[Brief, ...] | None] = []

    def noted(facts: Sequence[Fact], query: Query) -> tuple[Brief, ...] | None:
        told.append(tell_plainly(facts, query))
        return told[-1]

    monkeypatch.setattr(aside, "possible", lambda: False)  # what a child tells would not be noted here
    with monkeypatch.context() as patch:
        patch.setattr(cohort_telling, "tell_plainly", noted)
        rows = rows_of(LOGS / name, wanted)
    assert rows == at_length(LOGS / name, wanted, monkeypatch)
    assert sum(found is not None for found in told) >= PLAIN[name]


def story(
    recipient: str = "a@b.example", queue_id: str = FIRST, mail: str = "1@h.example", reply: str = ""
) -> list[str]:
    return [
        HEAD.format(0, "smtpd", queue_id) + "client=localhost[127.0.0.1]",
        HEAD.format(1, "cleanup", queue_id) + f"message-id=<{mail}>",
        HEAD.format(1, "qmgr", queue_id) + "from=<s@h.example>, size=522, nrcpt=1 (queue active)",
        HEAD.format(2, "smtp", queue_id) + SENT.format(recipient, reply),
        HEAD.format(3, "qmgr", queue_id) + "removed",
    ]


EXIM_FIRST, EXIM_SECOND = "1xUzl6-0000000002z-42Us", "1xUzl7-00000000039-0n0k"
EXIM_MADE = "2026-11-22 13:05:0{}{} {} "
"""When that first id was made, by a clock eight hours ahead of UTC."""
CAME = (
    "<= s@h.example H=out1.h.example (whmcs.h.example) [192.0.2.7]:53332 P=esmtps X=TLS1.3:ECDHE:256 CV=no"
    ' A=dovecot_login:s@h.example S=583 id={} T="Renewal \\"id=2@h.example\\"" from <s@h.example> for {}'
)


def exim(
    recipient: str = "a@b.example", queue_id: str = EXIM_FIRST, mail: str = "1@h.example", zone: str = ""
) -> list[str]:
    return [
        EXIM_MADE.format(0, zone, queue_id) + CAME.format(mail, recipient),
        EXIM_MADE.format(2, zone, queue_id)
        + f'=> {recipient} R=dnslookup T=remote_smtp H=mx.b.example [192.0.2.1] C="250 OK id=7" QT=2s DT=0s',
        EXIM_MADE.format(3, zone, queue_id) + "Completed",
    ]


def shifted(lines: list[str], hours: int) -> list[str]:
    return [line.replace(" 13:", f" {13 + hours}:") for line in lines]


ODD = {
    "exim": exim(),
    "exim, two messages": exim() + exim(queue_id=EXIM_SECOND, mail="2@h.example"),
    "exim, a zone in each line": exim(zone=" +0800"),
    "exim, a zone in one line": [*exim(zone=" +0800")[:1], *exim()[1:]],
    "exim, no zone in the attempt": [exim(zone=" +0800")[0], exim()[1], exim(zone=" +0800")[2]],
    "exim, summer time between": exim() + shifted(exim(queue_id=EXIM_SECOND, mail="2@h.example"), 1),
    "exim, summer time before the end": [
        exim()[0],
        *shifted(exim("x@y.example", EXIM_SECOND, "2@h.example"), 1),
        *shifted(exim()[1:], 1),
    ],
    "exim, summer time over before the end": [
        exim()[0],
        *shifted(exim("x@y.example", EXIM_SECOND, "2@h.example"), -1),
        *shifted(exim()[1:], -1),
    ],
    "exim, another's zone": exim("x@y.example") + shifted(exim(queue_id=EXIM_SECOND, mail="2@h.example"), 1),
    "exim, a clock that contradicts the id": [
        *exim("x@y.example"),
        *shifted(exim(queue_id="1xVClY-0000000002z-42Us"), 0),
    ],
    "exim, a clock that nothing tells": [line.replace(EXIM_FIRST, "zzzzzz-0000000002z-42Us") for line in exim()],
    "exim, a line of a day that is none": [*exim()[:2], exim()[2].replace("2026-11-22", "2026-02-30")],
    "exim, a leap second": [*exim()[:2], exim()[2].replace("13:05:03", "13:05:60")],
    "exim, a notice": [exim()[0].replace("<= s@h.example", f"<= <> R={EXIM_SECOND}"), *exim()[1:]],
    "exim, two recipients": [exim("a@b.example c@b.example")[0], exim()[1], exim("c@b.example")[1], exim()[2]],
    "exim, no end": exim()[:2],
    "exim, a copy": [exim()[0], exim()[1].replace("=> a@b", "=> /x <a@b.example> R=archiver T=y a@b"), *exim()[1:]],
    "exim, deferred first": [exim()[0], exim()[1].replace("=>", "==").split(" H=")[0] + " defer (110): x", *exim()[1:]],
    "exim, newest first": exim()[::-1],
    "exim, a name of blanks": [exim()[0].replace("(whmcs.h.example)", "(a id=2@h.example)"), *exim()[1:]],
    "exim, two Message-IDs": [exim()[0].replace(" T=", " id=2@h.example T="), *exim()[1:]],
    "exim, refused after all": [exim()[0].replace("<=", "(="), *exim()[1:]],
    "exim, by cron": [exim("root")[0], *exim()[1:]],
    "two messages": story() + story(queue_id=SECOND, mail="2@h.example"),
    "the same mail twice": story() + story(queue_id=SECOND),
    "one led to the other": story(reply=": queued as " + SECOND) + story(queue_id=SECOND),
    "two recipients": [*story()[:4], story("c@b.example")[3], story()[4]],
    "two attempts": [*story()[:4], story()[3].replace("sent (250", "deferred (450"), story()[4]],
    "still in the queue": story()[:4],
    "no line of arrival": story()[1:],
    "an end before the attempt": [*story()[:3], story()[4], story()[3]],
    "a description after the end": [*story(), story()[2]],
    "two arrivals": [story()[0], *story()],
    "two Message-IDs": [*story()[:2], story(mail="2@h.example")[1], *story()[2:]],
    "an alias": [line.replace("to=<a@b.example>", "to=<c@d.example>, orig_to=<a@b.example>") for line in story()],
    "requeued": [story()[0] + ", orig_queue_id=" + SECOND, *story()[1:]],
    "from a second host": [*story()[:4], story()[4].replace(" out1 ", " out2 ")],
    "a clock that contradicts the id": [line.replace("2026-11-22", "2020-11-22") for line in story()],
    "newest line first": story()[::-1],
    "a clock that is set back": [story()[0].replace("05:00:00", "05:00:09"), *story()[1:]],
    "all in one second": [re.sub(r":0\d\.", ":01.", line) for line in story()],
    "two newest first": [*story(queue_id=SECOND, mail="2@h.example")[::-1], *story()[::-1]],
    "no zone": [line.replace("+00:00 ", " ") for line in story()],
    "a day that is none": [*story()[:4], story()[4].replace("2026-11-22", "2026-02-30")],
    "a short id": [line.replace(FIRST, "8213C42E3A") for line in story()],
    "a short id, used twice": [line.replace(FIRST, "8213C42E3A") for line in story() + story(mail="2@h.example")],
    "kept by a filter": [line.replace("Ok)", "Ok, discarded, id=1 - spam)") for line in story()],
    "a bare local part": [line.replace("to=<a@b.example>", "to=<a>") for line in story()],
    "held": [*story()[:2], HEAD.format(1, "postsuper", FIRST) + "placed on hold", *story()[2:]],
    "a session": [*story()[:3], HEAD.format(1, "smtp", FIRST) + "lost connection with mx[192.0.2.9]", *story()[3:]],
}


@pytest.mark.parametrize("lines", ODD.values(), ids=ODD.keys())
def test_what_is_not_plain_is_told_at_length(lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "mail.log"
    log.write_text("\n".join([*lines, ""]))
    wanted = [Wanted(address="a@b.example"), Wanted(message_id="1@h.example"), Wanted(address="c@b.example")]
    assert rows_of(log, wanted) == at_length(log, wanted, monkeypatch)


@pytest.mark.parametrize("hours", [0, 1, -1, -24])
def test_a_message_amid_others_whose_ids_show_one_zone(
    hours: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the ends of a file are read for its zone: what an id in its middle shows counts for its own message."""
    others = exim("x@y.example", EXIM_SECOND, "2@h.example") * 400
    middle = [line.replace("11-22 13:", "11-21 13:") for line in exim()] if hours == -24 else shifted(exim(), hours)
    log = tmp_path / "mail.log"
    log.write_text("\n".join([*others, *middle, *others, ""]))
    assert log.stat().st_size > 4 * SAMPLE
    wanted = [Wanted(address="a@b.example"), Wanted(message_id="1@h.example")]
    rows = rows_of(log, wanted)
    assert rows == at_length(log, wanted, monkeypatch)
    assert len(rows) == 2


def parsed(raw: bytes, fmt: LogFormat) -> Iterator[object]:
    for event in fmt.parse([LogLine(Place("", "mail.log", 1, 0), raw)]):
        assert not event.related
        assert not event.writer.startswith("dovecot")
        yield event.action, event.queue_id, event.host, event.message_id, event.at.instant, event.at.local


def assert_said(raw: bytes) -> bool:
    for fmt in QUICK:
        seen = fmt.glance()(raw) if fmt.glance else None
        if seen:
            (told,) = parsed(raw, fmt)
            assert told == (tuple(seen) if told[-1] == seen.local else (*seen[:-1], told[-1]))
            assert told[-1] == seen.local or told[-2]  # Postfix: the parser tells local time in UTC
            return True
    return False


def test_a_glance_says_what_the_line_says() -> None:
    for logs, least in (("postfix/*", 600), ("exim/*/*", 400)):
        files = [path for path in sorted(LOGS.glob(logs)) if path.is_file()]
        assert sum(assert_said(raw) for log in files for raw in log.read_bytes().splitlines()) > least
    assert {fmt.id for fmt in QUICK} == {"exim", "postfix"}


@given(
    st.sampled_from([line.encode() for line in (*story(), *exim(), *exim(zone=" +0800"))]),
    st.lists(st.tuples(st.integers(0, 160), st.integers(0, 4), st.binary(max_size=3)), max_size=3),
)
def test_of_a_line_that_differs_a_little(line: bytes, changes: list[tuple[int, int, bytes]]) -> None:
    for at, without, more in changes:
        line = line[:at] + more + line[at + without :]
    assert_said(line.replace(b"\n", b"").replace(b"\r", b""))


@pytest.mark.parametrize(
    "end",
    [
        b"client=a.example[192.0.2.1], sasl_username=u",
        b"from=<s@h.example>, size=1, nrcpt=1 (queue active), orig_id=" + SECOND.encode(),
        b"removed (canceled)",
        b"message-id=",
        b"message-id=<a b@c>",
        b"to=<a@b.example>, relay=none",
    ],
)
def test_what_a_glance_leaves_to_the_parser(end: bytes) -> None:
    for line in story():
        head = line[: line.index(FIRST) + len(FIRST) + 2].encode()
        assert glance(head + end) is None


def test_a_format_of_somebody_else_is_given_the_numbers_of_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "mail.log"
    log.write_text("\n".join([*story(), ""]))
    seen: list[int] = []

    def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
        seen.extend(line.place.line for line in lines)
        return iter(())

    (ours,) = (fmt for fmt in QUICK if fmt.id == "postfix")
    others = replace(ours, id="others", parse=parse, glance=None)
    monkeypatch.setattr(cohort, "load_formats", lambda: (ours, others))
    assert len(rows_of(log, [Wanted(address="a@b.example")])) == 1
    assert set(seen) == {1, 2, 3, 4, 5}
