"""The command as a user meets it: exit statuses, streams, bad input (DESIGN §8)."""

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from deliverability.__main__ import run as run_here

ROOT = Path(__file__).parents[2]
LOGS = ROOT / "tests" / "cases" / "logs"
POSTFIX = LOGS / "postfix" / "postfix-3.10.iso8601.log"
BSD = LOGS / "postfix" / "postfix-3.10.rfc3164.log"


def run(*arguments: object, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "deliverability", *(str(a) for a in arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, cwd=cwd, timeout=60)


def trace(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return run("trace", "--offline", *arguments, stdin=stdin)


@pytest.mark.parametrize(
    ("to", "status"),
    [
        ("u1@hosting.example", 0),
        ("nouser1@gmail.example", 1),
        ("x@nosuchdomain.example", 1),
        ("dup@corp.example", 2),
        ("jo32@corp.example", 3),
        ("overquota@gmail.example", 3),
        ("x@dropdata.example", 4),
        ("victim@gmail.example", 4),
    ],
)
@pytest.mark.parametrize("command", ["trace", "report"])
def test_exit_status(command: str, to: str, status: int) -> None:
    done = run(command, "--offline", "--log", POSTFIX, "--to", to)
    assert done.returncode == status, done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_several_messages_are_listed_and_one_is_asked_for() -> None:
    done = run("report", "--offline", "--log", POSTFIX, "--to", "dup@corp.example")
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"2 messages match" in done.stderr
    assert b"4jXH3l00JlzLhSS" in done.stderr
    assert b"4jXH3l0259zLhST" in done.stderr
    assert trace("--log", POSTFIX, "--to", "dup@corp.example", "--latest").returncode == 3
    assert trace("--log", POSTFIX, "--to", "dup@corp.example", "--all").returncode == 3
    one = trace("--log", POSTFIX, "--to", "dup@corp.example", "--queue-id", "4jXH3l00JlzLhSS", "--format", "json")
    assert one.returncode == 3
    assert [m["queue_ids"] for m in json.loads(one.stdout)["messages"]] == [["4jXH3l00JlzLhSS"]]


def test_stdout_is_data_and_stderr_is_talk(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(POSTFIX.read_bytes() + b"this is no log line\n")
    done = trace("--log", log, "--to", "jo32@corp.example", "--format", "json")
    told = json.loads(done.stdout)
    assert told["schema_version"] == 1
    assert told["coverage"]["unread"] == 1
    assert b"1 of 1347 lines could not be read" in done.stderr
    listed = trace("--log", log, "--to", "jo32@corp.example", "--unread")
    assert b"mail.log:1347: this is no log line" in listed.stderr


def test_json_of_one_delivery() -> None:
    done = trace("--log", POSTFIX, "--to", "lena94@gmail.example", "--format", "json")
    (message,) = json.loads(done.stdout)["messages"]
    (delivery,) = message["deliveries"]
    (attempt,) = delivery["attempts"]
    assert message["message_id"] == "INV-10002.1795323698@billing.hosting.example"
    assert (delivery["state"], delivery["level"], delivery["role"]) == (
        "handed-over",
        "L1",
        "unconfirmed",
    )  # it was recorded on loopback
    assert attempt["relay"] == {"name": "gmail-smtp-in.l.gmail.example", "ip": "127.0.2.1", "port": 25}
    assert (attempt["reply"]["code"], attempt["reply"]["enhanced_status_code"]) == (250, "2.0.0")
    assert attempt["tls"]["version"] == "TLSv1.3"
    assert attempt["remote_queue_id"] == "bfe228f219e9-cb0eb53f1694si991014557cc.948"
    assert attempt["lines"][-1]["line"] == 56


@pytest.mark.parametrize(
    "content",
    [
        bytes(range(256)) * 500,
        b'{"some": "json"}\n' * 100,
        b'127.0.0.1 - - [22/Nov/2026:05:01:38 +0000] "GET / HTTP/1.1" 200 5\n' * 100,
        b"\x1f\x8b\x08\x00broken archive",
    ],
)
def test_what_is_no_mail_log_could_not_be_looked_at(tmp_path: Path, content: bytes) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(content)
    done = trace("--log", log, "--to", "a@b.example")
    assert done.returncode == 6, done
    assert b"mail.log" in done.stderr


def test_a_missing_log_and_a_directory_could_not_be_looked_at(tmp_path: Path) -> None:
    for path in (tmp_path / "none.log", tmp_path):
        done = trace("--log", path, "--to", "a@b.example")
        assert done.returncode == 6
        assert str(path).encode() in done.stderr


def test_a_log_cut_in_a_line_says_so(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    whole = POSTFIX.read_bytes()
    cut = whole.index(b"status=sent (250 2.0.0 Ok: queued as ZMgz") + 10
    log.write_bytes(whole[:cut])
    done = trace("--log", log, "--to", "jo32@corp.example", "--format", "json")
    told = json.loads(done.stdout)
    assert done.returncode in (3, 4)
    assert told["messages"][0]["deliveries"][0]["state"] in ("queued", "unknown")
    assert b"last line has no end" in done.stderr


def test_a_damaged_archive_says_so(tmp_path: Path) -> None:
    log = tmp_path / "mail.log.1.gz"
    packed = gzip.compress(POSTFIX.read_bytes())
    log.write_bytes(packed[: len(packed) // 2])
    done = trace("--log", log, "--to", "jo32@corp.example", "--format", "json")
    assert json.loads(done.stdout)["messages"][0]["deliveries"][0]["state"] == "handed-over"
    assert b"cannot be read past octet" in done.stderr


def test_rotated_and_compressed_sets_are_read_in_order(tmp_path: Path) -> None:
    lines = BSD.read_bytes().splitlines(keepends=True)
    third = len(lines) // 3
    (tmp_path / "mail.log").write_bytes(b"".join(lines[2 * third :]))
    (tmp_path / "mail.log.1").write_bytes(b"".join(lines[third : 2 * third]))
    (tmp_path / "mail.log.2.gz").write_bytes(gzip.compress(b"".join(lines[:third])))
    (tmp_path / "mail.log.offset").write_bytes(b"not a rotation\n")
    done = trace("--log", tmp_path / "mail.log", "--to", "rate@gmail.example", "--format", "json")
    told = json.loads(done.stdout)
    files = [Path(f["file"]).name for f in told["coverage"]["files"]]
    assert files == ["mail.log.2.gz", "mail.log.1", "mail.log"]
    (message,) = told["messages"]
    assert message["queue_ids"] == ["4jXH3k4z8qzLhRf", "4jXH4r3phjzLhRq"]
    whole = json.loads(trace("--log", BSD, "--to", "rate@gmail.example", "--format", "json").stdout)["messages"][0]
    times = [a["at"] for a in message["deliveries"][0]["attempts"]]
    assert times == [a["at"] for a in whole["deliveries"][0]["attempts"]]
    expanded = trace(
        "--log",
        *sorted(p for p in tmp_path.iterdir() if p.suffix != ".offset"),
        "--to",
        "rate@gmail.example",
        "--format",
        "json",
    )
    assert [Path(f["file"]).name for f in json.loads(expanded.stdout)["coverage"]["files"]] == files


def test_pasted_lines_and_named_hosts() -> None:
    pasted = b"".join(line for line in BSD.read_bytes().splitlines(keepends=True) if b"4jXH3k3V2zzLhRZ" in line)
    done = trace("--log", "-", "--to", "jo32@corp.example", "--format", "json", stdin=pasted)
    assert done.returncode == 3
    named = trace("--log", f"out1={BSD}", "--to", "jo32@corp.example", "--format", "json")
    (message,) = json.loads(named.stdout)["messages"]
    assert message["deliveries"][0]["attempts"][0]["log"] == "out1"
    for answer in (done, named):
        at = json.loads(answer.stdout)["messages"][0]["deliveries"][0]["attempts"][0]
        assert at["at"] == "2026-11-22T05:01:38Z"
        assert (at["year_from"], at["zone_from"]) == ("queue-id", "queue-id")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--log", POSTFIX),
        ("--log", POSTFIX, "--to", "no-at-sign"),
        ("--log", POSTFIX, "--to", "a\x1b[31m@b.example"),
        ("--log", POSTFIX, "--to", "a@b.example", "--since", "yesterday"),
        ("--log", POSTFIX, "--to", "a@b.example", "--tz", "Mars/Olympus"),
        ("--log", POSTFIX, "--to", "a@b.example", "--latest", "--all"),
        ("--to", "a@b.example", "--config", ROOT / "tests" / "cases" / "empty.toml"),
        ("--no-such-option",),
    ],
)
def test_what_cannot_be_meant_is_usage(arguments: tuple[object, ...]) -> None:
    done = trace(*arguments)
    assert done.returncode == 2, done
    assert b"\x1b" not in done.stderr
    assert b"Traceback" not in done.stderr


def test_replies_with_escapes_markup_and_bidi_marks_stay_text(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    hostile = "550 5.1.1 \x1b]0;owned\x07<script>alert(1)</script> \u202egnp.exe".encode()
    log.write_bytes(
        POSTFIX.read_bytes().replace(b"250 2.0.0 Ok: queued as ZMgzFGrJdvFpRDH", hostile).replace(b"\x00", b"")
    )
    for form in ("text", "html"):
        done = run("report", "--offline", "--log", log, "--to", "jo32@corp.example", "--format", form)
        assert done.returncode in (1, 3, 4), done.stderr
        for forbidden in (b"\x1b", b"\x07", "\u202e".encode()):
            assert forbidden not in done.stdout
        assert form == "text" or b"<script>alert" not in done.stdout
    table = trace("--log", log, "--to", "jo32@corp.example")
    assert b"\x1b" not in table.stdout


def test_subjects_are_searched_decoded_and_a_log_without_them_says_so(tmp_path: Path) -> None:
    found = trace("--log", POSTFIX, "--to", "jo32@corp.example", "--subject", "renewal notice inv-10001")
    assert found.returncode == 3
    assert trace("--log", POSTFIX, "--to", "jo32@corp.example", "--subject", "INV-99999").returncode == 4
    log = tmp_path / "mail.log"
    log.write_bytes(
        b"".join(x for x in POSTFIX.read_bytes().splitlines(keepends=True) if b"info: header Subject" not in x)
    )
    silent = trace("--log", log, "--to", "jo32@corp.example", "--subject", "INV-10001")
    assert silent.returncode == 4
    assert b"records no subjects" in silent.stderr


def test_time_windows() -> None:
    assert trace("--log", POSTFIX, "--to", "jo32@corp.example", "--since", "2026-11-22").returncode == 3
    assert trace("--log", POSTFIX, "--to", "jo32@corp.example", "--since", "2026-11-23").returncode == 4
    assert trace("--log", POSTFIX, "--to", "jo32@corp.example", "--until", "2026-11-22").returncode == 3
    late = trace("--log", POSTFIX, "--to", "jo32@corp.example", "--since", "2026-11-22T13:01:00+08:00")
    assert late.returncode == 3
    assert trace("--log", POSTFIX, "--to", "jo32@corp.example", "--until", "2026-11-22T13:01:00+08:00").returncode == 4


def test_help_has_examples() -> None:
    assert run("--help").returncode == 0
    assert b"deliverability report --log" in run("report", "--help").stdout


def test_a_report_replays_without_a_network(tmp_path: Path) -> None:
    first = run(
        "report",
        "--offline",
        "--log",
        POSTFIX,
        "--to",
        "jo32@corp.example",
        "--format",
        "json",
        "--now",
        "2026-11-23T00:00:00Z",
    )
    record = tmp_path / "report.json"
    record.write_bytes(first.stdout)
    again = run(
        "report",
        "--observations",
        record,
        "--log",
        POSTFIX,
        "--to",
        "jo32@corp.example",
        "--format",
        "json",
        "--now",
        "2026-11-23T00:00:00Z",
    )
    assert again.stdout == first.stdout


def test_init_writes_a_configuration_that_is_accepted(tmp_path: Path) -> None:
    done = run("init", "-o", tmp_path / "made.toml")
    assert done.returncode == 0, done.stderr
    again = run("init", "-o", tmp_path / "made.toml")
    assert again.returncode == 2
    assert b"--force" in again.stderr
    used = trace("--config", tmp_path / "made.toml", "--log", POSTFIX, "--to", "u1@hosting.example")
    assert used.returncode == 0, used.stderr


# --- streams, signals, limits -----------------------------------------------------------------------------------------


def shell(script: str) -> subprocess.CompletedProcess[bytes]:
    """Run in bash with ``$D`` as the command; what the script prints last is usually a status."""
    command = f"D='{sys.executable} -m deliverability'; L='{POSTFIX}'; {script}"
    return subprocess.run(["bash", "-c", command], capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("script", "status"),
    [
        # A reader who has seen enough changes no answer: 1 is only ever a finding, and 0 only ever an acceptance.
        ("$D trace --offline --log $L --to nobody@corp.example --format json | true; exit ${PIPESTATUS[0]}", 4),
        ("$D trace --offline --log $L --to jo32@corp.example --format json | head -1; exit ${PIPESTATUS[0]}", 3),
        ("$D trace --offline --log $L --to nouser1@gmail.example | true; exit ${PIPESTATUS[0]}", 1),
        ("$D trace --offline --log $L --to dup@corp.example 2>&1 | true; exit ${PIPESTATUS[0]}", 2),
        ("$D trace --help | true; exit ${PIPESTATUS[0]}", 0),
        ("$D trace --offline --log $L --to jo32@corp.example >&-", 6),
        ("$D trace --offline --log $L --to jo32@corp.example >/dev/full", 6),
        ("$D trace --offline --log $L --to jo32@corp.example 2>&-", 3),
        ("$D trace --offline --log $L --to dup@corp.example 2>/dev/full", 2),
        ("$D trace --offline --log - --to jo32@corp.example <&-", 6),
        ("$D trace --offline --log /dev/stdin --to jo32@corp.example < $L", 3),
        ("cat $L | $D trace --offline --log /dev/stdin --to jo32@corp.example", 3),
        ("gzip -c $L | $D trace --offline --log - --to jo32@corp.example", 3),
        ("$D trace --offline --log <(gzip -c $L | zcat) --to jo32@corp.example", 3),
        ("$D", 2),
    ],
)
def test_streams_change_no_answer(script: str, status: int) -> None:
    done = shell(script)
    assert done.returncode == status, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", "@corp.example"),
        ("--to", "*@corp.example"),
        ("--to", "jo32@corp.example", "--format", "pdf"),
        ("--to", "jo32@corp.example", "--nameserver", "not/an:ip"),
        ("--to", "jo32@corp.example", "--timeout", "nan"),
        ("--to", "jo32@corp.example", "--until", "9999-12-31"),
        ("--to", "jo32@corp.example", "--since", "0001-01-01T00:00+08:00"),
        ("--to", b"jo\xff32@corp.example"),
        ("--to", "jo32@corp.example", "--log", "-", "--log", "x=-"),
        ("--to", "jo32@corp.example", "--log", ""),
    ],
)
def test_what_cannot_be_meant_is_usage_whatever_the_bytes(arguments: tuple[str | bytes, ...]) -> None:
    command = [sys.executable, "-m", "deliverability", "trace", "--offline", "--log", str(POSTFIX), *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 2, done
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("name", [b"/nonexistent/\xff.log", b"/nonexistent/\x1b[31m.log"])
def test_names_of_any_bytes_are_shown_and_never_obeyed(name: bytes) -> None:
    command = [sys.executable, "-m", "deliverability", "trace", "--to", "a@b.example", "--log", name]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 6
    assert b"\x1b" not in done.stderr
    assert b"nonexistent" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["report", "--offline", "--to", "u1@hosting.example", "--log", "{log}", "-o", "{log}"],
        ["report", "--offline", "--to", "u1@hosting.example", "--log", "mx1={log}", "-o", "{link}"],
        ["trace", "--offline", "--to", "u1@hosting.example", "--log", "{link}", "-o", "{log}"],
        ["trace", "--offline", "--log", f"{POSTFIX}", "--cohort", "{rows}", "-o", "{rows}"],
        ["check", "--offline", "--message", "{mail}", "--format", "json", "-o", "{mail}"],
        ["check", "--offline", "--file", "{names}", "-o", "{names}"],
        ["summary", "--log", "{log}", "-o", "{log}"],
    ],
)
def test_what_a_command_reads_is_never_written_over(tmp_path: Path, command: list[str]) -> None:
    files = {name: tmp_path / name for name in ("log", "rows", "mail", "names")}
    files["log"].write_bytes(POSTFIX.read_bytes())
    files["rows"].write_text("address,date\nu1@hosting.example,2026-11-21\n")
    files["mail"].write_bytes(b"From: a@hosting.example\n\nx\n")
    files["names"].write_text("hosting.example\n")
    before = {name: file.read_bytes() for name, file in files.items()}
    (tmp_path / "link").symlink_to(files["log"])
    done = run(*(word.format(**files, link=tmp_path / "link") for word in command))
    assert done.returncode == 2, done.stderr.decode()
    assert b"is read by this command" in done.stderr
    assert {name: file.read_bytes() for name, file in files.items()} == before


def test_pages_in_a_folder_are_named_by_date_and_subject(tmp_path: Path) -> None:
    log = ROOT / "examples" / "exim" / "mainlog"
    to = ("--to", "mei.lin@gmail.com", "--to", "chen@hinet.net", "--zone", "Asia/Taipei")
    done = run("report", "--offline", "--log", log, *to, "--all", "--format", "html", "-o", tmp_path)
    assert done.returncode in (0, 3), done.stderr.decode()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "2026-11-22-Hosting-renewal-notice-主機續約通知-INV-20411.html",
        "2026-11-22-Hosting-renewal-notice-主機續約通知-INV-20413.html",
    ]
    alike = tmp_path / "alike"
    alike.mkdir()
    run("report", "--offline", "--log", POSTFIX, "--to", "dup@corp.example", "--all", "-o", alike)
    assert len(list(alike.iterdir())) == 2


def test_an_output_that_cannot_be_written_could_not_be_looked_at(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none" / "x", "/dev/full"):
        done = trace("--log", POSTFIX, "--to", "jo32@corp.example", "-o", place)
        assert done.returncode == 6, done
    there = tmp_path / "there.json"
    there.write_bytes(b"old" * 10_000)
    assert trace("--log", POSTFIX, "--to", "jo32@corp.example", "--format", "json", "-o", there).returncode == 3
    assert json.loads(there.read_bytes())["kind"] == "trace"


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_chinese_comes_out_in_every_locale(locale: str) -> None:
    command = [
        sys.executable,
        "-m",
        "deliverability",
        "trace",
        "--offline",
        "--log",
        str(POSTFIX),
        "--lang",
        "zh-Hant-TW",
    ]
    env = {"PATH": os.environ["PATH"], "LC_ALL": locale, "NO_COLOR": "1", "COLUMNS": "20"}
    done = subprocess.run(
        [*command, "--to", "用户@utf8.example"], capture_output=True, check=False, timeout=60, env=env
    )
    assert done.returncode in (1, 3), done.stderr
    assert "用户@utf8.example" in done.stdout.decode()


# --- logs that cannot all be read -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["trace", "report"])
def test_a_not_found_beside_a_log_that_cannot_be_read_is_no_not_found(tmp_path: Path, command: str) -> None:
    gone = tmp_path / "gone.log"
    beside = run(command, "--offline", "--log", POSTFIX, gone, "--to", "nobody@corp.example")
    assert beside.returncode == 6
    assert b"gone.log" in beside.stderr
    assert run(command, "--offline", "--log", POSTFIX, "--to", "nobody@corp.example").returncode == 4
    found = run(command, "--offline", "--log", POSTFIX, gone, "--to", "jo32@corp.example")
    assert found.returncode == 3
    assert b"gone.log" in found.stderr
    broken = tmp_path / "mail.log.2.gz"
    broken.write_bytes(gzip.compress(POSTFIX.read_bytes())[:3000])
    assert run(command, "--offline", "--log", POSTFIX, broken, "--to", "nobody@corp.example").returncode == 6


def test_a_log_of_somebody_else_could_not_be_looked_at(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        monkeypatch.setenv("HOME", made)
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        monkeypatch.chdir(directory)
        directory.chmod(0o755)  # pytest keeps its own directories closed
        closed, opened = directory / "closed.log", directory / "open.log"
        for log in (closed, opened):
            log.write_bytes(POSTFIX.read_bytes())
            log.chmod(0o444 if log is opened else 0)
        asked = ["trace", "--offline", "--to", "nobody@corp.example", "--log"]
        assert run_here([*asked, str(opened)]) == 4  # and everything is imported now
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            statuses = [run_here([*asked, str(closed)]), run_here([*asked, str(opened), str(closed)])]
        finally:
            os.seteuid(user)
    assert statuses == [6, 6]
    assert "group adm" in capfd.readouterr().err


def test_a_file_of_somebody_else_is_no_wrong_use(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is given beside the logs: it could not be looked at."""
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        monkeypatch.setenv("HOME", made)
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        monkeypatch.chdir(directory)
        directory.chmod(0o755)
        Path("open.log").write_bytes(POSTFIX.read_bytes())
        Path("mail.eml").write_bytes(b"From: a@host.example\n\n")
        assert run_here(["ingest", "--log", "open.log", "--archive", "a.db"]) == 0
        commands = [
            ["archive", "status", "--archive", "a.db"],
            ["check", "--offline", "--message", "mail.eml"],
            ["explain", "mail.eml"],
            ["report", "--offline", "--log", "open.log", "--to", "a@corp.example", "--message", "mail.eml"],
            ["send", "mail.eml"],
            ["trace", "--archive", "a.db", "--to", "a@corp.example"],
            ["trace", "--log", "open.log", "--cohort", "mail.eml"],
            ["verify", "mail.eml"],
        ]
        for command in commands:
            run_here(command)  # everything is imported now
        for file in directory.iterdir():
            file.chmod(0o444 if file.name == "open.log" else 0)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            statuses = {" ".join(command): run_here(command) for command in commands}
        finally:
            os.seteuid(user)
    assert statuses == dict.fromkeys(statuses, 6)
    assert "Invalid value" not in capfd.readouterr().err


@pytest.mark.parametrize("beside", [[], ["--log", POSTFIX]])
def test_nothing_through_a_pipe_is_no_log(beside: list[object], tmp_path: Path) -> None:
    """Such as from an ssh that failed: nobody looked, so nothing is said not to be there."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for words in (["--log", "-"], ["--log", fifo]):
        writer = threading.Thread(target=lambda: os.close(os.open(fifo, os.O_WRONLY)))  # waits for the reader
        if fifo in words:
            writer.start()
        done = trace("--to", "nobody@corp.example", *beside, *words)
        assert done.returncode == 6
        assert b"nothing came: see whether the command" in done.stderr
    writer.join()


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_log_is_named_and_is_a_not_found(tmp_path: Path, content: bytes) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(content)
    done = trace("--log", log, "--to", "a@b.example")
    assert done.returncode == 4
    assert b"mail.log: empty: nothing to look at" in done.stderr


def test_logs_of_the_configuration_are_read_commands_too(tmp_path: Path) -> None:
    settings = tmp_path / "deliverability.toml"
    settings.write_text(
        f'schema_version = 1\n[[log]]\nname = "out1"\ncommand = ["/bin/cat", "{POSTFIX}"]\n'
        '[[log]]\nname = "out2"\ncommand = ["/bin/sh", "-c", "echo no route >&2; exit 255"]\n'
    )
    done = trace("--config", settings, "--to", "jo32@corp.example", "--format", "json")
    assert done.returncode == 3, done.stderr
    assert b"exit status 255: no route" in done.stderr
    assert json.loads(done.stdout)["messages"][0]["deliveries"][0]["attempts"][0]["log"] == "out1"
    assert trace("--config", settings, "--to", "nobody@corp.example").returncode == 6


# --- large logs -------------------------------------------------------------------------------------------------------


def _limited() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (200 << 20, 200 << 20))


def test_a_large_log_takes_little_memory(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    with log.open("wb") as file:
        for _ in range(200):
            file.write(POSTFIX.read_bytes())
        file.seek(1 << 30, os.SEEK_CUR)  # a hole: one line of a gigabyte
        file.write(b"\n")
    command = [sys.executable, "-m", "deliverability", "trace", "--offline", "--log", str(log), "--to", "x@y.example"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120, preexec_fn=_limited)
    assert done.returncode == 4, done.stderr
    assert b"far too long" in done.stderr


def test_a_person_sees_progress_and_ctrl_c_stops_a_long_look(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    with log.open("wb") as file:
        file.write(POSTFIX.read_bytes())
        for _ in range(4096):  # a tebioctet of holes that nobody waits for; after each it is told how far it came
            file.seek(256 << 20, os.SEEK_CUR)
            file.write(b"\n")
    primary, secondary = os.openpty()
    command = [sys.executable, "-m", "deliverability", "trace", "--offline", "--log", str(log), "--to", "x@y.example"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=secondary) as process:
        os.close(secondary)  # nobody else holds it: reading ends when the command does
        shown = os.read(primary, 10_000)  # waits for the first words
        process.send_signal(signal.SIGINT)
        with suppress(OSError):  # EIO: the end of a terminal that nobody writes to any more
            while more := os.read(primary, 10_000):
                shown += more
        assert process.wait(20) == 130
        assert process.stdout and process.stdout.read() == b""
    os.close(primary)
    assert b"reading " in shown
    assert shown.endswith((b"\r\x1b[K\r\n", b"\r\x1b[K"))
    assert b"Traceback" not in shown


# --- before sending ---------------------------------------------------------------------------------------------------


def check(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    return run("check", "--offline", *arguments)


def test_check_needs_something_to_check() -> None:
    assert check().returncode == 2
    assert b"say what to check" in check().stderr


def test_a_message_is_checked_in_every_form() -> None:
    mail = ROOT / "examples" / "notice.eml"
    for form, sign in (
        ("text", b"Date, From and Message-ID"),
        ("json", b'"kind": "check"'),
        ("ndjson", b'"subject":"'),
        ("junit", b"<testsuites>"),
        ("sarif", b'"version": "2.1.0"'),
        ("markdown", b"| --- |".replace(b" ", b"")),
    ):
        done = check("--message", mail, "--transactional", "--format", form)
        assert done.returncode == 3, done.stderr  # offline: the key could not be looked up
        assert sign in done.stdout


def test_json_of_checks_is_one_document_and_ndjson_one_line_each() -> None:
    done = check("--address", "chen@hinet.net", "--address", "mei@gmail.com", "--format", "ndjson")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [t["subject"] for t in told] == ["chen@hinet.net", "mei@gmail.com"]
    whole = json.loads(check("--address", "chen@hinet.net", "--format", "json").stdout)
    assert whole["schema_version"] == 1
    assert [s["kind"] for s in whole["subjects"]] == ["address"]


def test_a_hint_decides_nothing_unless_asked(tmp_path: Path) -> None:
    mail = tmp_path / "m.eml"
    mail.write_bytes(b"From: a@hosting.example\r\nDate: Sun, 22 Nov 2026 05:00:00 +0000\r\n\r\nHi\r\n")
    assert check("--message", mail).returncode == 1  # no Message-ID
    assert b"required-headers-once" in check("--message", mail, "--format", "junit").stdout
    undecided = check("--address", "chen@hinet.net")
    assert undecided.returncode == 3
    assert check("--address", "chen@hinet.net", "--fail-on", "undecided").returncode == 1


def test_rules_of_a_provider_and_unknown_ones() -> None:
    done = check("hosting.example", "--for", "gmail", "--format", "json")
    checks = [v["check"] for v in json.loads(done.stdout)["subjects"][0]["verdicts"]]
    assert [c for c in checks if c.startswith("gmail:")]
    assert check("hosting.example", "--for", "nobody").returncode == 2
    assert check("hosting.example", "--with", "telepathy").returncode == 2


def test_the_form_of_a_report_follows_the_name_of_its_file(tmp_path: Path) -> None:
    for name, sign in (("a.html", b"<!DOCTYPE html>"), ("a.json", b'"kind": "report"'), ("a.txt", b"INV-10001")):
        done = run("report", "--offline", "--log", POSTFIX, "--to", "jo32@corp.example", "-o", tmp_path / name)
        assert done.returncode == 3
        assert sign.lower() in (tmp_path / name).read_bytes().lower()
    forced = run(
        "report",
        "--offline",
        "--log",
        POSTFIX,
        "--to",
        "jo32@corp.example",
        "-o",
        tmp_path / "b.html",
        "--format",
        "text",
    )
    assert forced.returncode == 3
    assert b"<!doctype" not in (tmp_path / "b.html").read_bytes().lower()


def test_a_list_of_domains_is_answered_line_by_line_and_resumed(tmp_path: Path) -> None:
    names = tmp_path / "domains.txt"
    names.write_text(
        "hosting.example\n# a comment\n\ncorp.example\nno domain!\nb\u00fccher.example\n", encoding="utf-8"
    )
    out = tmp_path / "out.ndjson"
    done = check("--file", names, "-o", out, "--jobs", "3")
    assert done.returncode == 6  # one entry is no domain
    told = {json.loads(line)["subject"]: json.loads(line) for line in out.read_bytes().splitlines()}
    assert set(told) == {"hosting.example", "corp.example", "no domain!", "b\u00fccher.example"}
    assert told["no domain!"]["problem"]
    assert told["hosting.example"]["problem"] is None
    whole = out.read_bytes()
    out.write_bytes(whole[: len(whole) // 2])
    assert check("--file", names, "-o", out, "--resume").returncode in (3, 6)
    subjects = [json.loads(line)["subject"] for line in out.read_bytes().splitlines()]
    assert sorted(subjects) == sorted(told)
    assert check("--file", names, "hosting.example").returncode == 2
    assert check("--file", names, "--format", "junit").returncode == 2
    assert check("--file", tmp_path / "none.txt").returncode == 6


def test_a_spam_filter_that_does_not_answer_decides_nothing() -> None:
    mail = ROOT / "examples" / "notice.eml"
    done = check("--message", mail, "--transactional", "--spamd", "127.0.0.1:1")
    assert done.returncode == check("--message", mail, "--transactional").returncode
    assert b"spamd at 127.0.0.1:1 gave no score" in done.stdout


def test_a_refusal_in_a_timeline_is_told_in_plain_words(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    head = "2026-11-22T05:01:0{}+00:00 mail postfix/smtp[9]: 4ABCDE12345: to=<mei@corp.example>, relay=mx.corp.example[192.0.2.9]:25,"
    said = "host mx.corp.example[192.0.2.9] said: {} (in reply to RCPT TO command)"
    log.write_text(
        "2026-11-22T05:01:00+00:00 mail postfix/qmgr[9]: 4ABCDE12345: from=<a@host.example>, size=900, nrcpt=1 (queue active)\n"
        f"{head.format(1)} delay=1, dsn=4.7.1, status=deferred ({said.format('450 4.7.1 Greylisted, try later')})\n"
        f"{head.format(2)} delay=2, dsn=5.0.0, status=bounced ({said.format('554 Q7 nein danke')})\n"
    )
    done = trace("--log", log, "--to", "mei@corp.example")
    assert b"450 4.7.1: The server puts off senders that it does not know yet" in done.stdout
    assert b"554: What these words mean is not known here; they are quoted as they are." in done.stdout
    assert b"554 Q7 nein danke" in done.stdout
    done = trace("--log", log, "--to", "mei@corp.example", "--lang", "zh-Hant-TW")
    assert "450 4.7.1：對方伺服器會先延後陌生寄件者的信".encode() in done.stdout


def test_logs_of_several_servers_without_names_are_told_how_they_become_one_story(tmp_path: Path) -> None:
    """A message that one handed to the other is two where nobody says that these are two servers."""
    head = "2026-11-22T05:00:0{}.000001+00:00 {} postfix/{}[7]: {}: "
    for host, queue_id in (("web1", "4dDGHm4hqfz14Fm"), ("relay1", "4dDGHn7kqfz14Fn")):
        said = (
            "to=<a@b.example>, relay=mx[192.0.2.1]:25, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 Ok)"
        )
        lines = [
            ("smtpd", "client=x[192.0.2.9]"),
            ("cleanup", "message-id=<1@h.example>"),
            ("smtp", said),
            ("qmgr", "removed"),
        ]
        text = "".join(head.format(at, host, who, queue_id) + words + "\n" for at, (who, words) in enumerate(lines))
        (tmp_path / f"{host}.log").write_text(text)
    done = run("trace", "--offline", "--log", "web1.log", "--log", "relay1.log", "--to", "a@b.example", cwd=tmp_path)
    assert done.returncode == 2
    assert b"name each (--log web1=FILE" in done.stderr
    done = run("trace", "--offline", "--log", "web1.log", "--to", "a@b.example", cwd=tmp_path)
    assert (done.returncode, b"name each" in done.stderr) == (3, False)


def test_an_excerpt_that_ends_with_the_message_says_so() -> None:
    """Lines that somebody searched out by a Message-ID stop at the arrival."""
    text = (ROOT / "tests" / "cases" / "logs" / "exim" / "4.98-cpanel" / "mainlog").read_bytes()
    arrivals = [line for line in text.splitlines(keepends=True) if b" <= " in line and b"for jo32@corp.example" in line]
    assert arrivals
    done = trace("--log", "-", "--to", "jo32@corp.example", "--latest", stdin=arrivals[-1])
    assert b"ends with a line of this message" in done.stderr
    done = trace("--log", "-", "--to", "jo32@corp.example", "--latest", stdin=text)
    assert b"ends with a line of this message" not in done.stderr
