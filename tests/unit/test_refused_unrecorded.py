"""A refusal of which the log holds no reply, only our own server's word for it (Sendmail to 8.15): wherever it is told."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deliverability.compose.catalog import catalog
from deliverability.evidence.event import Result
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ingest.sendmail import FORMAT
from deliverability.terminal.follow import as_text

LOG = """\
Jun 21 14:05:01 web1 sendmail[2231]: w5LE51Bv002231: from=<billing@corp.example>, size=612, class=0, nrcpts=1, \
msgid=<m1@corp.example>, proto=ESMTP, daemon=MTA, relay=pc7.corp.example [203.0.113.7]
Jun 21 14:05:02 web1 sendmail[2233]: w5LE51Bv002231: to=<jo@shop.example>, delay=00:00:01, xdelay=00:00:01, \
mailer=esmtp, pri=120612, relay=mx.shop.example. [198.51.100.20], dsn=5.1.1, stat=User unknown
"""
LANGUAGES = ("en", "zh-Hant-TW")


@pytest.fixture
def log(tmp_path: Path) -> str:
    path = tmp_path / "maillog"
    path.write_text(LOG, "utf-8")
    return str(path)


def output(*arguments: str) -> str:
    command = (sys.executable, "-m", "deliverability", *arguments)
    done = subprocess.run(command, capture_output=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.decode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_that_the_answer_was_not_logged(log: str, language: str) -> None:
    t = catalog(language)
    arguments = ("--log", log, "--to", "jo@shop.example", "--tz", "UTC", "--offline", "--lang", language)
    page = "".join(output("report", "--format", "text", *arguments).split())
    for key in ("reason.unrecorded", "limits.refused-unrecorded", "result.refused", "state.refused"):
        assert "".join(t(key).split()) in page, key
    for key in ("reason.other", "limits.refused"):
        assert "".join(t(key).split()) not in page, key
    assert "550" not in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_followed_log_tells_it_as_a_refusal(language: str) -> None:
    lines = [LogLine(Place("", "maillog", n, n), raw.encode()) for n, raw in enumerate(LOG.splitlines(), start=1)]
    event = list(FORMAT.parse(lines))[-1]
    assert event.result is Result.REFUSED
    shown = as_text(event, None, catalog(language))
    assert f" {catalog(language)('event.result-refused')} " in shown
    assert "event.result" not in shown


def test_a_summary_counts_it_as_refused(log: str) -> None:
    counted = json.loads(output("summary", "--log", log, "--tz", "UTC", "--format", "json"))["total"]
    assert (counted["attempts"]["refused"], counted["attempts"]["failed"]) == (1, 0)
