"""One octet changed anywhere in a signed chain: what was proved before is proved, or nothing is."""

import importlib.util
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.evidence.observation import DnsAnswer, Observations, Unobserved
from deliverability.protocols.dnssec import Reason, Status, anchors_of, signed, validate

_spec = importlib.util.spec_from_file_location("dnssec_world", Path(__file__).parents[1] / "dnssec_world.py")
signing = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(signing)
NOW, name = signing.NOW, signing.name
QUESTIONS = (
    ("shop.example", "MX"),
    ("no.shop.example", "MX"),
    ("x.wild.shop.example", "MX"),
    ("www.shop.example", "MX"),
)


@cache
def observed(owner: str, rdtype: str, nsec3: bool) -> tuple:
    world = signing.World()
    for origin in ("", "example", "shop.example"):
        world.zone(origin, nsec3=nsec3)
    shop = world.zones[name("shop.example")]
    shop.add(name("shop.example"), "MX", "10 mx1.shop.example.")
    shop.add(name("*.wild.shop.example"), "MX", "10 mx1.shop.example.")
    shop.add(name("www.shop.example"), "CNAME", "shop.example.")
    anchors = anchors_of(world.anchors)
    found, seen = world.settle(lambda known: validate(signed(owner, rdtype), known, NOW, anchors))
    assert found.status is Status.SECURE
    return found, tuple(seen), anchors


def judged(owner: str, rdtype: str, answers, anchors):
    """The validation; ``None`` where a change made it want something that nobody asked."""
    try:
        return validate(signed(owner, rdtype), Observations.of(answers), NOW, anchors)
    except Unobserved:
        return None


def holds(before, after) -> bool:
    """Not secure, or secure with exactly what was proved before: TTL, case and what is not used are not signed."""
    if after is None or after.status in (Status.BOGUS, Status.INDETERMINATE):
        return True
    # an octet of a DS record's algorithm, of a proof: none leads to "insecure" either, for they are signed
    return after.status is Status.SECURE and (after.records, after.canonical_name) == (
        before.records,
        before.canonical_name,
    )


@pytest.mark.parametrize("nsec3", [False, True])
@pytest.mark.parametrize(("owner", "rdtype"), QUESTIONS)
@settings(max_examples=75, deadline=None)
@given(data=st.data())
def test_a_changed_octet(owner: str, rdtype: str, nsec3: bool, data: st.DataObject) -> None:
    before, answers, anchors = observed(owner, rdtype, nsec3)
    index = data.draw(st.integers(0, len(answers) - 1))
    wire = answers[index].wire
    at = data.draw(st.integers(0, len(wire) - 1))
    octet = data.draw(st.integers(0, 255).filter(lambda value: value != wire[at]))
    changed = wire[:at] + bytes((octet,)) + wire[at + 1 :]
    after = judged(
        owner, rdtype, [*answers[:index], replace(answers[index], wire=changed), *answers[index + 1 :]], anchors
    )
    assert holds(before, after), after


@settings(max_examples=75, deadline=None)
@given(data=st.data())
def test_any_octets_in_place_of_an_answer(data: st.DataObject) -> None:
    before, answers, anchors = observed("shop.example", "MX", False)
    index = data.draw(st.integers(0, len(answers) - 1))
    wire = answers[index].wire
    kept = data.draw(st.integers(0, len(wire)))
    octets = wire[:kept] + data.draw(st.binary(max_size=120))
    after = judged(
        "shop.example", "MX", [*answers[:index], replace(answers[index], wire=octets), *answers[index + 1 :]], anchors
    )
    assert holds(before, after), after


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_answers_in_each_others_place(data: st.DataObject) -> None:
    before, answers, anchors = observed("no.shop.example", "MX", data.draw(st.booleans()))
    wires = data.draw(st.permutations([answer.wire for answer in answers]))
    mixed = [replace(answer, wire=wire) for answer, wire in zip(answers, wires, strict=True)]
    assert holds(before, judged("no.shop.example", "MX", mixed, anchors))


@pytest.mark.parametrize("at", [0, NOW - 2 * signing.DAY, NOW + 11 * signing.DAY, (1 << 32) + NOW + 1, 1 << 40])
def test_any_time(at: int) -> None:
    _, answers, anchors = observed("shop.example", "MX", False)
    found = validate(signed("shop.example", "MX"), Observations.of(answers), at, anchors)
    expected = Status.SECURE if (at & 0xFFFFFFFF) == NOW + 1 else Status.BOGUS
    assert found.status is expected
    assert (found.reason is Reason.NONE) == (expected is Status.SECURE)
    assert all(isinstance(answer, DnsAnswer) for answer in answers)
