"""Each row of a list is answered as ``trace`` would answer it alone: in every recorded log, and in mangled ones."""

import asyncio
import re
import sys
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deliverability.api import cohort_telling
from deliverability.api.archiving import ingest
from deliverability.api.cohort import Wanted, read_cohort
from deliverability.api.cohorts import WORST_FIRST, answer, answer_to_json
from deliverability.api.requests import Pick, Request
from deliverability.api.tracing import claims, read_logs
from deliverability.capture import aside
from deliverability.errors import CannotLookError
from deliverability.protocols.cohort_file import Listed

CASES = Path(__file__).parents[1] / "cases"
RECORDED = sorted(
    {
        *(path for path in (CASES / "logs").rglob("*log") if path.is_file()),
        *(path for path in (CASES / "ingest").rglob("*") if path.suffix in (".log", ".csv")),
    }
)
POSTFIX = CASES / "logs" / "postfix" / "postfix-3.10.rfc3164.log"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
ADDRESS = re.compile(r"[\w.+'=%-]+@[a-z.-]+\.example")
MESSAGE_ID = re.compile(r"(?:message-id=<| id=)([^\s>]{3,200}@[^\s>]{1,200})")


def alone(log, row):
    """What ``trace`` says of one row, in the words of the table; ``None`` where it found nothing."""
    to = (row.address,) if row.address else ()
    window = {"since": row.since, "until": row.until}
    request = Request(logs=(str(log),), to=to, message_id=row.message_id, **window, now=NOW, pick=Pick.ALL)
    trace, _ = read_logs(request)
    if not trace.messages:
        return None
    told = asyncio.run(claims(request, trace, None, NOW)).told
    worst = min(told, key=lambda one: WORST_FIRST.index(one.claim.state))
    attempt, message = worst.delivery.decisive, worst.message
    arrived = message.arrived.instant if message.arrived else None
    return {
        "message_id": row.message_id or message.message_id,
        "address": row.address or worst.delivery.recipient,
        "state": worst.claim.state.value,
        "level": worst.claim.level.value,
        "role": worst.claim.role.value,
        "arrived_at": arrived and arrived.isoformat(timespec="microseconds"),
        "answered_at": attempt and attempt.instant and attempt.instant.isoformat(timespec="microseconds"),
        "server": str(attempt.relay) if attempt and attempt.relay else None,
        "reply": (attempt.reply.text if attempt.reply else attempt.text) if attempt else None,
        "queue_ids": list(message.queue_ids),
        "messages": len(trace.messages),
    }


def moment(text):
    return text and datetime.fromisoformat(text).isoformat(timespec="microseconds")


def answered(log, rows):
    """What the table says of each row."""
    for one in answer(Request(logs=(str(log),), now=NOW), rows).rows:
        value = answer_to_json(one)
        found = {**value, "arrived_at": moment(value["arrived_at"]), "answered_at": moment(value["answered_at"])}
        yield None if value["state"] == "not-found" and not value["messages"] else found


def assert_as_alone(log, rows):
    found = list(answered(log, rows))
    assert len(found) == len(rows)
    for row, value in zip(rows, found, strict=True):
        expected = alone(log, row)
        assert (value is None) == (expected is None), row
        if expected is not None:
            assert {key: value[key] for key in expected} == expected, row
    return sum(value is not None for value in found)


def listed(text, every):
    addresses = sorted({*ADDRESS.findall(text), "用户@utf8.example", "info@bücher.example", "nobody@corp.example"})
    ids = sorted(set(MESSAGE_ID.findall(text)))
    rows = [Listed(2, address=one) for one in addresses[::every]]
    return rows + [Listed(3, message_id=one) for one in ids[:: 2 * every]]


def test_every_recorded_log_is_asked():
    assert len(RECORDED) > 20


@pytest.mark.parametrize("log", RECORDED, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_the_table_says_what_trace_says(log):
    rows = listed(log.read_text("utf-8", "replace"), 9)
    assert assert_as_alone(log, rows) >= (len(rows) // 5 if len(rows) > 9 else 0)


def test_two_processes_say_the_same(monkeypatch):
    log = POSTFIX
    rows = listed(log.read_text("utf-8", "replace"), 3)
    once = [answer_to_json(one) for one in answer(Request(logs=(str(log),), now=NOW), rows).rows]
    began = []
    start = aside.start
    monkeypatch.setattr(aside, "start", lambda work: began.append(1) or start(work))
    streams, stream = [], aside.Stream
    monkeypatch.setattr(aside, "Stream", lambda work: streams.append(stream(work)) or streams[-1])
    monkeypatch.setattr(aside, "possible", lambda: True)
    monkeypatch.setattr(aside, "WORTHWHILE", 1)
    monkeypatch.setattr(cohort_telling, "WORTHWHILE", 2)
    assert [answer_to_json(one) for one in answer(Request(logs=(str(log),), now=NOW), rows).rows] == once
    assert len(began) >= 2  # both passes
    assert len(streams) == 1  # the telling


@pytest.mark.parametrize("made", [0, 2])
def test_a_child_that_fails_is_done_again(made, monkeypatch):
    log = POSTFIX
    rows = listed(log.read_text("utf-8", "replace"), 9)
    once = [answer_to_json(one) for one in answer(Request(logs=(str(log),), now=NOW), rows).rows]
    start = aside.start
    monkeypatch.setattr(aside, "start", lambda _work: start(lambda: 1 // 0))
    stream = aside.Stream
    fails = (1 // 0 for _ in "x")
    monkeypatch.setattr(aside, "Stream", lambda work: stream(lambda: chain(islice(work(), made), fails)))
    monkeypatch.setattr(cohort_telling, "AT_ONCE", 3)
    monkeypatch.setattr(aside, "possible", lambda: True)
    monkeypatch.setattr(aside, "WORTHWHILE", 1)
    monkeypatch.setattr(cohort_telling, "WORTHWHILE", 2)
    assert [answer_to_json(one) for one in answer(Request(logs=(str(log),), now=NOW), rows).rows] == once


@pytest.mark.parametrize("name", ["postfix/postfix-3.10.rfc3164.log", "exim/4.98-cpanel/mainlog"])
def test_the_archive_answers_like_the_log(name, tmp_path):
    log, kept = CASES / "logs" / name, tmp_path / "a.db"
    request = Request(logs=(str(log),), now=NOW)
    ingest(request, kept)
    rows = listed(log.read_text("utf-8", "replace"), 4)
    from_log, from_archive = answer(request, rows), answer(Request(archive=kept, now=NOW), rows)
    assert [answer_to_json(one) for one in from_archive.rows] == [answer_to_json(one) for one in from_log.rows]
    assert [file.lines for file in from_archive.coverage.files] == [file.lines for file in from_log.coverage.files]
    assert "as the archive holds them" in from_archive.notes[0]
    wanted = [Wanted(address=row.address) for row in rows if row.address][:9]
    told = [row.messages for row in read_cohort(request, wanted).rows]
    assert [row.messages for row in read_cohort(Request(archive=kept, now=NOW), wanted).rows] == told


LINES = {
    name: (CASES / "logs" / name).read_bytes().splitlines(keepends=True)
    for name in ("postfix/postfix-3.10.rfc3164.log", "exim/4.98-cpanel/mainlog")
}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mangled_logs_too(tmp_path, data):
    """Lines lost, doubled and out of order: both ways of asking read the same of it."""
    lines = LINES[data.draw(st.sampled_from(sorted(LINES)))]
    at = data.draw(st.integers(0, max(len(lines) - 160, 0)))
    part = lines[at : at + 160]
    for n in data.draw(st.lists(st.integers(0, len(part) - 1), max_size=24)):
        change = data.draw(st.sampled_from(("drop", "double", "swap")))
        if change == "drop":
            part[n] = b"\n"
        elif change == "double":
            part[n] += part[n]
        else:
            other = data.draw(st.integers(0, len(part) - 1))
            part[n], part[other] = part[other], part[n]
    log = tmp_path / "mail.log"
    log.write_bytes(b"".join(part))
    rows = listed(log.read_text("utf-8", "replace"), 6)
    try:
        assert_as_alone(log, rows)
    except CannotLookError:
        with pytest.raises(CannotLookError):
            alone(log, rows[0])


def test_lost_lines_are_told_alike_with_the_libraries_and_without(tmp_path, monkeypatch):
    log = tmp_path / "mail.log"
    lines = POSTFIX.read_bytes()
    head = b" ".join(lines.split(b" ", 4)[:4])
    filler = head + b" systemd[1]: Started a session.\n"
    lost = head + b" rsyslogd: imuxsock lost 12 messages from pid 9 due to rate-limiting\n"
    log.write_bytes(filler * 20_000 + lost + filler * 40_000 + lines + lost + filler * 3_000)
    rows = listed(lines.decode("utf-8", "replace"), 9)
    request = Request(logs=(str(log),), now=NOW)
    with_them = answer(request, rows)
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    without = answer(request, rows)
    gaps = [gap.line.place.line for file in with_them.coverage.files for gap in file.gaps if gap.kind == "rate-limit"]
    assert gaps == [20_001, 20_002 + 40_000 + lines.count(b"\n")]
    assert with_them.coverage == without.coverage
    assert [answer_to_json(one) for one in with_them.rows] == [answer_to_json(one) for one in without.rows]
