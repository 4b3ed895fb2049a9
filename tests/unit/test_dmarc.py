"""DMARC: records, tree walks, organizational domains, policies and alignment, as RFC 9989 has them."""

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
from deliverability.protocols.dmarc import (
    AlignmentState,
    DmarcPolicy,
    Policy,
    PolicyState,
    aligned,
    discover_policy,
    organizational_domain,
    parse_record,
    walk_names,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Zone(dict):
    """Records by name; evaluates, answering what is missing."""

    def look(self, question: DnsQuestion) -> DnsAnswer | CouldNotLook:
        said = self.get(question.name)
        if isinstance(said, str):
            return CouldNotLook(question, Obstacle(said), said, "test", NOW)
        exists = said is not None or any(name.endswith("." + question.name) for name in self)
        records = tuple(Record(text, (text[:7].encode(), text[7:].encode())) for text in said or ())
        return DnsAnswer(question, Rcode.NOERROR if exists else Rcode.NXDOMAIN, records, question.name, 60, "t", NOW)

    def settle(self, evaluate):
        observations, self.rounds = Observations(), 0
        while True:
            try:
                return evaluate(observations)
            except Unobserved as missing:
                wanted = missing.questions
            self.rounds += 1
            assert self.rounds < 5
            observations = observations.joined(self.look(question) for question in wanted)

    def policy(self, author: str) -> DmarcPolicy:
        return self.settle(lambda observations: discover_policy(Domain(author), observations))

    def organization(self, name: str) -> tuple[str | None, str]:
        found = self.settle(lambda observations: organizational_domain(Domain(name), observations))
        return (found.domain.name if found.domain else None, found.basis)

    def aligned(self, identifier: str, author: str, *, strict: bool = False) -> AlignmentState:
        names = Domain(identifier), Domain(author)
        return self.settle(lambda observations: aligned(*names, observations, strict=strict)).state


def zone(**records: str | list[str]) -> Zone:
    """``a_example="v=…"`` stands at ``_dmarc.a.example``."""
    return Zone(
        {
            f"_dmarc.{name.replace('_', '.')}": [text] if isinstance(text, str) else text
            for name, text in records.items()
        }
    )


def test_a_record_in_full() -> None:
    found = parse_record(
        b"v=DMARC1; p=reject; sp=quarantine; np=none; adkim=s; aspf=s; psd=n; t=y; rua=mailto:a@x.example,https://y.example!10m; pct=20; x"
    )
    assert found is not None
    assert (found.p, found.sp, found.np) == (Policy.REJECT, Policy.QUARANTINE, Policy.NONE)
    assert (found.strict_dkim, found.strict_spf, found.psd, found.testing) == (True, True, "n", True)
    assert found.rua == ("mailto:a@x.example", "https://y.example!10m")


@pytest.mark.parametrize(
    "text",
    [
        b"v = DMARC1 ;p=none",
        b"v=DMARC1",
        b"v=DMARC1;",
        b"V=DMARC1;P=None",
        b"v=DMARC1; p=none; p=reject",
        b"v=DMARC1; \xff=\xfe;;;= =",
        b"v=DMARC1;" + b"a=b;" * 1000,
    ],
)
def test_records_that_are_read(text: bytes) -> None:
    found = parse_record(text)
    assert found is not None
    assert found.p in (None, Policy.NONE)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"v=dmarc1; p=none",
        b" v=DMARC1; p=none",
        b"p=none; v=DMARC1",
        b"v=DMARC12; p=none",
        b"v=DMARC1 p=none",
        b"v=DMARC1;" + b"x" * 66000,
        b"v=spf1 -all",
    ],
)
def test_what_is_no_record_of_this_version(text: bytes) -> None:
    assert parse_record(text) is None


def test_the_walk_of_the_rfc() -> None:
    """RFC 9989 §4.10: thirteen labels, eight queries."""
    names = [name.name for name in walk_names(Domain("a.b.c.d.e.f.g.h.i.j.mail.example.com"))]
    tail = ["g.h.i.j.mail.example.com", "h.i.j.mail.example.com", "i.j.mail.example.com", "j.mail.example.com"]
    assert names == ["a.b.c.d.e.f.g.h.i.j.mail.example.com", *tail, "mail.example.com", "example.com", "com"]


@pytest.mark.parametrize(("labels", "queries"), [(1, 1), (2, 2), (7, 7), (8, 8), (9, 8), (30, 8)])
def test_the_walk_never_takes_more_than_eight_queries(labels: int, queries: int) -> None:
    assert len(walk_names(Domain(".".join(["a"] * labels)))) == queries


@pytest.mark.parametrize(
    ("records", "name", "organization"),
    [
        # RFC 9989 §4.10.2, the three examples
        (
            {"mail_example_com": "v=DMARC1", "example_com": "v=DMARC1"},
            "a.mail.example.com",
            ("example.com", "fewest-labels"),
        ),
        ({"mail_example_com": "v=DMARC1; psd=n"}, "a.mail.example.com", ("mail.example.com", "psd=n")),
        ({"com": "v=DMARC1; psd=y"}, "a.mail.example.com", ("example.com", "psd=y")),
        # Appendix B.4.3
        (
            {"bank_example": "v=DMARC1; psd=y", "giant_bank_example": "v=DMARC1"},
            "mail.mega.bank.example",
            ("mega.bank.example", "psd=y"),
        ),
        (
            {"bank_example": "v=DMARC1; psd=y", "giant_bank_example": "v=DMARC1"},
            "mail.giant.bank.example",
            ("giant.bank.example", "psd=y"),
        ),
        # psd=n ends the walk below a record with fewer labels
        ({"b_a_example": "v=DMARC1; psd=n", "a_example": "v=DMARC1"}, "c.b.a.example", ("b.a.example", "psd=n")),
        # psd=y at the very name that the walk starts from
        ({"bank_example": "v=DMARC1; psd=y"}, "bank.example", ("bank.example", "fewest-labels")),
        ({}, "a.host.example", ("a.host.example", "itself")),
        # several records at one name are all discarded, and the walk goes on
        (
            {"b_a_example": ["v=DMARC1; psd=n", "v=DMARC1"], "a_example": "v=DMARC1"},
            "b.a.example",
            ("a.example", "fewest-labels"),
        ),
        ({"a_example": ["v=DMARC1", "google-verification"]}, "b.a.example", ("a.example", "fewest-labels")),
    ],
)
def test_organizational_domains(records: dict, name: str, organization: tuple[str, str]) -> None:
    assert zone(**records).organization(name) == organization


def test_silence_on_the_way_leaves_the_organization_open() -> None:
    found = Zone({"_dmarc.host.example": ["v=DMARC1"], "_dmarc.example": "timeout"})
    assert found.organization("a.host.example") == (None, "could-not-look")
    closed = Zone({"_dmarc.host.example": ["v=DMARC1; psd=n"], "_dmarc.example": "timeout"})
    assert closed.organization("a.host.example") == ("host.example", "psd=n")


def test_one_round_is_enough_for_both_walks() -> None:
    found = zone(host_example="v=DMARC1")
    assert found.aligned("bounce.host.example", "news.host.example") is AlignmentState.ALIGNED
    assert found.rounds == 1


@pytest.mark.parametrize(
    ("record", "published", "effective"),
    [
        ("v=DMARC1; p=reject", Policy.REJECT, Policy.REJECT),
        ("v=DMARC1; p=reject; t=y", Policy.REJECT, Policy.QUARANTINE),
        ("v=DMARC1; p=quarantine; t=y", Policy.QUARANTINE, Policy.NONE),
        ("v=DMARC1; p=none; t=y", Policy.NONE, Policy.NONE),
        ("v=DMARC1; p=bogus; rua=mailto:a@b.example", Policy.NONE, Policy.NONE),
        ("v=DMARC1; p=reject; sp=bogus; rua=mailto:a@b.example", Policy.NONE, Policy.NONE),
        ("v=DMARC1; rua=mailto:a@b.example", Policy.NONE, Policy.NONE),
    ],
)
def test_the_policy_of_the_author_domain_itself(record: str, published: Policy, effective: Policy) -> None:
    found = zone(host_example=record).policy("host.example")
    assert (found.state, found.published, found.effective) == (PolicyState.FOUND, published, effective)
    assert found.enforced == (effective is not Policy.NONE)


@pytest.mark.parametrize(
    "record", ["v=DMARC1", "v=DMARC1; p=bogus", "v=DMARC1; p=bogus; rua=nonsense", "v=DMARC1; p=reject; np=x"]
)
def test_a_record_without_policy_and_without_address_is_no_dmarc(record: str) -> None:
    assert zone(host_example=record).policy("host.example").state is PolicyState.UNUSABLE


@pytest.mark.parametrize(
    ("record", "author", "tag", "policy"),
    [
        ("v=DMARC1; p=reject", "here.host.example", "p", Policy.REJECT),
        ("v=DMARC1; p=reject; sp=none", "here.host.example", "sp", Policy.NONE),
        ("v=DMARC1; p=none; sp=quarantine; np=reject", "here.host.example", "sp", Policy.QUARANTINE),
        ("v=DMARC1; p=none; sp=quarantine; np=reject", "gone.host.example", "np", Policy.REJECT),
        ("v=DMARC1; p=none; sp=quarantine", "gone.host.example", "sp", Policy.QUARANTINE),
        ("v=DMARC1; p=none; np=reject", "host.example", "p", Policy.NONE),
    ],
)
def test_the_policy_of_a_subdomain(record: str, author: str, tag: str, policy: Policy) -> None:
    found = Zone({"_dmarc.host.example": [record], "here.host.example": ["x"]}).policy(author)
    assert (found.state, found.tag, found.published, found.domain) == (
        PolicyState.FOUND,
        tag,
        policy,
        Domain("host.example"),
    )


def test_a_record_between_author_and_organization_is_not_the_policy() -> None:
    found = zone(mail_host_example="v=DMARC1; p=reject", host_example="v=DMARC1; p=none").policy("a.mail.host.example")
    assert found.domain == Domain("host.example")


def test_the_public_suffix_speaks_only_where_the_organization_is_silent() -> None:
    suffix = {"bank_example": "v=DMARC1; p=reject; psd=y"}
    assert zone(**suffix).policy("mail.giant.bank.example").domain == Domain("bank.example")
    both = zone(**suffix, giant_bank_example="v=DMARC1; p=none")
    assert both.policy("mail.giant.bank.example").domain == Domain("giant.bank.example")


def test_no_record_and_no_answer_are_different() -> None:
    assert zone().policy("a.host.example").state is PolicyState.NONE
    for silent in ("_dmarc.a.host.example", "_dmarc.host.example", "_dmarc.example"):
        for obstacle in ("timeout", "servfail", "refused"):
            found = Zone({silent: obstacle}).policy("a.host.example")
            assert found.state is PolicyState.COULD_NOT_LOOK
            assert found.obstacle is not None
            assert found.obstacle.obstacle == obstacle


def test_silence_above_does_not_hide_the_record_of_the_author_domain() -> None:
    found = Zone({"_dmarc.host.example": ["v=DMARC1; p=reject"], "_dmarc.example": "timeout"}).policy("host.example")
    assert (found.state, found.effective) == (PolicyState.FOUND, Policy.REJECT)


def test_whether_the_author_domain_exists_may_be_unknown() -> None:
    found = Zone({"_dmarc.host.example": ["v=DMARC1; p=none; np=reject"], "a.host.example": "timeout"})
    assert found.policy("a.host.example").state is PolicyState.COULD_NOT_LOOK


def test_discarded_records_are_named() -> None:
    found = zone(host_example=["v=DMARC1; p=none", "v=DMARC1; p=reject"]).policy("host.example")
    assert (found.state, found.discarded) == (PolicyState.NONE, (Domain("host.example"),))


@pytest.mark.parametrize(
    ("identifier", "author", "strict", "state"),
    [
        ("host.example", "host.example", True, AlignmentState.ALIGNED),
        ("a.host.example", "host.example", True, AlignmentState.NOT_ALIGNED),
        ("a.host.example", "host.example", False, AlignmentState.ALIGNED),
        ("a.host.example", "b.host.example", False, AlignmentState.ALIGNED),
        ("esp.example", "host.example", False, AlignmentState.NOT_ALIGNED),
        ("nothost.example", "host.example", False, AlignmentState.NOT_ALIGNED),
    ],
)
def test_alignment(identifier: str, author: str, strict: bool, state: AlignmentState) -> None:
    assert zone(host_example="v=DMARC1; p=none").aligned(identifier, author, strict=strict) is state


def test_alignment_that_nobody_could_look_up() -> None:
    assert (
        Zone({"_dmarc.a.host.example": "servfail"}).aligned("a.host.example", "host.example")
        is AlignmentState.COULD_NOT_LOOK
    )
    assert Zone({"_dmarc.host.example": "servfail"}).aligned("host.example", "host.example") is AlignmentState.ALIGNED


def test_a_record_of_forty_kilobytes_is_a_record() -> None:
    """Too long for comfort, and still published: never "no record applies"."""
    filler = "; ".join(f"x{i}=y" for i in range(6000))
    record = parse_record(f"v=DMARC1; p=reject; {filler}".encode())
    assert record is not None
    assert record.p is not None
