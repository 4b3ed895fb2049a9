"""Lines that servers really write, and that stand in few samples: what is known of them, and of nothing else."""

import pytest

from deliverability.evidence.event import Action, DeliveryEvent, Result, Transport
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.plugin import LogFormat
from deliverability.evidence.smtp import Host
from deliverability.ingest import exim, opensmtpd, sendmail
from deliverability.protocols.wrapped import layout_of


def events(form: LogFormat, *lines: bytes) -> list[DeliveryEvent]:
    return list(form.parse([LogLine(Place("", "mail.log", n, n * 1000), line) for n, line in enumerate(lines, 1)]))


def test_exim_goes_on_to_the_next_host_after_a_recipient_was_put_off() -> None:
    """``H=name [ip] SMTP error …``, without a colon: ``smtp.c`` where an answer to RCPT is 4yz and hosts are left."""
    words = b"SMTP error from remote mail server after RCPT TO:<anna@corp.example>: 450 4.2.0 Greylisted"
    for port in (b"", b":25"):
        line = b"2025-11-22 07:13:39 1vMhoQ-00000001AbC-0aBc H=mx1.corp.example [198.51.100.10]%s %s" % (port, words)
        (event,) = events(exim.FORMAT, line)
        assert (event.action, event.recipient) == (Action.TROUBLE, None)
        assert event.relay == Host("mx1.corp.example", "198.51.100.10", 25 if port else None)
        assert event.reply is not None and event.reply.text == "450 4.2.0 Greylisted"


def test_a_client_whose_greeting_imitates_such_a_line_is_no_trouble_of_ours() -> None:
    words = b"H=(x) [198.51.100.10] SMTP error from remote mail server after RCPT TO:<anna@corp.example>: 550 no"
    assert not events(exim.FORMAT, b"2025-11-22 07:13:39 1vMhoQ-00000001AbC-0aBc " + words)


FULL = "使用者信箱已滿"


def test_a_reply_in_big5_is_shown_as_it_was_meant() -> None:
    """Sendmail and OpenSMTPD log a reply's octets as they came; half of Big5's look like pieces of UTF-8."""
    reply = b"552 5.2.2 " + FULL.encode("big5")
    found = events(
        sendmail.FORMAT,
        b"Mar  1 10:00:03 web1 sendmail[2234]: 621A00DZ002232: to=<jo@shop.example>, delay=00:00:02, xdelay=00:00:02, "
        b"mailer=esmtp, pri=150880, relay=mx.shop.example. [198.51.100.20], dsn=5.2.2, reply=%s, stat=Service unavailable"
        % reply,
    ) + events(
        opensmtpd.FORMAT,
        b"Mar  1 10:00:02 obsd smtpd[95361]: 5ac0fb8e01020304 mta delivery evpid=cf4c1f0e11223344 from=<a@corp.example> "
        b'to=<jo@shop.example> rcpt=<-> source="203.0.113.2" relay="198.51.100.20 (mx.shop.example)" delay=2s '
        b'result="PermFail" stat="%s"' % reply,
    )
    assert [event.reply.text for event in found if event.reply] == [f"552 5.2.2 {FULL}"] * 2


def test_octets_that_are_no_text_stay_octets() -> None:
    (event,) = events(
        sendmail.FORMAT,
        b"Mar  1 10:00:03 web1 sendmail[2234]: 621A00DZ002232: to=<jo@shop.example>, delay=00:00:02, xdelay=00:00:02, "
        b"mailer=esmtp, pri=150880, relay=mx.shop.example. [198.51.100.20], dsn=4.0.0, stat=Deferred: 451 caf\xe9 ferm\xe9",
    )
    assert event.reply is not None and event.reply.text == "451 caf\\xe9 ferm\\xe9"


def test_a_route_is_no_program() -> None:
    """Fluentd's ``tag`` says where a record goes, and a log's line in it begins with its own tag."""
    record = {"time": "2026-03-01T10:00:01Z", "tag": "kube.mail", "log": "postfix/smtp[513]: 8FABAA0102: removed"}
    layout = layout_of([record])
    assert layout is not None and layout.tagged
    assert layout.line(record) == b"2026-03-01T10:00:01Z - postfix/smtp[513]: 8FABAA0102: removed"


PIPED = (
    "=> %s |/usr/local/bin/php -q /home/corp/pipe.php (help@corp.example) <%s> R=virtual_aliases T=virtual_address_pipe"
)


@pytest.mark.parametrize("before", ["help", "help+spam", "Help"])
def test_a_program_behind_the_local_part(before: str) -> None:
    """As cPanel's Exim logs what an alias pipes to."""
    (event,) = events(exim.FORMAT, _delivered(PIPED % (before, "help@corp.example")))
    assert (event.recipient, event.original_recipient) == (
        "|/usr/local/bin/php -q /home/corp/pipe.php",
        "help@corp.example",
    )
    assert (event.result, event.transport) == (Result.SENT, Transport.PIPE)


@pytest.mark.parametrize("original", ["other@corp.example", '"help |/x"@corp.example', "help |/x@corp.example"])
def test_what_only_looks_like_that_is_no_delivery_to_a_program(original: str) -> None:
    found = events(exim.FORMAT, _delivered(PIPED % ("help", original)))
    assert not [event for event in found if event.transport is Transport.PIPE and event.original_recipient != original]
    assert not [event for event in found if event.recipient == "help@corp.example"]


def _delivered(words: str) -> bytes:
    return f"2026-03-01 10:00:01 1vwbZ2-0000000AbCd-1pMm {words}".encode()
