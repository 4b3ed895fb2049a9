"""``check`` as strangers use it: files that are no messages, typos, records used again; a sentence and a status each."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTICE = ROOT / "examples" / "notice.eml"
EXIM = ROOT / "examples" / "exim" / "mainlog"
SEPARATOR = b"From billing@host.example Sun Nov 22 00:00:00 2026\n"


def run(*arguments: object, **more: object) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "deliverability", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, cwd=ROOT, timeout=120, **more)


def check(*arguments: object, **more: object) -> "subprocess.CompletedProcess[bytes]":
    return run("check", "--offline", *arguments, **more)


def one_sentence(done: "subprocess.CompletedProcess[bytes]") -> bytes:
    assert not done.stdout
    (line,) = done.stderr.splitlines()
    return line


# --- what is no message -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", b"empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), b".msg"),
        (b"<!DOCTYPE html><p>hello", b"HTML"),
        (SEPARATOR + b"Subject: a\n\nb\n\n" + SEPARATOR + b"Subject: c\n\nd\n", b"2 messages"),
        (bytes.fromhex("f09f00ff8155ab02") + bytes(500), b"no message"),
    ],
)
def test_a_file_that_is_no_message_could_not_be_looked_at(tmp_path: Path, content: bytes, said: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    done = check("--message", file)
    assert done.returncode == 6
    assert said in one_sentence(done)
    reported = run("report", "--offline", "--log", EXIM, "--to", "mei.lin@gmail.com", "--message", file)
    assert (reported.returncode, reported.stderr) == (6, done.stderr)


def test_a_directory_and_a_file_that_is_not_there_could_not_be_looked_at(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.eml"):
        done = check("--message", path)
        assert done.returncode == 6
        assert str(path).encode() in one_sentence(done)


def test_a_broken_message_is_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "broken.eml"
    file.write_bytes(b"Subject: a\nFrom: a@b.example\nFrom: c@d.example\n\nb\0c\n")
    done = check("--message", file)
    assert done.returncode == 1
    assert b"2 From lines" in done.stdout
    assert b"NUL" in done.stdout


def test_an_mbox_of_one_message_is_read_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "one.mbox"
    file.write_bytes(SEPARATOR + NOTICE.read_bytes())
    done, plain = check("--message", file, "--transactional"), check("--message", NOTICE, "--transactional")
    assert b"From_ line was left out" in done.stderr
    assert done.returncode == plain.returncode
    assert done.stdout.splitlines()[1:] == plain.stdout.splitlines()[1:]  # but for the file's name


def test_a_message_beyond_our_limits_says_what_was_met_and_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "huge.eml"
    file.write_bytes(b"X-Trace: " + b"a" * (1 << 20) + b"\n" + NOTICE.read_bytes())
    done = check("--message", file)
    assert done.returncode == 1  # its line is longer than mail allows
    assert b"longer than 512 KiB" in done.stdout
    assert b"shorten it" in done.stdout


# --- a record used again ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_what_a_check_wrote_is_a_record_for_check_and_report(tmp_path: Path, form: str) -> None:
    record, again = tmp_path / f"record.{form}", tmp_path / "again"
    moment = ("--now", "2026-11-22T13:05+08:00")
    assert check("hosting.example", "gmail.com", "--format", form, "-o", record, *moment).returncode == 3
    done = run(
        *("check", "--observations", record, "hosting.example", "gmail.com", "--format", form, "-o", again), *moment
    )
    assert done.returncode == 3
    assert again.read_bytes() == record.read_bytes()
    reported = run(
        *("report", "--log", EXIM, "--to", "mei.lin@gmail.com", "--latest", "--observations", record),
        *("--format", "json", *moment),
    )
    questions = {o.get("name") for o in json.loads(reported.stdout)["observations"]}
    assert "gmail.com" in questions


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'{"kind": "check", "subjects": [{}]}', b"{}\n{}\n", b"[" * 100_000, b"no JSON"]
)
def test_what_carries_no_observations_is_usage(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "record"
    file.write_bytes(content)
    done = check("hosting.example", "--observations", file)
    assert done.returncode == 2
    assert b"--observations" in one_sentence(done)


# --- lists ------------------------------------------------------------------------------------------------------------


def test_a_list_is_answered_in_the_form_that_was_asked_for(tmp_path: Path) -> None:
    names = tmp_path / "names"
    names.write_text("hosting.example\nno domain!\n")
    told = check("--file", names)
    assert {json.loads(line)["subject"] for line in told.stdout.splitlines()} == {"hosting.example", "no domain!"}
    text = check("--file", names, "--format", "text")
    assert text.returncode == told.returncode == 6
    assert b"Outcome" in text.stdout
    assert b"no domain!\nDOMAIN: not a domain name" in text.stdout
    refused = check("--file", names, "--format", "json")
    assert refused.returncode == 2
    assert b"ndjson or text" in one_sentence(refused)
    resumed = check("--file", names, "--format", "text", "-o", tmp_path / "out", "--resume")
    assert resumed.returncode == 2


def test_rules_for_senders_say_nothing_of_a_recipient() -> None:
    done = check("hosting.example", "--address", "mei@gmail.com", "--for", "gmail", "--format", "json")
    domain, address = json.loads(done.stdout)["subjects"]
    assert any(v["check"].startswith("gmail:") for v in domain["verdicts"])
    assert not any(v["check"].startswith("gmail:") for v in address["verdicts"])


def test_the_empty_sender_of_bounces_is_one() -> None:
    done = check("--message", NOTICE, "--from", "<>", "--helo", "out1.hosting.example", "--from-ip", "203.0.113.25")
    assert done.returncode == 3, done.stderr


# --- spam scores ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "markdown", "junit", "json", "ndjson", "sarif"])
def test_what_a_filter_said_stands_in_the_answer(form: str) -> None:
    done = check("--message", NOTICE, "--transactional", "--rspamd", "http://127.0.0.1:1", "--format", form)
    assert done.returncode == 3
    assert b"rspamd" in done.stdout
    assert not done.stderr


# --- typos ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), b"say what to check"),
        (("hosting.example", "--for", "gmial"), b"gmail"),
        (("hosting.example", "--fail-on", "never"), b"undecided"),
        (("hosting.example", "--with", "smpt"), b"smtp"),
        (("hosting.example", "--format", "yaml"), b"markdown"),
        (("no domain!",), b"not a domain"),
        (("a@b.example",), b"--address"),
        (("https://hosting.example/",), b"leave out"),
        ((NOTICE.relative_to(ROOT),), b"--message"),
        (("hosting.example", "--about", "customer.example"), b"--address"),
        (("hosting.example", "--resume"), b"--file"),
        (("--address", "mei@gmail.com", "--for", "gmail"), b"--message"),
        (("--message", NOTICE, "--from", "garbage"), b"--from"),
        (("--message", NOTICE, "--spamd", "no port!"), b"HOST:PORT"),
        (("hosting.example", "--spamd", "127.0.0.1:783"), b"--message"),
        (("--address", "a@b.example", "--about", "x y"), b"--about"),
    ],
)
def test_typos_are_usage_and_say_what_there_is(arguments: tuple[object, ...], said: bytes) -> None:
    done = check(*arguments)
    assert done.returncode == 2, done
    assert said in done.stderr
    assert b"Traceback" not in done.stderr
    assert not done.stdout
