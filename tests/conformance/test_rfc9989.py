"""RFC 9989: every branch of the tree walk, of policy discovery and of alignment, and the document's worked examples.

No public suite in a neutral form exists; each row names the sentence that it tests.  (The text read is
draft-ietf-dmarc-dmarcbis-41, the last before publication.)
"""

from dataclasses import dataclass, field
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
from deliverability.protocols.dmarc import aligned, discover_policy, organizational_domain, walk_names

NOW = datetime(2026, 11, 22, tzinfo=UTC)
Zone = dict[str, list[str] | str]


def settle(zone: Zone, evaluate):
    """Answer as a resolver would: a name exists if it, or one below it, has anything."""
    observations = Observations()
    for _round in range(6):
        try:
            return evaluate(observations)
        except Unobserved as missing:
            wanted = [q for q in missing.questions if isinstance(q, DnsQuestion)]
        observations = observations.joined(look(zone, question) for question in wanted)
    raise AssertionError("asks without end")


def look(zone: Zone, question: DnsQuestion) -> DnsAnswer | CouldNotLook:
    said = zone.get(question.name)
    if isinstance(said, str):
        return CouldNotLook(question, Obstacle(said), said, "test", NOW)
    exists = any(name == question.name or name.endswith("." + question.name) for name in zone)
    records = tuple(Record(t, (t.encode(),)) for t in said or ()) if question.rdtype == "TXT" else ()
    return DnsAnswer(question, Rcode.NOERROR if exists else Rcode.NXDOMAIN, records, question.name, 60, "test", NOW)


def zone(published: dict[str, str | list[str]], *names: str) -> Zone:
    """DMARC records by domain; ``names`` exist without one; a value without "=" is an obstacle."""
    found: Zone = {}
    for domain, said in published.items():
        plain = isinstance(said, str)
        found[f"_dmarc.{domain}"] = said if plain and "=" not in said else [said] if plain else said
    return {**found, **{name: [] for name in names}}


# --- §4.10: which names are asked ---------------------------------------------------------------------------------

WALKS = {
    "one label": ("example", ["example"]),
    "two labels": ("host.example", ["host.example", "example"]),
    "the document's own example: thirteen labels, eight queries": (
        "a.b.c.d.e.f.g.h.i.j.mail.example.com",
        [
            "a.b.c.d.e.f.g.h.i.j.mail.example.com",
            "g.h.i.j.mail.example.com",
            "h.i.j.mail.example.com",
            "i.j.mail.example.com",
            "j.mail.example.com",
            "mail.example.com",
            "example.com",
            "com",
        ],
    ),
    "seven labels: no jump, seven queries": (
        "a.b.c.d.e.f.g",
        ["a.b.c.d.e.f.g", "b.c.d.e.f.g", "c.d.e.f.g", "d.e.f.g", "e.f.g", "f.g", "g"],
    ),
    "eight labels: step 4 leaves seven": (
        "a.b.c.d.e.f.g.h",
        ["a.b.c.d.e.f.g.h", "b.c.d.e.f.g.h", "c.d.e.f.g.h", "d.e.f.g.h", "e.f.g.h", "f.g.h", "g.h", "h"],
    ),
    "nine labels: the second name is skipped": (
        "a.b.c.d.e.f.g.h.i",
        ["a.b.c.d.e.f.g.h.i", "c.d.e.f.g.h.i", "d.e.f.g.h.i", "e.f.g.h.i", "f.g.h.i", "g.h.i", "h.i", "i"],
    ),
}


@pytest.mark.parametrize("row", WALKS)
def test_walk(row: str) -> None:
    domain, names = WALKS[row]
    assert [name.name for name in walk_names(Domain(domain))] == names


# --- §4.10.2: the organizational domain -------------------------------------------------------------------------------

R = "v=DMARC1; p=reject"
ORGANIZATIONS = {
    "no record anywhere: itself": ("a.host.example", {}, "a.host.example"),
    "a record at itself alone": ("host.example", {"host.example": R}, "host.example"),
    "a record above": ("a.b.host.example", {"host.example": R}, "host.example"),
    "fewest labels wins": ("a.b.host.example", {"b.host.example": R, "host.example": R}, "host.example"),
    "psd=n ends the walk": ("a.b.host.example", {"b.host.example": f"{R}; psd=n", "host.example": R}, "b.host.example"),
    "psd=n at the start": ("b.host.example", {"b.host.example": f"{R}; psd=n", "host.example": R}, "b.host.example"),
    "psd=y: one label below": ("a.giant.bank.example", {"bank.example": f"{R}; psd=y"}, "giant.bank.example"),
    "psd=y directly above": ("giant.bank.example", {"bank.example": f"{R}; psd=y"}, "giant.bank.example"),
    "psd=y wins over a record between": (
        "a.b.giant.bank.example",
        {"bank.example": f"{R}; psd=y", "b.giant.bank.example": R},
        "giant.bank.example",
    ),
    "psd=y at the start does not count as a psd": ("bank.example", {"bank.example": f"{R}; psd=y"}, "bank.example"),
    "psd=y at the start ends the walk": ("bank.example", {"bank.example": f"{R}; psd=y", "example": R}, "bank.example"),
    "psd=n below psd=y": (
        "a.giant.bank.example",
        {"bank.example": f"{R}; psd=y", "giant.bank.example": f"{R}; psd=n"},
        "giant.bank.example",
    ),
    "psd=n above psd=y is never reached": (
        "a.giant.bank.example",
        {"bank.example": f"{R}; psd=y", "example": f"{R}; psd=n"},
        "giant.bank.example",
    ),
    "psd=u is the default": ("a.b.host.example", {"b.host.example": f"{R}; psd=u", "host.example": R}, "host.example"),
    "psd of unknown value counts as u": (
        "a.b.host.example",
        {"b.host.example": f"{R}; psd=maybe", "host.example": R},
        "host.example",
    ),
    "several records are all discarded": (
        "a.host.example",
        {"a.host.example": [R, R], "host.example": R},
        "host.example",
    ),
    "several records, one psd=n: still discarded": (
        "a.b.host.example",
        {"b.host.example": [f"{R}; psd=n", R], "host.example": R},
        "host.example",
    ),
    "another version is discarded": ("a.host.example", {"a.host.example": "v=DMARC2; p=none"}, "a.host.example"),
    "v not first is discarded": ("a.host.example", {"a.host.example": "p=none; v=DMARC1"}, "a.host.example"),
    "v is case-sensitive": ("a.host.example", {"a.host.example": "v=dmarc1; p=none"}, "a.host.example"),
    "a longer version is another version": (
        "a.host.example",
        {"a.host.example": "v=DMARC1x; p=none"},
        "a.host.example",
    ),
    "other TXT beside it is discarded": (
        "a.host.example",
        {"a.host.example": ["note=1", R], "host.example": "note=2"},
        "a.host.example",
    ),
    "no answer above: nobody can say": ("a.host.example", {"a.host.example": R, "host.example": "servfail"}, None),
    "no answer above psd=n does not matter": (
        "a.host.example",
        {"a.host.example": f"{R}; psd=n", "host.example": "servfail"},
        "a.host.example",
    ),
}


@pytest.mark.parametrize("row", ORGANIZATIONS)
def test_organizational_domain(row: str) -> None:
    domain, published, expected = ORGANIZATIONS[row]
    found = settle(zone(published), lambda observations: organizational_domain(Domain(domain), observations))
    assert (found.domain.name if found.domain else None) == expected


# --- §4.10.1, §4.7: the policy ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    author: str
    published: dict[str, str | list[str]]
    expected: tuple[str, str | None, str | None, str | None]
    """State, where the record stands, the published policy, the effective one."""
    exists: tuple[str, ...] = field(default=())


NONE = ("none", None, None, None)
UP = "host.example"
POLICIES = {
    "nothing at all": Row(UP, {}, NONE),
    "p at the author domain": Row(UP, {UP: R}, ("found", UP, "reject", "reject")),
    "sp is not for the domain itself": Row(UP, {UP: f"{R}; sp=none"}, ("found", UP, "reject", "reject")),
    "np is not for the domain itself": Row(UP, {UP: f"{R}; np=none"}, ("found", UP, "reject", "reject")),
    "a subdomain's own record wins": Row(
        "a.host.example",
        {UP: R, "a.host.example": "v=DMARC1; p=none"},
        ("found", "a.host.example", "none", "none"),
    ),
    "sp of a subdomain's own record is not for itself": Row(
        "a.host.example",
        {"a.host.example": "v=DMARC1; p=none; sp=reject"},
        ("found", "a.host.example", "none", "none"),
    ),
    "p for a subdomain without sp": Row(
        "a.host.example", {UP: R}, ("found", UP, "reject", "reject"), ("a.host.example",)
    ),
    "sp for one that exists": Row(
        "a.host.example",
        {UP: f"{R}; sp=quarantine; np=none"},
        ("found", UP, "quarantine", "quarantine"),
        ("a.host.example",),
    ),
    "np for one that does not": Row(
        "a.host.example", {UP: f"{R}; sp=quarantine; np=none"}, ("found", UP, "none", "none")
    ),
    "one with a name below it exists": Row(
        "a.host.example",
        {UP: f"{R}; sp=quarantine; np=none"},
        ("found", UP, "quarantine", "quarantine"),
        ("b.a.host.example",),
    ),
    "without np, sp for one that does not exist": Row(
        "a.host.example", {UP: f"{R}; sp=quarantine"}, ("found", UP, "quarantine", "quarantine")
    ),
    "without sp, np alone for one that does not exist": Row(
        "a.host.example", {UP: "v=DMARC1; p=none; np=reject"}, ("found", UP, "reject", "reject")
    ),
    "without sp, p for one that exists": Row(
        "a.host.example", {UP: "v=DMARC1; p=none; np=reject"}, ("found", UP, "none", "none"), ("a.host.example",)
    ),
    "a record between author and organization does not apply": Row(
        "a.b.host.example",
        {"b.host.example": "v=DMARC1; p=none", UP: R},
        ("found", UP, "reject", "reject"),
        ("a.b.host.example",),
    ),
    "psd policy where the organization has none": Row(
        "a.giant.bank.example",
        {"bank.example": "v=DMARC1; p=none; sp=reject; psd=y"},
        ("found", "bank.example", "reject", "reject"),
        ("a.giant.bank.example",),
    ),
    "psd np for an organization that does not exist": Row(
        "ghost.bank.example",
        {"bank.example": "v=DMARC1; p=none; sp=quarantine; np=reject; psd=y"},
        ("found", "bank.example", "reject", "reject"),
    ),
    "psd policy is not used where the organization has one": Row(
        "a.giant.bank.example",
        {"bank.example": f"{R}; psd=y", "giant.bank.example": "v=DMARC1; p=none"},
        ("found", "giant.bank.example", "none", "none"),
        ("a.giant.bank.example",),
    ),
    "psd policy, with a record between that is neither": Row(
        "a.b.giant.bank.example",
        {"bank.example": f"{R}; psd=y", "b.giant.bank.example": "v=DMARC1; p=none"},
        ("found", "bank.example", "reject", "reject"),
        ("a.b.giant.bank.example",),
    ),
    "t=y lowers reject to quarantine": Row(UP, {UP: f"{R}; t=y"}, ("found", UP, "reject", "quarantine")),
    "t=y lowers quarantine to none": Row(UP, {UP: "v=DMARC1; p=quarantine; t=y"}, ("found", UP, "quarantine", "none")),
    "t=y leaves none": Row(UP, {UP: "v=DMARC1; p=none; t=y"}, ("found", UP, "none", "none")),
    "t=y lowers sp too": Row(
        "a.host.example", {UP: f"{R}; sp=reject; t=y"}, ("found", UP, "reject", "quarantine"), ("a.host.example",)
    ),
    "t of unknown value counts as n": Row(UP, {UP: f"{R}; t=x"}, ("found", UP, "reject", "reject")),
    "pct is ignored": Row(UP, {UP: f"{R}; pct=0"}, ("found", UP, "reject", "reject")),
    "no p, no rua": Row(UP, {UP: "v=DMARC1; sp=reject"}, ("unusable", UP, None, None)),
    "no p, with rua: as if none": Row(UP, {UP: "v=DMARC1; rua=mailto:r@host.example"}, ("found", UP, "none", "none")),
    "invalid p, no rua": Row(UP, {UP: "v=DMARC1; p=rejct"}, ("unusable", UP, None, None)),
    "invalid p, with rua: as if none": Row(
        UP, {UP: "v=DMARC1; p=rejct; rua=mailto:r@host.example"}, ("found", UP, "none", "none")
    ),
    "invalid p, rua that is no URI": Row(
        UP, {UP: "v=DMARC1; p=rejct; rua=r@host.example"}, ("unusable", UP, None, None)
    ),
    "invalid p, one of two rua is a URI": Row(
        UP, {UP: "v=DMARC1; p=rejct; rua=r@host.example, mailto:r@host.example"}, ("found", UP, "none", "none")
    ),
    "invalid sp, with rua: as if none": Row(
        UP, {UP: f"{R}; sp=x; rua=mailto:r@host.example"}, ("found", UP, "none", "none")
    ),
    "invalid np, no rua": Row(UP, {UP: f"{R}; np=x"}, ("unusable", UP, None, None)),
    "invalid p above, with rua": Row(
        "a.host.example",
        {UP: "v=DMARC1; p=x; rua=mailto:r@host.example"},
        ("found", UP, "none", "none"),
        ("a.host.example",),
    ),
    "values in any case": Row(UP, {UP: "v=DMARC1; P=Reject"}, ("found", UP, "reject", "reject")),
    "unknown tags are ignored": Row(UP, {UP: f"{R}; zz=1; x"}, ("found", UP, "reject", "reject")),
    "blanks around everything": Row(UP, {UP: "v = DMARC1 ;  p = reject ;"}, ("found", UP, "reject", "reject")),
    "several at the author domain: discarded, the walk goes on": Row(
        "a.host.example",
        {"a.host.example": [R, R], UP: "v=DMARC1; p=quarantine"},
        ("found", UP, "quarantine", "quarantine"),
    ),
    "several at the only name": Row(UP, {UP: [R, R]}, NONE),
    "no answer at the author domain": Row(UP, {UP: "timeout"}, ("could-not-look", None, None, None)),
    "no answer above, with a record at the author domain": Row(
        "a.host.example", {"a.host.example": R, UP: "servfail"}, ("found", "a.host.example", "reject", "reject")
    ),
    "no answer above, without one": Row("a.host.example", {UP: "servfail"}, ("could-not-look", None, None, None)),
    "eight labels and a record at the skipped name": Row(
        "a.b.c.d.e.f.g.host.example", {"b.c.d.e.f.g.host.example": R}, NONE
    ),
}


@pytest.mark.parametrize("row", POLICIES)
def test_policy(row: str) -> None:
    case = POLICIES[row]
    found = settle(
        zone(case.published, *case.exists), lambda observations: discover_policy(Domain(case.author), observations)
    )
    where = found.domain.name if found.domain else None
    assert (found.state, where, found.published, found.effective) == case.expected


# --- Appendix B -------------------------------------------------------------------------------------------------------

COM = {"example.com": R}
DEEP = {"example.com": R, "signing.example.com": R}
PSD = {"bank.example": f"{R}; psd=y", "giant.bank.example": R}
EXAMPLES = {
    "B.1.1 example 1": ("example.com", "example.com", COM, "aligned"),
    "B.1.1 example 2": ("child.example.com", "example.com", COM, "aligned"),
    "B.1.1 example 3": ("example.net", "child.example.com", COM, "not-aligned"),
    "B.1.2 example 2": ("example.com", "child.example.com", COM, "aligned"),
    "B.1.2 example 3": ("example.net", "child.example.com", COM, "not-aligned"),
    "B.4.1 SPF": ("example.com", "example.com", DEEP, "aligned"),
    "B.4.1 DKIM": ("signing.example.com", "example.com", DEEP, "aligned"),
    "B.4.2 SPF": ("example.com", "a.b.c.d.e.f.g.h.i.j.k.example.com", DEEP, "aligned"),
    "B.4.2 DKIM": ("signing.example.com", "a.b.c.d.e.f.g.h.i.j.k.example.com", DEEP, "aligned"),
    "B.4.3 SPF": ("mail.giant.bank.example", "giant.bank.example", PSD, "aligned"),
    "B.4.3 DKIM": ("mail.mega.bank.example", "giant.bank.example", PSD, "not-aligned"),
    "no answer about the identifier": (
        "x.example.net",
        "example.com",
        {**COM, "example.net": "timeout"},
        "could-not-look",
    ),
    "equal names need no DNS": ("host.example", "host.example", {"host.example": "servfail"}, "aligned"),
    "a psd=n between parts two names": (
        "a.host.example",
        "host.example",
        {"host.example": R, "a.host.example": f"{R}; psd=n"},
        "not-aligned",
    ),
}


@pytest.mark.parametrize("row", EXAMPLES)
def test_alignment(row: str) -> None:
    identifier, author, published, expected = EXAMPLES[row]
    found = settle(
        zone(published),
        lambda observations: aligned(Domain(identifier), Domain(author), observations, strict=False),
    )
    assert found.state == expected


@pytest.mark.parametrize(("identifier", "expected"), [("example.com", "aligned"), ("child.example.com", "not-aligned")])
def test_strict_alignment_compares_names(identifier: str, expected: str) -> None:
    assert aligned(Domain(identifier), Domain("example.com"), Observations(), strict=True).state == expected


def test_b_4_2_policy_domain_is_the_highest_with_a_record() -> None:
    author = Domain("a.b.c.d.e.f.g.h.i.j.k.example.com")
    found = settle(zone(DEEP), lambda observations: discover_policy(author, observations))
    assert found.domain == Domain("example.com")


def test_b_4_3_policy_domain_is_the_organization() -> None:
    found = settle(zone(PSD), lambda observations: discover_policy(Domain("giant.bank.example"), observations))
    assert found.domain == Domain("giant.bank.example")
