"""MailScanner beside Postfix: under which id a message goes on, and what it threw away."""

from pathlib import Path

import pytest

from deliverability.evidence.event import Action, DeliveryEvent, Relation
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ingest.mailscanner import FORMAT

LOG = Path(__file__).parents[1] / "cases" / "ingest" / "mailscanner" / "postfix-and-mailscanner.log"
HEAD = "Nov 22 05:00:04 mx1 MailScanner[2345]: "


def events(*raw: bytes) -> list[DeliveryEvent]:
    return list(FORMAT.parse(LogLine(Place("", "mail.log", n, 0), line) for n, line in enumerate(raw, start=1)))


def test_the_new_id_names_the_old_one() -> None:
    (event,) = events(*LOG.read_bytes().splitlines())
    assert (event.action, event.queue_id) == (Action.DESCRIBED, "1A2B3C4D5E")
    assert event.related == ((Relation.REQUEUED_FROM, "8A1B2C3D4E"),)
    assert FORMAT.queue_ids(event.line.raw) == ["1A2B3C4D5E", "8A1B2C3D4E"]


@pytest.mark.parametrize(
    ("words", "thrown_away"),
    [
        ("Spam Actions: message 8A1B2C3D4E.A5F6B actions are store", True),
        ("High Scoring Spam Actions: message 8A1B2C3D4E.A5F6B actions are store, delete", True),
        ("Spam Actions: message 8A1B2C3D4E.A5F6B actions are deliver, header", False),
        ("Non Spam Actions: message 8A1B2C3D4E.A5F6B actions are deliver", False),
        ("Spam Actions: message 8A1B2C3D4E.A5F6B actions are forward", False),
    ],
)
def test_what_is_kept_from_the_recipient(words: str, thrown_away: bool) -> None:
    told = events((HEAD + words).encode())
    assert [(e.action, e.queue_id) for e in told] == [(Action.CANCELLED, "8A1B2C3D4E")] * thrown_away


@pytest.mark.parametrize(
    "words",
    [
        "Requeue: 8A1B2C3D4E.A5F6B to 1A2B3C4D5E and more",
        "Requeue: 8A1B2C3D4E to 1A2B3C4D5E",
        "Message 8A1B2C3D4E.A5F6B from 198.51.100.9 (a@b.example) to corp.example Subject: Requeue: A.B to C",
        "New Batch: Scanning 1 messages, 2345 bytes",
        "",
    ],
)
def test_other_lines_say_nothing(words: str) -> None:
    raw = (HEAD + words).encode()
    assert FORMAT.is_line(raw)
    assert events(raw) == []
    assert FORMAT.queue_ids(raw) == []


def test_a_line_that_was_cut_says_nothing() -> None:
    raw = (HEAD + "Requeue: 8A1B2C3D4E.A5F6B to 1A2B3C4D5E").encode()
    assert list(FORMAT.parse([LogLine(Place("", "mail.log", 1, 0), raw, cut=True)])) == []
