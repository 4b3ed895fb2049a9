"""ARC chains, signature remarks and report addresses of any bytes: read or refused, never a crash."""

import contextlib
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from deliverability.evidence.names import Domain
from deliverability.evidence.observation import DnsAnswer, DnsQuestion, Observations, Rcode, Record, Unobserved
from deliverability.protocols import arc, dkim, dkim_remarks, dmarc, dmarc_reports
from deliverability.protocols.mail import parse_mail

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = b"v=DKIM1; k=ed25519; p=srI47Cs5cxbByTQPnYSsEDMg4JY1jQ47TcE4hATE9n8="
GOOD = {
    b"ARC-Seal": b"i=1; a=ed25519-sha256; cv=none; d=x.example; s=k; b=AAAA",
    b"ARC-Message-Signature": b"i=1; a=ed25519-sha256; d=x.example; s=k; h=from; bh=AAAA; b=AAAA",
    b"ARC-Authentication-Results": b"i=1; x.example; none",
    b"DKIM-Signature": b"v=1; a=ed25519-sha256; d=x.example; s=k; h=from; bh=AAAA; b=AAAA",
}
tags = st.lists(
    st.sampled_from(
        [
            b"i=1",
            b"i=2",
            b"i=0",
            b"i=x",
            b"a=rsa-sha256",
            b"cv=pass",
            b"cv=",
            b"d=x.example",
            b"d=\xff",
            b"s=k",
            b"s=",
            b"h=from",
            b"h=",
            b"bh=AAAA",
            b"b=AAAA",
            b"b=!",
            b"t=99999999999",
            b"x=1",
            b"l=3",
            b"c=simple/relaxed",
            b"c=x",
            b"v=1",
            b"",
            b"=",
        ]
    ),
    max_size=12,
).map(b"; ".join)
value = st.one_of(tags, st.binary(max_size=60).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"")))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    fields = draw(st.lists(st.tuples(st.sampled_from(sorted(GOOD)), st.one_of(st.none(), value)), max_size=7))
    lines = [name + b": " + (GOOD[name] if said is None else said) for name, said in fields]
    return b"\r\n".join([*lines, b"From: a@x.example", b"", draw(st.binary(max_size=40))])


def settle(message: bytes, evaluate):
    observations = Observations()
    for _round in range(5):
        try:
            return evaluate(message, observations, NOW)
        except Unobserved as missing:
            wanted = [q for q in missing.questions if isinstance(q, DnsQuestion) and q not in observations.answers]
        assert wanted
        found = (Record(KEY.decode(), (KEY,)),)
        observations = observations.joined(DnsAnswer(q, Rcode.NOERROR, found, q.name, 60, "test", NOW) for q in wanted)
    raise AssertionError("asks without end")


@given(messages())
def test_chains_are_judged(message: bytes) -> None:
    found = settle(message, arc.read_chain)
    assert (found.problem is not None) == (found.state is arc.ArcState.FAIL)
    assert found.state is not arc.ArcState.PASS  # no signature here was ever made with a key
    assert all(one.results.isprintable() and one.sealer.isprintable() for one in found.sets)


@given(messages())
def test_signatures_are_remarked_on(message: bytes) -> None:
    found = settle(message, dkim.verify)
    remarks = list(dkim_remarks.remarks(parse_mail(message), found))
    assert len(remarks) >= len(found)
    assert all(value.isprintable() for remark in remarks for value in remark.parameters.values())


@given(st.lists(st.text(max_size=30), max_size=30), st.sampled_from(["mailto:", "https://", ""]))
def test_report_addresses_are_followed_or_named(addresses: list[str], scheme: str) -> None:
    uris = tuple(scheme + address for address in addresses)
    record = dmarc.DmarcRecord(text="", p=dmarc.Policy.NONE, rua=uris)
    with contextlib.suppress(Unobserved):
        found = dmarc_reports.destinations(record, Domain("host.example"), Observations())
        assert len(found) == min(len(uris), dmarc_reports.MAX_DESTINATIONS)
