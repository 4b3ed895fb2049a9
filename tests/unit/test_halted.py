"""When a message was put on hold or taken out is told by the line that says so, not by the try before it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from deliverability import api
from deliverability.api.requests import Network, Reader, Request

ARRIVED = (
    "2026-11-10 05:00:00 1w4Ab1-0000000005a-2BcD <= r@hosting.example U=app P=local S=900 id=x@hosting.example\n"
    "2026-11-10 05:00:01 1w4Ab1-0000000005a-2BcD == anna@corp.example R=dnslookup T=remote_smtp H=mx.corp.example"
    " [198.51.100.10] defer (110): Connection timed out\n"
)
FROZEN = "2026-11-12 07:00:00 1w4Ab1-0000000005a-2BcD Frozen\n"
REMOVED = "2026-11-13 09:00:00 1w4Ab1-0000000005a-2BcD removed by root\n2026-11-13 09:00:00 1w4Ab1-0000000005a-2BcD Completed\n"
POSTFIX = (
    "2026-11-10T05:00:00+00:00 out1 postfix/qmgr[1]: 4F1C2A0B3D: from=<a@hosting.example>, size=900, nrcpt=1 (queue active)\n"
    "2026-11-10T05:00:01+00:00 out1 postfix/smtp[4]: 4F1C2A0B3D: to=<anna@corp.example>, relay=none, delay=1,"
    " delays=0/0/0/1, dsn=4.4.1, status=deferred (connect to mx.corp.example[198.51.100.10]:25: Connection timed out)\n"
    "2026-11-13T09:00:00+00:00 out1 postfix/postsuper[9]: 4F1C2A0B3D: removed\n"
)


def answer(folder: Path, text: str) -> str:
    log = folder / "mainlog"
    log.write_text(text, "utf-8")
    request = Request(
        logs=(str(log),),
        to=("anna@corp.example",),
        tz="UTC",
        network=Network(offline=True),
        now=datetime(2026, 11, 23, tzinfo=UTC),
    )
    (found,) = api.report(request).assessments
    page = api.render(found, Reader(lang="en", zone="UTC"), "text", request).decode()
    return " ".join(page.partition("How far the message")[0].split())


@pytest.mark.parametrize(
    ("text", "said", "when"),
    [
        (ARRIVED + FROZEN, "on hold in our own mail server since", "12 November 2026, 07:00"),
        (ARRIVED + FROZEN + REMOVED, "taken out of our own mail server", "13 November 2026, 09:00"),
        (POSTFIX, "taken out of our own mail server", "13 November 2026, 09:00"),
    ],
)
def test_the_line_that_stopped_it_gives_the_time(tmp_path: Path, text: str, said: str, when: str) -> None:
    told = answer(tmp_path, text)
    assert said in told
    assert when in told
    assert "10 November 2026, 05:00" not in told
