"""What a table says of the line that decided is not said of the whole record."""

from pathlib import Path

import pytest

from deliverability import api
from deliverability.api.requests import Network, Request
from deliverability.api.tables import timeline_table

LOG = """2026-11-20T05:00:00+00:00 out1 postfix/qmgr[1]: 4F1C2A0B3D: from=<a@hosting.example>, size=900, nrcpt=1 (queue active)
2026-11-20T05:00:01+00:00 out1 postfix/smtp[4]: 4F1C2A0B3D: to=<anna@corp.example>, relay=mx.corp.example[198.51.100.10]:25, delay=1, delays=0/0/0/1, dsn=4.2.2, status=deferred (host mx.corp.example[198.51.100.10] said: 452 4.2.2 Mailbox full (in reply to RCPT TO command))
2026-11-25T05:00:01+00:00 out1 postfix/qmgr[1]: 4F1C2A0B3D: from=<a@hosting.example>, status=expired, returned to sender
2026-11-25T05:00:01+00:00 out1 postfix/qmgr[1]: 4F1C2A0B3D: removed
"""


@pytest.mark.parametrize(("lang", "untrue"), [("en", "the record names no"), ("zh-Hant-TW", "紀錄中沒有其他伺服器")])
def test_an_expiry_after_tries_is_not_told_as_if_no_server_were_named(tmp_path: Path, lang: str, untrue: str) -> None:
    log = tmp_path / "mail.log"
    log.write_text(LOG, "utf-8")
    told = timeline_table(
        api.trace(Request(logs=(str(log),), to=("anna@corp.example",), network=Network(offline=True))),
        lang=lang,
        zone="UTC",
    ).decode()
    assert "mx.corp.example" in told
    assert untrue not in told
