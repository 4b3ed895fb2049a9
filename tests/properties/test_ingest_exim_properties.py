"""Hostile logs: whatever the bytes, Exim's parser neither raises nor takes long, nor believes a stranger."""

from pathlib import Path

import pytest
from bounded import LONG, hang_guard
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.evidence.event import Action, DeliveryEvent, Result
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ingest.exim import FORMAT

LOGS = Path(__file__).parents[1] / "cases" / "logs" / "exim"
SAMPLES = sorted({line for file in LOGS.glob("*/*log") for line in file.read_bytes().splitlines()})
HEAD = b"2026-11-22 05:31:12 1xV0AW-00002y-0H "
FLAGS = (b"<= ", b"=> ", b"-> ", b">> ", b"** ", b"== ", b"(= ", b"H=", b"", b"address <", b"SMTP error from remote ")
PIECES = (
    b'"', b"\\", b"<", b">", b"(", b")", b"[", b"]", b": ", b" : ", b" ", b"@", b"a@b.example", b" H=h [1.2.3.4]",
    b" R=r", b" T=remote_smtp", b' T="x"', b' C="250 ok"', b" for ", b" from <", b" id=", b" S=1", b" P=esmtp",
    b' DN="', b" defer (-44)", b"\xe4\xb8", b"\x85", b"\xa0", b"\x00", b" rejected ", b" F=<", b"|/bin/x", b' <"',
)  # fmt: skip


def read(raws: list[bytes], *, cut: bool = False) -> list[DeliveryEvent]:
    for raw in raws:
        FORMAT.is_line(raw)
        assert 0.0 <= FORMAT.sniff(raw) <= 1.0
        assert all(isinstance(i, str) for i in FORMAT.queue_ids(raw))
    return list(FORMAT.parse(LogLine(Place("", "-", n, 0), raw, cut) for n, raw in enumerate(raws, 1)))


@given(st.lists(st.binary(max_size=200), max_size=5), st.booleans())
def test_any_bytes(raws: list[bytes], cut: bool) -> None:
    read(raws, cut=cut)


@given(st.sampled_from(FLAGS), st.lists(st.sampled_from(PIECES), max_size=25), st.booleans())
@settings(max_examples=400)
def test_any_words(flag: bytes, pieces: list[bytes], cut: bool) -> None:
    assert len(read([HEAD + flag + b"".join(pieces)], cut=cut)) <= 1


@given(st.data())
@settings(max_examples=400)
def test_damaged_lines(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(len(raw), start + 20)))
        raw[start:end] = data.draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=20)))
    assert len(read([bytes(raw)])) <= 1


@given(
    st.lists(
        st.tuples(
            st.integers(1, 3), st.integers(0, 4), st.sampled_from(b"/\\"), st.integers(0, 4), st.sampled_from(SAMPLES)
        ),
        max_size=12,
    )
)
def test_parts_in_any_order(parts: list[tuple[int, int, int, int, bytes]]) -> None:
    read([b"Nov 22 05:31:12 h exim[%d]: [%d%c%d] %s" % part for part in parts])


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=60))
def test_a_subject_is_only_a_subject(subject: str) -> None:
    escaped = subject.replace("\\", "\\\\").replace('"', '\\"').encode()
    line = HEAD + b'<= a@b.example H=(x) [192.0.2.1] P=esmtp S=5 id=x@b.example T="%s" for anna@corp.example'
    (event,) = read([line % escaped])
    assert (event.action, event.subject, event.recipients) == (Action.ARRIVED, subject, ("anna@corp.example",))


_IMITATIONS = st.lists(
    st.sampled_from([" <v@g.example>", " R=r", "v@g.example", ": no", "|x", ">", "/", '"', "\\", " <", " T=t", ":"]),
    max_size=5,
).map("".join)


@given(
    st.one_of(_IMITATIONS, st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=64)),
    st.sampled_from(b"*="),
)
def test_a_local_part_never_becomes_another_recipient(local: str, flag: int) -> None:
    quoted = local.replace("\\", "\\\\").replace('"', '\\"')
    words = f'{local}@evil.example <"{quoted}"@evil.example> R=dnslookup T=remote_smtp'
    words += ": no" if flag == ord("*") else " defer (-1): no"
    for event in read([HEAD + bytes((flag, flag)) + b" " + words.encode()]):
        assert event.original_recipient == f'"{quoted}"@evil.example'


@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=200))
def test_a_reply_never_becomes_a_success(reply: str) -> None:
    words = (
        b"** a@b.example R=r T=remote_smtp H=h [192.0.2.1]: SMTP error from remote mail server after end of data: 550 "
    )
    for event in read([HEAD + words + reply.encode()]):
        assert event.result is Result.FAILED
        assert event.recipient == "a@b.example"


@pytest.mark.parametrize("flag", [*FLAGS, b"=> a@b.example ", b"== a@b.example defer (1): ", b"** a@b.example: "])
@pytest.mark.parametrize(
    "piece",
    [b'"', b"(", b" H=", b"<", b' <"', b" <", b"\\", b" A=1", b' "@x <"', b": ", b' C="', b" id=", b"a ", b"=?"],
)
def test_long_lines_take_linear_time(flag: bytes, piece: bytes) -> None:
    raw = HEAD + flag + piece * (LONG // len(piece))
    with hang_guard():
        read([raw, b"Nov 22 05:31:12 h exim[1]: " + raw])


OUTCOMES = [raw for raw in SAMPLES if any(flag in raw for flag in (b" => ", b" -> ", b" ** ", b" == "))]
TRIED = b"x@corp.example R=dnslookup T=remote_smtp"
AT = b" H=mx.corp.example [192.0.2.1]"
LOST = tuple(
    HEAD + start + TRIED + rest
    for start, rest in (
        (b"== ", b" defer (-18)" + AT + b": Remote host closed connection in response to end of data"),
        (b"== ", b" defer (110): Connection timed out" + AT + b": SMTP timeout after end of data (1234 bytes written)"),
        (b"** ", AT + b": SMTP timeout after end of data: retry timeout exceeded"),
        (b"** ", AT + b" DT=1s: Malformed SMTP reply in response to end of data: 25x"),
    )
)


@given(st.one_of(st.sampled_from(OUTCOMES), st.sampled_from(LOST)), st.integers(0, 600))
@settings(max_examples=400)
def test_outcome_cut_anywhere_says_no_more_than_the_whole(raw: bytes, at: int) -> None:
    whole = read([raw])
    for event in read([raw[:at]], cut=True):
        assert whole
        assert event.action is whole[0].action
        if event.result is Result.SENT or whole[0].result is Result.UNCERTAIN:
            assert event.result is whole[0].result
