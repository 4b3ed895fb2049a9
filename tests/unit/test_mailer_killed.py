"""``kill -9`` of a sender at random moments: no intent is lost, and no success invented."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_killed_two_hundred_times() -> None:
    command = [sys.executable, str(ROOT / "benchmarks/send_mail.py"), "--kills", "200"]
    done = subprocess.run(
        command,
        capture_output=True,
        timeout=300,
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    counts = json.loads(done.stdout)
    assert counts["lost"] == 0, "a message that a server took has no intent"
    assert counts["invented"] == 0, "a message that no server took is recorded as accepted"
    assert counts["taken"] >= 200
    assert counts["open"] > 0, "nobody was killed in the middle: the test shows nothing"
