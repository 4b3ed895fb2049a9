"""A hop comes after the hop that handed the message to it, whatever the two hosts' clocks say."""

from datetime import UTC, datetime

import pytest

from deliverability.correlate import Query, TimeHints, resolve_times, tell
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.names import Mailbox
from deliverability.evidence.story import Message, State, Tie
from deliverability.ingest import postfix

NOW = datetime(2026, 11, 24, tzinfo=UTC)
TO = "anna@corp.example"
FIRST = """
2026-11-23T08:24:00.727842+08:00 out1.hosting.example postfix/smtpd[293]: B14542B475E: client=web1[203.0.113.10]
2026-11-23T08:24:00.727916+08:00 out1.hosting.example postfix/cleanup[309]: B14542B475E: message-id=<m7@billing.example>
2026-11-23T08:24:00.727934+08:00 out1.hosting.example postfix/qmgr[163]: B14542B475E: from=<r@sender.example>, size=362, nrcpt=1 (queue active)
2026-11-23T08:24:00.999655+08:00 out1.hosting.example postfix/smtp[312]: B14542B475E: to=<anna@corp.example>, relay=relay2.hosting.example[203.0.113.27]:25, delay=0.27, delays=0/0.1/0.09/0.08, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as A09992B4760)
2026-11-23T08:24:01.010344+08:00 out1.hosting.example postfix/qmgr[163]: B14542B475E: removed
"""
SECOND = """
{0}+08:00 relay2 postfix/smtpd[325]: A09992B4760: client=out1.hosting.example[203.0.113.25]
{0}+08:00 relay2 postfix/cleanup[339]: A09992B4760: message-id=<m7@billing.example>
{0}+08:00 relay2 postfix/qmgr[291]: A09992B4760: from=<r@sender.example>, size=546, nrcpt=1 (queue active)
{1}+08:00 relay2 postfix/smtp[358]: A09992B4760: to=<anna@corp.example>, relay=mx.corp.example[198.51.100.40]:25, delay=0.36, delays=0.05/0.21/0.07/0.03, dsn=5.7.26, status={2}
{1}+08:00 relay2 postfix/qmgr[291]: A09992B4760: removed
"""
REFUSED = "bounced (host mx.corp.example[198.51.100.40] said: 550 5.7.26 no (in reply to RCPT TO command))"
EXPIRED = "expired (connect to mx.corp.example[198.51.100.40]:25: Connection refused)"


def told(**logs: str) -> Message:
    events = []
    for name, text in logs.items():
        offset = 0
        lines = []
        for number, line in enumerate(text.strip("\n").encode().split(b"\n"), 1):
            lines.append(LogLine(Place(name, f"{name}.log", number, offset), line))
            offset += len(line) + 1
        events += postfix.FORMAT.parse(lines)
    (message,) = tell(resolve_times(events, TimeHints({}, UTC, NOW)), Query(recipients=(Mailbox.parse(TO),)))
    return message


@pytest.mark.parametrize("behind", ["2026-11-23T08:24:00", "2026-11-23T08:23:52"], ids=["whole seconds", "slow clock"])
@pytest.mark.parametrize(("outcome", "state"), [(REFUSED, State.REFUSED), (EXPIRED, State.EXPIRED)])
def test_the_last_hop_decides_though_its_clock_shows_an_earlier_time(behind: str, outcome: str, state: State) -> None:
    for logs in (("out1", "relay2"), ("relay2", "out1")):
        texts = {"out1": FIRST, "relay2": SECOND.format(behind, behind, outcome)}
        message = told(**{name: texts[name] for name in logs})
        assert message.deliveries[0].state is state
        assert message.queue_ids == ("B14542B475E", "A09992B4760")
        assert [stay.tie for stay in message.stays] == [Tie.FIRST, Tie.QUEUED_AS]
        assert [a.queue_id for a in message.deliveries[0].attempts] == ["B14542B475E", "A09992B4760"]
