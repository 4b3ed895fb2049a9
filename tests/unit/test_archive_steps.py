"""``ingest`` killed at each step at which something becomes durable: resumed, the archive is as if nothing happened."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deliverability.errors import CannotLookError
from deliverability.ledger.archive import Archive
from deliverability.terminal.status import ACCEPTED, COULD_NOT_LOOK

LOGS = Path(__file__).parents[1] / "cases" / "logs"
LOG = (LOGS / "exim" / "4.98-cpanel" / "mainlog").read_bytes()
RUN = """
import os, signal, sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from deliverability.api import archive_cuts, archiving
from deliverability.api.requests import Request
from deliverability.ledger import archive, database

archiving.BATCH, archive_cuts.BLOCK = 1, 1 << 15  # many steps
step, when, path, log = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4]
steps = 0

@contextmanager
def stopped(connection):
    global steps
    steps += 1
    with database.transaction(connection):
        yield
        if steps == step and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
    if steps == step:
        os.kill(os.getpid(), signal.SIGKILL)

archive.transaction = stopped
archiving.ingest(Request(logs=(log,), now=datetime(2026, 11, 25, tzinfo=UTC)), path)
print(steps)
"""


def run(step: int, when: str, archive: Path, log: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(step), when, archive, log], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def whole(archive: Path) -> object:
    """All that an archive holds, and that its index lacks nothing of it."""
    with Archive.open(archive) as opened:
        sources, segments = opened.overview()
        assert opened.problems() == ()
        assert opened.unindexed() == ()
        return sources, segments, [opened.content(segment) for segment in segments]


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_each_durable_step(when: str, tmp_path: Path) -> None:
    log, undisturbed = tmp_path / "mainlog", tmp_path / "undisturbed.db"
    log.write_bytes(LOG)
    status, steps = run(0, when, undisturbed, log)
    assert (status, int(steps) > 4) == (0, True)
    for step in range(1, int(steps) + 1):
        archive = tmp_path / f"{step}.db"
        assert run(step, when, archive, log)[0] == -signal.SIGKILL
        with Archive.open(archive, write=True) as opened:
            positions = [source.position for source in opened.sources()]
        assert bool(positions) == (step > 1 or when == "after")
        assert run(0, when, archive, log)[0] == 0
        assert whole(archive) == whole(undisturbed)


def test_whoever_looks_after_a_kill_is_told_what_puts_it_right(tmp_path: Path) -> None:
    log, archive = tmp_path / "mainlog", tmp_path / "a.db"
    log.write_bytes(LOG)
    assert run(0, "", archive, log)[0] == 0
    # A kill while pages are written leaves a journal: that of what they held.
    torn = f"""
import os, signal, sqlite3
database = sqlite3.connect({str(archive)!r}, isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN IMMEDIATE")
database.execute("UPDATE segment SET content = zeroblob(2000000)")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", torn], check=False).returncode == -signal.SIGKILL
    assert os.path.getsize(f"{archive}-journal")  # noqa: PTH202
    with pytest.raises(CannotLookError, match="the next `deliverability ingest` puts it right"):
        Archive.open(archive)
    assert run(0, "", archive, log)[0] == 0
    with Archive.open(archive) as opened:
        assert b"".join(map(opened.content, opened.segments())) == LOG


FULL = """
set -e
mount -t tmpfs -o size=400k none "$1"
shift
exec "$@"
"""
FILL = """
import sys
from deliverability.__main__ import run
from deliverability.api import archive_cuts, archiving
archiving.BATCH, archive_cuts.BLOCK = 1, 1 << 15
log, archive = sys.argv[1:]
print(run(["ingest", "--log", log, "--archive", archive]))
print(run(["archive", "verify", "--archive", archive]))
"""


def on_a_small_disk(place: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run where ``place`` is a disk of 400 KiB, which nobody else sees."""
    words = ["unshare", "--mount", "sh", "-c", FULL, "sh", str(place), *command]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_a_disk_that_is_full_is_told_and_what_was_kept_is_whole(tmp_path: Path) -> None:
    disk, log = tmp_path / "disk", tmp_path / "mainlog"
    disk.mkdir()
    if shutil.which("unshare") is None or on_a_small_disk(disk, "true").returncode:
        pytest.skip("may not mount anything")
    log.write_bytes(b"".join(b"%b #%d\n" % (line, n) for n, line in enumerate(LOG.splitlines() * 40)))
    done = on_a_small_disk(disk, sys.executable, "-c", FILL, str(log), str(disk / "a.db"))
    ingested, verified = (int(line) for line in done.stdout.splitlines() if line.isdecimal())
    assert (ingested, verified) == (COULD_NOT_LOOK, ACCEPTED)
    assert "nothing was kept of this step: database or disk is full" in done.stderr
    assert re.search(r"[1-9]\d* segments, [1-9]\d* octets: all as they were kept", done.stdout)
