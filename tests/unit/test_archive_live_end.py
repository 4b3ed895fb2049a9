"""A live log is read while its last line is being written: whatever stands of that line changes nothing before it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deliverability.api import archiving
from deliverability.api.archiving import ingest
from deliverability.api.from_archive import read_archive
from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.capture.files import LogFile, container_of
from deliverability.ledger.archive import MAX_SEGMENT, Archive

NOW = datetime(2026, 11, 25, tzinfo=UTC)
POSTFIX = (
    b"Nov 22 05:01:38 out1 postfix/qmgr[57]: 4jXH3k58Q2zLhRq: from=<a@h.example>, size=10, nrcpt=1 (queue active)\n"
    b"Nov 22 05:01:38 out1 postfix/smtp[62]: 4jXH3k58Q2zLhRq: to=<b@c.example>, relay=mx.c.example[192.0.2.1]:25, "
    b"delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 67C76FB008F8)\n"
)
EXIM = (
    b"2026-11-22 05:31:18 1xV0AY-0000000004X-0RQm <= a@h.example P=esmtp S=500\n"
    b"2026-11-22 05:31:18 1xV0AY-0000000004X-0RQm => b@c.example R=dnslookup T=remote_smtp "
    b'H=mx.c.example [192.0.2.1] C="250 2.0.0 Ok: queued as 67C76FB008F8"\n'
)


@pytest.mark.parametrize(
    ("content", "following"),
    [(POSTFIX, b"Nov 22 05:01:39 out1 "), (POSTFIX, b"Dec  1 00:00:00 out1 "), (EXIM, b"2026-11-22 05:31:19 1xV0AY")],
    ids=["postfix", "another-month", "exim"],
)
def test_the_beginning_of_a_line_is_no_piece_of_the_line_before(
    content: bytes, following: bytes, tmp_path: Path
) -> None:
    for size in range(1, len(following)):
        log, archive = tmp_path / f"{size}.log", tmp_path / f"{size}.db"
        log.write_bytes(content + following[:size])
        assert container_of(LogFile("", str(log), None)) is None, following[:size]
        trace, _ = read_logs(Request(logs=(str(log),), to=("b@c.example",), now=NOW))
        assert [line.raw for message in trace.messages for line in message.lines] == content.splitlines()
        (file,) = ingest(Request(logs=(str(log),), now=NOW), archive).files
        assert (file.octets, file.waiting) == (len(content), size)
    with Archive.open(archive) as opened:
        assert b"".join(map(opened.content, opened.segments())) == content


def test_a_wrapped_paste_without_a_last_newline_is_still_put_together(tmp_path: Path) -> None:
    line = POSTFIX.splitlines()[1]
    at = line.index(b" status=")
    log = tmp_path / "pasted"
    log.write_bytes(line[:at] + b"\n" + line[at + 1 :])
    trace, _ = read_logs(Request(logs=(str(log),), to=("b@c.example",), now=NOW))
    assert [one.raw for message in trace.messages for one in message.lines] == [line]


def test_a_log_behind_nuls_is_kept_as_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Truncated under a writer that goes on at its place, a log begins with as many NULs as it had octets."""
    monkeypatch.setattr(archiving, "BATCH", 2)
    log, archive, question = tmp_path / "mainlog", tmp_path / "a.db", Request(to=("b@c.example",), now=NOW)
    log.write_bytes(bytes(3 * MAX_SEGMENT) + b"\n" + EXIM)
    result = ingest(Request(logs=(str(log),), now=NOW), archive)
    assert not result.failed
    assert result.files[0].octets == log.stat().st_size
    alone, _ = read_logs(replace(question, logs=(str(log),)))
    kept, _ = read_archive(question, archive)
    assert alone.messages
    assert kept.messages == alone.messages
