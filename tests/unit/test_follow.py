"""``trace --follow``: each new event of the messages that were asked about, whatever happens to the file."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from deliverability.api.following import Follower, Matching, follow
from deliverability.api.requests import Request
from deliverability.api.search import load_formats
from deliverability.capture.blocks import MAX_LINE
from deliverability.capture.follow import GrowingFile
from deliverability.config import Configuration, LogSource
from deliverability.errors import CannotLookError, UsageError
from deliverability.evidence.event import Action, DeliveryEvent, Result
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.terminal.follow import as_json, as_text, lasting

ROOT = Path(__file__).parents[2]
LOGS = ROOT / "tests" / "cases" / "logs"
POSTFIX = (LOGS / "postfix" / "postfix-3.10.rfc3164.log").read_bytes()
EXIM = (LOGS / "exim" / "4.98-cpanel" / "mainlog").read_bytes()


def events_of(content: bytes, **asked: object) -> list[DeliveryEvent]:
    """What following a log that grows by these lines tells."""
    matching = Matching(Request(**asked))  # type: ignore[arg-type]
    told, offset = [], 0
    for number, raw in enumerate(content.splitlines(), 1):
        line = LogLine(Place("", "mail.log", number, offset), raw)
        offset += len(raw) + 1
        told += [e for fmt in load_formats() for event in fmt.parse([line]) for e in matching.take(event)]
    return told


# --- which events -----------------------------------------------------------------------------------------------------


def test_a_message_is_told_from_its_arrival_to_its_end() -> None:
    told = events_of(POSTFIX, to=("jo32@corp.example",))
    assert {event.queue_id for event in told} == {told[0].queue_id}
    assert told[0].action is Action.ARRIVED
    assert told[-1].action is Action.REMOVED
    assert [event.recipient for event in told if event.action is Action.ATTEMPTED] == ["jo32@corp.example"]
    assert [event.line.place.line for event in told] == sorted(event.line.place.line for event in told)


@pytest.mark.parametrize("content", [POSTFIX, EXIM], ids=["postfix", "exim"])
def test_nothing_is_told_of_other_recipients(content: bytes) -> None:
    told = events_of(content, to=("c@corp.example",))
    assert told
    assert {event.recipient or "c@corp.example" for event in told} == {"c@corp.example"}


def test_by_sender_subject_id_domain_and_everybody() -> None:
    everything = events_of(EXIM, to=("*",), sender="renewals@hosting.example")
    assert len({event.queue_id for event in everything}) > 20
    (first, *_) = [event for event in everything if event.subject]
    assert {e.queue_id for e in events_of(EXIM, subject=first.subject)} >= {first.queue_id}
    assert {e.queue_id for e in events_of(EXIM, queue_id=first.queue_id)} == {first.queue_id}
    assert first.queue_id in {e.queue_id for e in events_of(EXIM, message_id=first.message_id)}
    domain = events_of(EXIM, to=("@corp.example",))
    assert {e.recipient.partition("@")[2] for e in domain if e.recipient} == {"corp.example"}
    assert not events_of(EXIM, to=("nobody@nowhere.example",))


def test_every_part_of_the_question_must_fit() -> None:
    (event, *_) = [e for e in events_of(EXIM, to=("*",), sender="renewals@hosting.example") if e.recipient]
    assert events_of(EXIM, to=(event.recipient,), sender="renewals@hosting.example")
    assert not events_of(EXIM, to=(event.recipient,), sender="other@hosting.example")


def test_an_id_that_comes_again_is_another_message() -> None:
    line = b"Nov 22 05:00:0%d h postfix/smtp[7]: 4AB12C: to=<%s>, relay=m[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent (250 ok)\n"
    removed = b"Nov 22 05:00:05 h postfix/qmgr[7]: 4AB12C: removed\n"
    told = events_of(line % (1, b"mei@x.example") + removed + line % (7, b"chen@x.example"), to=("mei@x.example",))
    assert [event.action for event in told] == [Action.ATTEMPTED, Action.REMOVED]


# --- which lines ------------------------------------------------------------------------------------------------------


def test_only_what_comes_is_read_and_half_a_line_waits(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(b"old one\nold two\nhal")
    growing = GrowingFile("", str(log))
    assert list(growing.lines()) == []
    with log.open("ab") as file:
        file.write(b"f\nnew\nrest")
        file.flush()
        assert [(line.raw, line.place.line, line.place.offset) for line in growing.lines()] == [
            (b"half", 3, 16),
            (b"new", 4, 21),
        ]
        file.write(b" of it\n")
    assert [line.raw for line in growing.lines()] == [b"rest of it"]
    growing.close()


@pytest.mark.parametrize("seed", range(10))
def test_every_line_once_through_rotation_and_truncation(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    log = tmp_path / "mail.log"
    log.touch()
    growing, count, seen = GrowingFile("", str(log)), 0, []

    def look() -> None:
        seen.extend(int(line.raw.split()[1]) for line in growing.lines())

    for _ in range(200):
        what = chance.choice(["write", "write", "write", "look", "look", "rename", "missing", "truncate"])
        if what == "write":
            with log.open("ab") as file:
                for _ in range(chance.randrange(1, 30)):
                    count += 1
                    file.write(b"line %d %s\n" % (count, b"x" * chance.randrange(200)))
            continue
        look()  # a file that comes and goes between two looks, and what is truncated away unread, nobody can follow
        if what in ("rename", "missing") and log.exists():
            with log.open("ab") as file:
                count += 1
                file.write(b"line %d after the last look\n" % count)
            log.rename(tmp_path / "mail.log.1")
        if what == "rename":
            log.touch()
        if what == "truncate" and log.exists():
            shutil.copyfile(log, tmp_path / "mail.log.1")
            os.truncate(log, 0)
    log.touch()
    look()
    growing.close()
    assert seen == list(range(1, count + 1))


def test_a_file_that_is_written_anew_under_its_name_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(b"Nov 21 one\n" * 10)
    growing = GrowingFile("", str(log))
    os.truncate(log, 0)
    with log.open("r+b") as file:
        file.write(b"Nov 22 two\n" * 50)  # longer than it was
    assert [(line.raw, line.place.line) for line in growing.lines()][:2] == [(b"Nov 22 two", 1), (b"Nov 22 two", 2)]
    growing.close()


def test_a_line_far_too_long_is_cut_and_the_next_is_read(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.touch()
    growing = GrowingFile("", str(log))
    with log.open("ab") as file:
        file.write(b"x" * (3 << 20) + b"\nnext\n")
    lines = list(growing.lines())
    assert [(len(line.raw), line.cut, line.place.line) for line in lines] == [(MAX_LINE, True, 1), (4, False, 2)]
    assert lines[1].place.offset == (3 << 20) + 1
    growing.close()


def test_a_file_that_is_not_there_yet_may_come(tmp_path: Path) -> None:
    growing = GrowingFile("", str(tmp_path / "mail.log"))
    assert list(growing.lines()) == []
    (tmp_path / "mail.log").write_bytes(b"first\n")
    assert [line.raw for line in growing.lines()] == [b"first"]
    growing.close()


def test_a_directory_and_a_command_cannot_be_followed(tmp_path: Path) -> None:
    with pytest.raises(CannotLookError, match="only a file"):
        GrowingFile("", str(tmp_path))
    with pytest.raises(UsageError, match="tail -F"):
        Follower(
            Request(to=("a@b.example",), configuration=Configuration(logs=(LogSource("m", None, ("ssh", "mail1")),)))
        )
    with pytest.raises(UsageError, match="--log"):
        Follower(Request(to=("a@b.example",)))


# --- live -------------------------------------------------------------------------------------------------------------


def test_several_files_are_followed_until_the_time_is_over(tmp_path: Path) -> None:
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    for log in logs:
        log.touch()
    told: list[DeliveryEvent] = []
    looks = 0

    def pause(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            logs[0].write_bytes(POSTFIX)
            logs[1].write_bytes(EXIM)
        time.sleep(0.05)

    names = tuple(f"{log.stem}={log}" for log in logs)
    count = follow(Request(logs=names, to=("c@corp.example",)), told.append, timedelta(seconds=0.5), pause)
    assert count == len(told)
    assert {event.line.place.log for event in told} == {"one", "two"}
    assert all(event.at.instant for event in told)
    assert any(event.result is Result.SENT for event in told)


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


def test_a_real_log_on_the_command_line_until_it_is_interrupted(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(POSTFIX)
    with following("--log", log, "--to", "jo32@corp.example", "--format", "ndjson") as run:
        assert run.stdout and run.stderr
        assert b"waiting" in run.stderr.readline()
        log.rename(tmp_path / "mail.log.1")
        log.write_bytes(POSTFIX)
        told = [json.loads(run.stdout.readline())]
        while told[-1]["action"] != "removed":
            told.append(json.loads(run.stdout.readline()))
        run.send_signal(signal.SIGINT)
        assert run.wait() == 130
    assert (told[0]["action"], told[0]["file"]) == ("arrived", str(log))
    assert any(event.get("recipient") == "jo32@corp.example" for event in told)


def test_standard_input_is_followed_to_its_end() -> None:
    with following("--log", "-", "--to", "jo32@corp.example") as run:
        out, _ = run.communicate(POSTFIX)
        assert run.wait() == 0
    assert b"to=jo32@corp.example" in out


def test_when_the_time_is_over_and_nothing_came(tmp_path: Path) -> None:
    (tmp_path / "mail.log").touch()
    with following("--log", tmp_path / "mail.log", "--to", "a@b.example", "--for", "1s") as run:
        assert run.wait() == 4


@pytest.mark.parametrize("text", ["", "5", "0m", "1w", "-1m", "٣m"])
def test_a_time_that_is_none(text: str) -> None:
    with pytest.raises(UsageError):
        lasting(text)


def test_times() -> None:
    assert (lasting("90s"), lasting("2h"), lasting(None)) == (timedelta(seconds=90), timedelta(hours=2), None)


def test_what_strangers_write_stays_on_its_line() -> None:
    line = b'2026-11-22 05:31:15 1xV0aa-000000001Yx-0001 <= a@b.example H=h [192.0.2.1] P=esmtp S=1 T="x\\033[31m\\nNov" for mei@x.example'
    (event,) = events_of(line, to=("mei@x.example",))
    assert "\x1b" not in as_text(event) and "\n" not in as_text(event)
    assert json.loads(as_json(event))["queue_id"] == "1xV0aa-000000001Yx-0001"
