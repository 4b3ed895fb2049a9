"""Two queues of one host that speak to each other over its public address: one story, where lines prove it to be its own."""

import pytest

from deliverability.correlate import Query, TimeHints, resolve_times, tell
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.names import Mailbox
from deliverability.evidence.story import Message, State, Tie
from deliverability.ingest import postfix

TO = "anna@corp.example"
FIRST = """
2026-11-23T08:24:00+00:00 {host} postfix/smtpd[293]: B14542B475E: client=web1[203.0.113.10]
2026-11-23T08:24:00+00:00 {host} postfix/cleanup[309]: B14542B475E: message-id=<m7@billing.example>
2026-11-23T08:24:00+00:00 {host} postfix/qmgr[163]: B14542B475E: from=<r@sender.example>, size=362, nrcpt=1 (queue active)
2026-11-23T08:24:01+00:00 {host} postfix/smtp[312]: B14542B475E: to=<anna@corp.example>, relay={relay}, delay=0.27, delays=0/0.1/0.09/0.08, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {named})
2026-11-23T08:24:01+00:00 {host} postfix/qmgr[163]: B14542B475E: removed
"""
SECOND = """
2026-11-23T08:24:01+00:00 {host} postfix-out/smtpd[325]: A09992B4760: client={client}
2026-11-23T08:24:01+00:00 {host} postfix-out/cleanup[339]: A09992B4760: message-id=<{mail}@billing.example>
2026-11-23T08:24:01+00:00 {host} postfix-out/qmgr[291]: A09992B4760: from=<r@sender.example>, size=546, nrcpt=1 (queue active)
2026-11-23T08:24:02+00:00 {host} postfix-out/smtp[358]: A09992B4760: to=<anna@corp.example>, relay=mx.corp.example[198.51.100.40]:25, delay=0.36, delays=0.05/0.21/0.07/0.03, dsn=5.1.1, status=bounced (host mx.corp.example[198.51.100.40] said: 550 5.1.1 no such user (in reply to RCPT TO command))
2026-11-23T08:24:02+00:00 {host} postfix-out/qmgr[291]: A09992B4760: removed
"""
HERE, ELSEWHERE = "out1.hosting.example[203.0.113.25]", "mx.other.example[198.51.100.77]"


def told(
    relay: str = f"{HERE}:10026",
    named: str = "A09992B4760",
    client: str = HERE,
    mail: str = "m7",
    host: str = "out1.hosting.example",
) -> list[Message]:
    text = FIRST.format(relay=relay, named=named, host=host).lstrip("\n") + SECOND.format(
        client=client, mail=mail, host=host
    ).lstrip("\n")
    lines, offset = [], 0
    for number, line in enumerate(text.encode().splitlines(keepends=True), 1):
        lines.append(LogLine(Place("", "mail.log", number, offset), line.rstrip(b"\n")))
        offset += len(line)
    events = resolve_times(list(postfix.FORMAT.parse(lines)), TimeHints({}))
    return list(tell(events, Query(recipients=(Mailbox.parse(TO),))))


def test_the_queue_that_took_it_is_the_one_whose_client_is_the_relay() -> None:
    (message,) = told()
    assert message.queue_ids == ("B14542B475E", "A09992B4760")
    assert message.stays[1].tie is Tie.QUEUED_AS
    assert [d.state for d in message.deliveries] == [State.REFUSED]


@pytest.mark.parametrize(
    "changed",
    [
        {"relay": f"{ELSEWHERE}:25"},  # a stranger's reply that names an id of ours
        {"named": "F00000B4760"},
        {"client": ELSEWHERE},
        {"mail": "m8"},
        {"host": "out1"},  # many hosts have that name
        {"relay": f"{ELSEWHERE}:25", "client": ELSEWHERE},  # a receiver that sends it back
        {"relay": "out1.evil.example[198.51.100.77]:25", "client": "out1.evil.example[198.51.100.77]"},
        {"client": "unknown[203.0.113.25]"},
    ],
)
def test_without_that_proof_they_stay_two(changed: dict[str, str]) -> None:
    first, second = told(**changed)
    assert (first.queue_ids, second.queue_ids) == (("B14542B475E",), ("A09992B4760",))
