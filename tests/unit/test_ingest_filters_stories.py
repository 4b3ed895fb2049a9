"""Logs that a mail server and its filters wrote together: what the story of one message says (recorded lines)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path

import pytest

from deliverability.correlate import Query, TimeHints, resolve_times, tell
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.story import Delivery, Message, State
from deliverability.ingest import amavis, opendkim, opendmarc, postfix, rspamd

CASES = Path(__file__).parents[1] / "cases" / "ingest"
LONG_IDS = CASES / "amavis" / "postfix-3.7-amavis-2.13-opendkim-2.11.log"
SHORT_IDS = CASES / "amavis" / "postfix-3.7-amavis-2.13-rspamd-3.4-short-ids.rfc3164.log"
FORMATS = (amavis.FORMAT, opendkim.FORMAT, opendmarc.FORMAT, postfix.FORMAT, rspamd.FORMAT)
READ_AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
BOTH = pytest.mark.parametrize("path", [LONG_IDS, SHORT_IDS], ids=["long-ids", "short-ids"])

Change = Callable[[bytes], bytes]


def as_written(content: bytes) -> bytes:
    return content


def without_orig_queue_id(content: bytes) -> bytes:
    """As Postfix logs where the second queue does not take XFORWARD from the filter."""
    return re.sub(rb", orig_queue_id=\S+, orig_client=\S+", b"", content)


def without_hand_over(content: bytes) -> bytes:
    """The lines in which the first queue says what the filter answered are lost as well."""
    lines = without_orig_queue_id(content).splitlines(keepends=True)
    return b"".join(line for line in lines if b", relay=127.0.0.1[127.0.0.1]:10024," not in line)


@cache
def messages(path: Path, change: Change = as_written, *, by_format: bool = False) -> tuple[Message, ...]:
    lines, offset = [], 0
    for number, raw in enumerate(change(path.read_bytes()).splitlines(), start=1):
        lines.append(LogLine(Place("", path.name, number, offset), raw))
        offset += len(raw) + 1
    events: list[DeliveryEvent] = [event for fmt in FORMATS for event in fmt.parse(lines)]
    if not by_format:
        events.sort(key=lambda event: event.line.place)
    return tell(resolve_times(events, TimeHints({path.name: READ_AT})), Query())


def message(key: str, path: Path, change: Change = as_written, *, by_format: bool = False) -> Message:
    told = messages(path, change, by_format=by_format)
    (found,) = (m for m in told if (m.message_id or "").startswith(f"{key}."))
    return found


def delivery(found: Message, recipient: str) -> Delivery:
    (one,) = (d for d in found.deliveries if d.recipient == recipient)
    return one


@BOTH
@pytest.mark.parametrize(
    ("key", "recipient", "state"),
    [
        ("plain", "ok-1@corp.example", State.HANDED_OVER),
        ("two", "ok-3@eximhost.example", State.HANDED_OVER),
        ("spam-kept", "ok-6@corp.example", State.CANCELLED),
        ("spam-for-one", "lover-1@corp.example", State.HANDED_OVER),
        ("banned", "ok-8@corp.example", State.REFUSED),
        ("refused-behind", "nouser-11@corp.example", State.REFUSED),
        ("signed-only", "ok-12@corp.example", State.HANDED_OVER),
        ("rspamd-refuses", "ok-22@corp.example", State.REFUSED),
        ("in-signed", "box@hosting.example", State.DELIVERED),
    ],
)
def test_how_it_ended(path: Path, key: str, recipient: str, state: State) -> None:
    assert delivery(message(key, path), recipient).state is state


@BOTH
@pytest.mark.parametrize("key", ["plain", "two", "refused-behind", "many", "hostile-sender"])
def test_before_and_behind_the_filter_is_one_message(path: Path, key: str) -> None:
    found = message(key, path)
    assert len(set(found.queue_ids)) == 2
    assert {line.raw for line in found.lines if b" amavis[" in line.raw}


@BOTH
@pytest.mark.parametrize(
    ("key", "signings"),
    [
        ("plain", {("hosting.example", "s2026")}),
        ("signed-only", {("hosting.example", "s2026")}),
        ("amavis-signs", {("shop.example", "shop1")}),
        ("rspamd-has-no-key", set()),
        ("over-lmtp", set()),
        ("in-signed", set()),
        ("hostile-subject", {("hosting.example", "s2026")}),
        ("rspamd-hostile-sender", set()),
    ],
)
def test_who_says_that_it_signed(path: Path, key: str, signings: set[tuple[str, str | None]]) -> None:
    assert {(s.signing_domain, s.selector) for s in message(key, path).signings} == signings


def test_rspamd_says_that_it_signed() -> None:
    assert [(s.signing_domain, s.selector) for s in message("rspamd-signs", SHORT_IDS).signings] == [
        ("hosting.example", "s2026")
    ]


def of_rspamds_own_file(content: bytes) -> tuple[bytes, bytes]:
    """The mail server's log, and the lines of rspamd as it writes them to a file of its own: these name no host."""
    lines = content.splitlines(keepends=True)
    theirs = (line for line in lines if b" rspamd[" in line)
    own = re.compile(rb"Nov 22 (\S+) out1 rspamd\[(\d+)\]: (?=<)")
    return (
        b"".join(line for line in lines if b" rspamd[" not in line),
        b"".join(own.sub(rb"2026-11-22 \1 #\2(rspamd_proxy) ", line) for line in theirs),
    )


def test_rspamds_own_file_beside_a_log_with_short_ids() -> None:
    events: list[DeliveryEvent] = []
    for name, content in zip(("mail.log", "rspamd.log"), of_rspamds_own_file(SHORT_IDS.read_bytes()), strict=True):
        lines = [LogLine(Place("", name, n, n), raw) for n, raw in enumerate(content.splitlines(), start=1)]
        events += sorted((e for fmt in FORMATS for e in fmt.parse(lines)), key=lambda e: e.line.place)
    hints = TimeHints({"mail.log": READ_AT, "rspamd.log": READ_AT}, zone=timezone(timedelta(hours=8)))
    told = tell(resolve_times(events, hints), Query())
    (found,) = (m for m in told if (m.message_id or "").startswith("rspamd-signs."))
    assert [(s.signing_domain, s.selector) for s in found.signings] == [("hosting.example", "s2026")]


@pytest.mark.parametrize("change", [without_orig_queue_id, without_hand_over])
@pytest.mark.parametrize("key", ["plain", "amavis-signs", "over-lmtp"])
def test_the_filters_own_line_ties_the_two_queues(key: str, change: Change) -> None:
    found = message(key, LONG_IDS, change)
    assert found.queue_ids == message(key, LONG_IDS).queue_ids
    assert {d.state for d in found.deliveries} == {State.HANDED_OVER}
    assert {d.attempts[-1].relay.port for d in found.deliveries if d.attempts[-1].relay} == {25}


@BOTH
def test_what_the_filter_kept_for_one_recipient_went_nowhere(path: Path) -> None:
    """Postfix logs ``sent (250 … queued as Y, but 1 DISCARD)`` for both recipients; only amavis says which of them."""
    assert delivery(message("spam-for-one", path), "ok-7@corp.example").state is State.CANCELLED


def test_the_filters_line_makes_no_second_entry() -> None:
    """amavis logs after the queue behind it may have delivered and removed the message; short ids are used again."""
    for found in messages(SHORT_IDS):
        assert len(found.queue_ids) == len(set(found.queue_ids)), found.message_id


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(LONG_IDS, id="long-ids"),
        pytest.param(SHORT_IDS, id="short-ids"),
    ],
)
def test_formats_of_one_file_may_come_one_after_the_other(path: Path) -> None:
    one, other = messages(path), messages(path, by_format=True)
    assert [(m.message_id, m.queue_ids, [d.state for d in m.deliveries]) for m in other] == [
        (m.message_id, m.queue_ids, [d.state for d in m.deliveries]) for m in one
    ]


@BOTH
def test_no_story_names_who_only_stands_in_a_strangers_text(path: Path) -> None:
    told = messages(path)
    assert {d.recipient for m in told for d in m.deliveries}.isdisjoint({"v@gmail.com", "a@b"})
    assert not any("4dWt1q0zQ3z1RmV" in m.queue_ids for m in told)
    assert {s.signing_domain for m in told for s in m.signings} == {"hosting.example", "shop.example"}
