"""The quick way of writing intents and outcomes against the canonical form, and against being read again."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.errors import ParseError
from deliverability.evidence.recorder import Finish, Hop, Intent, Outcome
from deliverability.evidence.smtp import Host, Reply, Tls
from deliverability.protocols import canonical
from deliverability.protocols.records import record_from_bytes, record_to_bytes, record_to_json

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
MAYBE = st.none() | TEXT
ID = st.text("0123456789abcdef", min_size=32, max_size=32)
DIGEST = st.text("0123456789abcdef", min_size=64, max_size=64)
TIMES = st.datetimes(
    datetime(1, 1, 3),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))]),
)
REPLIES = st.none() | st.builds(Reply, st.none() | st.integers(200, 599), MAYBE, TEXT)
INTENTS = st.builds(
    Intent,
    dispatch=ID,
    sending=ID,
    at=TIMES,
    account=TEXT,
    reverse_path=TEXT,
    forward_path=TEXT,
    message_id=MAYBE,
    subject=MAYBE | st.just("ä" * 2000),
    author_domain=MAYBE,
    size=st.integers(0, 1 << 50),
    sha256=DIGEST,
    signatures=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    next_hop=TEXT,
    hop=st.sampled_from(Hop),
    channel=TEXT,
)
OUTCOMES = st.builds(
    Outcome,
    dispatch=ID,
    at=TIMES,
    finish=st.sampled_from(Finish),
    stage=MAYBE,
    reply=REPLIES,
    rcpt_reply=REPLIES,
    relay=st.none() | st.builds(Host, MAYBE, MAYBE, st.none() | st.integers(0, 65535)),
    local_ip=MAYBE,
    helo=MAYBE,
    tls=st.none() | st.builds(Tls, TEXT, MAYBE, st.none() | st.booleans()),
    certificate_sha256=st.none() | DIGEST,
    remote_queue_id=MAYBE,
    transcript_sha256=st.none() | DIGEST,
    detail=TEXT | st.just("x" * 9000),
)


@given(INTENTS | OUTCOMES)
def test_quick_octets_are_the_canonical_ones_and_read_again(record: Intent | Outcome) -> None:
    octets = record_to_bytes(record)
    assert octets == canonical.to_bytes(record_to_json(record))
    assert record_to_bytes(record_from_bytes(octets)) == octets


@given(INTENTS)
def test_half_of_a_pair_has_no_form(record: Intent) -> None:
    from dataclasses import replace

    with pytest.raises(ParseError):
        record_to_bytes(replace(record, subject="\ud800"))
    with pytest.raises(ParseError):
        record_to_bytes(replace(record, account=7))  # type: ignore[arg-type]
    with pytest.raises(ParseError):
        record_to_bytes(replace(record, next_hop=None))  # type: ignore[arg-type]
