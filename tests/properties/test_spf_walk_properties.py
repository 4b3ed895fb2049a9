"""Short cuts through SPF records come to what the evaluator comes to, by the same questions."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

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
from deliverability.protocols import _pyspf, spf

T = TypeVar("T")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
NAMES = ("a.example", "b.example", "c.example", "d.example", "_e.example")
NETWORKS = ("192.0.2.0/24", "198.51.100.7", "203.0.113.0/25")

name = st.sampled_from(NAMES)
plain = st.one_of(
    st.builds("include:{}".format, name),
    st.builds("include:{}".format, name),
    st.builds("ip4:{}".format, st.sampled_from(NETWORKS)),
    st.sampled_from(["a", "mx", "~all", "?all", "-all", "ip6:2001:db8::/32", "A:a.example/24", "redirect=b.example"]),
)
odd = st.sampled_from(
    ["+all", "ptr", "exists:%{i}.a.example", "include:%{d}", "foo", "exp=a.example", "a:%{l}.a.example", "ip4:1.2.3"]
)
record = st.lists(st.one_of(plain, plain, plain, plain, odd), max_size=5).map(
    lambda terms: " ".join(["v=spf1", *terms])
)
zones = st.fixed_dictionaries(
    {n: st.one_of(st.lists(record, min_size=1, max_size=1), st.lists(record, max_size=2), st.none()) for n in NAMES}
)


def look(zone: dict[str, list[str] | None], question: DnsQuestion) -> Observation:
    said = zone.get(question.name, [])
    if said is None:
        return CouldNotLook(question, Obstacle.TIMEOUT, "", "test", NOW)
    if question.rdtype == "TXT":
        found = tuple(Record(text, (text.encode(),)) for text in said)
    else:
        texts = {"A": "192.0.2.9", "AAAA": "2001:db8::9", "MX": "c.example"}
        found = (Record(texts[question.rdtype], preference=10),) if question.rdtype in texts else ()
    return DnsAnswer(question, Rcode.NOERROR if said else Rcode.NXDOMAIN, found, question.name, 60, "test", NOW)


def settled(
    work: Callable[[Observations], T], zone: dict[str, list[str] | None], known: dict, **more: object
) -> tuple[T, list[frozenset[object]]]:
    """The result, and what was asked round by round; answers are the same objects for all who share ``known``."""
    observations, asked = Observations(**more), []
    while True:
        try:
            return work(observations), asked
        except Unobserved as missing:
            asked.append(frozenset(missing.questions))
            got = [known.setdefault(q, look(zone, q)) for q in missing.questions]
            observations = Observations({**observations.answers, **{o.question: o for o in got}}, **more)


def surveyed(observations: Observations) -> tuple[str, int, bool]:
    walk = _pyspf.Survey("a.example", observations)
    return walk.check()[0], walk.lookups, walk.depends_on_client


@given(zones)
@settings(deadline=None, max_examples=300)
def test_a_plain_walk_counts_what_the_evaluator_counts(zone: dict[str, list[str] | None]) -> None:
    lookups, asked = settled(lambda seen: spf._plain_lookups("a.example", seen), zone, {})
    (word, counted, depends), by_evaluator = settled(surveyed, zone, {})
    if lookups is not None:
        assert (word not in ("permerror", "temperror"), counted, depends) == (True, lookups, False)
        assert asked == by_evaluator
    else:
        assert asked == by_evaluator[: len(asked)]


def test_of_a_loop_nothing_more_is_asked_than_the_evaluator_asks() -> None:
    zone: dict[str, list[str] | None] = {"a.example": ["v=spf1 include:b.example include:a.example"], "b.example": None}
    lookups, asked = settled(lambda seen: spf._plain_lookups("a.example", seen), zone, {})
    assert (lookups, asked) == (None, settled(surveyed, zone, {})[1])


def test_a_plain_walk_is_taken() -> None:
    zone: dict[str, list[str] | None] = {
        "a.example": ["v=spf1 include:b.example mx -all"],
        "b.example": ["v=spf1 ip4:192.0.2.0/24 redirect=c.example"],
        "c.example": ["v=spf1 a:d.example ~all"],
    }
    assert settled(lambda seen: spf._plain_lookups("a.example", seen), zone, {})[0] == 4


@given(zones, st.sampled_from(["192.0.2.77", "198.51.100.7", "2001:db8::1"]))
@settings(deadline=None, max_examples=300)
def test_ways_that_others_went_change_nothing(zone: dict[str, list[str] | None], ip: str) -> None:
    """Each domain is evaluated alone, and after all the others with what they kept: result, steps, questions."""
    known: dict = {}
    shared: dict[object, object] = {}
    for domain in (*NAMES, *NAMES):

        def work(seen: Observations, domain: str = domain) -> spf.SpfEvaluation:
            return spf.check_host(ip, f"user@{domain}", "helo.example", seen, at=NOW)

        assert settled(work, zone, known) == settled(work, zone, known, shared=shared)


def test_a_way_is_kept_and_taken_again_only_with_the_same_answers() -> None:
    zone: dict[str, list[str] | None] = {
        "a.example": ["v=spf1 include:c.example -all"],
        "b.example": ["v=spf1 include:c.example ~all"],
        "c.example": ["v=spf1 include:d.example -all"],
        "d.example": ["v=spf1 ip4:192.0.2.0/24 -all"],
    }
    known: dict = {}
    shared: dict[object, object] = {}

    def of(domain: str) -> spf.SpfEvaluation:
        return settled(lambda seen: spf.check_host("192.0.2.1", domain, "", seen), zone, known, shared=shared)[0]

    assert of("a.example").result is spf.SpfResult.PASS
    assert len(shared) == 2
    assert of("b.example").result is spf.SpfResult.PASS
    zone["d.example"] = ["v=spf1 -all"]
    known.clear()
    assert of("b.example").result is spf.SpfResult.SOFTFAIL
