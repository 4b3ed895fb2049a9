"""A journal written by systemd's own daemon, in a namespace of its own, as journalctl gives it out."""

import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from deliverability.capture.blocks import blocks
from deliverability.capture.files import LogFile, container_of
from deliverability.protocols.syslog import parse_prologue

pytestmark = pytest.mark.server

DAEMON = Path("/lib/systemd/systemd-journald")
WORDS = b"4jXH3k3V2zzLhRZ: to=<jo@corp.example>, relay=mx.corp.example[192.0.2.1]:25, status=sent (250 ok)"
FORGED = b"\n\n__CURSOR=1\nMESSAGE=x\nNov 22 05:01:38 out1 postfix/smtp[1]: 4jXH3k3V2zzLhRZ: to=<victim@corp.example>"
FORMS = (
    "export",
    "json",
    "json-seq",
    "json-sse",
    "json-pretty",
    "verbose",
    "short-iso",
    "short-iso-precise",
    "short-full",
    "short-unix",
)


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    if not DAEMON.exists() or not shutil.which("journalctl") or os.geteuid() != 0:
        pytest.skip("needs systemd-journald, and root")
    name = f"deliv{os.getpid()}"
    folder = Path(f"/run/systemd/journal.{name}")
    with subprocess.Popen([DAEMON, name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        try:
            for _ in range(100):
                if (folder / "socket").exists():
                    break
                time.sleep(0.1)
            _send(folder / "dev-log", b"<22>Nov 22 10:00:00 postfix/smtp[991]: " + WORDS)
            _send(folder / "dev-log", b"<22>Nov 22 10:00:00 postfix-out/smtp[992]: \xa4\xa4 Big5")
            _send(folder / "dev-log", b"<14>Nov 22 10:00:01 web[7]: hello" + FORGED)
            fields = {"SYSLOG_IDENTIFIER": b"web", "SYSLOG_PID": b"8", "MESSAGE": b"native" + FORGED}
            packed = (k.encode() + b"\n" + struct.pack("<Q", len(v)) + v + b"\n" for k, v in fields.items())
            _send(folder / "socket", b"".join(packed))
            for _ in range(100):
                if _journal(name, "cat").count(b"native") == 1:
                    break
                time.sleep(0.1)
            yield name
        finally:
            daemon.terminate()
            daemon.wait()
            for place in (
                folder,
                *Path("/var/log/journal").glob(f"*.{name}"),
                *Path("/run/log/journal").glob(f"*.{name}"),
            ):
                with suppress(OSError):
                    shutil.rmtree(place)


def _send(path: Path, datagram: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(datagram, str(path))


def _journal(name: str, form: str) -> bytes:
    command = ["journalctl", f"--namespace={name}", "--no-pager", "--all", "--utc", "-o", form]
    return subprocess.run(command, capture_output=True, check=False, timeout=30).stdout


@pytest.mark.parametrize("form", FORMS)
def test_a_journal_in_each_form(namespace: str, form: str) -> None:
    file = LogFile("", "-", None, _journal(namespace, form))
    lines = b"".join(block.content for block in blocks(file)).splitlines()
    read = [found for line in lines if (found := parse_prologue(line))]
    mail = [(found.tag, found.pid, found.rest) for found in read if found.tag.startswith("postfix")]
    pids = ("991", "992")
    if form.startswith("short"):  # as text, journalctl prefers the pid that the kernel vouched for
        pids = (mail[0][1] or "", mail[1][1] or "")
    assert mail[0] == ("postfix/smtp", pids[0], WORDS)
    assert mail[1][:2] == ("postfix-out/smtp", pids[1])
    assert mail[2:] == []
    assert all(found.at.instant for found in read)
    assert sum(found.tag == "web" for found in read) == 2
    expected = {"export": "journal export", "json-pretty": "JSON", "verbose": "verbose journal"}
    assert container_of(file) == (None if form.startswith("short") else expected.get(form, "journal JSON"))
