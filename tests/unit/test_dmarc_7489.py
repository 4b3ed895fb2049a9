"""DMARC by RFC 7489 and a public suffix list, and where it parts from RFC 9989."""

import sys
from datetime import UTC, datetime

import pytest

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
from deliverability.protocols import dmarc_7489

NOW = datetime(2026, 11, 22, tzinfo=UTC)
HOST = "host.example"


@pytest.fixture(autouse=True)
def _with_a_list() -> None:
    pytest.importorskip("publicsuffixlist", reason="the extra psl is not installed")


def policy(author: str, published: dict[str, list[str] | str]) -> dmarc_7489.OldPolicy:
    observations = Observations()
    for _round in range(4):
        try:
            found = dmarc_7489.discover_policy(Domain(author), observations)
        except Unobserved as missing:
            wanted = [q for q in missing.questions if isinstance(q, DnsQuestion)]
        else:
            assert found is not None
            return found
        observations = observations.joined(look(published, question) for question in wanted)
    raise AssertionError("asks without end")


def look(published: dict[str, list[str] | str], question: DnsQuestion) -> DnsAnswer | CouldNotLook:
    said = published.get(question.name.removeprefix("_dmarc."), [])
    if isinstance(said, str):
        return CouldNotLook(question, Obstacle(said), said, "test", NOW)
    found = tuple(Record(text, (text.encode(),)) for text in said)
    return DnsAnswer(question, Rcode.NOERROR if found else Rcode.NXDOMAIN, found, question.name, 60, "test", NOW)


@pytest.mark.parametrize(
    ("name", "organization"),
    [
        ("host.example", "host.example"),
        ("a.b.host.example", "host.example"),
        ("a.host.com.tw", "host.com.tw"),
        ("a.host.co.uk", "host.co.uk"),
        ("com.tw", "com.tw"),
        ("example", "example"),
        ("a.www.ck", "www.ck"),
        ("a.b.c.kawasaki.jp", "b.c.kawasaki.jp"),
        ("a.city.kawasaki.jp", "city.kawasaki.jp"),
        ("a.xn--55qx5d.cn", "a.xn--55qx5d.cn"),
        ("b.a.xn--55qx5d.cn", "a.xn--55qx5d.cn"),
        ("me.github.io", "me.github.io"),
    ],
)
def test_organizational_domain(name: str, organization: str) -> None:
    assert dmarc_7489.organizational_domain(Domain(name)) == Domain(organization)


@pytest.mark.parametrize(
    ("author", "published", "where", "expected"),
    [
        (HOST, {HOST: ["v=DMARC1; p=reject"]}, HOST, "reject"),
        ("a.host.example", {HOST: ["v=DMARC1; p=reject; sp=none"]}, HOST, "none"),
        ("a.host.example", {HOST: ["v=DMARC1; p=reject"]}, HOST, "reject"),
        # a record between the author domain and the organizational domain is never asked for (nor by RFC 9989)
        ("a.b.host.example", {"b.host.example": ["v=DMARC1; p=none"], HOST: ["v=DMARC1; p=reject"]}, HOST, "reject"),
        # RFC 7489 §6.6.3 step 5: several records end the search; RFC 9989 discards them and walks on
        ("a.host.example", {"a.host.example": ["v=DMARC1; p=none"] * 2, HOST: ["v=DMARC1; p=reject"]}, None, None),
        ("a.host.example", {HOST: ["v=DMARC1; p=x; rua=mailto:r@host.example"]}, HOST, "none"),
        ("a.host.example", {HOST: ["v=DMARC1; p=x"]}, None, None),
        # np= came with RFC 9091 and RFC 9989
        ("ghost.host.example", {HOST: ["v=DMARC1; p=none; np=reject"]}, HOST, "none"),
        # a record above the public suffix boundary is out of reach
        ("host.com.tw", {"com.tw": ["v=DMARC1; p=reject; psd=y"]}, None, None),
        (HOST, {}, None, None),
    ],
)
def test_policy(author: str, published: dict, where: str | None, expected: str | None) -> None:
    found = policy(author, published)
    assert (found.domain.name if found.domain else None, found.policy) == (where, expected)


def test_a_name_server_that_does_not_answer_is_no_policy_and_no_absence() -> None:
    found = policy(HOST, {HOST: "servfail"})
    assert found.policy is None
    assert found.obstacle is not None


@pytest.mark.parametrize(("text", "percent"), [("pct=20", 20), ("pct=0", 0), ("pct=x", 100), ("pct=101", 100)])
def test_percent(text: str, percent: int) -> None:
    assert policy(HOST, {HOST: [f"v=DMARC1; p=reject; {text}"]}).percent == percent


def test_without_the_list_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "publicsuffixlist", None)
    dmarc_7489._suffixes.cache_clear()
    try:
        assert dmarc_7489.organizational_domain(Domain(HOST)) is None
        assert dmarc_7489.discover_policy(Domain(HOST), Observations()) is None
        assert dmarc_7489.list_version() is None
    finally:
        dmarc_7489._suffixes.cache_clear()
