"""Whatever lines are missing, doubled or out of order: a story is told, and no stronger one than the lines bear."""

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.correlate import Query, TimeHints, resolve_times, tell
from deliverability.evidence.event import DeliveryEvent, Result, Transport
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.names import Mailbox
from deliverability.evidence.story import Message, State
from deliverability.ingest import exim, postfix

LOGS = Path(__file__).parents[1] / "cases" / "logs"
HINTS = TimeHints({}, UTC, datetime(2027, 1, 1, tzinfo=UTC))
FORMATS = {
    "postfix/postfix-3.10.rfc3164.log": postfix.FORMAT,
    "exim/4.98-cpanel/mainlog": exim.FORMAT,
    "exim/4.96/syslog": exim.FORMAT,
}
SAMPLES = {name: (LOGS / name).read_bytes().splitlines() for name in FORMATS}
GOOD = (State.HANDED_OVER, State.ACCEPTED, State.DELIVERED)


def told(
    name: str, raws: list[bytes], query: Query | None = None
) -> tuple[tuple[DeliveryEvent, ...], tuple[Message, ...]]:
    lines = [LogLine(Place("", name, n + 1, n * 300), raw) for n, raw in enumerate(raws)]
    events = tuple(resolve_times(list(FORMATS[name].parse(lines)), HINTS))
    return events, tell(events, query or Query())


def check(events: tuple[DeliveryEvent, ...], messages: tuple[Message, ...]) -> None:
    succeeded = {e.line for e in events if e.result is Result.SENT and not e.probe}
    for message in messages:
        assert message.other_recipients >= 0
        lines = set(message.lines)
        for delivery in message.deliveries:
            for part in delivery.parts or (delivery,):
                if part.state in GOOD:
                    assert part.decisive
                    assert part.decisive.lines[-1] in succeeded
                    assert not part.decisive.followed_to
                    assert part.decisive.transport not in (Transport.DISCARD, Transport.FORWARD, Transport.NONE)
            assert {line for a in delivery.attempts for line in a.lines} <= lines


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_sequence_of_real_lines_is_told(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    check(*told(name, data.draw(st.lists(st.sampled_from(SAMPLES[name]), max_size=120))))


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_a_whole_log_in_any_order(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    raws = list(SAMPLES[name])
    data.draw(st.randoms(use_true_random=False)).shuffle(raws)
    check(*told(name, raws))


def story(name: str, queue_id: str) -> list[bytes]:
    """The lines of one message and of those that its lines name."""
    ids, before = {queue_id.encode()}, 0
    while len(ids) != before:
        before = len(ids)
        found = [raw for raw in SAMPLES[name] if any(i in raw for i in ids)]
        ids |= {i.encode() for raw in found for i in FORMATS[name].queue_ids(raw)}
    return [raw for raw in SAMPLES[name] if any(i in raw for i in ids)]


IDS = {name: sorted({i for raw in raws for i in FORMATS[name].queue_ids(raw)[:1]}) for name, raws in SAMPLES.items()}


def states(name: str, raws: list[bytes]) -> dict[tuple[tuple[str, str], str | None], State]:
    _, messages = told(name, raws)
    return {
        (Mailbox.parse(d.recipient).key, q): d.state
        for m in messages
        for d in m.deliveries
        if "@" in d.recipient
        for q in m.queue_ids[:1]
    }


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_a_log_that_ends_early_claims_no_more(data: st.DataObject) -> None:
    """What is settled stays settled: success in a shorter log is success in the whole.

    Only a hand-over may be taken back, by the queue that it led to.
    """
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    raws = story(name, data.draw(st.sampled_from(IDS[name])))
    whole = states(name, raws)
    for key, state in states(name, raws[: data.draw(st.integers(0, len(raws)))]).items():
        if state is State.DELIVERED:
            assert whole[key] is state
        elif state is State.HANDED_OVER:
            assert whole[key] is not State.QUEUED
        elif state in (State.REFUSED, State.FAILED, State.EXPIRED) and key in whole:
            assert whole[key] not in (State.QUEUED, State.DEFERRED)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_without_lines_of_success_nothing_succeeded(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    raws = story(name, data.draw(st.sampled_from(IDS[name])))
    failing = [
        raw for raw in raws if b"status=sent" not in raw and not any(f in raw for f in (b" => ", b" -> ", b" >> "))
    ]
    assert not any(state in GOOD for state in states(name, failing).values())


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_copy_of_the_log_adds_nothing(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    raws = story(name, data.draw(st.sampled_from(IDS[name])))
    _, messages = told(name, raws)
    lines = [LogLine(Place("", f"{copy}.log", n + 1, n * 300), raw) for copy in range(3) for n, raw in enumerate(raws)]
    parts = [e for copy in range(3) for e in FORMATS[name].parse(lines[copy * len(raws) : (copy + 1) * len(raws)])]
    again = tell(resolve_times(parts, HINTS), Query())
    assert [(m.queue_ids, [(d.recipient, d.state, len(d.attempts)) for d in m.deliveries]) for m in again] == [
        (m.queue_ids, [(d.recipient, d.state, len(d.attempts)) for d in m.deliveries]) for m in messages
    ]
