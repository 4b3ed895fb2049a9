"""What OpenDMARC says: recorded behind Postfix, facts about our side and no more."""

from collections import Counter
from pathlib import Path

import pytest

from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ingest.opendmarc import FORMAT

RECORDED = Path(__file__).parents[1] / "cases" / "ingest" / "opendmarc" / "opendmarc-1.4.rfc3164.log"
HEAD = "Nov 22 18:08:17 out1 opendmarc[45]: "


def events(raw: list[bytes]) -> list[DeliveryEvent]:
    lines = (LogLine(Place("", "mail.log", n, 0), line) for n, line in enumerate(raw, start=1))
    return list(FORMAT.parse(lines))


def test_the_recording() -> None:
    told = events(RECORDED.read_bytes().splitlines())
    assert {e.action for e in told} == {Action.FILTERED}
    assert Counter(e.text for e in told) == {
        "SPF(mailfrom): corp.example none": 5,
        "corp.example none": 1,
        "hosting.example fail": 3,
        "hosting.example pass": 1,
    }
    assert len({e.queue_id for e in told}) == 5
    assert FORMAT.sniff(RECORDED.read_bytes()) == 1


@pytest.mark.parametrize("words", ["ignoring connection from web1.hosting.example", "7C1A02B3F4 no colon", "", ": x"])
def test_lines_about_no_message_say_nothing(words: str) -> None:
    raw = (HEAD + words).encode()
    assert FORMAT.is_line(raw)
    assert events([raw]) == []
    assert FORMAT.queue_ids(raw) == []


def test_a_result_is_text_and_nothing_else() -> None:
    (event,) = events([(HEAD + "7C1A02B3F4: a.example: to=<v@gmail.com>, status=sent (250 ok) pass").encode()])
    assert event.text == "a.example: to=<v@gmail.com>, status=sent (250 ok) pass"
    assert event.queue_id == "7C1A02B3F4"
    assert event.recipient is event.result is event.reply is event.relay is event.signing_domain is None
