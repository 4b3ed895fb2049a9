"""SPF beyond the RFC's own suite: what is asked, what is left open, and what a domain publishes."""

import sys
from datetime import UTC, datetime

import pytest

from deliverability.errors import ParseError
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsQuestion,
    Observation,
    Observations,
    Obstacle,
    Rcode,
    Record,
    Unobserved,
)
from deliverability.protocols.spf import (
    Identity,
    PublicationState,
    SpfEvaluation,
    SpfPublication,
    SpfResult,
    check_host,
    published,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
Zone = dict[str, list[str] | str]


def look(zone: Zone, question: DnsQuestion) -> Observation:
    said = zone.get(str(question))
    if isinstance(said, str):
        return CouldNotLook(question, Obstacle(said), said, "test", NOW)
    if question.rdtype == "MX":
        records = [Record(text.split()[1], preference=int(text.split()[0])) for text in said or ()]
    elif question.rdtype == "TXT":
        records = [Record(text, (text.encode(),)) for text in said or ()]
    else:
        records = [Record(text) for text in said or ()]
    return DnsAnswer(
        question, Rcode.NOERROR if said else Rcode.NXDOMAIN, tuple(records), question.name, 60, "test", NOW
    )


def settle(zone: Zone, evaluate) -> tuple:
    observations, rounds = Observations(), []
    while True:
        try:
            return evaluate(observations), rounds
        except Unobserved as missing:
            wanted = missing.questions
        rounds.append({str(question) for question in wanted})
        assert len(rounds) < 30
        observations = observations.joined(look(zone, question) for question in wanted)


def spf(zone: Zone, ip: str = "192.0.2.1", path: str = "a@host.example", helo: str = "h.host.example") -> SpfEvaluation:
    return settle(zone, lambda observations: check_host(ip, path, helo, observations))[0]


def publication(zone: Zone) -> SpfPublication:
    return settle(zone, lambda observations: published(Domain("host.example"), observations))[0]


def record(text: str) -> Zone:
    return {"host.example TXT": [text]}


def test_all_that_a_record_names_is_asked_in_one_round() -> None:
    zone = record(
        "v=spf1 a mx include:one.example include:two.example a:b.example exists:%{i}.x.example redirect=r.example"
    )
    _, rounds = settle(zone, lambda observations: check_host("192.0.2.1", "a@host.example", "h", observations))
    assert rounds[0] == {"host.example TXT"}
    assert rounds[1] == {
        "host.example A",
        "host.example MX",
        "one.example TXT",
        "two.example TXT",
        "b.example A",
        "r.example TXT",
    }


def test_nothing_is_asked_once_a_term_matches() -> None:
    zone = record("v=spf1 ip4:192.0.2.0/24 include:never.example -all")
    found, rounds = settle(zone, lambda observations: check_host("192.0.2.1", "a@host.example", "h", observations))
    assert (found.result, found.mechanism) == (SpfResult.PASS, "ip4:192.0.2.0/24")
    assert len(rounds) == 1


def test_the_addresses_of_all_mx_are_asked_at_once() -> None:
    zone = {
        **record("v=spf1 mx -all"),
        "host.example MX": ["10 m1.example", "20 m2.example"],
        "m2.example A": ["192.0.2.1"],
    }
    found, rounds = settle(zone, lambda observations: check_host("192.0.2.1", "a@host.example", "h", observations))
    assert found.result is SpfResult.PASS
    assert rounds[2] == {"m1.example A", "m2.example A"}


@pytest.mark.parametrize("obstacle", ["timeout", "servfail", "refused", "malformed", "network", "offline", "limit"])
@pytest.mark.parametrize("where", ["host.example TXT", "i.example TXT", "a.example A"])
def test_no_answer_is_temperror(where: str, obstacle: str) -> None:
    zone = {**record("v=spf1 include:i.example a:a.example -all"), "i.example TXT": ["v=spf1 -all"], where: obstacle}
    found = spf(zone)
    assert found.result is SpfResult.TEMPERROR
    assert found.obstacle is not None
    assert (str(found.obstacle.question), found.obstacle.obstacle) == (where, obstacle)


def test_silence_at_the_ptr_is_no_match_and_no_error() -> None:
    """RFC 7208 §5.5, both sentences on DNS errors."""
    ptr = "1.2.0.192.in-addr.arpa PTR"
    assert spf({**record("v=spf1 ptr:host.example ~all"), ptr: "timeout"}).result is SpfResult.SOFTFAIL
    zone = {**record("v=spf1 ptr:host.example ~all"), ptr: ["bad.host.example", "good.host.example"]}
    zone |= {"bad.host.example A": "servfail", "good.host.example A": ["192.0.2.1"]}
    assert spf(zone).result is SpfResult.PASS


def test_silence_at_the_explanation_changes_no_result() -> None:
    found = spf({**record("v=spf1 -all exp=e.host.example"), "e.host.example TXT": "timeout"})
    assert found.result is SpfResult.FAIL
    assert found.obstacle is None


def test_the_explanation_is_asked_for_only_after_fail() -> None:
    zone = {**record("v=spf1 ~all exp=e.host.example"), "e.host.example TXT": ["no %{i}"]}
    found, rounds = settle(zone, lambda observations: check_host("192.0.2.1", "a@host.example", "h", observations))
    assert (found.result, found.explanation, len(rounds)) == (SpfResult.SOFTFAIL, None, 1)
    zone = {**record("v=spf1 -all exp=e.host.example"), "e.host.example TXT": ["no %{i}"]}
    assert spf(zone).explanation == "no 192.0.2.1"


def test_the_time_in_an_explanation_is_the_one_given() -> None:
    zone = {**record("v=spf1 -all exp=e.host.example"), "e.host.example TXT": ["at %{t}"]}
    found, _ = settle(zone, lambda o: check_host("192.0.2.1", "a@host.example", "h", o, at=NOW))
    assert found.explanation == f"at {int(NOW.timestamp())}"


def test_an_mx_term_is_one_void_look_up_at_most() -> None:
    """RFC 7208 §4.6.4 counts terms: three mail servers without IPv6 are one void look-up, not three."""
    zone = {
        **record("v=spf1 mx ip6:2001:db8::/32 -all"),
        "host.example MX": ["10 a.example", "20 b.example", "30 c.example"],
    }
    found = spf(zone, ip="2001:db8::1")
    assert (found.result, found.void_lookups) == (SpfResult.PASS, 1)


def test_three_void_look_ups_are_an_error() -> None:
    zone = record("v=spf1 a:x.example a:y.example a:z.example +all")
    assert spf(zone).result is SpfResult.PERMERROR


@pytest.mark.parametrize(
    ("path", "helo", "identity", "domain"),
    [
        ("", "out.host.example", Identity.HELO, "out.host.example"),
        ("<>", "out.host.example", Identity.HELO, "out.host.example"),
        ("a@b@host.example", "h", Identity.MAILFROM, "host.example"),
        ('"a@b"@host.example', "h", Identity.MAILFROM, "host.example"),
        ("<a@host.example>", "h", Identity.MAILFROM, "host.example"),
        ("a@b\u00fccher.example", "h", Identity.MAILFROM, "xn--bcher-kva.example"),
    ],
)
def test_whose_domain_is_looked_at(path: str, helo: str, identity: Identity, domain: str) -> None:
    found = spf({f"{domain} TXT": ["v=spf1 +all"]}, path=path, helo=helo)
    assert (found.result, found.identity, found.domain) == (SpfResult.PASS, identity, domain)


@pytest.mark.parametrize(
    ("path", "helo"),
    [("", ""), ("", "[192.0.2.1]"), ("a@", "h"), ("a@..", "h"), ("a@" + "x" * 600, "h"), ("a@\u202e\u0000", "h")],
)
def test_a_sender_without_a_domain_has_no_spf(path: str, helo: str) -> None:
    assert spf({}, path=path, helo=helo).result is SpfResult.NONE


def test_mapped_addresses_are_ipv4() -> None:
    assert spf(record("v=spf1 ip4:192.0.2.1 -all"), ip="::ffff:192.0.2.1").result is SpfResult.PASS


@pytest.mark.parametrize("ip", ["", "list", "192.0.2", "host.example", "192.0.2.1/24"])
def test_what_is_no_address_is_refused(ip: str) -> None:
    with pytest.raises(ParseError):
        check_host(ip, "a@host.example", "h", Observations())


@pytest.mark.parametrize(
    "text", ["v=spf1 " + "a" * 2000, "v=spf1 " + "a:x.example " * 900 + "-all", "v=spf1 a:" + "x." * 480 + "!"]
)
def test_a_monstrous_record_is_an_error_not_a_burden(text: str) -> None:
    assert spf(record(text)).result is SpfResult.PERMERROR


@pytest.mark.parametrize("term", ["REDIRECT=_spf.host.example", "Redirect=_spf.host.example"])
def test_a_modifier_is_known_in_any_spelling(term: str) -> None:
    zone: Zone = {"host.example TXT": [f"v=spf1 {term}"], "_spf.host.example TXT": ["v=spf1 ip4:192.0.2.1 -all"]}
    assert spf(zone).result is SpfResult.PASS
    assert publication(zone).lookups == 1


def test_a_redirect_that_stands_twice_is_an_error_in_any_spelling() -> None:
    assert spf(record("v=spf1 redirect=a.example Redirect=b.example")).result is SpfResult.PERMERROR


def test_an_unknown_modifier_is_ignored_however_often_it_stands_there() -> None:
    assert spf(record("v=spf1 x=1 ip4:192.0.2.1 X=2 x=3 -all")).result is SpfResult.PASS


def test_a_record_of_nine_thousand_octets_is_read_to_its_end() -> None:
    networks = " ".join(f"ip4:198.51.{i // 250}.{i % 250}" for i in range(600))
    zone = record(f"v=spf1 {networks} ip4:192.0.2.1 -all")
    assert spf(zone).result is SpfResult.PASS
    assert publication(zone).state is PublicationState.PUBLISHED


def test_names_that_the_dns_cannot_hold_are_not_asked() -> None:
    found, rounds = settle(
        record("v=spf1 exists:%{l}.%{d} +all"),
        lambda observations: check_host("192.0.2.1", "x" * 200 + "@host.example", "h", observations),
    )
    assert found.result is SpfResult.PASS
    assert rounds == [{"host.example TXT"}]


def test_pyspf_is_left_as_it_was() -> None:
    spf(record("v=spf1 -all"))
    module = sys.modules["spf"]
    assert module.DNSLookup is module.DNSLookup_dnspython


def test_what_a_domain_publishes() -> None:
    zone = {
        **record("v=spf1 include:a.example exists:%{ir}.x.example mx ptr redirect=r.example"),
        "a.example TXT": ["v=spf1 a include:%{d2}.b.example ip4:192.0.2.0/24 -all"],
        "a.example.b.example TXT": ["v=spf1 -all"],
        "r.example TXT": ["v=spf1 -all"],
    }
    found = publication(zone)
    assert (found.state, found.lookups) == (PublicationState.PUBLISHED, 7)
    assert not found.depends_on_client


def test_records_that_depend_on_the_client_are_not_walked_and_it_is_told() -> None:
    found = publication(record("v=spf1 include:%{ir}.x.example -all"))
    assert (found.state, found.lookups, found.depends_on_client) == (PublicationState.PUBLISHED, 1, True)


@pytest.mark.parametrize(
    ("zone", "state"),
    [
        ({"host.example TXT": ["other"]}, PublicationState.NONE),
        ({}, PublicationState.NONE),
        ({"host.example TXT": "timeout"}, PublicationState.COULD_NOT_LOOK),
        ({"host.example TXT": ["v=spf1 -all", "v=spf1"]}, PublicationState.SEVERAL),
        (record("v=spf1 a:%{x} -all"), PublicationState.MALFORMED),
        (record("v=spf1 caf\u00e9"), PublicationState.MALFORMED),
        (record("v=spf1 include:host.example -all"), PublicationState.MALFORMED),
        (
            record("v=spf1 include:loop.example -all") | {"loop.example TXT": ["v=spf1 include:host.example -all"]},
            PublicationState.TOO_MANY_LOOKUPS,
        ),
        (record("v=spf1 include:slow.example -all") | {"slow.example TXT": "refused"}, PublicationState.COULD_NOT_LOOK),
        (record("v=spf1 redirect=gone.example"), PublicationState.MALFORMED),
        (record("v=spf10 -all"), PublicationState.NONE),
        (record("V=SPF1 -all"), PublicationState.PUBLISHED),
    ],
)
def test_states_of_a_publication(zone: Zone, state: PublicationState) -> None:
    assert publication(zone).state is state
