"""The id under which an accepting server says it keeps a message, told alike in a dialogue and in a log's line."""

import pytest

from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ingest.postfix import FORMAT
from deliverability.protocols.smtp import parse_reply, remote_queue_id

SES = "0100017f2a3b4c5d-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9-000000"


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (f"250 Ok {SES}", SES),
        (f"250-Ok\n250 Ok {SES}", SES),
        (f"250 Ok {SES}.", SES),
        (f"250 Ok {SES[:-1]}", None),
        (f"250 Ok {SES}1", None),
        (f"250 Ok {SES}-1", None),
        (f"250 Ok {SES.upper()}", None),
        (f"250 Queued {SES}", None),
        ("250 2.0.0 Ok: queued as 4XyZ1234567abcd", "4XyZ1234567abcd"),
        ("250 OK id=1r5Abc-0001Xy-2Z", "1r5Abc-0001Xy-2Z"),
        (
            "250 2.0.0 OK  1700000000 d9443c01a7336-1cc5b00a7b1si1234567.123 - gsmtp",
            "d9443c01a7336-1cc5b00a7b1si1234567.123",
        ),
        ("250 Ok", None),
    ],
)
def test_id_in_a_reply(reply: str, told: str | None) -> None:
    assert remote_queue_id(parse_reply(reply).text) == told


def test_a_log_says_the_same_of_the_same_reply() -> None:
    raw = (
        "Nov 22 05:31:12 out1 postfix/smtp[4711]: 4jXPpp003ZzL1qp: to=<chen@hinet.example>, "
        "relay=email-smtp.eu-west-1.amazonaws.com[198.51.100.5]:587, delay=1.2, delays=0.1/0/0.9/0.2, dsn=2.0.0, "
        f"status=sent (250 Ok {SES})"
    )
    (event,) = FORMAT.parse([LogLine(Place("", "mail.log", 1, 0), raw.encode(), cut=False)])
    assert event.remote_queue_id == SES
