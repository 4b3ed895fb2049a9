"""Block lists: a listing, silence and a refusal are three things."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.evidence.names import Domain
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsQuestion,
    Observations,
    Obstacle,
    Rcode,
    Record,
    Unobserved,
)
from deliverability.protocols.dnsbl import MAX_REASON, Listing, look_up, query_name, shown_zone

NOW = datetime.now(UTC)
IP = ip_address("198.51.100.7")
ZONE = Domain("zen.example")
NAMES = ("7.100.51.198.zen.example", "2.0.0.127.zen.example", "1.0.0.127.zen.example")
Said = tuple[str, ...] | Obstacle


def observed(
    asked: Said = (), present: Said = ("127.0.0.2",), absent: Said = (), text: str | None = None
) -> Observations:
    def one(name: str, said: Said) -> DnsAnswer | CouldNotLook:
        question = DnsQuestion(name, "A")
        if isinstance(said, Obstacle):
            return CouldNotLook(question, said, "", "", NOW)
        rcode = Rcode.NOERROR if said else Rcode.NXDOMAIN
        return DnsAnswer(question, rcode, tuple(map(Record, said)), name, 60, "192.0.2.53:53", NOW)

    answers = [one(name, said) for name, said in zip(NAMES, (asked, present, absent), strict=True)]
    if text is not None:
        words = DnsQuestion(NAMES[0], "TXT")
        answers.append(DnsAnswer(words, Rcode.NOERROR, (Record(text),), NAMES[0], 60, "", NOW))
    return Observations.of(answers)


def test_names() -> None:
    """RFC 5782 §2.1 and §2.4."""
    assert query_name(ip_address("192.0.2.99"), Domain("bad.example.com")) == "99.2.0.192.bad.example.com"
    long = query_name(ip_address("2001:db8:1:2:3:4:567:89ab"), Domain("ugly.example.com"))
    assert long == "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ugly.example.com"


@pytest.mark.parametrize(
    ("asked", "present", "absent", "listing"),
    [
        ((), ("127.0.0.2",), (), Listing.NOT_LISTED),
        (("127.255.255.254",), ("127.0.0.2",), (), Listing.REFUSED),
        (("127.255.255.255",), ("127.255.255.255",), ("127.255.255.255",), Listing.REFUSED),
        (("127.255.255.252",), (), (), Listing.REFUSED),
        (("127.0.0.4", "127.255.255.254"), ("127.0.0.2",), (), Listing.REFUSED),
        (("127.0.0.1",), ("127.0.0.2",), (), Listing.REFUSED),
        (Obstacle.REFUSED, Obstacle.REFUSED, Obstacle.REFUSED, Listing.REFUSED),
        (Obstacle.SERVFAIL, ("127.0.0.2",), (), Listing.REFUSED),
        (("127.0.0.4",), Obstacle.SERVFAIL, (), Listing.REFUSED),
        (Obstacle.TIMEOUT, ("127.0.0.2",), (), Listing.COULD_NOT_LOOK),
        ((), Obstacle.TIMEOUT, Obstacle.REFUSED, Listing.COULD_NOT_LOOK),
        ((), (), (), Listing.SILENT),
        (("127.0.0.4",), (), (), Listing.SILENT),
        (("127.0.0.2",), ("127.0.0.2",), ("127.0.0.2",), Listing.LISTS_ALL),
        (("203.0.113.80",), ("127.0.0.2",), (), Listing.STRANGE),
        (("nonsense",), ("127.0.0.2",), (), Listing.STRANGE),
    ],
)
def test_what_an_answer_means(asked: Said, present: Said, absent: Said, listing: Listing) -> None:
    assert look_up(IP, ZONE, observed(asked, present, absent)).listing is listing


def test_a_listing_asks_for_the_lists_words() -> None:
    with pytest.raises(Unobserved) as missing:
        look_up(IP, ZONE, observed(("127.0.0.4",)))
    assert missing.value.questions == (DnsQuestion(NAMES[0], "TXT"),)
    found = look_up(IP, ZONE, observed(("127.0.0.4", "127.0.0.10"), text="x" * 1000))
    assert (found.listing, found.codes, len(found.reason)) == (Listing.LISTED, ("127.0.0.4", "127.0.0.10"), MAX_REASON)


def test_all_three_questions_at_once() -> None:
    with pytest.raises(Unobserved) as missing:
        look_up(IP, ZONE, Observations())
    assert missing.value.questions == tuple(DnsQuestion(name, "A") for name in NAMES)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("zen.spamhaus.org", "zen.spamhaus.org"),
        ("k3yk3y.zen.dq.spamhaus.net", "zen.dq.spamhaus.net"),
        ("k3yk3y.combined.mail.abusix.zone", "mail.abusix.zone"),
    ],
)
def test_a_key_is_not_shown(zone: str, shown: str) -> None:
    assert shown_zone(Domain(zone)) == shown


SAID = st.sampled_from(list(Obstacle)) | st.lists(st.text(max_size=16) | st.ip_addresses().map(str), max_size=3).map(
    tuple
)


@given(SAID, SAID, SAID)
def test_no_answer_breaks_it_and_no_failure_is_a_listing(asked: Said, present: Said, absent: Said) -> None:
    found = look_up(IP, ZONE, observed(asked, present, absent, text=""))
    whole = not any(isinstance(said, Obstacle) for said in (asked, present, absent))
    if found.listing in (Listing.LISTED, Listing.NOT_LISTED):
        assert whole
        assert present
        assert not absent
