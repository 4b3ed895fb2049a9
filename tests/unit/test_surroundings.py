"""Session lines that carry no queue id are fetched with the delivery that they belong to, and no other."""

from pathlib import Path

import pytest

from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.evidence.story import Message

SENDMAIL = """\
Nov 22 05:01:37 mx sm-mta[77]: 5AM51b7f000077: from=<a@b.example>, size=500, class=0, nrcpts=1, msgid=<x@h>, proto=ESMTP, daemon=MTA-v4, relay=whmcs.hosting.example [203.0.113.10]
Nov 22 05:01:38 mx sm-mta[78]: STARTTLS=client, relay=mx.corp.example., version=TLSv1.2, verify=OK, cipher=OTHER, bits=256/256
Nov 22 05:01:38 mx sm-mta[79]: STARTTLS=client, relay=mx.corp.example., version=TLSv1.3, verify=FAIL, cipher=TLS_AES_256_GCM_SHA384, bits=256/256
Nov 22 05:01:38 mx sm-mta[79]: 5AM51b7f000077: to=<anna@corp.example>, ctladdr=<a@b.example> (0/0), delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=120500, relay=mx.corp.example. [198.51.100.10], dsn=2.0.0, stat=Sent (Ok: queued as 1234)
"""
OPENSMTPD = """\
Nov 22 05:01:36 mx smtpd[77]: 1111222233334444 smtp connected address=203.0.113.99 host=other.hosting.example
Nov 22 05:01:37 mx smtpd[77]: aaaabbbbccccdddd smtp connected address=203.0.113.10 host=whmcs.hosting.example
Nov 22 05:01:37 mx smtpd[77]: 5555666677778888 mta connecting address=smtp://198.51.100.99:25 host=mx.other.example
Nov 22 05:01:37 mx smtpd[77]: 5555666677778888 mta tls ciphers=TLSv1.2:OTHER:128
Nov 22 05:01:37 mx smtpd[77]: aaaabbbbccccdddd smtp message msgid=3e2d099f size=500 nrcpt=1 proto=ESMTP
Nov 22 05:01:37 mx smtpd[77]: aaaabbbbccccdddd smtp envelope evpid=3e2d099f7f1835f6 from=<a@b.example> to=<anna@corp.example>
Nov 22 05:01:38 mx smtpd[77]: 36f9fe251641f731 mta connecting address=smtp://198.51.100.10:25 host=mx.corp.example
Nov 22 05:01:38 mx smtpd[77]: 36f9fe251641f731 mta tls ciphers=TLSv1.3:TLS_AES_256_GCM_SHA384:256
Nov 22 05:01:38 mx smtpd[77]: 36f9fe251641f731 mta delivery evpid=3e2d099f7f1835f6 from=<a@b.example> to=<anna@corp.example> rcpt=<-> source="203.0.113.25" relay="198.51.100.10 (mx.corp.example)" delay=1s result="Ok" stat="250 2.0.0 Ok"
"""
POSTFIX = """\
Nov 22 05:01:38 mx postfix/smtp[9]: Trusted TLS connection {how} to mx.corp.example[198.51.100.10]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)
Nov 22 05:01:38 mx postfix/smtp[9]: 4jXH3k4rZ3zLhRd: to=<anna@corp.example>, relay=mx.corp.example[198.51.100.10]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)
"""
RFC5424 = """\
2026-11-22T05:01:38.1+00:00 mx postfix/smtp 9 - - Trusted TLS connection established to mx.corp.example[198.51.100.10]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)
2026-11-22T05:01:38.2+00:00 mx postfix/smtp 9 - - 4jXH3k4rZ3zLhRd: to=<anna@corp.example>, relay=mx.corp.example[198.51.100.10]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)
"""


def message(tmp_path: Path, text: str) -> Message:
    log = tmp_path / "mail.log"
    log.write_text(text)
    (found,) = read_logs(Request(logs=(str(log),), to=("anna@corp.example",)))[0].messages
    return found


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SENDMAIL, id="sendmail"),
        pytest.param(OPENSMTPD, id="opensmtpd"),
        pytest.param(POSTFIX.format(how="established"), id="postfix"),
        pytest.param(POSTFIX.format(how="reused"), id="postfix-reused"),
        pytest.param(RFC5424, id="rfc5424"),
    ],
)
def test_the_sessions_tls_is_that_of_the_delivery(tmp_path: Path, text: str) -> None:
    ((attempt,),) = (d.attempts for d in message(tmp_path, text).deliveries)
    assert attempt.tls is not None
    assert (attempt.tls.version, attempt.tls.cipher) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384")


def test_opensmtpd_tells_who_handed_the_message_over(tmp_path: Path) -> None:
    (stay,) = message(tmp_path, OPENSMTPD).stays
    assert stay.session is not None
    assert stay.session.client is not None
    assert (stay.session.client.name, stay.session.client.ip) == ("whmcs.hosting.example", "203.0.113.10")
