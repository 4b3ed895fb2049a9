"""What is known of a domain before anything is looked up."""

from datetime import UTC, datetime

import pytest

from deliverability.api.facts import of_domain
from deliverability.api.requests import Request
from deliverability.errors import UsageError

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "postmaster@host.example"),
        ("<>", "postmaster@host.example"),
        ("renewals@host.example", "renewals@host.example"),
        ("<Renewals@HOST.example>", "Renewals@host.example"),
        ("renewals@other.example", "postmaster@host.example"),
        ("renewals@bounces.host.example", "postmaster@host.example"),
    ],
)
def test_the_envelope_sender_that_was_given_is_judged_where_it_is_of_the_domain(
    given: str | None, expected: str
) -> None:
    found = of_domain(Request(sender=given), "host.example", NOW).reverse_path
    assert found is not None
    assert found.value == expected


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(UsageError, match="--from"):
        of_domain(Request(sender="no address"), "host.example", NOW)
