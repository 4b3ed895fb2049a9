"""Logs as strangers hand them over, through the command: never a traceback, never more than the lines say."""

import gzip
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

POSTFIX = Path(__file__).parents[1] / "cases" / "logs" / "postfix" / "postfix-3.10.rfc3164.log"
EXIM = Path(__file__).parents[1] / "cases" / "logs" / "exim" / "4.98-cpanel" / "mainlog"


def trace(*arguments: object, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "deliverability", "trace", "--offline", "--lang", "en", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=120)
    assert b"Traceback" not in done.stderr
    assert done.returncode != 70, done.stderr
    return done


def with_between(junk: bytes) -> bytes:
    lines = POSTFIX.read_bytes().splitlines(keepends=True)
    return b"".join(lines[:500]) + junk + b"".join(lines[500:])


@pytest.mark.parametrize(
    ("junk", "told"),
    [
        (b"x" * 10_000_000 + b"\n", b"the line is far too long"),
        (b"\0" * 5000 + b"\n", b"NUL octets"),
        (b"Nov 22 05:01:38 out1 postfix/smtp[1]: 4jXH3k3V2zzLhRZ: \xff\xfe to=<\xff@x>, status=sent (250)\n", b""),
        (EXIM.read_bytes()[:20_000].rpartition(b"\n")[0] + b"\n", b""),
    ],
    ids=["long-line", "nul", "not-utf-8", "another-format"],
)
def test_junk_between_the_lines_changes_no_story(tmp_path: Path, junk: bytes, told: bytes) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(with_between(junk))
    for to, status in (("u1@hosting.example", 0), ("overquota@gmail.example", 3), ("x@dropdata.example", 4)):
        one = ("--since", "2026-11-22 05:00", "--until", "2026-11-22 05:10") if b"1xV0" in junk else ()
        done = trace("--log", log, "--to", to, *one)
        assert done.returncode == status, done.stderr
        assert told in done.stderr


@pytest.mark.parametrize("kind", ["directory", "no-file", "empty-name", "loop", "random", "bomb"])
def test_what_cannot_be_looked_at_is_no_answer(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "mail.log"
    if kind == "directory":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "random":
        path.write_bytes(bytes(range(256)) * 64)
    elif kind == "bomb":
        path.write_bytes(gzip.compress(b"\0" * 50_000_000))
    done = trace("--log", "" if kind == "empty-name" else path, "--to", "a@b.example")
    assert done.returncode == (2 if kind == "empty-name" else 6)
    assert done.stdout == b""


def test_an_archive_that_breaks_off_gives_what_it_holds_and_says_so(tmp_path: Path) -> None:
    log = tmp_path / "mail.log.gz"
    log.write_bytes(gzip.compress(POSTFIX.read_bytes())[:-9000])
    assert trace("--log", log, "--to", "u1@hosting.example").returncode in (0, 6)
    lost = trace("--log", log, "--to", "nobody@hosting.example")
    assert lost.returncode == 6
    assert b"breaks off" in lost.stderr


def test_a_fifo_is_read_once(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(POSTFIX.read_bytes(),), daemon=True)
    writer.start()
    assert trace("--log", fifo, "--to", "u1@hosting.example").returncode == 0
    writer.join(10)


def test_a_ticket_is_pasted() -> None:
    pasted = b"Hi, this is what we have:\n\n" + b"".join(
        b"> " + line + b"\n" for line in POSTFIX.read_bytes().splitlines()
    )
    done = trace("--log", "-", "--to", "u1@hosting.example", stdin=pasted)
    assert done.returncode == 0


def test_what_never_stood_in_a_queue_is_not_said_to_have(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_text(
        "Nov 22 05:01:38 out1 postfix/smtpd[7]: NOQUEUE: reject: RCPT from whmcs[203.0.113.10]: 550 5.1.2 <a@b.example>:"
        " Recipient address rejected: no; from=<c@d.example> to=<a@b.example> proto=ESMTP helo=<whmcs>\n"
    )
    done = trace("--log", log, "--to", "a@b.example")
    assert b"offered to our server" in done.stdout
    assert b"into our queue" not in done.stdout
    rows = tmp_path / "tblemails.csv"
    rows.write_text("id,userid,subject,message,date,to,cc,bcc\r\n1,7,Renewal,x,2026-11-22 05:01:38,a@b.example,,\r\n")
    done = trace("--log", rows, "--to", "a@b.example")
    assert "on the mailer’s list".encode() in done.stdout
    assert b"into our queue" not in done.stdout
