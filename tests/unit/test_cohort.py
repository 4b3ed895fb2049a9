"""A cohort: each row is told as ``trace`` tells it, in one look for all."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deliverability.api import cohort
from deliverability.api.cohort import Wanted, read_cohort
from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.errors import CannotLookError, UsageError
from deliverability.protocols import octets

LOGS = Path(__file__).parents[1] / "cases" / "logs"
ALL = [
    "postfix/postfix-3.10.iso8601.log",
    "postfix/postfix-3.10.rfc3164.log",
    "exim/4.98-cpanel/mainlog",
    "exim/4.96/syslog",
]


def addresses(log: Path) -> list[str]:
    found = re.findall(r"[\w.+'=%-]+@[a-z.-]+\.example", log.read_text("utf-8", "replace"))
    return sorted(
        {*found, "用户@utf8.example", "info@bücher.example", '"odd name"@corp.example', "nobody@corp.example"}
    )


@pytest.mark.parametrize("name", ALL)
def test_every_row_is_told_as_trace_tells_it(name: str) -> None:
    log = LOGS / name
    asked = addresses(log)
    result = read_cohort(Request(logs=(str(log),)), [Wanted(address=one) for one in asked])
    rows = list(result.rows)
    assert [row.wanted.address for row in rows] == asked
    for row in rows[::4]:
        alone, _ = read_logs(Request(logs=(str(log),), to=(row.wanted.address or "",)))
        assert row.messages == alone.messages
    assert sum(bool(row.messages) for row in rows) > 60
    assert result.coverage.files[0].unread == 0


@pytest.mark.parametrize("local", ["r49..1", ".r49", "r49.", "r.4.9"])
def test_what_a_server_quotes_is_looked_for_quoted(tmp_path: Path, local: str) -> None:
    """Dots at an edge or side by side are no dot-atom (RFC 5321 §4.1.2): Postfix writes such an address in quotes."""
    log = tmp_path / "mail.log"
    shown = f"{local}@s0.example" if local == "r.4.9" else f'"{local}"@s0.example'
    log.write_text(
        f"2026-11-22T05:00:00+00:00 out1 postfix/smtp[9]: 4dDGHm4hqfz14Fm: to=<{shown}>, relay=mx.s0.example[192.0.2.1]:25,"
        " delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 Ok)\n"
    )
    (row,) = read_cohort(Request(logs=(str(log),)), [Wanted(address=f'"{local}"@s0.example')]).rows
    assert len(row.messages) == 1


@pytest.mark.parametrize("name", [ALL[0], ALL[2]])
def test_libraries_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where the head of the log does not show all formats that are in it."""
    log = tmp_path / "mail.log"
    others = (LOGS / "postfix/postfix-3.10.rfc3164.log", LOGS / "exim/4.96/syslog")
    log.write_bytes((LOGS / name).read_bytes() + b"".join(other.read_bytes() for other in others))
    asked = [Wanted(address=one) for one in addresses(log)[::3]]
    told = []
    for without in ({}, {"hyperscan": None}, {"hyperscan": None, "stringzilla": None}):
        with monkeypatch.context() as patch:
            for library in without:
                patch.setitem(sys.modules, library, None)
            if "stringzilla" in without:
                patch.setattr(octets, "_vectors", lambda: None)
            result = read_cohort(Request(logs=(str(log),)), asked)
            told.append(([(row.wanted, row.messages) for row in result.rows], result.coverage, result.notes))
    assert told[0] == told[1] == told[2]
    assert sum(bool(messages) for _, messages in told[0][0]) > 30


def test_message_ids_and_addresses_bound_each_other() -> None:
    log = LOGS / ALL[0]
    trace, _ = read_logs(Request(logs=(str(log),), to=("dup@corp.example",)))
    twice = trace.messages[0].message_id
    assert twice and len(trace.messages) == 2
    when = trace.messages[1].arrived
    assert when and when.instant
    wanted = [
        Wanted(message_id=f"<{twice}>"),
        Wanted(message_id=twice, address="dup@corp.example"),
        Wanted(message_id=twice, address="jo32@corp.example"),
        Wanted(address="dup@corp.example", since=when.instant, until=when.instant),
        Wanted(address="dup@corp.example", until=datetime(2020, 1, 1, tzinfo=UTC)),
    ]
    rows = list(read_cohort(Request(logs=(str(log),)), wanted).rows)
    assert [len(row.messages) for row in rows] == [2, 2, 0, 1, 0]


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    request = Request(logs=(str(LOGS / ALL[0]),))
    asked = [Wanted(address=one) for one in addresses(LOGS / ALL[0])[:20]]
    whole = [row.messages for row in read_cohort(request, asked).rows]
    monkeypatch.setattr(cohort, "BATCH", 7)
    assert [row.messages for row in read_cohort(request, asked).rows] == whole


def test_what_cannot_be_meant_or_looked_at(tmp_path: Path) -> None:
    request = Request(logs=(str(LOGS / ALL[0]),))
    for row in (Wanted(), Wanted(address="no address"), Wanted(message_id="<>")):
        with pytest.raises(UsageError, match="row 1"):
            read_cohort(request, [row])
    with pytest.raises(CannotLookError):
        read_cohort(Request(logs=(str(tmp_path),)), [Wanted(address="a@b.example")])
