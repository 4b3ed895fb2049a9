"""The real rspamd, on loopback with a configuration and state of its own in a temporary folder, is asked for a score.

It has no network: no module of it that asks others is loaded, and its name server is a closed port.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from free_ports import free_port

from deliverability.capture.spam_score import SpamScore, ask_rspamd

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]
START_SECONDS = 120  # it compiles its expressions first
USER = "_rspamd"
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
HEAD = (
    b"From: Billing <billing@host.example>\nTo: mei@mail.example\nSubject: Renewal\n"
    b"Date: Sun, 22 Nov 2026 08:00:00 +0800\nMessage-ID: <1@host.example>\n\n"
)
CONFIGURATION = """
options {
    pidfile = "$DBDIR/rspamd.pid";
    control_socket = "$DBDIR/rspamd.sock mode=0600";
    tempdir = "$DBDIR";
    cache_file = "$DBDIR/symbols.cache";
    hs_cache_dir = "$DBDIR/";
    history_file = "$DBDIR/history";
    url_tld = "${SHAREDIR}/effective_tld_names.dat";
    filters = "chartable,regexp";
    gtube_patterns = "all";
    dns { nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }
}
logging { type = "console"; level = "notice"; }
worker "normal" { bind_socket = "127.0.0.1:@PORT@"; count = 1; mime = true; }
modules { path = ["$PLUGINSDIR/once_received.lua"]; }
lua = "$RULESDIR/rspamd.lua";
.include "$CONFDIR/actions.conf"
.include "$CONFDIR/groups.conf"
"""


@pytest.fixture(scope="module")
def rspamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("rspamd") or shutil.which("rspamd", path="/usr/sbin:/sbin")
    if program is None:
        reason = "rspamd is not installed (Debian: apt-get install rspamd)"
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail(f"REQUIRE_SERVERS=1, but {reason}")
        pytest.skip(reason)
    folder = Path("/tmp") / f"deliverability-rspamd-{os.getpid()}"  # pytest's own folders are closed to other users
    folder.mkdir(mode=0o700)
    port = free_port()
    (folder / "rspamd.conf").write_text(CONFIGURATION.replace("@PORT@", str(port)))
    arguments = ["-f", "-c", str(folder / "rspamd.conf"), f"--var=DBDIR={folder}"]
    if os.geteuid() == 0:
        shutil.chown(folder, USER, USER)
        arguments += ["-u", USER, "-g", USER]
    log = tmp_path_factory.mktemp("rspamd") / "log"
    try:
        with log.open("wb") as out:
            process = subprocess.Popen([program, *arguments], stdout=out, stderr=out, cwd=folder)
        try:
            wait_for(port, process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)
    finally:
        shutil.rmtree(folder)


def wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            pytest.fail(f"rspamd ended: {log.read_text(errors='replace')[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"rspamd did not listen within {START_SECONDS} s: {log.read_text(errors='replace')[-2000:]}")


def test_a_plain_notice(rspamd: str) -> None:
    found = asyncio.run(ask_rspamd(rspamd, HEAD + b"Dear customer,\n\nplease renew by 1 December.\n"))
    assert isinstance(found, SpamScore), found
    assert not found.spam
    assert found.threshold is not None
    assert found.score < found.threshold
    assert found.action == "no action"
    assert "FROM_HAS_DN" in found.symbols


def test_the_standard_test_for_unsolicited_mail(rspamd: str) -> None:
    found = asyncio.run(ask_rspamd(rspamd, HEAD + GTUBE + b"\n"))
    assert isinstance(found, SpamScore), found
    assert found.spam
    assert (found.action, found.symbols) == ("reject", ("GTUBE",))


@pytest.mark.parametrize("message", [b"", b"\0\xff" * 1000, b"From: " + b"a" * 300_000])
def test_bytes_that_are_no_message(rspamd: str, message: bytes) -> None:
    assert isinstance(asyncio.run(ask_rspamd(rspamd, message)), SpamScore)


def test_the_score_is_a_fact_of_the_answer_and_decides_nothing(rspamd: str, tmp_path: Path) -> None:
    mail = tmp_path / "spam.eml"
    mail.write_bytes(HEAD + GTUBE + b"\n")
    command = [sys.executable, "-m", "deliverability", "check", "--offline", "--transactional", "--message", str(mail)]
    plain = subprocess.run(command, capture_output=True, check=False, cwd=ROOT)
    asked = subprocess.run([*command, "--rspamd", rspamd], capture_output=True, check=False, cwd=ROOT)
    assert asked.returncode == plain.returncode
    assert asked.stdout.startswith(plain.stdout.rstrip(b"\n"))
    assert b"calls it spam" in asked.stdout
    told = subprocess.run(
        [*command, "--rspamd", rspamd, "--format", "json"], capture_output=True, check=False, cwd=ROOT
    )
    (score,) = json.loads(told.stdout)["subjects"][0]["spam_scores"]
    assert (score["engine"], score["spam"], score["tests"]) == ("rspamd", True, ["GTUBE"])
