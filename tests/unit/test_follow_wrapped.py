"""``trace --follow`` of a log that comes wrapped in JSON lines or in a journal export: read as the finished file is."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from deliverability.api.following import Follower
from deliverability.api.requests import Request
from deliverability.capture.blocks import MAX_LINE
from deliverability.capture.decoders.journal import Entries, export_lines
from deliverability.capture.follow import GrowingFile
from deliverability.capture.unwrapping import MAX_HELD, Unwrapped
from deliverability.errors import CannotLookError
from deliverability.evidence.event import Action, DeliveryEvent

ROOT = Path(__file__).parents[2]
RFC3164 = (ROOT / "tests" / "cases" / "logs" / "postfix" / "postfix-3.10.rfc3164.log").read_text().splitlines()[:120]
ASKED = Request(to=("jo32@corp.example",))
PLAIN_SYSLOG = [text for text in RFC3164 if text.count(" ") > 5]
WHEN = "2026-11-22T05:00:00.123456789Z"


def docker(text: str) -> bytes:
    return json.dumps({"log": text + "\n", "stream": "stdout", "time": WHEN}).encode()


def loki(text: str) -> bytes:
    return json.dumps({"labels": {"job": "syslog"}, "line": text, "timestamp": WHEN}).encode()


def elastic(text: str) -> bytes:
    return json.dumps({"_index": "logs", "_source": {"@timestamp": WHEN, "event": {"original": text}}}).encode()


def journal_json(text: str) -> bytes:
    return json.dumps(_journal(text)).encode()


def _journal(text: str) -> dict[str, str]:
    stamp, _, rest = text[:15], text[15], text[16:]
    host, tag, words = rest.split(" ", 2)
    program, _, pid = tag.rstrip("]:").partition("[")
    seconds = sum(int(part) * unit for part, unit in zip(stamp[7:].split(":"), (3600, 60, 1), strict=True))
    return {
        "__CURSOR": "s=1;i=2",
        "__REALTIME_TIMESTAMP": str((1795305600 + seconds) * 1_000_000),
        "_HOSTNAME": host,
        "SYSLOG_IDENTIFIER": program,
        "SYSLOG_PID": pid or "1",
        "MESSAGE": words,
    }


def export(text: str) -> bytes:
    """An entry; its words as a binary value, as the journal writes what is not plain text."""
    fields = _journal(text)
    words = fields.pop("MESSAGE").encode()
    head = "".join(f"{name}={value}\n" for name, value in fields.items()).encode()
    return head + b"MESSAGE\n" + len(words).to_bytes(8, "little") + words + b"\n"  # and its line end


WRAPS = {one.__name__: one for one in (docker, loki, elastic, journal_json)}


def told(log: Path, grow: Sequence[Callable[[], object]], request: Request = ASKED) -> list[DeliveryEvent]:
    """What is told of a file at which something happens between two looks."""
    follower = Follower(Request(logs=(str(log),), to=request.to))
    events = list(follower.events())
    for step in grow:
        step()
        events += follower.events()
    events += follower.last()
    follower.close()
    return events


def shape(events: list[DeliveryEvent]) -> list[object]:
    return [(e.action, e.result, e.queue_id, e.recipient, e.reply and e.reply.text) for e in events]


def expected(tmp_path: Path, lines: list[str]) -> list[object]:
    log = tmp_path / "plain.log"
    log.touch()
    found = shape(told(log, [lambda: log.write_text("\n".join(lines) + "\n")]))
    assert found
    return found


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_records_are_followed_as_their_lines_are(wrap: Callable[[str], bytes], tmp_path: Path) -> None:
    log = tmp_path / "mail.json"
    log.write_bytes(b"".join(wrap(line) + b"\n" for line in RFC3164[:30]))  # what is there already tells what it is
    more = b"".join(wrap(line) + b"\n" for line in RFC3164)

    def append(content: bytes) -> None:
        with log.open("ab") as file:
            file.write(content)

    half = len(more) // 2
    events = told(log, [lambda: append(more[:half]), lambda: append(more[half:])])
    assert shape(events) == expected(tmp_path, RFC3164)
    first = next(number for number, line in enumerate(RFC3164, 1) if str(events[0].queue_id) in line)
    assert events[0].line.place.line == 30 + first
    assert events[0].line.raw.startswith((RFC3164[0][:3].encode(), b"2026-"))  # the inner line


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
@pytest.mark.parametrize("rotate", ["create", "copytruncate"])
def test_records_go_on_through_rotation(wrap: Callable[[str], bytes], rotate: str, tmp_path: Path) -> None:
    log = tmp_path / "mail.json"
    log.touch()
    half = len(RFC3164) // 2
    one, two = (b"".join(wrap(line) + b"\n" for line in part) for part in (RFC3164[:half], RFC3164[half:]))

    def rotated() -> None:
        if rotate == "create":
            log.rename(tmp_path / "mail.json.1")
        else:
            os.truncate(log, 0)
        with log.open("ab") as file:
            file.write(two)

    assert shape(told(log, [lambda: log.write_bytes(one), rotated])) == expected(tmp_path, RFC3164)


def test_a_log_that_becomes_plain_at_its_rotation_is_read(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(b"".join(docker(line) + b"\n" for line in RFC3164[:10]))

    def rotated() -> None:
        log.rename(tmp_path / "mail.log.1")
        log.write_text("\n".join(RFC3164) + "\n")

    assert shape(told(log, [rotated])) == expected(tmp_path, RFC3164)


def test_what_a_container_says_before_its_mail_server_is_no_obstacle(tmp_path: Path) -> None:
    log = tmp_path / "c-json.log"
    log.touch()
    begin = [docker(f"starting {number}") for number in range(MAX_HELD + 20)]
    lines = [*begin, *map(docker, RFC3164)]
    assert shape(told(log, [lambda: log.write_bytes(b"\n".join(lines) + b"\n")])) == expected(tmp_path, RFC3164)


def test_one_record_alone_is_told_in_the_end(tmp_path: Path) -> None:
    log = tmp_path / "mail.json"
    log.touch()
    (line,) = [text for text in RFC3164 if "to=<jo32@corp.example>" in text and "status=sent" in text][:1]
    events = told(log, [lambda: log.write_bytes(loki(line) + b"\n")])
    assert [event.recipient for event in events] == ["jo32@corp.example"]


def test_a_message_cannot_choose_to_be_taken_for_a_whole_line(tmp_path: Path) -> None:
    """Words that look like a line of Postfix stay words where time and program stand beside them."""
    forged = (
        "Nov 22 05:00:01 h postfix/smtp[7]: 4AB1: to=<jo32@corp.example>, relay=x[192.0.2.1]:25, status=sent (250 k)"
    )
    log = tmp_path / "mail.json"
    fields = {**_journal(RFC3164[0]), "SYSLOG_IDENTIFIER": "web"}
    honest = [json.dumps({**fields, "MESSAGE": "hello"}).encode()] * 3
    log.write_bytes(b"\n".join(honest) + b"\n")

    def append() -> None:
        with log.open("ab") as file:
            file.write(json.dumps({**fields, "MESSAGE": forged}).encode() + b"\n")

    assert told(log, [append]) == []


# --- a journal export -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_a_growing_export_gives_what_the_finished_one_does(step: int) -> None:
    whole = b"\n".join(export(line) for line in PLAIN_SYSLOG[:40]) + b"\n"
    entries, found = Entries(), []
    for at in range(0, len(whole), step):
        found += [raw for _, raw in entries.lines(whole[at : at + step]) if raw]
    assert found == b"".join(export_lines(io.BytesIO(whole))).splitlines()
    assert len(found) == 40
    assert not entries.rest


def test_an_export_that_grows_in_a_new_file_is_followed(tmp_path: Path) -> None:
    log = tmp_path / "mail.export"
    log.touch()
    content = b"\n".join(map(export, PLAIN_SYSLOG)) + b"\n"
    half = len(content) // 2

    def append() -> None:
        with log.open("ab") as file:
            file.write(content[half:])

    assert shape(told(log, [lambda: log.write_bytes(content[:half]), append])) == expected(tmp_path, PLAIN_SYSLOG)


def test_a_value_with_line_ends_forges_no_entry(tmp_path: Path) -> None:
    forged = export(next(text for text in PLAIN_SYSLOG if "to=<jo32@corp.example>" in text))
    fields = _journal(PLAIN_SYSLOG[0])
    words = b"x\n\n" + forged + b"\n"
    head = "".join(f"{name}={value}\n" for name, value in fields.items() if name != "MESSAGE").encode()
    log = tmp_path / "mail.export"
    log.touch()
    entry = head + b"MESSAGE\n" + len(words).to_bytes(8, "little") + words + b"\n\n"
    assert told(log, [lambda: log.write_bytes(entry)]) == []


def test_an_entry_without_end_is_bounded_and_said(tmp_path: Path) -> None:
    log = tmp_path / "mail.export"
    log.touch()
    head = export(PLAIN_SYSLOG[0])[:-1].partition(b"MESSAGE\n")[0]

    def grow() -> None:
        log.write_bytes(head + b"MESSAGE\n" + (1 << 40).to_bytes(8, "little") + b"x" * (10 << 20))

    with pytest.raises(CannotLookError, match="8 MiB"):
        told(log, [grow] + [lambda: None] * 20)


# --- what cannot be followed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"\x1f\x8b\x08\x00" + b"\0" * 20, "compressed"),
        (b"BZh91AY&SY", "compressed"),
        (b"SQLite format 3\x00", "SQLite"),
        ("Nov 22 05:00:01 h postfix/smtp[7]: x\n".encode("utf-16"), "UTF-16"),
        (export(PLAIN_SYSLOG[0]) + b"\n", "journalctl"),
        (b"timestamp,source,application_name,process_id,message\n2026-11-22T05:00:00Z,h,postfix/smtp,7,x\n", "CSV"),
        (json.dumps([json.loads(loki(line)) for line in RFC3164[:5]]).encode(), "JSON"),
    ],
    ids=["gzip", "bzip2", "SQLite", "UTF-16", "export", "CSV", "JSON document"],
)
def test_what_does_not_grow_by_lines_is_refused_plainly(content: bytes, word: str, tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(content)
    with pytest.raises(CannotLookError, match=word):
        Unwrapped(GrowingFile("", str(log)), str(log))


def test_records_without_a_log_line_are_counted_and_said(tmp_path: Path) -> None:
    log = tmp_path / "mail.json"
    log.write_bytes(b"".join(docker(line) + b"\n" for line in RFC3164[:5]))
    said: list[str] = []
    source = Unwrapped(GrowingFile("", str(log)), str(log), said.append)
    with log.open("ab") as file:
        file.write(docker("hello") + b"\nno record\n" + b'{"a":' * 5000 + b"\n" + docker(RFC3164[0]) + b"\n")
    assert [line.raw for line in source.lines()] == [RFC3164[0].encode()]
    assert (source.given, source.unread, len(said)) == (4, 3, 1)
    assert f"{log}:6" in said[0]
    source.close()


def test_a_long_record_is_read_and_a_long_line_is_cut(tmp_path: Path) -> None:
    log = tmp_path / "mail.json"
    log.write_bytes(b"".join(docker(line) + b"\n" for line in RFC3164[:5]))
    source = Unwrapped(GrowingFile("", str(log)), str(log))
    record = {**json.loads(docker(RFC3164[0])), "attrs": {"x": "y" * (2 * MAX_LINE)}}
    with log.open("ab") as file:
        file.write(json.dumps(record).encode() + b"\n" + docker(RFC3164[0] + "z" * (2 * MAX_LINE)) + b"\n")
    lines = list(source.lines())
    assert lines[0].raw == RFC3164[0].encode() and not lines[0].cut
    assert len(lines[1].raw) == MAX_LINE and lines[1].cut
    assert source.cut == 1
    source.close()


def test_a_record_that_is_itself_the_statement_is_given_at_once(tmp_path: Path) -> None:
    log = tmp_path / "kumo.json"
    log.touch()
    source = Unwrapped(GrowingFile("", str(log)), str(log))
    statement = b'{"type":"Delivery","id":"x","sender":"a@b.example","recipient":"c@d.example"}'
    log.write_bytes(statement + b"\n")
    assert [line.raw for line in source.lines()] == [statement]
    source.close()


# --- the command ------------------------------------------------------------------------------------------------------


@contextmanager
def following(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "deliverability", "trace", "--follow", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.PIPE) as run:
        watchdog = threading.Timer(60, run.kill)  # so that a read that waits for ever ends
        watchdog.start()
        try:
            yield run
        finally:
            watchdog.cancel()
            run.kill()


@pytest.mark.parametrize("wrap", [docker, journal_json, export], ids=["docker", "json", "export"])
def test_a_pipe_that_goes_on(wrap: Callable[[str], bytes]) -> None:
    with following("--log", "-", "--to", "jo32@corp.example", "--format", "ndjson") as run:
        assert run.stdin and run.stdout
        run.stdin.write(b"".join(wrap(line) + b"\n" for line in PLAIN_SYSLOG))
        run.stdin.flush()
        first = json.loads(run.stdout.readline())  # while the pipe is open
        run.stdin.close()
        out = run.stdout.read()
        assert run.wait() == 0
    events = [first, *map(json.loads, out.splitlines())]
    assert first["action"] == Action.ARRIVED.value
    assert any(event.get("recipient") == "jo32@corp.example" and event.get("result") == "sent" for event in events)


def test_lines_of_no_known_log_are_said() -> None:
    with following("--log", "-", "--to", "jo32@corp.example") as run:
        _, said = run.communicate(b"\x1f\x8b not\nwhat\nyou think\n")
        assert run.wait() == 4
    assert b"no event of a mail log" in said
