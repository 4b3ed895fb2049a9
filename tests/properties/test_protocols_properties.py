"""Whatever strangers publish or send: the evaluators end, and raise nothing but what they say."""

import contextlib
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from deliverability.capture import _dns_reply
from deliverability.capture.dns_query import RefusedError, encode_query
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
from deliverability.evidence.smtp import Host
from deliverability.protocols import dkim, dkim_key, dmarc, mail, mx, spf
from deliverability.protocols.dkim_key import parse_tags

NOW = datetime(2026, 11, 22, tzinfo=UTC)
AUTHOR = Domain("a.host.example")

names = st.sampled_from(
    ["host.example", "a.host.example", "b.example", "x.b.example", "", ".", "a..b", "x" * 70, "ü.example"]
)
terms = st.sampled_from(
    [
        "a",
        "mx",
        "ptr",
        "all",
        "-all",
        "~all",
        "+mx/24",
        "a//0",
        "ip4:192.0.2.0/24",
        "ip6:::1",
        "exists:%{i}.%{d}",
        "a:%{p}",
        "include:b.example",
        "redirect=b.example",
        "exp=b.example",
        "include:%{ir}.%{v}.x",
        "a:%",
        "ip4:1",
        "=",
        "x=",
        "%{x}",
    ]
)
spf_records = st.lists(terms, max_size=8).map(lambda found: " ".join(["v=spf1", *found]).encode())
texts = st.one_of(st.binary(max_size=120), spf_records, st.just(b"v=DMARC1; p=reject; psd=y"), st.just(b"v=DKIM1; p="))
record = st.one_of(
    texts.map(lambda text: Record(text.decode("latin-1"), (text[:9], text[9:]))),
    names.map(lambda name: Record(name, preference=10)),
    st.sampled_from(["192.0.2.1", "2001:db8::1", "nonsense"]).map(Record),
)


def of_type(rdtype: str, found: list[Record]) -> tuple[Record, ...]:
    """Records that a resolver could hand over for that type: TXT with strings, MX with a preference."""
    if rdtype == "TXT":
        return tuple(one for one in found if one.strings)
    if rdtype == "MX":
        return tuple(one for one in found if one.preference is not None)
    return tuple(one for one in found if not one.strings)


@st.composite
def worlds(draw: st.DrawFn):
    """A DNS that answers anything to anybody, always the same to the same question."""
    pool = draw(st.lists(st.one_of(st.sampled_from(Obstacle), st.lists(record, max_size=4)), min_size=1, max_size=6))

    def look(question: DnsQuestion) -> Observation:
        said = pool[sum(map(ord, str(question))) % len(pool)]
        if isinstance(said, Obstacle):
            return CouldNotLook(question, said, "", "test", NOW)
        rcode = Rcode.NOERROR if said else Rcode.NXDOMAIN
        return DnsAnswer(question, rcode, of_type(question.rdtype, said), question.name, 60, "test", NOW)

    return look


def settle(look, evaluate):
    """Until nothing is missing; each round must ask something new."""
    observations = Observations()
    for _ in range(80):
        try:
            return evaluate(observations)
        except Unobserved as missing:
            new = [question for question in missing.questions if question not in observations.answers]
        assert new
        assert len(new) <= 100
        observations = observations.joined(look(question) for question in new)
    raise AssertionError("asks without end")


@given(
    worlds(),
    st.sampled_from(["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.7"]),
    st.one_of(st.sampled_from(["", "a@host.example", "@host.example", "x@b.example"]), st.text(max_size=40)),
    st.one_of(st.sampled_from(["", "h.example", "[192.0.2.1]"]), st.text(max_size=20)),
)
def test_spf_ends_with_one_of_its_words(look, ip: str, path: str, helo: str) -> None:
    found = settle(look, lambda observations: spf.check_host(ip, path, helo, observations, at=NOW))
    assert found.result in spf.SpfResult
    assert (found.obstacle is not None) == (found.result is spf.SpfResult.TEMPERROR)
    assert (found.problem is not None) == (found.result is spf.SpfResult.PERMERROR)


@given(worlds())
def test_what_is_published_for_spf_is_always_told(look) -> None:
    found = settle(look, lambda observations: spf.published(Domain("host.example"), observations))
    assert found.state in spf.PublicationState
    assert found.state is not spf.PublicationState.PUBLISHED or found.lookups <= spf.MAX_LOOKUPS


@given(worlds())
def test_dmarc_always_knows_what_it_does_not_know(look) -> None:
    policy = settle(look, lambda observations: dmarc.discover_policy(AUTHOR, observations))
    assert (policy.obstacle is not None) == (policy.state is dmarc.PolicyState.COULD_NOT_LOOK)
    assert (policy.effective is not None) == (policy.state is dmarc.PolicyState.FOUND)
    other = Domain("b.example")
    relation = settle(look, lambda observations: dmarc.aligned(other, AUTHOR, observations, strict=False))
    assert (relation.obstacle is not None) == (relation.state is dmarc.AlignmentState.COULD_NOT_LOOK)


@given(worlds(), st.sampled_from([None, "b.example", "x" * 300]), st.sampled_from([None, "192.0.2.1", "::1", "x"]))
def test_mx_matching_is_total(look, name: str | None, ip: str | None) -> None:
    found = settle(look, lambda observations: mx.match(Host(name, ip), AUTHOR, observations))
    assert found.matched == (found.host is not None)


@given(st.binary(max_size=400))
def test_dmarc_records_are_total(raw: bytes) -> None:
    dmarc.parse_record(raw)
    dmarc.parse_record(b"v=DMARC1;" + raw)


@given(st.binary(max_size=300))
def test_key_records_are_total(raw: bytes) -> None:
    question = DnsQuestion("s._domainkey.a.host.example", "TXT")
    for text in (raw, b"v=DKIM1; k=rsa; p=" + raw, b"k=ed25519; p=" + raw):
        answer = DnsAnswer(question, Rcode.NOERROR, (Record("", (text,)),), question.name, 60, "test", NOW)
        found = dkim_key.published_key(Observations.of([answer]), AUTHOR, "s")
        assert (found.state is dkim_key.KeyState.MALFORMED) == (found.problem is not None)


@given(st.dictionaries(st.from_regex(rb"\A[a-z][a-z0-9_]{0,8}\Z"), st.from_regex(rb"\A[!-:<-~]{0,20}\Z"), max_size=20))
def test_tag_lists_come_back_as_they_were(tags: dict[bytes, bytes]) -> None:
    written = b"; ".join(name + b" = " + value for name, value in tags.items())
    if tags:
        assert parse_tags(written) == {name.decode(): value for name, value in tags.items()}


@given(st.binary(max_size=300), st.binary(max_size=120))
def test_messages_are_read_or_refused(message: bytes, signature: bytes) -> None:
    for text in (message, b"From: a@b.example\r\nDKIM-Signature: " + signature + b"\r\n" + message):
        try:
            parsed = mail.parse_mail(text)
        except ParseError:
            continue
        assert parsed.fields
        assert parsed.subject is None or isinstance(parsed.subject, str)
        with contextlib.suppress(ParseError):
            mail.author_domain(parsed)
        with contextlib.suppress(Unobserved):
            dkim.verify(text, Observations(), NOW)


@given(st.binary(max_size=200))
def test_replies_of_any_bytes_are_read_or_refused(wire: bytes) -> None:
    query = encode_query("a.example", _dns_reply.type_number("MX"), 0x4142, 1232)
    for reply in (wire, b"AB\x81\x80" + wire, query[:2] + b"\x81\x80" + query[4:] + wire):
        with contextlib.suppress(RefusedError):
            _dns_reply.read(query, reply, "a.example", "MX")
