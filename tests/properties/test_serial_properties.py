import copy
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.errors import ParseError
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsQuestion,
    Obstacle,
    Rcode,
    Record,
)
from deliverability.protocols.observed import observation_from_json, observation_to_json

LABEL = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,10}[a-z0-9_])?", fullmatch=True)
NAMES = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
QUESTIONS = st.builds(DnsQuestion, NAMES, st.sampled_from(["A", "AAAA", "MX", "TXT", "PTR"]))
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-3, minutes=-30))])
EARLIEST, LATEST = datetime(1990, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001 - hypothesis wants naive bounds
INSTANTS = st.datetimes(EARLIEST, LATEST, timezones=ZONES)
TEXTS = st.text(max_size=40)
RECORDS = st.builds(
    Record,
    TEXTS,
    st.lists(st.binary(max_size=30), max_size=3).map(tuple),
    st.none() | st.integers(0, 65535),
)
ANSWERS = st.builds(
    DnsAnswer,
    question=QUESTIONS,
    rcode=st.sampled_from(Rcode),
    records=st.lists(RECORDS, max_size=3).map(tuple),
    canonical_name=NAMES,
    ttl=st.none() | st.integers(0, 2**31 - 1),
    resolver=TEXTS,
    observed_at=INSTANTS,
    authenticated=st.booleans(),
    wire=st.binary(max_size=60),
)
OBSTACLES = st.builds(
    CouldNotLook,
    question=QUESTIONS,
    obstacle=st.sampled_from(Obstacle),
    detail=TEXTS,
    resolver=TEXTS,
    observed_at=INSTANTS,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(ANSWERS | OBSTACLES)
def test_an_observation_survives_json(observation):
    text = json.dumps(observation_to_json(observation), sort_keys=True)
    assert observation_from_json(json.loads(text)) == observation


@given(ANSWERS | OBSTACLES, st.data())
def test_a_changed_member_is_read_as_what_it_says_or_refused(observation, data):
    value = json.loads(json.dumps(observation_to_json(observation)))
    member = data.draw(st.sampled_from(sorted(value)))
    value[member] = data.draw(JSON)
    try:
        again = observation_from_json(copy.deepcopy(value))
    except ParseError:
        return
    assert json.loads(json.dumps(observation_to_json(again))) == value


@given(JSON)
def test_other_json_is_refused_with_our_own_error(value):
    with pytest.raises(ParseError):
        observation_from_json(value)


@given(ANSWERS)
def test_an_unknown_or_missing_member_is_refused(observation):
    value = observation_to_json(observation)
    with pytest.raises(ParseError):
        observation_from_json({**value, "extra": 1})
    for member in value:
        with pytest.raises(ParseError):
            observation_from_json({k: v for k, v in value.items() if k != member})


@given(ANSWERS)
def test_a_truth_value_given_as_a_number_is_refused(observation):
    value = observation_to_json(observation)
    with pytest.raises(ParseError):
        observation_from_json({**value, "authenticated": int(observation.authenticated)})
