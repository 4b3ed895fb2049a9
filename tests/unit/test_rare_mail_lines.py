"""A system's log may hold a few lines of its mail server far from its beginning: a summary counts them as a trace finds them."""

from pathlib import Path

import pytest

from deliverability.api.noting import MAX_SNIFFED
from deliverability.api.requests import Request
from deliverability.api.summary import summarise
from deliverability.api.tracing import read_logs

NOISE = "Nov 22 05:00:00 mx1 sshd[1]: Connection closed by 203.0.113.9 port 40022 [preauth]\n"
POSTFIX = (
    "Nov 22 05:01:38 mx1 postfix/smtp[4]: 4F1C2A0B3D: to=<anna@corp.example>, relay=mx.corp.example[198.51.100.10]:25,"
    " delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)\n"
)
EXIM = (
    "2026-11-22 05:31:13 1w4Ab1-0000000005a-2BcD => anna@corp.example R=dnslookup T=remote_smtp H=mx.corp.example"
    ' [198.51.100.10] C="250 OK"\n'
)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("mail", [POSTFIX, EXIM])
def test_they_are_counted_wherever_they_stand(tmp_path: Path, mail: str, jobs: int) -> None:
    log = tmp_path / "messages"
    before = 2 * MAX_SNIFFED // len(NOISE)
    log.write_text(NOISE * before + mail + NOISE * 100, "utf-8")
    request = Request(logs=(str(log),), to=("anna@corp.example",))
    assert len(read_logs(request)[0].messages) == 1
    found = summarise(Request(logs=(str(log),)), jobs=jobs)
    assert sum(found.total.attempts.values()) == 1
    assert found.coverage.files[0].unread == 0
