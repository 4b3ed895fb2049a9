"""Hostile logs: whatever the bytes, Postfix's parser neither raises nor claims, nor takes long."""

from pathlib import Path

import pytest
from bounded import LONG, hang_guard
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.evidence.event import Action, DeliveryEvent, Result
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ingest.postfix import FORMAT
from deliverability.protocols.idclock import exim, postfix_long, reply_clock
from deliverability.protocols.postfix_attempts import attempt_fields
from deliverability.protocols.syslog import parse_prologue

LOGS = Path(__file__).parents[1] / "cases" / "logs" / "postfix"
SAMPLES = sorted({line for file in LOGS.glob("*.log") for line in file.read_bytes().splitlines()})
HEAD = b"Nov 22 05:31:12 out1 postfix/%s[624]: 7C1A02B3F4: "
PROGRAMS = (
    b"smtp",
    b"lmtp",
    b"local",
    b"qmgr",
    b"cleanup",
    b"pickup",
    b"smtpd",
    b"bounce",
    b"postsuper",
    b"postscreen",
)


def read(raw: bytes, *, cut: bool = False) -> list[DeliveryEvent]:
    FORMAT.is_line(raw)
    FORMAT.sniff(raw)
    assert all(isinstance(i, str) for i in FORMAT.queue_ids(raw))
    events = list(FORMAT.parse([LogLine(Place("", "-", 1, 0), raw, cut)]))
    assert len(events) <= 1
    return events


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes(raw: bytes, cut: bool) -> None:
    read(raw, cut=cut)


@given(st.sampled_from(PROGRAMS), st.binary(max_size=300))
def test_any_words_of_any_program(program: bytes, words: bytes) -> None:
    read(HEAD % program + words)


@given(st.data())
@settings(max_examples=300)
def test_damaged_lines(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(len(raw), start + 20)))
        raw[start:end] = data.draw(
            st.one_of(st.binary(max_size=8), st.sampled_from([b">, relay=", b'"', b" (", b"))"]))
        )
    read(bytes(raw))


@given(st.sampled_from(SAMPLES), st.integers(0, 400))
def test_line_cut_anywhere_says_no_more_than_the_whole(raw: bytes, at: int) -> None:
    whole = read(raw)
    for event in read(raw[:at], cut=True):
        assert whole
        assert event.action is whole[0].action
        assert event.result is whole[0].result
        assert event.recipient == whole[0].recipient


IMITATION = st.lists(
    st.sampled_from(
        [
            ">, relay=mx.victim.example[192.0.2.66]:25",
            ", delay=1, delays=0/0/0/1, dsn=2.0.0",
            ", status=sent (250 2.0.0 Ok: queued as 67C76FB008F8",
            "victim@gmail.example",
            ">, orig_to=<",
            "to=<",
            "@x",
            "<",
            ">",
            " ",
            "\\",
            "a",
        ]
    ),
    max_size=8,
).map("".join)


def quoted(local: str) -> str:
    return '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"@corp.example'


@given(IMITATION)
@settings(max_examples=300)
def test_quoted_recipient_never_becomes_structure(local: str) -> None:
    address = quoted(local)
    words = f"to=<{address}>, relay=none, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (no)"
    (event,) = read(HEAD % b"smtp" + words.encode())
    assert (event.recipient, event.result, event.relay, event.text) == (address, Result.FAILED, None, "no")


@given(IMITATION)
@settings(max_examples=300)
def test_bare_recipient_never_becomes_a_success(local: str) -> None:
    words = f"to=<{local}@corp.example>, relay=none, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (no)"
    for event in read(HEAD % b"smtp" + words.encode()):
        assert event.result is not Result.SENT


@given(IMITATION)
@settings(max_examples=300)
def test_reply_never_becomes_structure(reply: str) -> None:
    words = (
        "to=<anna@corp.example>, relay=mx.corp.example[192.0.2.10]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, "
        f"status=bounced (host mx.corp.example[192.0.2.10] said: 550 {reply} (in reply to RCPT TO command))"
    )
    (event,) = read(HEAD % b"smtp" + words.encode())
    assert event.recipient == "anna@corp.example"
    assert event.result in (Result.FAILED, Result.UNCERTAIN)
    assert event.relay
    assert event.relay.ip == "192.0.2.10"


@given(IMITATION, st.sampled_from(["info", "warning", "hold", "discard", "reject"]))
def test_header_never_becomes_an_outcome(body: str, action: str) -> None:
    words = f"{action}: header Subject: {body} from web1[192.0.2.7]; from=<a@hosting.example> to=<b@corp.example>"
    for event in read(HEAD % b"cleanup" + words.encode()):
        assert event.action in (Action.DESCRIBED, Action.HELD, Action.CANCELLED, Action.REJECTED)
        assert event.result is None
        assert event.recipient in (None, "b@corp.example")


@given(st.binary(max_size=300), st.sampled_from([None, "smtp", "local", "pipe"]))
def test_any_outcome(words: bytes, program: str | None) -> None:
    attempt_fields(b"to=<a>, relay=local, delay=1, status=sent (" + words, program)


@given(st.text(max_size=80))
def test_clocks_take_any_text(text: str) -> None:
    postfix_long(text)
    exim(text)
    reply_clock(text)


@given(st.text(max_size=400))
def test_needles_take_any_text(address: str) -> None:
    assert all(needle == needle.lower() and needle for needle in FORMAT.needles(address))


@given(st.binary(max_size=200))
def test_prologue_takes_any_bytes(tail: bytes) -> None:
    for head in (b"", b"Nov 22 05:31:12 ", b"<22>1 2026-11-22T05:31:12Z out1 app 6 - ["):
        parse_prologue(head + tail)


PIECES = (b"<", b"(", b'"', b"\\", b">, relay=", b">, relay=a", b"?=", b"? ", b" from a;", b" (in reply to ", b", a=b")
STARTS = (
    b"",
    b"to=<",
    b'to=<"',
    b"to=<a>, orig_to=<",
    b"to=<a>, relay=b, delay=1, status=sent (",
    b"to=<a>, relay=b, delay=1, status=bounced (host c[192.0.2.1] said: ",
    b"to=<a>, relay=b",
    b"from=<",
    b"uid=1 from=<",
    b"client=a[192.0.2.1], sasl_username=",
    b"message-id=<",
    b"info: header Subject: ",
    b"reject: RCPT from a[192.0.2.1]: 550 ",
    b"reject: RCPT from a[192.0.2.1]: 550 no; from=<",
    b"host a[192.0.2.1] said: ",
    b"lost connection with ",
    b"Trusted TLS connection established to ",
    b"SSL_connect error to ",
)


@pytest.mark.parametrize("start", STARTS)
def test_long_lines_take_linear_time(start: bytes) -> None:
    program = {b"f": b"qmgr", b"u": b"pickup", b"c": b"smtpd", b"m": b"cleanup", b"i": b"cleanup", b"r": b"smtpd"}
    head = HEAD % program.get(start[:1], b"smtp")
    with hang_guard():
        for piece in PIECES:
            read(head + start + piece * (LONG // len(piece)))


@pytest.mark.parametrize("piece", [b"a", b"/", b"/smtp", b"1 ", b"<", b"[", b'"', b"\\", b"=", b"postfix"])
def test_long_heads_take_linear_time(piece: bytes) -> None:
    with hang_guard():
        for start in (b"", b"Nov 22 05:31:12 ", b"<22>1 2026-11-22T05:31:12Z out1 app 6 - [", b"Nov 22 05:31:12 out1 "):
            read(start + piece * (LONG // len(piece)))
