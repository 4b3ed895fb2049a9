"""Hosts of which a log keeps the two ends of the name: Sendmail's ``shortenstring``, 18 octets on each side of three dots."""

from datetime import UTC, datetime

import pytest

from deliverability.evidence.names import Domain
from deliverability.evidence.observation import DnsAnswer, DnsQuestion, Observations, Rcode, Record
from deliverability.evidence.smtp import Host
from deliverability.protocols.mx import MxKind, match

NOW = datetime(2026, 11, 22, tzinfo=UTC)
LONG = "corp-example-hosting.mail.protection.outlook.com"
SHORT = "corp-example-hosti...ction.outlook.com"


def kind(name: str, *targets: str) -> MxKind:
    question = DnsQuestion("mail.example", "MX")
    answer = DnsAnswer(question, Rcode.NOERROR, tuple(Record(t, preference=10) for t in targets), "x", 60, "test", NOW)
    addresses = [
        DnsAnswer(DnsQuestion(t, "A"), Rcode.NOERROR, (Record("198.51.100.99"),), t, 60, "test", NOW) for t in targets
    ]
    observations = Observations().joined([answer, *addresses])
    return match(Host(name, "198.51.100.20"), Domain("mail.example"), observations).kind


@pytest.mark.parametrize(
    ("name", "targets", "expected"),
    [
        (SHORT, (LONG,), MxKind.NAME),
        (SHORT.upper() + ".", (LONG,), MxKind.NAME),
        (SHORT, ("other.example", LONG), MxKind.NAME),
        (SHORT, ("corp-example.mail.protection.outlook.com",), MxKind.NO_MATCH),
        (SHORT, ("corp-example-hosting.mail.protection.outlook.org",), MxKind.NO_MATCH),
        ("corp-example-hosti...", (LONG,), MxKind.NO_MATCH),
        ("...ction.outlook.com", (LONG,), MxKind.NO_MATCH),
        ("...", (LONG,), MxKind.NO_MATCH),
        ("corp-example-hostin...tection.outlook.com.evil", (LONG,), MxKind.NO_MATCH),
        # What is left is no shorter than the whole: nothing was left out.
        (SHORT, ("corp-example-hostiction.outlook.com",), MxKind.NO_MATCH),
    ],
)
def test_a_name_of_which_two_ends_are_left(name: str, targets: tuple[str, ...], expected: MxKind) -> None:
    assert kind(name, *targets) is expected
