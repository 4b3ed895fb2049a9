"""What may be claimed: who answered, on whose word, and never more than the weakest part."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from deliverability.assess import claim_of, role_of
from deliverability.evidence.bundle import Claim, Evidence, Own, Subject
from deliverability.evidence.event import LogTime, Result, Transport
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsObservation,
    DnsQuestion,
    Observations,
    Obstacle,
    Rcode,
    Record,
    Unobserved,
)
from deliverability.evidence.smtp import Host
from deliverability.evidence.story import Attempt, Delivery, Level, Role, State
from deliverability.protocols.smtp import parse_reply

SENT = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)


def dns(name: str, rdtype: str, *values: str, rcode: Rcode = Rcode.NOERROR, when: datetime = SENT) -> DnsObservation:
    question = DnsQuestion(name, rdtype)
    records = tuple(Record(v, preference=10 if rdtype == "MX" else None) for v in values)
    return DnsAnswer(question, rcode, records, name, 300, "192.0.2.53:53", when)


def silent(name: str, rdtype: str) -> DnsObservation:
    return CouldNotLook(DnsQuestion(name, rdtype), Obstacle.TIMEOUT, "", "192.0.2.53:53", SENT)


MX = (
    dns("corp.example", "MX", "mx.corp.example"),
    dns("mx.corp.example", "A", "198.51.100.10"),
    dns("mx.corp.example", "AAAA", "2001:db8::10"),
)


def attempt(relay: Host | None, *, to: str = "anna@corp.example", when: datetime | None = SENT) -> Attempt:
    at = LogTime("", SENT.replace(tzinfo=None), has_year=True, offset=timedelta(0), instant=when)
    reply = parse_reply("250 2.0.0 Ok")
    return Attempt(at, "A", "", to, Result.SENT, Transport.SMTP, relay, reply, None, None, None, None, None, "", ())


def evidence(
    state: State,
    decisive: Attempt | None,
    *answers: DnsObservation,
    own: Own | None = None,
    parts: tuple[Delivery, ...] = (),
) -> Evidence:
    delivery = Delivery("anna@corp.example", (), state, (decisive,) if decisive else (), decisive, parts=parts)
    return Evidence(
        subject=Subject.DISPATCH,
        assessed_at=SENT,
        delivery=delivery,
        own=own or Own(),
        observations=Observations.of(answers),
    )


def claim(
    relay: Host | None, *answers: DnsObservation, own: Own | None = None, state: State = State.HANDED_OVER
) -> Claim:
    told = claim_of(evidence(state, attempt(relay), *answers, own=own))
    assert told
    return told


OWN = Own(
    hosts=frozenset({"relay.hosting.example"}),
    networks=(ip_network("203.0.113.0/24"), ip_network("2001:db8:25::/48")),
    intermediaries=frozenset({"esp.example"}),
)


@pytest.mark.parametrize(
    ("relay", "role", "level"),
    [
        (Host("mx.corp.example", "198.51.100.99"), Role.RECIPIENT_MX, Level.ACCEPTED),
        (Host("MX.Corp.Example.", "198.51.100.99"), Role.RECIPIENT_MX, Level.ACCEPTED),
        (Host("other.example", "198.51.100.10"), Role.RECIPIENT_MX, Level.ACCEPTED),
        (Host(None, "2001:DB8:0:0::10"), Role.RECIPIENT_MX, Level.ACCEPTED),
        (Host(None, "::ffff:198.51.100.10"), Role.RECIPIENT_MX, Level.ACCEPTED),
        (Host("x.mx.corp.example", "198.51.100.99"), Role.UNCONFIRMED, Level.HANDED_OVER),
        (Host("RELAY.hosting.example.", "192.0.2.1"), Role.OWN_RELAY, Level.HANDED_OVER),
        (Host(None, "203.0.113.9"), Role.OWN_RELAY, Level.HANDED_OVER),
        (Host(None, "::ffff:203.0.113.9"), Role.OWN_RELAY, Level.HANDED_OVER),
        (Host(None, "2001:db8:25::9"), Role.OWN_RELAY, Level.HANDED_OVER),
        (Host("in.ESP.example", "192.0.2.1"), Role.INTERMEDIARY, Level.HANDED_OVER),
        (Host("notesp.example", "192.0.2.1"), Role.UNCONFIRMED, Level.HANDED_OVER),
        (Host("localhost", "127.0.0.1"), Role.OWN_RELAY, Level.HANDED_OVER),
        (Host("filter", "127.0.0.53"), Role.UNCONFIRMED, Level.HANDED_OVER),
        (Host(None, "::1"), Role.OWN_RELAY, Level.HANDED_OVER),
        (Host(None, "::ffff:127.0.0.1"), Role.OWN_RELAY, Level.HANDED_OVER),
        (Host("LOCALHOST.", None), Role.OWN_RELAY, Level.HANDED_OVER),
        (Host("mx.corp.example", None), Role.RECIPIENT_MX, Level.ACCEPTED),
    ],
)
def test_who_answered(relay: Host, role: Role, level: Level) -> None:
    told = claim(relay, *MX, own=OWN)
    assert (told.role, told.level) == (role, level)
    assert told.state is (State.ACCEPTED if level is Level.ACCEPTED else State.HANDED_OVER)


def test_our_own_mx_is_named_so() -> None:
    told = claim(Host("mx.corp.example", "203.0.113.10"), *MX, own=OWN)
    assert (told.role, told.state, told.basis) == (Role.OWN_MX, State.ACCEPTED, "mx-name")


@pytest.mark.parametrize("routed", [False, True])
def test_a_domain_that_publishes_loopback_gets_no_acceptance(routed: bool) -> None:
    """Our content filter listens there; whatever a stranger's zone says, it is not the stranger's server."""
    answers = (
        dns("corp.example", "MX", "localhost"),
        dns("localhost", "A", "127.0.0.1"),
        dns("localhost", "AAAA", "::1"),
    )
    told = claim(Host("localhost", "127.0.0.1", 10024), *answers, own=Own(routed_by_mx=routed))
    assert (told.role, told.level, told.basis) == (Role.OWN_RELAY, Level.HANDED_OVER, "loopback")


@pytest.mark.parametrize(
    ("answers", "basis"),
    [
        ((silent("corp.example", "MX"),), "could-not-look"),
        ((MX[0], silent("mx.corp.example", "A"), silent("mx.corp.example", "AAAA")), "could-not-look"),
        (MX, "no-match"),
        ((dns("corp.example", "MX", ""),), "null-mx"),
        ((dns("corp.example", "MX", rcode=Rcode.NXDOMAIN),), "no-mx"),
        ((dns("corp.example", "MX"), dns("corp.example", "A"), dns("corp.example", "AAAA")), "no-mx"),
    ],
)
def test_an_unconfirmed_host_says_why(answers: tuple[DnsObservation, ...], basis: str) -> None:
    relay = Host("elsewhere.example", "192.0.2.77")
    told = claim(relay, *answers)
    assert (told.role, told.level, told.basis, told.state) == (
        Role.UNCONFIRMED,
        Level.HANDED_OVER,
        basis,
        State.HANDED_OVER,
    )
    vouched = claim(relay, *answers, own=Own(routed_by_mx=True))
    assert (vouched.role, vouched.basis) == (Role.RECIPIENT_MX, "routed-by-mx")


def test_a_domain_without_mx_is_its_own() -> None:
    answers = (dns("corp.example", "MX"), dns("corp.example", "A", "198.51.100.10"), dns("corp.example", "AAAA"))
    assert claim(Host("corp.example", "198.51.100.10"), *answers).role is Role.RECIPIENT_MX
    assert claim(Host("corp.example", "198.51.100.11"), *answers).basis == "mx-name"
    assert claim(Host("www.corp.example", "198.51.100.11"), *answers).role is Role.UNCONFIRMED


@pytest.mark.parametrize(("when", "later"), [(SENT, False), (SENT - timedelta(hours=1), True), (None, True)])
def test_dns_of_after_the_dispatch_is_marked(when: datetime | None, later: bool) -> None:
    relay = Host("mx.corp.example", "198.51.100.10")
    assert role_of(attempt(relay, when=when), evidence(State.HANDED_OVER, None, *MX)) == (
        Role.RECIPIENT_MX,
        "mx-name",
        later,
    )


def test_what_is_not_on_record_is_asked_for() -> None:
    with pytest.raises(Unobserved) as wanted:
        claim(Host("mx.corp.example", "198.51.100.10"))
    assert wanted.value.questions == (DnsQuestion("corp.example", "MX"),)


CLAIMED = (State.RECORDED, State.HANDED_OVER, State.ACCEPTED, State.DELIVERED)


@pytest.mark.parametrize("state", [s for s in State if s not in CLAIMED])
def test_no_other_state_claims_a_level(state: State) -> None:
    told = claim(Host("mx.corp.example", "198.51.100.10"), *MX, state=state)
    assert (told.state, told.level, told.role) == (state, Level.NONE, Role.RECIPIENT_MX)


def test_a_mailbox_is_our_own_word() -> None:
    told = claim_of(evidence(State.DELIVERED, attempt(None)))
    assert told and (told.level, told.role, told.basis) == (Level.DELIVERED, Role.OWN_MX, "mail-store")


def part(state: State, relay: Host | None, to: str = "anna@corp.example") -> Delivery:
    decisive = attempt(relay, to=to)
    return Delivery(to, (), state, (decisive,), decisive)


@pytest.mark.parametrize("turn", [1, -1])
def test_the_weakest_part_stands_for_all(turn: int) -> None:
    accepted = part(State.HANDED_OVER, Host("mx.corp.example", "198.51.100.10"))
    passed_on = part(State.HANDED_OVER, Host("elsewhere.example", "192.0.2.77"))
    told = claim_of(evidence(State.HANDED_OVER, accepted.decisive, *MX, parts=(accepted, passed_on)[::turn]))
    assert told and (told.state, told.level, told.role) == (State.HANDED_OVER, Level.HANDED_OVER, Role.UNCONFIRMED)


def test_parts_that_were_delivered_do_not_lift_the_others() -> None:
    stored, accepted = part(State.DELIVERED, None), part(State.HANDED_OVER, Host("mx.corp.example", "198.51.100.10"))
    told = claim_of(evidence(State.HANDED_OVER, accepted.decisive, *MX, parts=(stored, accepted)))
    assert told and (told.state, told.level) == (State.ACCEPTED, Level.ACCEPTED)
    refused = part(State.REFUSED, Host("mx.corp.example", "198.51.100.10"))
    told = claim_of(evidence(State.REFUSED, refused.decisive, *MX, parts=(stored, refused)))
    assert told and told.level is Level.NONE


def test_a_bare_local_part_has_no_mx() -> None:
    told = claim_of(evidence(State.HANDED_OVER, attempt(Host("elsewhere.example", "192.0.2.77"), to="root")))
    assert told and (told.role, told.basis) == (Role.UNCONFIRMED, "address-without-domain")
