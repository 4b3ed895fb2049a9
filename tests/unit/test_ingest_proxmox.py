"""Proxmox Mail Gateway's filter: which queue id a message goes on under, and for whom it was kept."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.story import State
from deliverability.ingest.proxmox import FORMAT

LOG = Path(__file__).parents[1] / "cases" / "ingest" / "proxmox" / "postfix-and-proxmox.log"
HEAD = "Nov 22 05:00:04 gw pmg-smtp-filter[2345]: "
ID = "2C225C6817C7EEE1481"


def events(*raw: bytes) -> list[DeliveryEvent]:
    return list(FORMAT.parse(LogLine(Place("", "mail.log", n, 0), line) for n, line in enumerate(raw, start=1)))


@pytest.mark.parametrize(("to", "state", "hops"), [("ana", State.REFUSED, 3), ("bea", State.CANCELLED, 3)])
def test_each_recipient_has_the_end_that_the_filter_names(to: str, state: State, hops: int) -> None:
    trace, _ = read_logs(Request(logs=(str(LOG),), to=(f"{to}@corp.example",)))
    (message,) = trace.messages
    assert [d.state for d in message.deliveries] == [state]
    assert len(message.queue_ids) == hops
    assert trace.coverage.unread == 0


@pytest.mark.parametrize(
    ("words", "action", "recipient"),
    [
        (f"{ID}: new mail message-id=<a@b.example>#012", Action.ARRIVED, None),
        (f"{ID}: accept mail to <a@b.example> (4F1C2A0B3D) (rule: default-accept)", Action.ATTEMPTED, "a@b.example"),
        (f"{ID}: accept mail to <a@b.example> (4F1C2A0B3D)", Action.ATTEMPTED, "a@b.example"),
        (f"{ID}: moved mail for <a@b.example> to virus quarantine - 1A (rule: x)", Action.CANCELLED, "a@b.example"),
        (f"{ID}: block mail to <a@b.example> (rule: Block Viruses)", Action.CANCELLED, "a@b.example"),
    ],
)
def test_what_a_line_says(words: str, action: Action, recipient: str | None) -> None:
    (event,) = events((HEAD + words).encode())
    assert (event.action, event.recipient, event.queue_id) == (action, recipient, ID)


@pytest.mark.parametrize(
    "words",
    [
        f"{ID}: SA score=8/5 time=0.5 bayes=0.00 hits=X: {ID}: block mail to <a@b.example> (rule: x)",
        f"{ID}: new mail message-id=<a@b.example> {ID}: block mail to <c@b.example>",
        f"{ID}: moved mail for <a@b.example> to spam quarantine - 1A and more",
        f"{ID}: reinject mail to <a@b.example> (rule: x) failed",
        "block mail to <a@b.example> (rule: x)",
        "",
    ],
)
def test_no_other_words_speak_for_a_recipient(words: str) -> None:
    raw = (HEAD + words).encode()
    assert events(raw) == []
    assert FORMAT.queue_ids(raw) == []
    assert FORMAT.is_line(raw)


@given(st.binary(max_size=200))
def test_no_line_raises(rest: bytes) -> None:
    raw = HEAD.encode() + rest
    for event in events(raw):
        assert event.queue_id in FORMAT.queue_ids(raw)
