"""Who takes a domain's mail; and the checks of transport and identity under answers that a stranger made up."""

from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability import assess, plugins
from deliverability.evidence.bundle import Evidence, Origin, Sourced, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsQuestion,
    HttpsAnswer,
    HttpsQuestion,
    Observation,
    Observations,
    Obstacle,
    Question,
    Rcode,
    Record,
    SmtpAnswer,
    SmtpProbe,
    Unobserved,
)
from deliverability.evidence.plugin import LANGUAGES
from deliverability.evidence.verdict import Outcome, Verdict
from deliverability.protocols.inbound import MAX_HOSTS, Inbound, each, listed, mail_hosts

NOW = datetime.now(UTC)
SHOP = Domain("shop.example")
CHECKS = (
    "mx-published",
    "mx-resolves",
    "starttls-offered",
    "mx-certificate-valid",
    "mta-sts-enforced",
    "tls-rpt-published",
    "dane-tlsa-matches",
    "ip-not-listed",
    "iprev-confirmed",
    "helo-resolves",
)
ASKED = frozenset({"smtp", "https", "dnsbl", "dnsbl:zen.example", "dnsbl:bl.example"})


def dns(name: str, rdtype: str, *records: Record, ad: bool = False) -> DnsAnswer:
    return DnsAnswer(DnsQuestion(name, rdtype), Rcode.NOERROR, records, name, 60, "192.0.2.53:53", NOW, ad)


def test_ten_thousand_servers() -> None:
    records = [Record(f"mx{i}.shop.example", preference=i % 7) for i in range(10_000)]
    found = mail_hosts(SHOP, Observations.of([dns("shop.example", "MX", *records)]))
    assert (found.kind, found.count, len(found.hosts)) == (Inbound.MX, 10_000, MAX_HOSTS)
    assert found.hosts[0] == "mx0.shop.example"
    assert len(listed(found.hosts, found.count)) < 300
    assert listed(found.hosts, found.count).endswith("(+9990)")


def test_the_same_server_twice_is_one() -> None:
    twice = [Record("MX1.shop.example.", preference=10), Record("mx1.shop.example", preference=20)]
    found = mail_hosts(SHOP, Observations.of([dns("shop.example", "MX", *twice)]))
    assert (found.hosts, found.count, found.null_among) == (("mx1.shop.example",), 1, False)


def test_what_all_items_miss_is_asked_at_once() -> None:
    have = Observations.of([dns("b.example", "A")])
    with pytest.raises(Unobserved) as missing:
        each(("a.example", "b.example", "c.example", "a.example"), lambda host: have.ask(host, "A"))
    assert missing.value.questions == (DnsQuestion("a.example", "A"), DnsQuestion("c.example", "A"))


def made_up(question: Question, random: Random, texts: list[str]) -> Observation:
    """An answer that nobody sane would give, or that somebody sane would."""
    if random.random() < 0.15:
        return CouldNotLook(question, random.choice(list(Obstacle)), random.choice(texts), "", NOW)
    text = random.choice(texts)
    octets = text.encode("utf-8", "surrogatepass")
    if isinstance(question, HttpsQuestion):
        policy = b"version: STSv1\nmode: enforce\nmx: *.example\nmax_age: 1\n"
        status = random.choice([200, 200, 301, 404, None])
        why = text if status is None else None
        return HttpsAnswer(question, status, text, random.choice([octets, policy, policy + octets]), why, NOW)
    if isinstance(question, SmtpProbe):
        tls = random.choice([None, "TLSv1.3"])
        return SmtpAnswer(question, text, text, (text,), random.random() < 0.8, tls, octets, (octets,) * 3, None, NOW)
    sane = {
        "MX": ["mx1.shop.example", "a.example", ""],
        "A": ["192.0.2.1", "127.0.0.2", "127.0.0.1"],
        "AAAA": ["2001:db8::1"],
        "PTR": ["out.example"],
        "TXT": ["v=STSv1; id=1;", "v=TLSRPTv1; rua=mailto:a@b.example"],
        "TLSA": ["3 1 1 " + "ab" * 32, "2 0 0 ab"],
    }
    pool = [*sane.get(question.rdtype, ["257 3 13 AAAA", "1 13 2 " + "ab" * 32]), text]
    values = [random.choice(pool) for _ in range(random.randint(0, 4))]
    records = (Record(value, (octets,), random.randint(0, 9)) for value in values)
    return replace(dns(question.name, question.rdtype, *records, ad=random.random() < 0.7), question=question)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    texts=st.lists(st.text(max_size=80) | st.text("v=STS1;TLRP:{}\n\x1b\u202e", max_size=30), min_size=1, max_size=5),
    helo=st.text(max_size=30) | st.sampled_from(["out.example", "[192.0.2.1]", "localhost"]),
    client_ip=st.sampled_from(["192.0.2.7", "2001:db8::7", "10.0.0.1", "nonsense", ""]),
)
def test_made_up_answers_give_a_ruling(seed: int, texts: list[str], helo: str, client_ip: str) -> None:
    random = Random(seed)
    observations = Observations()
    base = {
        "subject": Subject.DOMAIN,
        "assessed_at": NOW,
        "author_domain": Sourced(SHOP, Origin.OPTION),
        "client_ip": Sourced(client_ip, Origin.OPTION),
        "helo": Sourced(helo, Origin.OPTION),
        "asked_for": ASKED,
    }
    checks = [plugins.load("checks", name) for name in CHECKS]
    for _round in range(20):
        reached = assess.assess(Evidence(**base, observations=observations), checks)
        if not isinstance(reached, frozenset):
            break
        assert len(reached) < 200
        observations = observations.joined(made_up(q, random, texts) for q in sorted(reached, key=str))
    else:
        raise AssertionError("the checks ask without end")
    assert [verdict.check for verdict in reached.verdicts] == list(CHECKS)
    for verdict in reached.verdicts:
        said_in_full(verdict)


def said_in_full(verdict: Verdict) -> None:
    assert verdict.outcome is not Outcome.ERROR, (verdict.check, verdict.ruling)
    for lang in LANGUAGES:
        assert verdict.sentence(lang)
        assert len(verdict.sentence(lang)) < 3000
        assert all(verdict.details(lang))
