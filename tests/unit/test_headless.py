"""``journalctl -o cat``: a mail log without times is no mail log that can be read, and that is said."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deliverability.protocols.headless import is_headless

ROOT = Path(__file__).parents[2]
POSTFIX = ROOT / "examples" / "postfix" / "mail.log"
EXIM = ROOT / "examples" / "exim" / "mainlog"
SENTENCE = b"lines without a time, as journalctl -o cat prints them"


def asked(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "deliverability", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=False)


def without_heads(path: Path) -> bytes:
    return re.sub(rb"^\S+ \S+ \S+ ", b"", path.read_bytes(), flags=re.MULTILINE)


@pytest.mark.parametrize("who", ["jo32@corp.example", "nobody@corp.example"])
def test_lines_without_a_time_say_what_to_do(who: str, tmp_path: Path) -> None:
    log = tmp_path / "cat.log"
    log.write_bytes(without_heads(POSTFIX))
    for done in (
        asked("trace", "--log", str(log), "--to", who),
        asked("trace", "--log", "-", "--to", who, stdin=log.read_bytes()),
        asked("trace", "--log", str(log), "--log", str(EXIM), "--to", "nobody@corp.example"),
    ):
        assert done.returncode == 6
        assert SENTENCE in done.stderr and b"-o short-iso" in done.stderr


def test_ingest_says_the_same_of_them_and_keeps_nothing(tmp_path: Path) -> None:
    log, archive = tmp_path / "cat.log", tmp_path / "a.db"
    log.write_bytes(without_heads(POSTFIX))
    done = asked("ingest", "--log", str(log), "--archive", str(archive))
    assert done.returncode == 6
    assert SENTENCE in done.stderr and b"-o short-iso" in done.stderr
    assert b"; nothing of it was kept" in done.stderr
    looked = asked("archive", "status", "--archive", str(archive))
    assert str(log).encode() not in looked.stdout


def test_exims_own_times_are_enough(tmp_path: Path) -> None:
    """Exim writes its time into the words that it gives to syslog, so ``-o cat`` loses nothing."""
    log = tmp_path / "cat.log"
    log.write_bytes(EXIM.read_bytes())
    recipient = re.search(rb" => (\S+@\S+) ", EXIM.read_bytes())
    assert recipient is not None
    done = asked("trace", "--log", str(log), "--to", recipient[1].decode())
    assert done.returncode in (0, 3)
    assert SENTENCE not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        b"4jXLKQ0DC5zJPmr: to=<a@b.example>, relay=mx[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent (250 ok)",
        b"4jXLKQ0DC5zJPmr: removed\r\n",
        b"5AM7000301234: to=<a@b.example>, delay=00:00:01, xdelay=00:00:01, mailer=esmtp, stat=Sent",
        b"1vMdgY-0000000005A-3Xyz => a@b.example R=dnslookup T=remote_smtp",
        b"1vMdgY-0005A3-Xy Completed",
        b"lmtp(a@b.example)<12><abc>: msgid=<x@y.example>: saved mail to INBOX",
    ],
)
def test_words_of_mail_servers(words: bytes) -> None:
    assert is_headless(words)


@pytest.mark.parametrize(
    "words", [b"", b"Started Session 1 of user root.", b"note: to=do", b"abcde: removed it", b"a" * 9999]
)
def test_other_words(words: bytes) -> None:
    assert not is_headless(words)
