"""A line that names the address, and tells of an attempt in a form that cannot be read: no answer, and never "not found"."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SENT = (
    "Nov 22 05:00:03 mx1 postfix/smtp[104]: %sto=<jo@shop.example>, relay=mx.shop.example[198.51.100.20]:25, delay=2,"
    " delays=0.1/0/1/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 77AB)\n"
)


def trace(log: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "deliverability", "trace", "--offline", "--lang", "en", "--log", str(log)]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("masked", ["<queueid>: ", "**********: ", "[REDACTED]: ", "", "... "])
def test_an_id_that_cannot_be_one(tmp_path: Path, masked: str) -> None:
    log = tmp_path / "mail.log"
    log.write_text(SENT % masked)
    done = trace(log, "--to", "jo@shop.example", "--unread")
    assert done.returncode == 6
    assert (
        "line 1: the line tells of an attempt that may be the one looked for, in a form that cannot be read"
        in done.stderr
    )
    assert SENT.strip()[:60] % masked in done.stderr


def test_what_other_lines_say_of_the_address_is_not_missed(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_text(
        "Nov 22 05:00:03 mx1 postfix/smtpd[104]: warning: unknown[203.0.113.9]: SASL LOGIN authentication failed:"
        " sasl_username=jo@shop.example, to=<jo@shop.example>, status=sent\n"
        "Nov 22 05:00:04 mx1 postfix/smtpd[104]: disconnect from unknown[203.0.113.9] ehlo=1 auth=0/1 quit=1 commands=2/3\n"
    )
    assert trace(log, "--to", "jo@shop.example").returncode == 4


def test_one_that_was_read_beside_it_is_told(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_text(SENT % "<queueid>: " + SENT % "4FABC12345: ")
    done = trace(log, "--to", "jo@shop.example")
    assert (done.returncode, "4FABC12345" in done.stdout) == (3, True)
    assert "line 1: the line tells of an attempt" in done.stderr


def test_counting_says_what_it_did_not_count(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_text(SENT % "<queueid>: " + SENT % "QUEUEID1: " + SENT % "4FABC12345: ")
    command = [sys.executable, "-m", "deliverability", "summary", "--format", "json", "--log", str(log)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    counted = json.loads(done.stdout)
    assert (counted["total"]["attempts"]["handed-over"], counted["coverage"][0]["unread"]) == (2, 1)


def test_of_a_list_only_the_notice_that_the_line_names_is_not_told(tmp_path: Path) -> None:
    log, wanted = tmp_path / "mail.log", tmp_path / "notices.csv"
    log.write_text(SENT % "<queueid>: ")
    wanted.write_text("address,date\njo@shop.example,2026-11-22\nkim@shop.example,2026-11-22\n")
    done = trace(log, "--cohort", str(wanted), "--format", "json")
    rows = json.loads(done.stdout)["rows"]
    assert done.returncode == 6
    assert [(row["state"], row["could_not_look"]) for row in rows] == [("not-found", True), ("not-found", False)]


def test_the_archive_says_the_same(tmp_path: Path) -> None:
    log, archive = tmp_path / "mail.log", tmp_path / "archive.db"
    log.write_text(SENT % "<queueid>: ")
    command = [sys.executable, "-m", "deliverability"]
    subprocess.run(
        [*command, "ingest", "--log", str(log), "--archive", str(archive)], check=True, capture_output=True, timeout=60
    )
    asked = [*command, "trace", "--offline", "--archive", str(archive), "--to", "jo@shop.example"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "line 1: the line tells of an attempt" in done.stderr) == (6, True)
