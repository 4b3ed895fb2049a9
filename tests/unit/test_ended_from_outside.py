"""Commands that are ended from outside: nobody who helped them goes on, and nothing unfinished stays."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deliverability.__main__ import run

WORKERS = """
import os, sys, time
from deliverability.api.counting import workers

pool = workers(2)
ids = {future.result() for future in [pool.submit(os.getpid) for _ in range(8)]}
for _ in range(2):
    pool.submit(time.sleep, 600)
print(*ids, flush=True)
time.sleep(600)
"""

ASIDE = """
import time
from deliverability.capture import aside

child = aside.start(lambda: time.sleep(600))
print(child.pid, flush=True)
time.sleep(600)
"""


def _as_usual() -> None:
    """Whoever runs the tests may have said ``nohup``, which is handed down."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@contextmanager
def running(*command: object) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_as_usual,  # noqa: PLW1509 - no other thread of this process runs yet
    ) as process:
        watchdog = threading.Timer(60, os.killpg, (process.pid, signal.SIGKILL))  # so that no read waits for ever
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


@pytest.mark.parametrize("script", [WORKERS, ASIDE], ids=["workers", "aside"])
def test_processes_beside_end_with_a_parent_that_is_killed(script: str) -> None:
    """They hold its output: while one of them lives, whoever reads that waits."""
    with running("-c", script) as process:
        assert process.stdout
        ids = process.stdout.readline().split()
        assert ids
        process.kill()
        assert process.stdout.read() == b""  # comes when the last one that could write has ended
        assert process.wait() == -signal.SIGKILL
        assert any(isinstance(one, threading.Timer) for one in threading.enumerate())  # the watchdog is asleep


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_ended_ends_by_that_signal(ending: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "mail.log").touch()
    arguments = ("trace", "--follow", "--log", tmp_path / "mail.log", "--to", "a@b.example")
    with running("-m", "deliverability", *arguments) as process:
        assert process.stderr
        assert b"waiting" in process.stderr.readline()
        process.send_signal(ending)
        assert process.wait() == -ending  # as whoever sent it expects


def test_a_signal_that_is_ignored_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """``nohup deliverability …`` goes on when the terminal is gone."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        seen: list[object] = []

        def application(_name: str) -> object:
            return lambda *_args, **_named: seen.append(signal.getsignal(signal.SIGHUP))

        monkeypatch.setattr("deliverability.cli.application", application)
        assert run(["trace"]) == 0
        assert seen == [signal.SIG_IGN]
    finally:
        signal.signal(signal.SIGHUP, before)
