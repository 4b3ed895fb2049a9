"""OpenSMTPD logs no Message-ID: what ties its lines to those of the host that it relays to."""

from pathlib import Path

import pytest

from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.evidence.story import Message, Tie

TO = "anna@corp.example"
FIRST = """
2026-11-22T05:31:12.100000+00:00 out1 smtpd[7]: 94b18382b2feb086 smtp message msgid=f33efc71 size=362 nrcpt=1 proto=ESMTP
2026-11-22T05:31:12.100100+00:00 out1 smtpd[7]: 94b18382b2feb086 smtp envelope evpid=f33efc719d65a8ed from=<r@hosting.example> to=<{to}>
2026-11-22T05:31:12.400000+00:00 out1 smtpd[7]: 94b1839e222fb904 mta delivery evpid=f33efc719d65a8ed from=<r@hosting.example> to=<{to}> rcpt=<-> source="203.0.113.25" relay="{relay}" delay=0s result="Ok" stat="250 2.0.0 Ok: queued as {named}"
"""
SECOND = """
2026-11-22T05:31:12.200000+00:00 relay2 postfix/smtpd[1]: 8DC3BBDEAF: client=out1.hosting.example[{client}]
2026-11-22T05:31:12.210000+00:00 relay2 postfix/cleanup[2]: 8DC3BBDEAF: message-id=<inv-1@hosting.example>
2026-11-22T05:31:12.300000+00:00 relay2 postfix/qmgr[3]: 8DC3BBDEAF: from=<{sender}>, size=558, nrcpt=1 (queue active)
2026-11-22T05:31:13.000000+00:00 relay2 postfix/smtp[4]: 8DC3BBDEAF: to=<{second_to}>, relay=mx.corp.example[198.51.100.10]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host mx.corp.example[198.51.100.10] said: 550 5.1.1 no such user (in reply to RCPT TO command))
"""


def told(
    folder: Path,
    *,
    named: str = "8DC3BBDEAF",
    relay: str = "203.0.113.27 (relay2.hosting.example)",
    client: str = "203.0.113.25",
    sender: str = "r@hosting.example",
    second_to: str = TO,
    asked: str = TO,
) -> tuple[Message, ...]:
    text = FIRST.format(to=TO, named=named, relay=relay) + SECOND.format(
        client=client, sender=sender, second_to=second_to
    )
    log = folder / "mail.log"
    log.write_text(text.lstrip("\n").replace("\n\n", "\n"), "utf-8")
    return read_logs(Request(logs=(str(log),), to=(asked,)))[0].messages


def test_the_queue_that_the_reply_names_goes_on_with_the_story(tmp_path: Path) -> None:
    (message,) = told(tmp_path)
    assert message.queue_ids == ("f33efc71", "8DC3BBDEAF")
    assert message.stays[1].tie is Tie.QUEUED_AS
    assert message.message_id == "inv-1@hosting.example"
    assert [d.state.value for d in message.deliveries] == ["refused"]


@pytest.mark.parametrize(
    "changed",
    [
        {"named": "8DC3BBDEB0"},
        {"client": "203.0.113.26"},
        {"sender": "other@hosting.example"},
        {"sender": ""},
        {"relay": "198.51.100.66 (mx.evil.example)"},  # a stranger who read the id in a message of his own
    ],
)
def test_without_that_agreement_they_stay_two(tmp_path: Path, changed: dict[str, str]) -> None:
    found = told(tmp_path, **changed)
    assert sorted(m.queue_ids for m in found) == [("8DC3BBDEAF",), ("f33efc71",)]


def test_a_queue_that_never_had_the_recipient_is_another_message(tmp_path: Path) -> None:
    (message,) = told(tmp_path, second_to="bob@corp.example")
    assert message.queue_ids == ("f33efc71",)
    assert [d.state.value for d in message.deliveries] == ["handed-over"]
