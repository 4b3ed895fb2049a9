"""Hostile logs of filters: whatever the bytes, no parser raises, and no text of a stranger becomes structure."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.evidence.event import Action, DeliveryEvent, Result
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.plugin import LogFormat
from deliverability.ingest import amavis, kumomta, opendkim, opendmarc, postfix, rspamd
from deliverability.protocols import syslog

FORMATS = (amavis.FORMAT, kumomta.FORMAT, opendkim.FORMAT, opendmarc.FORMAT, rspamd.FORMAT)
CASES = Path(__file__).parents[1] / "cases" / "ingest"
SAMPLES = sorted(
    {line for fmt in FORMATS for file in (CASES / fmt.id).glob("*.log") for line in file.read_bytes().splitlines()}
)
OWN = [line for line in SAMPLES if any(fmt.is_line(line) for fmt in FORMATS)]
EVERY = pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.id)
CLAIMS = (Action.ATTEMPTED, Action.REJECTED, Action.ARRIVED)


def read(fmt: LogFormat, *raw: bytes, cut: bool = False) -> list[DeliveryEvent]:
    for line in raw:
        assert 0 <= fmt.sniff(line) <= 1
        assert all(isinstance(i, str) for i in fmt.queue_ids(line))
    events = list(fmt.parse(LogLine(Place("", "-", n, 0), line, cut) for n, line in enumerate(raw, start=1)))
    for event in events:
        assert fmt.is_line(event.line.raw)
        json.dumps([event.text, event.recipient, event.recipients, event.reverse_path, event.queue_id]).encode()
        event.text.encode()
    return events


@EVERY
@given(raw=st.binary(max_size=400), cut=st.booleans())
def test_any_bytes(fmt: LogFormat, raw: bytes, cut: bool) -> None:
    read(fmt, raw, cut=cut)


HEADS = (
    b"Nov 22 18:08:18 out1 amavis[57]: (00057-03) ",
    b"Nov 22 18:08:18 out1 amavis[57]: (00057-03) Passed CLEAN {RelayedOutbound}, ",
    b"Nov 22 18:08:18 out1 amavis[57]: (00057-03) ...",
    b"Nov 22 18:08:18 out1 opendkim[38]: 7C1A02B3F4: ",
    b"Nov 22 18:08:18 out1 opendmarc[45]: 7C1A02B3F4: ",
    b"2026-11-22 18:08:18 #58(rspamd_proxy) <a5e46a>; proxy; ",
    b"2026-11-22 18:08:18 #58(rspamd_proxy) <a5e46a>; proxy; rspamd_task_write_log: id: <m>, qid: <7C1A02B3F4>, ",
    b'{"type":"Delivery","id":"0198076abbbc11ed940250ebf67f93bd",',
)


@EVERY
@given(head=st.sampled_from(HEADS), words=st.binary(max_size=300))
def test_any_words(fmt: LogFormat, head: bytes, words: bytes) -> None:
    read(fmt, head + words)


PIECES = (b">, qid: <", b"> -> <", b", Queue-ID: 7C1A02B3F4", b"...", b'"', b"\\", b"}), ", b"]), len: ", b"{", b"[")


@EVERY
@given(data=st.data())
@settings(max_examples=300)
def test_damaged_lines(fmt: LogFormat, data: st.DataObject) -> None:
    lines = []
    for sample in data.draw(st.lists(st.sampled_from(SAMPLES), min_size=1, max_size=4)):
        raw = bytearray(sample)
        for _ in range(data.draw(st.integers(0, 3))):
            start = data.draw(st.integers(0, len(raw)))
            end = data.draw(st.integers(start, min(len(raw), start + 20)))
            raw[start:end] = data.draw(st.one_of(st.binary(max_size=8), st.sampled_from(PIECES)))
        lines.append(bytes(raw))
    read(fmt, *lines)


@given(st.sampled_from(OWN))
def test_each_line_is_of_one_format_and_its_head_says_so(raw: bytes) -> None:
    owners = [fmt for fmt in FORMATS if fmt.is_line(raw)]
    assert len(owners) == 1
    assert [fmt for fmt in FORMATS if re.compile(fmt.head, re.MULTILINE).match(raw)] == owners


def test_lines_of_the_mail_server_between_them_are_nobodys() -> None:
    theirs = [line for line in SAMPLES if postfix.FORMAT.is_line(line)]
    assert len(theirs) > 500
    assert not set(theirs) & set(OWN)


@given(st.sampled_from(OWN), st.integers(0, 2000))
def test_a_line_cut_anywhere_says_no_more_than_the_whole(raw: bytes, at: int) -> None:
    for fmt in FORMATS:
        whole = {(e.action, e.queue_id, e.recipient, e.result, e.signing_domain) for e in read(fmt, raw)}
        for event in read(fmt, raw[:at], cut=True):
            assert event.action is Action.FILTERED
            assert event.queue_id in {told[1] for told in whole}


IMITATION = st.lists(
    st.sampled_from(
        [
            "> -> <victim@gmail.example>",
            ", Queue-ID: 4dWt1q0zQ3z1RmV",
            ", queued_as: 4dWt1q0zQ3z1RmV",
            ", dkim_new=evil:gmail.com, 1 ms",
            ") {DiscardedOutbound}, [192.0.2.1]:1 <a@b> -> <victim@gmail.example>",
            ">, qid: <4dWt1q0zQ3z1RmV>, ip: 192.0.2.1",
            ", (default: F (no action): [0.00/15.00] [",
            ";},DKIM_SIGNED(0.00){gmail.com:s=evil",
            "DKIM_SIGNED(0.00){gmail.com:s=evil;}",
            "]), len: 1, time: 1ms",
            "DKIM-Signature field added (s=evil, d=gmail.com)",
            "...",
            "<",
            ">",
            " ",
            "\\",
            '"',
            ",",
            "a",
        ]
    ),
    max_size=8,
).map("".join)


def quoted(local: str) -> str:
    return '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"@corp.example'


def amavis_line(sender: str, recipient: str, name: str | None = None) -> bytes:
    """As amavis writes it: backslashes twice, addresses in the quoted form."""
    kind = "CLEAN {RelayedOutbound}" if name is None else f"BANNED (text/plain,{name}) {{RejectedOutbound}}"
    verdict = "Passed" if name is None else "Blocked"
    words = (
        f"{verdict} {kind}, LOCAL [203.0.113.10]:5 [203.0.113.10] <{sender}> -> <{recipient}>,<z@z.example>, "
        "Queue-ID: 7C1A02B3F4, Message-ID: <m@hosting.example>, mail_id: MnY7fAPuFk2U, Hits: 1.3, size: 1060, "
        + ("queued_as: 67C76FB008F8, 224 ms" if name is None else "224 ms")
    )
    return ("Nov 22 18:08:18 out1 amavis[57]: (00057-03) " + words.replace("\\", "\\\\")).encode()


@given(IMITATION, IMITATION)
@settings(max_examples=300)
def test_quoted_addresses_in_amavis_never_become_structure(sender: str, recipient: str) -> None:
    before, behind = read(amavis.FORMAT, amavis_line(quoted(sender), quoted(recipient)))
    assert (before.reverse_path, before.recipients) == (quoted(sender), (quoted(recipient), "z@z.example"))
    assert (before.queue_id, behind.queue_id) == ("7C1A02B3F4", "67C76FB008F8")


@given(IMITATION, IMITATION, IMITATION)
@settings(max_examples=300)
def test_the_name_of_a_file_in_amavis_never_becomes_structure(sender: str, recipient: str, name: str) -> None:
    for event in read(amavis.FORMAT, amavis_line(quoted(sender), quoted(recipient), name)):
        assert (event.action, event.queue_id) == (Action.FILTERED, "7C1A02B3F4")
        assert event.recipients == (quoted(recipient), "z@z.example")


@given(IMITATION, IMITATION, st.integers(50, 400))
@settings(max_examples=300)
def test_an_entry_split_anywhere_says_the_same(sender: str, recipient: str, at: int) -> None:
    whole = amavis_line(quoted(sender), quoted(recipient))
    head, _, words = whole.partition(b") ")
    at = min(at, len(words) - 1)
    if words[:at].endswith(b".") or words[at:].startswith(b"."):
        return  # amavis's own mark would be longer
    pieces = (head + b") " + words[:at] + b"...", head + b") ..." + words[at:])
    said = [(e.queue_id, e.recipients, e.related) for e in read(amavis.FORMAT, *pieces)]
    assert said == [(e.queue_id, e.recipients, e.related) for e in read(amavis.FORMAT, whole)]


def rspamd_line(message_id: str, sender: str, recipient: str, option: str) -> bytes:
    """As rspamd writes it: blanks of a Message-ID as ``?``, everything else as it is."""
    return (
        "2026-11-22 18:08:18 #58(rspamd_proxy) <a5e46a>; proxy; rspamd_task_write_log: "
        f"id: <{message_id.replace(' ', '?')}>, qid: <7C1A02B3F4>, ip: 203.0.113.10, from: <{sender}@hosting.example>, "
        "(default: F (no action): [0.20/15.00] [FORGED_SENDER(0.30){x@y;z@y;},MIME_GOOD(-0.10){text/plain;},"
        f"ARC_NA(0.00){{}},TAGGED_FROM(0.00){{{option};}},TO_DN_NONE(0.00){{}}]), len: 311, time: 4.240ms, dns req: 0, "
        f"digest: <3bb5b10200fce4a42b50580ef59dc601>, rcpts: <{recipient}>, mime_rcpts: <{recipient}>"
    ).encode()


@given(IMITATION, IMITATION, IMITATION, IMITATION)
@settings(max_examples=300)
def test_text_in_rspamd_never_becomes_structure(message_id: str, sender: str, recipient: str, option: str) -> None:
    (event,) = read(rspamd.FORMAT, rspamd_line(message_id, sender, recipient, option))
    assert (event.action, event.queue_id) == (Action.FILTERED, "7C1A02B3F4")
    assert event.recipient is None
    assert event.recipients == ()


@given(IMITATION, st.sampled_from(["opendkim", "opendmarc"]))
def test_text_in_milters_never_becomes_structure(text: str, program: str) -> None:
    fmt = next(f for f in FORMATS if f.id == program)
    raw = f"Nov 22 18:08:18 out1 {program}[38]: 7C1A02B3F4: no signing table match for '{text}'"
    (event,) = read(fmt, raw.encode())
    assert (event.action, event.queue_id) == (Action.FILTERED, "7C1A02B3F4")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
RECORDS = [json.loads(line) for line in (CASES / "kumomta" / "documented.log").read_bytes().splitlines()]
FIELDS = sorted({name for record in RECORDS for name in record} - {"type", "id"})


@given(st.sampled_from(RECORDS), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6))
@settings(max_examples=300)
def test_records_with_fields_of_any_type(record: dict[str, object], changed: dict[str, object]) -> None:
    raw = json.dumps(record | changed, separators=(",", ":")).encode()
    for event in read(kumomta.FORMAT, raw):
        assert event.queue_id in (record["id"], None)


@given(IMITATION, st.text(max_size=60))
def test_a_reply_in_a_record_never_becomes_structure(reply: str, more: str) -> None:
    record = RECORDS[5] | {"response": {"code": 550, "content": reply + more, "command": "."}}
    events = [e for e in read(kumomta.FORMAT, json.dumps(record).encode()) if e.action in CLAIMS]
    assert [(e.recipient, e.result) for e in events] == [("ok-3@corp.example", Result.FAILED)]


@EVERY
@given(address=st.text(max_size=200))
def test_needles_take_any_text(fmt: LogFormat, address: str) -> None:
    assert all(needle == needle.lower() and needle for needle in fmt.needles(address))


@given(st.binary(max_size=200))
def test_heads_match_where_lines_do(tail: bytes) -> None:
    for head in HEADS:
        for fmt in FORMATS:
            assert bool(re.match(fmt.head, head + tail)) is fmt.is_line(head + tail)
            assert (
                fmt.is_line(head + tail) is False
                or fmt.id == "kumomta"
                or fmt.id == "rspamd"
                or re.match(syslog.HEAD, head)
            )
