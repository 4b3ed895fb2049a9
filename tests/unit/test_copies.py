"""The same lines once more: as the system's journal beside the log file that syslog writes without a zone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs

SENT = "2026-08-11T01:35:09.600000"  # on a clock at +08:00
WORDS = (
    ("postfix/pickup", 11, "7C1A02B3F4: uid=1000 from=<bill@hosting.example>", 0.0),
    ("postfix/cleanup", 12, "7C1A02B3F4: message-id=<q1@hosting.example>", 0.1),
    ("postfix/qmgr", 13, "7C1A02B3F4: from=<bill@hosting.example>, size=2711, nrcpt=1 (queue active)", 0.2),
    (
        "postfix/smtp",
        14,
        (
            "7C1A02B3F4: to=<a@corp.example>, relay=mx.corp.example[198.51.100.10]:25, delay=1, delays=0.1/0/0.5/0.6, "
            "dsn=4.2.0, status=deferred (host mx.corp.example[198.51.100.10] said: 450 4.2.0 Greylisted "
            "(in reply to RCPT TO command))"
        ),
        0.3,
    ),
    (
        "postfix/smtp",
        24,
        (
            "7C1A02B3F4: to=<a@corp.example>, relay=mx.corp.example[198.51.100.10]:25, delay=601, "
            "delays=600/0/0.5/0.6, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as AA)"
        ),
        600.0,
    ),
    ("postfix/qmgr", 13, "7C1A02B3F4: removed", 600.1),
)


def syslog(folder: Path, hours: float, *, words: tuple[tuple[str, int, str, float], ...] = WORDS) -> str:
    """A log file of a host whose clock is that much ahead of UTC; no line says so."""
    lines = []
    for tag, pid, said, after in words:
        at = datetime.fromisoformat(SENT) - timedelta(hours=8) + timedelta(hours=hours, seconds=after)
        lines.append(f"{at:%b %d %H:%M:%S} mx1 {tag}[{pid}]: {said}\n")
    path = folder / "maillog"
    path.write_text("".join(lines), "utf-8")
    return str(path)


def journal(folder: Path) -> str:
    records = []
    for tag, pid, said, after in WORDS:
        at = datetime.fromisoformat(SENT) - timedelta(hours=8) + timedelta(seconds=after)
        micro = round(at.replace(tzinfo=UTC).timestamp() * 1e6)
        records.append(
            f"__CURSOR=s={after}\n__REALTIME_TIMESTAMP={micro}\n_HOSTNAME=mx1\nSYSLOG_IDENTIFIER={tag}\n"
            f"SYSLOG_PID={pid}\n_PID={pid}\nMESSAGE={said}\n\n"
        )
    path = folder / "journal.export"
    path.write_text("".join(records), "utf-8")
    return str(path)


@pytest.mark.parametrize("hours", [8, -5, 0, 5.5])
def test_a_log_without_a_zone_beside_the_journal_of_its_host_is_told_once_and_in_true_time(
    tmp_path: Path, hours: float
) -> None:
    logs = (syslog(tmp_path, hours), journal(tmp_path))
    trace, _ = read_logs(Request(logs=logs, to=("a@corp.example",)))
    (message,) = trace.messages
    (delivery,) = message.deliveries
    assert [a.result.value for a in delivery.attempts] == ["deferred", "sent"]
    assert delivery.decisive
    assert delivery.decisive.at.instant == datetime(2026, 8, 10, 17, 45, 9, 600000, UTC)


def test_another_message_of_that_id_is_another(tmp_path: Path) -> None:
    other = tuple((tag, pid + 100, said, after + 7) for tag, pid, said, after in WORDS)
    logs = (syslog(tmp_path, 8, words=other), journal(tmp_path))
    trace, _ = read_logs(Request(logs=logs, to=("a@corp.example",)))
    assert len(trace.messages) == 2
