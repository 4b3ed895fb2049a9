"""The survey of SPF records: what every branch costs, what is remarked on, and where the walk ends."""

from datetime import UTC, datetime

import pytest
from bounded import hang_guard
from hypothesis import given, settings
from hypothesis import strategies as st

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
from deliverability.protocols.spf_lint import (
    MAX_BRANCHES,
    MAX_QUESTIONS,
    MAX_REMARKS,
    Flaw,
    Price,
    Survey,
    survey,
)
from deliverability.protocols.spf_terms import terms

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def look(zone: dict, question: DnsQuestion) -> Observation:
    said = zone.get(str(question), zone.get(question.rdtype))
    if isinstance(said, str):
        return CouldNotLook(question, Obstacle(said), said, "test", NOW)
    if question.rdtype == "MX":
        found = tuple(Record(text, preference=10) for text in said or ())
    elif question.rdtype == "TXT":
        found = tuple(Record(text, (text.encode("latin-1"),)) for text in said or ())
    else:
        found = tuple(Record(text) for text in said or ())
    return DnsAnswer(question, Rcode.NOERROR if said else Rcode.NXDOMAIN, found, question.name, 60, "test", NOW)


def walk(zone: dict, rounds: int = 200) -> tuple[Survey, Observations]:
    observations = Observations()
    for _round in range(rounds):
        try:
            return survey(Domain("host.example"), observations), observations
        except Unobserved as missing:
            wanted = missing.questions
        assert not [q for q in wanted if q in observations.answers]
        observations = observations.joined(look(zone, q) for q in wanted if isinstance(q, DnsQuestion))
    raise AssertionError("asks without end")


def flaws(*texts: str, **more: object) -> set[Flaw]:
    return {remark.flaw for remark in walk({"host.example TXT": list(texts), **more})[0].remarks}


def price(*texts: str, **more: object) -> Price:
    return walk({"host.example TXT": list(texts), **more})[0].price


@pytest.mark.parametrize(
    "term",
    [
        "a:192.0.2.1",
        "mx:localhost",
        "include:x.example~all",
        "a:x.example/33",
        "a:x.example//129",
        "a:x.example/",
        "mx:x.example/24//130",
        "include:x.123",
        "a:-.example-",
        "include:例.example",
    ],
)
def test_a_name_that_is_none_is_told_and_not_asked_for(term: str) -> None:
    found, observations = walk({"host.example TXT": [f"v=spf1 {term} -all".encode().decode("latin-1")]})
    assert Flaw.SYNTAX in {remark.flaw for remark in found.remarks}
    assert len(observations) == 1


def test_what_is_not_ascii_is_shown_as_it_was_typed() -> None:
    remarks = walk({"host.example TXT": ["v=spf1 include:\u4f8b.example -all".encode().decode("latin-1")]})[0].remarks
    assert {remark.text for remark in remarks} >= {"include:\u4f8b.example"}


@pytest.mark.parametrize("term", ["a:x.example/24//64", "mx:x.example.", "a:_x.example", "exists:%{i}._x.%{d2}"])
def test_a_name_in_an_unusual_form_is_no_flaw(term: str) -> None:
    zone = {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"], "MX": ["mx.host.example"]}
    assert Flaw.SYNTAX not in flaws(f"v=spf1 {term} -all", **zone)


def test_a_private_network_is_private_before_it_is_large() -> None:
    assert flaws("v=spf1 ip4:10.0.0.0/8 -all") == {Flaw.PRIVATE}


@pytest.mark.parametrize("term", ["ip4=192.0.2.1", "include=x.example", "v=spf1"])
def test_a_mechanism_with_an_equals_sign_is_told(term: str) -> None:
    assert flaws(f"v=spf1 {term} -all") == {Flaw.IGNORED}


def test_a_long_record_is_read_to_its_end() -> None:
    networks = " ".join(f"ip4:198.51.{i // 250}.{i % 250}" for i in range(600))
    assert flaws(f"v=spf1 {networks} -all") == {Flaw.LONG}


def test_every_term_that_asks_costs_one() -> None:
    zone = {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"], "MX": ["mx.host.example"], "x.example TXT": ["v=spf1 -all"]}
    text = "v=spf1 a mx ptr exists:e.example include:x.example ip4:192.0.2.1 ip6:2001:db8::1 -all"
    assert price(text, **zone) == Price(5, 0, 0)


def test_the_count_goes_on_past_the_limit() -> None:
    assert (
        price("v=spf1 " + " ".join(f"exists:e{i}.example" for i in range(30)) + " -all", A=["192.0.2.1"]).lookups == 30
    )


def test_a_branch_has_its_own_price_and_that_of_all_below() -> None:
    zone = {
        "host.example TXT": ["v=spf1 include:a.example redirect=b.example"],
        "a.example TXT": ["v=spf1 include:c.example -all"],
        "b.example TXT": ["v=spf1 mx -all"],
        "c.example TXT": ["v=spf1 exists:e.example -all"],
        "MX": ["mx.example"],
        "A": ["192.0.2.1"],
        "AAAA": ["2001:db8::1"],
    }
    found, _ = walk(zone)
    assert [(b.domain, b.own.lookups, b.total.lookups) for b in found.branches] == [
        ("host.example", 2, 5),
        ("a.example", 1, 2),
        ("b.example", 1, 1),
        ("c.example", 1, 1),
    ]
    assert found.complete


def test_void_lookups_are_counted_for_each_address_family() -> None:
    zone = {"v4.example A": ["192.0.2.1"], "v6.example AAAA": ["2001:db8::1"], "MX": ["v4.example", "v6.example"]}
    assert price("v=spf1 a:v4.example a:v6.example a:none.example -all", **zone) == Price(3, 2, 2)
    assert price("v=spf1 mx -all", **zone) == Price(1, 1, 1)  # one at most for the whole term
    assert price("v=spf1 include:none.example -all") == Price(1, 1, 1)


def test_redirect_counts_only_without_all() -> None:
    zone = {"r.example TXT": ["v=spf1 -all"]}
    assert price("v=spf1 redirect=r.example", **zone).lookups == 1
    assert price("v=spf1 -all redirect=r.example", **zone).lookups == 0
    assert price("v=spf1 -all a mx", **zone).lookups == 0


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("v=spf1 include -all", Flaw.SYNTAX),
        ("v=spf1 all:x.example", Flaw.SYNTAX),
        ("v=spf1 include:a.example/24 -all", Flaw.SYNTAX),
        ("v=spf1 ip4:192.0.2.300 -all", Flaw.SYNTAX),
        ("v=spf1 ip4:192.0.2.0/33 -all", Flaw.SYNTAX),
        ("v=spf1 ip6:192.0.2.1 -all", Flaw.SYNTAX),
        ("v=spf1 ip4:0.0.0.0/0 -all", Flaw.BROAD),
        ("v=spf1 ip4:198.0.0.0/15 -all", Flaw.BROAD),
        ("v=spf1 ip6:2000::/3 -all", Flaw.BROAD),
        ("v=spf1 ip4:192.168.1.1 -all", Flaw.PRIVATE),
        ("v=spf1 ip6:fd00::1 -all", Flaw.PRIVATE),
        ("v=spf1 a:%{s}.example -all", Flaw.MACRO),
        ("v=spf1 a:%{t}.example -all", Flaw.BAD_MACRO),
        ("v=spf1 a:%x.example -all", Flaw.BAD_MACRO),
        ("v=spf1 exists:%{i}.example -all", Flaw.NOT_WALKED),
        ("v=spf1 foo:bar -all", Flaw.UNKNOWN),
        ("v=spf1 include:host.example -all", Flaw.LOOP),
    ],
)
def test_each_flaw_is_seen(text: str, flaw: Flaw) -> None:
    assert flaw in flaws(text)


@pytest.mark.parametrize(
    "text",
    [
        "v=spf1 ip4:192.0.2.0/24 -all",
        "v=spf1 ip4:198.18.0.1 -all",
        "v=spf1 -all exp=why.%{d}",
        "v=spf1 ip4:192.0.2.1 exp=why.%{d} ~all",
        "V=SPF1 IP4:192.0.2.1 -ALL",
        "v=spf1   ip4:192.0.2.1   -all ",
    ],
)
def test_a_good_record_has_no_flaw(text: str) -> None:
    assert flaws(text) - {Flaw.PRIVATE} == set()


def test_macros_over_the_domain_are_followed() -> None:
    zone = {"_spf.host.example TXT": ["v=spf1 exists:%{o}.e.example -all"], "host.example.e.example A": ["192.0.2.1"]}
    assert price("v=spf1 include:_spf.%{d} -all", **zone) == Price(2, 0, 0)


@pytest.mark.parametrize(
    "text", ["v=spf1;-all", " v=spf1 -all", '"v=spf1 -all"', "v=spf2 -all", "spf1 -all", "v = spf1 -all"]
)
def test_what_only_looks_like_spf_is_named(text: str) -> None:
    assert flaws(text) == {Flaw.NEAR_MISS}


@pytest.mark.parametrize("obstacle", ["timeout", "servfail", "refused", "limit", "offline"])
def test_what_could_not_be_looked_up_is_said_and_not_counted(obstacle: str) -> None:
    found, _ = walk(
        {"host.example TXT": ["v=spf1 a:x.example include:y.example -all"], "A": obstacle, "y.example TXT": obstacle}
    )
    assert not found.complete
    assert Flaw.COULD_NOT_LOOK in {remark.flaw for remark in found.remarks}
    assert Flaw.NO_RECORD not in {remark.flaw for remark in found.remarks}
    assert found.price.void_v4 == 0


def test_a_tree_without_end_is_bounded() -> None:
    """Every record includes ten that include ten that …"""

    class Endless(dict):
        def get(self, key: str, default: object = None) -> object:
            name, _, rdtype = key.partition(" ")
            children = " ".join(f"include:{i}.{name[-60:]}" for i in range(10))
            return [f"v=spf1 {children} a:x.{name[-60:]} -all"] if rdtype == "TXT" else default

    with hang_guard():
        found, observations = walk(Endless())
    assert len(found.branches) <= MAX_BRANCHES
    assert len(observations) <= MAX_QUESTIONS
    assert len(found.remarks) <= MAX_REMARKS
    assert not found.complete


def test_ten_thousand_mx_are_not_looked_up() -> None:
    zone = {"host.example TXT": ["v=spf1 mx -all"], "host.example MX": [f"m{i}.example" for i in range(10_000)]}
    found, observations = walk(zone)
    assert Flaw.MANY_MX in {remark.flaw for remark in found.remarks}
    assert len(observations) == 2


@pytest.mark.parametrize(
    "text",
    [
        "v=spf1 " + "a:" * 30_000,
        "v=spf1 " + "%{" * 30_000,
        "v=spf1 " + "/1" * 30_000,
        "v=spf1 " + "x" * 60_000,
        "v=spf1 " + "a " * 30_000,
        "v=spf1 " + "include:%{d}." * 5_000,
        "v=spf1 \x00\x1b[31m\x07 a:\x00.example -all",
        "v=spf1 " + "=" * 60_000,
    ],
)
def test_a_record_of_sixty_kilobytes_takes_no_time(text: str) -> None:
    with hang_guard():
        found, _ = walk({"host.example TXT": [text]})
    assert len(found.remarks) <= MAX_REMARKS
    assert all(len(remark.text) <= 121 * 6 and remark.text.isprintable() for remark in found.remarks)


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(max_codepoint=255), max_size=120))
def test_terms_never_raise(text: str) -> None:
    assert all(term.text in text for term in terms("v=spf1 " + text))


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["host.example TXT", "a.example TXT", "b.example TXT", "host.example MX", "A", "AAAA"]),
        st.lists(
            st.lists(
                st.sampled_from(
                    [
                        "a",
                        "mx",
                        "ptr",
                        "include:a.example",
                        "include:b.example",
                        "redirect=a.example",
                        "-all",
                        "+all",
                        "%",
                        "/",
                        "a:%{d}",
                    ]
                ),
                max_size=6,
            ).map(lambda found: " ".join(["v=spf1", *found])),
            max_size=2,
        ),
    )
)
def test_any_zone_ends(zone: dict) -> None:
    found, _ = walk(zone)
    assert found.price.lookups >= 0
