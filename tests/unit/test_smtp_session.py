"""Replies, commands, messages and transcripts of a session, without a socket."""

import hashlib
from base64 import b64decode
from datetime import UTC, datetime
from email.message import EmailMessage, Message

import pytest
from dkim.canonicalization import Relaxed, Simple
from hypothesis import given
from hypothesis import strategies as st

from deliverability.errors import ParseError, UsageError
from deliverability.protocols.smtp_session import CLIENT, NOTE, SERVER, Said, Transcript, body_hashes
from deliverability.protocols.smtp_session_commands import Job, Notices, Offer, stuffed, xtext
from deliverability.protocols.smtp_session_mail import outgoing, path, with_crlf
from deliverability.protocols.smtp_session_replies import (
    MAX_LINE,
    MAX_REPLY,
    BadReplyError,
    ReplyReader,
    beyond_first_reply,
    first_reply,
)

AT = datetime(2026, 11, 22, 5, 31, 12, 345678, tzinfo=UTC)


# --- replies ----------------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.sampled_from([b"250 Ok\r\n", b"550-5.1.1 no\r\n550 5.1.1 user\r\n", b"354\r\n", b"421 x\n"]), max_size=8
    ),
    st.data(),
)
def test_replies_are_the_same_in_any_pieces(replies: list[bytes], data: st.DataObject) -> None:
    octets, reader, at = b"".join(replies), ReplyReader(), 0
    while at < len(octets):
        step = data.draw(st.integers(1, 12))
        reader.feed(octets[at : at + step])
        at += step
    assert [r.code for r in reader.replies] == [int(r[:3]) for r in replies]
    assert reader.at_rest == (not replies)


def test_reply_keeps_every_line() -> None:
    reply = first_reply(b"550-5.7.26 This mail is\r\n550 5.7.26 unauthenticated\r\nmore")
    assert reply is not None
    assert (reply.code, reply.enhanced_status_code) == (550, "5.7.26")
    assert reply.text == "550-5.7.26 This mail is 550 5.7.26 unauthenticated"


@pytest.mark.parametrize(
    "octets",
    [
        b"hello\r\n",
        b"25 short\r\n",
        b"650 what\r\n",
        b"250-a\r\n550 b\r\n",
        b"250_a\r\n",
        b"\r\n",
        b"250 a\rb\r\n",
        b"2" * (MAX_LINE + 2),
        b"250-" + b"x" * MAX_LINE + b"\r\n",
        b"250-x\r\n" * (MAX_REPLY // 7 + 1),
        b"250 x\r\n" * 600,
    ],
)
def test_what_is_no_reply(octets: bytes) -> None:
    with pytest.raises(BadReplyError):
        ReplyReader().feed(octets)


@given(st.binary(max_size=300))
def test_any_octets_give_replies_or_our_error(octets: bytes) -> None:
    reader = ReplyReader()
    try:
        reader.feed(octets)
    except BadReplyError:
        return
    assert all(r.code is not None and 200 <= r.code < 600 for r in reader.replies)


def test_octets_after_a_reply() -> None:
    assert beyond_first_reply(b"220 go\r\n") == 0
    assert beyond_first_reply(b"220-a\r\n220 go\r\n") == 0
    assert beyond_first_reply(b"220 go\r\n250 evil\r\n") == 10


# --- commands ---------------------------------------------------------------------------------------------------------


def test_offer() -> None:
    offer = Offer.of("mx.example\nSIZE 35882577\npipelining\nAUTH PLAIN LOGIN\n")
    assert "PIPELINING" in offer
    assert offer.max_size == 35882577
    assert offer.keywords["AUTH"] == "PLAIN LOGIN"
    assert Offer.of("x\nSIZE 0").max_size is None
    assert Offer.of("x\nSIZE " + "9" * 400).max_size is None


@given(st.text(max_size=60))
def test_xtext_is_one_word(text: str) -> None:
    try:
        octets = xtext(text)
    except UnicodeEncodeError:
        return
    assert all(33 <= o <= 126 and o != ord("=") for o in octets)


def test_an_address_cannot_end_its_command() -> None:
    for address in ("a>\r\nRCPT TO:<x@y", "a\0@b", "a<b@c"):
        with pytest.raises(ParseError):
            Job(b"", address, ()).mail(Offer())
    with pytest.raises(ParseError):
        Notices(("NEVER", "SUCCESS"))
    with pytest.raises(ParseError):
        Notices(envelope_id="a\r\nb")


def _unstuffed(wire: bytes) -> bytes:
    lines = wire.split(b"\r\n")
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)


@given(
    st.lists(st.sampled_from([b".", b"..", b"a", b"\r\n", b"\n", b"\r", b"\r\n.\r\n", b"\n.\n", b"x.y"]), max_size=30)
)
def test_stuffing_can_be_undone_and_hides_every_end(parts: list[bytes]) -> None:
    content = with_crlf(b"".join(parts))
    wire = stuffed(content)
    assert _unstuffed(wire) == content
    assert b"\r\n.\r\n" not in b"\r\n" + wire
    assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")


# --- messages ---------------------------------------------------------------------------------------------------------


def mail() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Ann <ann@hosting.example>"
    message["To"] = "mei@customer.example, lin@例子.example"
    message["Cc"] = "mei@customer.example"
    message["Bcc"] = "audit@hosting.example"
    message["Subject"] = "續約通知"
    message.set_content("您好\n.\n")
    return message


def test_envelope_from_the_header() -> None:
    out = outgoing(mail())
    assert out.reverse_path == "ann@hosting.example"
    assert out.recipients == ("mei@customer.example", "lin@xn--fsqu00a.example", "audit@hosting.example")
    assert b"\r\nbcc:" not in b"\r\n" + out.content.lower()  # a Message-ID may well hold "bcc" by chance
    assert b"audit@" not in out.content
    assert not out.eight_bit
    message = mail()
    message.replace_header("To", "mei@customer.example")
    octets = outgoing(message.as_bytes())
    assert octets.recipients == ("mei@customer.example", "audit@hosting.example")
    assert b"audit@" not in octets.content


def test_octets_are_not_touched_but_for_line_ends_and_bcc() -> None:
    content = (
        b"From: a@b.example\nBcc: x@y.example,\n z@y.example\nMessage-ID: <1@b>\nTo: c@d.example\n\nBcc: no header\n"
    )
    out = outgoing(content, "a@b.example", ["c@d.example"])
    assert out.content == b"From: a@b.example\r\nMessage-ID: <1@b>\r\nTo: c@d.example\r\n\r\nBcc: no header\r\n"


def test_a_message_id_is_added_unless_a_signature_would_mind() -> None:
    bare = outgoing(b"Subject: x\r\n\r\n", "a@b.example", "c@d.example").content
    assert bare.startswith(b"Message-ID: <")
    assert bare.partition(b"\r\n")[0].endswith(b"@b.example>")
    signed = b"DKIM-Signature: v=1\r\nSubject: x\r\n\r\n"
    assert outgoing(signed, "a@b.example", "c@d.example").content == signed


def test_eight_bits_only_where_they_came_as_octets() -> None:
    message = mail()
    message.replace_header("Subject", "x")
    message.set_content("ü", cte="8bit")
    assert not outgoing(message).eight_bit
    assert outgoing("Subject: x\r\n\r\nü\r\n".encode(), "a@b.example", "c@d.example").eight_bit


@pytest.mark.parametrize(
    "address",
    [
        "a@b\r\nRCPT TO:<x@y>",
        "a b@c.example",
        "a@b@c.example>",
        "<a@b.example>",
        "@b.example",
        "a@",
        "a",
        "",
        "a@b..example",
        "a\u202e@b.example",
        "a\0@b.example",
        '"a\nb"@c.example',
        "x" * 400 + "@b.example",
    ],
)
def test_addresses_that_are_refused(address: str) -> None:
    with pytest.raises(UsageError):
        path(address)


def test_addresses_that_stand() -> None:
    for address in (
        "a@b.example",
        '"a b"@c.example',
        "a+b.@c.example",
        "a@[192.0.2.1]",
        "a@[IPv6:2001:db8::1]",
        "ü@b.example",
    ):
        assert path(address) == address


@pytest.mark.parametrize("value", ["x\r\nBcc: y@z.example", "x\nBcc: y", "x\rBcc: y", "x\n"])
def test_header_injection_is_refused(value: str) -> None:
    message = Message()
    message["From"] = "a@b.example"
    message["To"] = "c@d.example"
    message["Subject"] = value
    message.set_payload("hello")
    with pytest.raises(UsageError, match="line break"):
        outgoing(message)


def test_folded_fields_are_no_injection() -> None:
    message = Message()
    message["From"] = "a@b.example"
    message["To"] = "c@d.example"
    message["Subject"] = "one\r\n two"
    message.set_payload("hello")
    assert b"Subject: one\r\n two\r\n" in outgoing(message).content


def test_no_recipient_is_no_message() -> None:
    with pytest.raises(UsageError, match="recipients"):
        outgoing(b"Subject: x\r\n\r\n", "a@b.example", [])
    with pytest.raises(UsageError, match="From"):
        outgoing(b"Subject: x\r\n\r\n")


# --- transcripts ------------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.builds(Said, st.integers(0, 999_999_999), st.sampled_from([CLIENT, SERVER, NOTE]), st.binary(max_size=40)),
        max_size=10,
    ),
    st.lists(
        st.tuples(st.sampled_from(["peer", "tls"]), st.text(min_size=1).filter(lambda t: not t[0].isspace())),
        max_size=4,
    ),
)
def test_transcript_is_read_as_it_was_written(said: list[Said], facts: list[tuple[str, str]]) -> None:
    try:
        kept = tuple((n, v.encode().decode()) for n, v in facts)
    except UnicodeEncodeError:
        return
    transcript = Transcript(AT, kept, tuple(said))
    assert Transcript.parse(transcript.to_bytes()) == transcript
    assert hashlib.sha256(transcript.to_bytes()).hexdigest() == transcript.sha256


@given(st.binary(max_size=200))
def test_any_octets_are_a_transcript_or_not(octets: bytes) -> None:
    with pytest.raises(ParseError):
        Transcript.parse(octets)


def test_another_spelling_is_refused() -> None:
    octets = Transcript(AT, (), (Said(1, CLIENT, b"A"),)).to_bytes()
    assert Transcript.parse(octets)
    for spoilt in (
        octets.replace(b"A", b"\\x41"),
        octets + b"x",
        octets.replace(b" C ", b" Q "),
        octets.replace(b"1\n", b"2\n", 1),
    ):
        with pytest.raises(ParseError):
            Transcript.parse(spoilt)


@given(st.lists(st.sampled_from([b"a", b" ", b"  ", b"\t", b"\r\n", b"\r\n\r\n", b"end"]), max_size=20))
def test_body_hashes_are_dkim_s(parts: list[bytes]) -> None:
    body = with_crlf(b"".join(parts))
    simple, relaxed = body_hashes(b"DKIM-Signature: c=relaxed/relaxed\r\nSubject: x\r\n\r\n" + body)
    assert b64decode(simple) == hashlib.sha256(Simple.canonicalize_body(body)).digest()
    assert b64decode(relaxed) == hashlib.sha256(Relaxed.canonicalize_body(body)).digest()
