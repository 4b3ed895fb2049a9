"""What is recorded of a message before it is sent, whatever the message is."""

from datetime import UTC, datetime
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from deliverability.evidence.recorder import Hop
from deliverability.protocols.intents import canonical_account, intents_for
from deliverability.protocols.records import record_from_bytes, record_to_bytes

AT = datetime(2026, 11, 22, 5, tzinfo=UTC)
MESSAGE = (
    b"From: Hosting <renewals@hosting.example>\r\nTo: chen@hinet.example\r\nMessage-ID: <a@hosting.example>\r\n"
    b"Subject: =?utf-8?b?57qM57SE6YCa55+l?=\r\n"
    b"DKIM-Signature: v=1; a=rsa-sha256; d=hosting.example; s=s2026; h=from; bh=AAAA; b=AAAA\r\n\r\nHello\r\n"
)


def made(message: bytes, *recipients: str, account: str | None = None):  # type: ignore[no-untyped-def]
    return intents_for(
        message,
        reverse_path="bounce@hosting.example",
        recipients=recipients or ("chen@hinet.example",),
        next_hop="mx",
        hop=Hop.RELAY,
        at=AT,
        account=account,
    )


def test_one_for_each_recipient_of_one_sending() -> None:
    first, second = made(MESSAGE, "chen@hinet.example", "Mei@BÜCHER.example")
    assert (first.message_id, first.subject, first.author_domain) == (
        "a@hosting.example",
        "續約通知",
        "hosting.example",
    )
    assert first.signatures == (("hosting.example", "s2026"),)
    assert (first.size, first.sha256) == (len(MESSAGE), sha256(MESSAGE).hexdigest())
    assert first.sending == second.sending
    assert first.dispatch != second.dispatch
    assert (first.account, second.account) == ("chen@hinet.example", canonical_account("mei@xn--bcher-kva.example"))


def test_the_mailers_own_name_for_the_customer_wins() -> None:
    assert [i.account for i in made(MESSAGE, "a@b.example", "c@d.example", account="4711")] == ["4711", "4711"]


@given(st.binary(max_size=400))
def test_any_octets_are_recorded(message: bytes) -> None:
    (intent,) = made(message)
    assert intent.sha256 == sha256(message).hexdigest()
    assert record_from_bytes(record_to_bytes(intent)) == intent


@given(st.binary(max_size=120))
def test_any_header_is_recorded(value: bytes) -> None:
    message = b"From: " + value + b"\r\nSubject: " + value + b"\r\nMessage-ID: " + value + b"\r\n\r\nx"
    (intent,) = made(message)
    assert record_from_bytes(record_to_bytes(intent)) == intent


def test_what_is_no_address_is_an_account_all_the_same() -> None:
    assert canonical_account("Not An Address") == "not an address"
