"""Hostile logs of Sendmail, OpenSMTPD and Dovecot: whatever the bytes, nothing raises, and no stranger is believed."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.evidence.event import Action, DeliveryEvent, Result
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.plugin import LogFormat
from deliverability.ingest import dovecot, opensmtpd, sendmail

CASES = Path(__file__).parents[1] / "cases" / "ingest"
FORMATS = {"sendmail": sendmail.FORMAT, "opensmtpd": opensmtpd.FORMAT, "dovecot": dovecot.FORMAT}
SAMPLES = {
    name: sorted({raw for file in (CASES / name).glob("*.log") for raw in file.read_bytes().splitlines()})
    for name in FORMATS
}
HEADS = {
    "sendmail": b"Nov 22 05:31:12 h sm-mta[1]: u0S9Fxqr012345: ",
    "opensmtpd": b"Nov 22 05:31:12 h smtpd[1]: 36f9fe251641f731 ",
    "dovecot": b"Nov 22 05:31:12 h dovecot: lmtp(a@b.example)<1><1FHpNZy/Amu/AAAAg+zDdQ>: ",
}
PIECES = (
    b'"', b"\\", b"<", b">", b"(", b")", b"[", b"]", b": ", b", ", b",", b" ", b"@", b"a@b.example", b"'", b"to=", b"from=",
    b", delay=00:00:00, xdelay=00:00:00, mailer=esmtp, pri=1", b", relay=h [192.0.2.1]", b", dsn=2.0.0", b", stat=Sent (ok)",
    b", reply=550 no", b", ctladdr=", b" [more]", b"u0S9Fxqr012399: ", b"DSN: ", b"clone: owner=", b"Milter: ", b"msgid=",
    b"mta delivery evpid=3e2d099f7f1835f6", b' result="Ok"', b' stat="250 ok"', b" rcpt=<->", b"saved mail to ", b"INBOX",
    b"stored mail into mailbox '", b"forwarded to <", b"\x00", b"\xe4\xb8", b"sieve: ", b"ruleset=check_rcpt, arg1=",
)  # fmt: skip
ALL = pytest.mark.parametrize("name", FORMATS)


def read(fmt: LogFormat, raws: list[bytes], *, cut: bool = False) -> list[DeliveryEvent]:
    for raw in raws:
        fmt.is_line(raw)
        assert 0.0 <= fmt.sniff(raw) <= 1.0
        assert all(isinstance(i, str) for i in fmt.queue_ids(raw))
    return list(fmt.parse(LogLine(Place("", "-", n, 0), raw, cut) for n, raw in enumerate(raws, 1)))


@ALL
@given(raws=st.lists(st.binary(max_size=200), max_size=5), cut=st.booleans())
def test_any_bytes(name: str, raws: list[bytes], cut: bool) -> None:
    read(FORMATS[name], raws, cut=cut)


@ALL
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=25), cut=st.booleans())
@settings(max_examples=300)
def test_any_words(name: str, pieces: list[bytes], cut: bool) -> None:
    read(FORMATS[name], [HEADS[name] + b"".join(pieces)], cut=cut)


@ALL
@given(data=st.data())
@settings(max_examples=300)
def test_damaged_lines(name: str, data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(SAMPLES[name])))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(len(raw), start + 20)))
        raw[start:end] = data.draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=20)))
    read(FORMATS[name], [bytes(raw)])


@ALL
@given(raw=st.data())
@settings(max_examples=200)
def test_needles_and_heads_agree_with_lines(name: str, raw: st.DataObject) -> None:
    line = raw.draw(st.sampled_from(SAMPLES[name]))
    head = re.compile(FORMATS[name].head, re.MULTILINE)
    assert bool(head.match(line)) is FORMATS[name].is_line(line)


_IMITATIONS = st.lists(
    st.sampled_from([
        "v@gmail.example", ">", "<", ",", ", ", ">, ", "to=<v@gmail.example>", ", delay=00:00:00, mailer=esmtp, pri=1",
        ", stat=Sent (ok)", ", dsn=2.0.0", ", relay=x [192.0.2.1]", " rcpt=<->", ' result="Ok"', ' stat="250 ok"', "@",
        ": saved mail to INBOX", ": stored mail into mailbox 'INBOX'", ", size=1, class=0, nrcpts=1", ", msgid=<x@y>",
        ", proto=ESMTP, daemon=MTA, relay=x [192.0.2.1]", "=", " ", "a",
    ]),
    max_size=7,
).map("".join)  # fmt: skip
_ASCII = st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=64)
STRANGE = st.one_of(_IMITATIONS, _ASCII)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(STRANGE)
@settings(max_examples=300)
def test_sendmail_a_local_part_never_becomes_another_recipient(local: str) -> None:
    address = f"{quoted(local)}@evil.example"
    words = f"to=<{address}>,<b@evil.example>, delay=00:00:00, xdelay=00:00:00, mailer=esmtp, pri=1, "
    words += "relay=mx.evil.example. [192.0.2.66], dsn=5.1.1, reply=550 no, stat=User unknown"
    for event in read(sendmail.FORMAT, [HEADS["sendmail"] + words.encode()]):
        assert event.recipient in (address, "b@evil.example")
        assert event.result is Result.FAILED


@given(STRANGE)
@settings(max_examples=300)
def test_sendmail_a_sender_or_message_id_never_becomes_a_field(text: str) -> None:
    words = f"from=<{quoted(text)}@evil.example>, size=1, class=0, nrcpts=1, msgid=<{text}>, proto=SMTP, daemon=MTA, "
    words += "relay=mail.evil.example [192.0.2.66]"
    (event,) = read(sendmail.FORMAT, [HEADS["sendmail"] + words.encode()])
    assert (event.action, event.size, event.recipients, event.recipient) == (Action.ARRIVED, 1, (), None)
    assert event.session
    assert event.session.client
    assert (event.session.client.ip, event.session.protocol) == ("192.0.2.66", "SMTP")


@given(STRANGE)
@settings(max_examples=300)
def test_sendmail_a_reply_never_becomes_a_success(reply: str) -> None:
    words = "to=<a@b.example>, delay=00:00:00, xdelay=00:00:00, mailer=esmtp, pri=1, relay=mx.b.example. [192.0.2.1], "
    words += f"dsn=5.0.0, reply=550 {reply}, stat=Service unavailable"
    for event in read(sendmail.FORMAT, [HEADS["sendmail"] + words.encode()]):
        assert (event.recipient, event.result) == ("a@b.example", Result.FAILED)


@given(STRANGE, st.sampled_from(["PermFail", "TempFail"]))
@settings(max_examples=300)
def test_opensmtpd_a_reply_never_becomes_a_success(reply: str, result: str) -> None:
    words = 'mta delivery evpid=3e2d099f7f1835f6 from=<x@b.example> to=<a@b.example> rcpt=<-> source="203.0.113.25" '
    words += f'relay="192.0.2.1 (mx.b.example)" delay=1s result="{result}" stat="{reply}"'
    for event in read(opensmtpd.FORMAT, [HEADS["opensmtpd"] + words.encode()]):
        assert event.recipient == "a@b.example"
        assert event.result is not Result.SENT


@given(STRANGE)
@settings(max_examples=300)
def test_opensmtpd_a_refused_command_is_never_a_delivery(command: str) -> None:
    words = f'smtp failed-command command="{command}" result="501 5.5.4 no"'
    for event in read(opensmtpd.FORMAT, [HEADS["opensmtpd"] + words.encode()]):
        assert event.action is Action.REJECTED


@given(STRANGE, st.sampled_from(["save failed to INBOX: Quota exceeded", "saved mail to Junk"]))
@settings(max_examples=300)
def test_dovecot_a_message_id_never_chooses_the_outcome(message_id: str, outcome: str) -> None:
    words = f"msgid=<{message_id}>: {outcome}"
    told = [e for e in read(dovecot.FORMAT, [HEADS["dovecot"] + words.encode()]) if e.action is not Action.ARRIVED]
    for event in told:
        assert (event.recipient, event.folder) == ("a@b.example", "Junk" if "Junk" in outcome else None)
        assert event.result is (Result.SENT if "Junk" in outcome else Result.DEFERRED)


@given(STRANGE)
@settings(max_examples=300)
def test_dovecot_a_folder_named_by_a_stranger_is_only_a_folder(folder: str) -> None:
    words = f"sieve: msgid=<x@y.example>: fileinto action: stored mail into mailbox '{folder}'"
    for event in read(dovecot.FORMAT, [HEADS["dovecot"] + words.encode()]):
        assert event.recipient in (None, "a@b.example")
        assert event.result in (None, Result.SENT)


@ALL
@pytest.mark.parametrize("piece", PIECES)
def test_long_lines_are_read_to_a_bound(name: str, piece: bytes) -> None:
    """A line as long as the reader takes: it ends, and says of no more recipients than a line may name."""
    raw = HEADS[name] + b"to=<" + piece * (65_536 // len(piece))
    told: Any = read(FORMATS[name], [raw, HEADS[name] + piece * (65_536 // len(piece))])
    assert len(told) <= 1000
