"""The real SpamAssassin, started on loopback with its own state in a temporary folder, is asked for a score."""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from free_ports import free_port

from deliverability.capture.spam_score import SpamScore, ask_spamd

pytestmark = pytest.mark.server

START_SECONDS = 60
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
HEAD = (
    b"From: Billing <billing@host.example>\nTo: mei@mail.example\nSubject: Renewal\n"
    b"Date: Sun, 22 Nov 2026 08:00:00 +0800\nMessage-ID: <1@host.example>\n\n"
)


@pytest.fixture(scope="module")
def spamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("spamd") or shutil.which("spamd", path="/usr/sbin:/sbin")
    if program is None:
        reason = "spamd is not installed (Debian: apt-get install spamd)"
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail(f"REQUIRE_SERVERS=1, but {reason}")
        pytest.skip(reason)
    folder, port = tmp_path_factory.mktemp("spamd"), free_port()
    arguments = [
        "--listen", f"127.0.0.1:{port}", "--local", "--nouser-config", "--max-children", "1", "--min-children", "1",
        "--helper-home-dir", str(folder), "--pidfile", str(folder / "pid"), "--syslog", "stderr",
        "--cf", "use_bayes 0", "--cf", "use_txrep 0",
    ]  # fmt: skip
    if os.geteuid() == 0:
        arguments += ["--username", "nobody"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=log, cwd=folder)
    try:
        wait_for(port, process, folder / "log")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            pytest.fail(f"spamd ended: {log.read_text(errors='replace')[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"spamd did not listen within {START_SECONDS} s: {log.read_text(errors='replace')[-2000:]}")


def test_a_plain_notice(spamd: str) -> None:
    found = asyncio.run(ask_spamd(spamd, HEAD + b"Dear customer,\n\nplease renew by 1 December.\n"))
    assert isinstance(found, SpamScore), found
    assert not found.spam
    assert found.score < 5 == found.threshold


def test_the_standard_test_for_unsolicited_mail(spamd: str) -> None:
    found = asyncio.run(ask_spamd(spamd, HEAD + GTUBE + b"\n"))
    assert isinstance(found, SpamScore), found
    assert found.spam
    assert found.score >= 1000 > (found.threshold or 0)
    assert "GTUBE" in found.symbols


def test_bytes_that_are_no_message(spamd: str) -> None:
    found = asyncio.run(ask_spamd(spamd, b"\0\xff" * 1000))
    assert isinstance(found, SpamScore), found
    assert found.symbols
