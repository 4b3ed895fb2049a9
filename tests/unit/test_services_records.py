"""What a service's own record shows, where it names no server: not more, and not as our own record."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROWS = """MessageTraceId,Received,SenderAddress,RecipientAddress,Subject,Status,ToIP,FromIP,Size,MessageId
a1,2026-11-22T05:31:12,renewals@hosting.example,anna@corp.example,Renewal,Delivered,,,1,<a@hosting.example>
a2,2026-11-22T05:32:00,renewals@hosting.example,bob@corp.example,Renewal,Failed,,,1,<b@hosting.example>
"""


def told(tmp_path: Path, *words: str) -> str:
    log = tmp_path / "trace.csv"
    log.write_text(ROWS)
    command = [sys.executable, "-m", "deliverability", "report", "--offline", "--log", str(log), *words]
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=120).stdout


def test_handed_over_to_nobody_named_is_no_program_of_ours(tmp_path: Path) -> None:
    claim = json.loads(told(tmp_path, "--to", "anna@corp.example", "--format", "json"))["claim"]
    assert (claim["state"], claim["role"], claim["basis"]) == ("handed-over", "unconfirmed", "service-record")
    assert claim["strength"] == "third-party-record"


@pytest.mark.parametrize("to", ["anna@corp.example", "bob@corp.example"])
def test_its_record_is_not_called_ours(tmp_path: Path, to: str) -> None:
    assert json.loads(told(tmp_path, "--to", to, "--format", "json"))["claim"]["strength"] == "third-party-record"


def test_only_what_is_unknown_of_a_time_is_called_unknown(tmp_path: Path) -> None:
    log = tmp_path / "mainlog"
    log.write_text(
        "2026-11-22 05:31:12 1w4Ab1-0000000005a-2BcD <= renewals@hosting.example U=app P=local S=900 id=x@hosting.example\n"
        "2026-11-22 05:31:13 1w4Ab1-0000000005a-2BcD => anna@corp.example R=dnslookup T=remote_smtp H=mx.corp.example"
        ' [198.51.100.10] C="250 OK"\n'
        "2026-11-22 05:31:13 1w4Ab1-0000000005a-2BcD Completed\n"
    )
    command = [
        sys.executable,
        "-m",
        "deliverability",
        "report",
        "--offline",
        "--log",
        str(log),
        "--to",
        "anna@corp.example",
    ]
    said = " ".join(subprocess.run(command, capture_output=True, check=False, text=True, timeout=120).stdout.split())
    assert "time zone" in said
    assert "nor the year" not in said
    assert "or the year" not in said
