"""A relay held against the mail exchangers of a domain, and an address against its names."""

from datetime import UTC, datetime

import pytest

from deliverability.errors import ParseError
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
from deliverability.evidence.smtp import Host
from deliverability.protocols.iprev import IprevResult, iprev, resolves_to
from deliverability.protocols.mx import MxKind, MxMatch, match, parse_ip

NOW = datetime(2026, 11, 22, tzinfo=UTC)
MAIL = Domain("mail.example")


def look(zone: dict, question: DnsQuestion) -> DnsAnswer | CouldNotLook:
    said = zone.get(str(question))
    if isinstance(said, str):
        return CouldNotLook(question, Obstacle(said), said, "test", NOW)
    split = [text.partition(" ") for text in said or ()]
    records = [Record(host, preference=int(p)) if blank else Record(p) for p, blank, host in split]
    exists = said is not None or any(key.split()[0] == question.name for key in zone)
    rcode = Rcode.NOERROR if exists else Rcode.NXDOMAIN
    return DnsAnswer(question, rcode, tuple(records), question.name, 60, "test", NOW)


def settle(zone: dict, evaluate):
    observations = Observations()
    for _ in range(5):
        try:
            return evaluate(observations)
        except Unobserved as missing:
            observations = observations.joined(look(zone, question) for question in missing.questions)
    raise AssertionError("asks without end")


def held(zone: dict, name: str | None, ip: str | None = None) -> MxMatch:
    return settle(zone, lambda observations: match(Host(name, ip), MAIL, observations))


ZONE = {
    "mail.example MX": ["20 b.example", "10 a.example"],
    "a.example A": ["192.0.2.1"],
    "a.example AAAA": ["2001:db8::1"],
    "b.example A": ["192.0.2.2"],
}


@pytest.mark.parametrize(
    ("zone", "name", "ip", "kind", "host"),
    [
        (ZONE, "a.example", None, MxKind.NAME, "a.example"),
        (ZONE, "A.Example.", "203.0.113.1", MxKind.NAME, "a.example"),
        (ZONE, None, "192.0.2.2", MxKind.ADDRESS, "b.example"),
        (ZONE, "other.example", "2001:DB8:0::1", MxKind.ADDRESS, "a.example"),
        (ZONE, None, "::ffff:192.0.2.1", MxKind.ADDRESS, "a.example"),
        (ZONE, None, "[192.0.2.1]", MxKind.ADDRESS, "a.example"),
        (ZONE, "x.example", "203.0.113.1", MxKind.NO_MATCH, None),
        (ZONE, "x.example", None, MxKind.NO_MATCH, None),
        (ZONE, None, "2001:db8::2", MxKind.NO_MATCH, None),
        (ZONE | {"a.example A": "timeout"}, None, "192.0.2.2", MxKind.ADDRESS, "b.example"),
        (ZONE | {"a.example A": "timeout"}, None, "203.0.113.1", MxKind.COULD_NOT_LOOK, None),
        ({"mail.example MX": "servfail"}, "a.example", None, MxKind.COULD_NOT_LOOK, None),
        ({"mail.example MX": ["0 ."]}, "a.example", "192.0.2.1", MxKind.NULL_MX, None),
        ({}, "a.example", "192.0.2.1", MxKind.NO_MX, None),
        ({"mail.example TXT": ["x"]}, "mail.example", "192.0.2.1", MxKind.NO_MX, None),
        ({"mail.example A": ["192.0.2.9"]}, None, "192.0.2.9", MxKind.ADDRESS, "mail.example"),
        ({"mail.example A": ["192.0.2.9"]}, "mail.example", None, MxKind.NAME, "mail.example"),
        ({"mail.example A": ["192.0.2.9"]}, "x.example", "192.0.2.8", MxKind.NO_MATCH, None),
        (
            {"mail.example A": ["192.0.2.9"], "mail.example AAAA": "timeout"},
            "x.example",
            "192.0.2.8",
            MxKind.COULD_NOT_LOOK,
            None,
        ),
        ({"mail.example MX": ["0 .", "10 a.example"]}, "a.example", None, MxKind.NAME, "a.example"),
    ],
)
def test_relations(zone: dict, name: str | None, ip: str | None, kind: MxKind, host: str | None) -> None:
    found = held(zone, name, ip)
    assert (found.kind, found.host) == (kind, host)
    assert found.matched == (kind in (MxKind.NAME, MxKind.ADDRESS))


def test_targets_come_the_preferred_first() -> None:
    assert held(ZONE, "x.example").targets == ("a.example", "b.example")
    assert held({"mail.example A": ["192.0.2.9"]}, None, "192.0.2.9").implicit


def test_more_mail_servers_than_anyone_has_are_not_followed() -> None:
    zone = {"mail.example MX": [f"10 m{n:03}.example" for n in range(500)]}
    observations = Observations.of([look(zone, DnsQuestion("mail.example", "MX"))])
    with pytest.raises(Unobserved) as missing:
        match(Host(None, "192.0.2.1"), MAIL, observations)
    assert len(missing.value.questions) == 32


@pytest.mark.parametrize("text", [None, "", "host.example", "192.0.2", "[", "1" * 500])
def test_what_is_no_address(text: str | None) -> None:
    assert parse_ip(text) is None


PTR = "1.2.0.192.in-addr.arpa PTR"


@pytest.mark.parametrize(
    ("zone", "result", "confirmed"),
    [
        ({PTR: ["a.example"], "a.example A": ["192.0.2.1"]}, IprevResult.PASS, ("a.example",)),
        (
            {PTR: ["b.example", "a.example"], "a.example A": ["192.0.2.1"], "b.example A": "timeout"},
            IprevResult.PASS,
            ("a.example",),
        ),
        ({PTR: ["a.example"], "a.example A": ["192.0.2.2"]}, IprevResult.FAIL, ()),
        ({PTR: ["a.example"], "a.example A": "refused"}, IprevResult.TEMPERROR, ()),
        ({PTR: "servfail"}, IprevResult.TEMPERROR, ()),
        ({}, IprevResult.PERMERROR, ()),
    ],
)
def test_reverse_names(zone: dict, result: IprevResult, confirmed: tuple[str, ...]) -> None:
    found = settle(zone, lambda observations: iprev("192.0.2.1", observations))
    assert (found.result, found.confirmed) == (result, confirmed)


def test_reverse_names_are_bounded_and_asked_at_once() -> None:
    zone = {PTR: [f"n{n}.example" for n in range(100)]}
    observations = Observations.of([look(zone, DnsQuestion("1.2.0.192.in-addr.arpa", "PTR"))])
    with pytest.raises(Unobserved) as missing:
        iprev("192.0.2.1", observations)
    assert len(missing.value.questions) == 10


def test_a_name_that_leads_to_an_address() -> None:
    zone = {"a.example A": ["192.0.2.1"], "slow.example A": "timeout"}
    assert settle(zone, lambda o: resolves_to("a.example", "192.0.2.1", o)).yes
    assert not settle(zone, lambda o: resolves_to("gone.example", "192.0.2.1", o)).yes
    assert settle(zone, lambda o: resolves_to("slow.example", "192.0.2.1", o)).obstacle is not None
    assert not resolves_to("[192.0.2.1]", "192.0.2.1", Observations()).yes


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ParseError):
        iprev("host.example", Observations())
