"""What strangers publish and send, at its worst: each check ends with a finding, soon, and in bounded memory."""

import base64
import tracemalloc
from datetime import UTC, datetime

import pytest
from bounded import hang_guard

from deliverability import assess, plugins
from deliverability.evidence.bundle import Assessment, Evidence, Origin, Sourced, Subject
from deliverability.evidence.exhibit import Exhibit
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import DnsAnswer, DnsQuestion, Observations, Rcode, Record
from deliverability.evidence.plugin import LANGUAGES
from deliverability.evidence.verdict import Outcome

NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
OCTETS = 100_000_000
CHECKS = [
    plugins.load("checks", name)
    for name in plugins.ids("checks")
    if name.split("-")[0] in ("spf", "dkim", "dmarc", "arc")
]
FIELDS = b"From: a@host.example\r\nTo: b@mail.example\r\nDate: Sun, 22 Nov 2026 05:00:00 +0000\r\n"


def records(question: DnsQuestion, texts: list[str]) -> tuple[Record, ...]:
    if question.rdtype == "TXT":
        return tuple(Record(t, tuple(t[i : i + 255].encode("latin-1") for i in range(0, len(t), 255))) for t in texts)
    return tuple(Record(t, preference=10 if question.rdtype == "MX" else None) for t in texts)


def judge(zone: dict[str, list[str]], mail: bytes | None = None, selectors: tuple[str, ...] = ("s1",)) -> Assessment:
    """Everything about SPF, DKIM, DMARC and ARC, with questions answered from ``zone`` ("* TXT" for any other name)."""
    base = {
        "subject": Subject.MESSAGE if mail else Subject.DOMAIN,
        "assessed_at": NOW,
        "author_domain": Sourced(Domain("host.example"), Origin.OPTION),
        "reverse_path": Sourced("postmaster@host.example", Origin.OPTION),
        "client_ip": Sourced("192.0.2.7", Origin.OPTION),
        "helo": Sourced("h.host.example", Origin.OPTION),
        "selectors": tuple(Sourced(s, Origin.OPTION) for s in selectors),
        "mail": Exhibit(mail, "message/rfc822", "test", NOW) if mail else None,
    }
    observations = Observations()
    tracemalloc.start()
    try:
        with hang_guard():
            for _round in range(60):
                found = assess.assess(Evidence(observations=observations, **base), CHECKS)
                if isinstance(found, Assessment):
                    break
                questions = [q for q in found if isinstance(q, DnsQuestion)]
                observations = observations.joined(answer(zone, question) for question in questions)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(found, Assessment)
    assert peak < OCTETS
    assert len(observations) < 600
    for verdict in found.verdicts:
        assert verdict.outcome is not Outcome.ERROR, (verdict.check, verdict.ruling)
        for lang in LANGUAGES:
            assert verdict.sentence(lang)
            assert len(verdict.details(lang)) == len(verdict.ruling.details)
        assert len(verdict.ruling.details) < 400
    return found


def answer(zone: dict[str, list[str]], question: DnsQuestion) -> DnsAnswer:
    texts = zone.get(str(question), zone.get(f"* {question.rdtype}", []))
    rcode = Rcode.NOERROR if texts else Rcode.NXDOMAIN
    return DnsAnswer(question, rcode, records(question, texts), question.name, 60, "test", NOW)


def code(found: Assessment, check: str) -> str:
    return next(v.ruling.finding.code for v in found.verdicts if v.check == check)


@pytest.mark.parametrize(
    "filler", ["a", " ", "a ", "%{", "/", ":", "=", ";", "\x00", "\xff", "include:", "ip4:1.2.3.4 "]
)
def test_records_of_sixty_kilobytes(filler: str) -> None:
    text = (filler * 60_000)[:60_000]
    found = judge(
        {
            "host.example TXT": ["v=spf1 " + text],
            "_dmarc.host.example TXT": ["v=DMARC1; p=none; rua=" + text],
            "s1._domainkey.host.example TXT": ["v=DKIM1; p=" + text],
        }
    )
    assert code(found, "dkim-key-published") == "malformed"
    assert code(found, "spf-published") in ("malformed", "published-neutral", "too-many-lookups")


def test_everything_is_a_record_of_everything() -> None:
    text = "v=spf1 include:%{d2}.example a mx ptr exists:%{i}.%{d} redirect=x.%{d} -all"
    judge({"* TXT": [text], "* MX": ["mx.example"], "* A": ["192.0.2.1"]})


def test_control_characters_reach_no_parser_and_no_structure() -> None:
    nasty = "\x1b]0;owned\x07\x00\r\n\t\x85\x9b"
    found = judge(
        {
            "host.example TXT": [f"v=spf1 a:{nasty} include:{nasty}.example exp={nasty} -all"],
            "_dmarc.host.example TXT": [f"v=DMARC1; p={nasty}; rua=mailto:{nasty}@x.example; {nasty}=1"],
            "s1._domainkey.host.example TXT": [f"v=DKIM1; k={nasty}; p=AA{nasty}"],
        }
    )
    for verdict in found.verdicts:
        for detail in verdict.ruling.details:
            assert all(value.isprintable() for value in detail.parameters.values()), detail


@pytest.mark.parametrize("term", ["include", "redirect"])
def test_loops(term: str) -> None:
    sign = "=" if term == "redirect" else ":"
    chain = {f"n{i}.example TXT": [f"v=spf1 {term}{sign}n{(i + 1) % 30}.example"] for i in range(30)}
    found = judge({"host.example TXT": [f"v=spf1 {term}{sign}n0.example"], **chain})
    assert code(found, "spf-published") == "loops"


def test_ten_thousand_mx() -> None:
    found = judge({"host.example TXT": ["v=spf1 mx -all"], "host.example MX": [f"m{i}.example" for i in range(10_000)]})
    assert code(found, "spf-published") == "many-mx"
    assert code(found, "spf-pass") == "permerror"


def test_ten_thousand_txt_records() -> None:
    many = [f"verification-{i}" for i in range(10_000)]
    found = judge({"host.example TXT": many, "_dmarc.host.example TXT": many, "s1._domainkey.host.example TXT": many})
    assert code(found, "dkim-key-published") == "malformed"
    assert code(found, "dmarc-published") == "none"


@pytest.mark.parametrize(
    "key",
    [
        "p=",
        "p=!!!",
        "p=AAAA",
        "k=ed25519; p=AAAA",
        "k=none; p=AAAA",
        "p=" + base64.b64encode(b"\x30\x82\xff\xff" + b"\x02" * 40).decode(),
        "p=" + base64.b64encode(b"\x30\x80" * 300).decode(),
        "p=" + base64.b64encode(bytes(5000)).decode(),
        "p=" + base64.b64encode(b"\x30\x06\x02\x01\x00\x02\x01\x00").decode(),
        "p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A",
        "v=DKIM2; p=AAAA",
        "p",
        ";" * 500,
    ],
)
def test_keys_that_are_not_keys(key: str) -> None:
    found = judge({"s1._domainkey.host.example TXT": ["v=DKIM1; " + key]})
    assert code(found, "dkim-key-published") in ("malformed", "revoked", "weak-key")


def test_a_header_of_a_megabyte() -> None:
    found = judge({}, FIELDS + b"X-Long: " + b"a" * 1_000_000 + b"\r\n\r\nbody\r\n")
    assert code(found, "dkim-pass") == "unreadable-message"
    assert code(found, "arc-chain-valid") == "unreadable-message"


@pytest.mark.parametrize(
    "name", [b"DKIM-Signature", b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"]
)
@pytest.mark.parametrize("filler", [b" ", b"\t\r\n ", b"i=1;", b"h=from:", b"\xff"])
def test_signature_fields_of_three_hundred_kilobytes(name: bytes, filler: bytes) -> None:
    value = (filler * (300_000 // len(filler)))[:300_000].rstrip(b"\r\n")
    judge({}, name + b": v=1; a=rsa-sha256; " + value + b"\r\n" + FIELDS + b"\r\nbody\r\n")


def test_two_thousand_signatures() -> None:
    one = b"DKIM-Signature: v=1; a=rsa-sha256; d=host.example; s=s1; h=from; bh=AAAA; b=AAAA\r\n"
    assert code(judge({}, one * 1900 + FIELDS + b"\r\nbody\r\n"), "dkim-pass") == "body-hash-mismatch"


def test_five_hundred_arc_sets() -> None:
    sets = b"".join(
        b"ARC-Seal: i=%d; a=rsa-sha256; cv=pass; d=x.example; s=k; b=AAAA\r\n"
        b"ARC-Message-Signature: i=%d; a=rsa-sha256; d=x.example; s=k; h=from; bh=AAAA; b=AAAA\r\n"
        b"ARC-Authentication-Results: i=%d; x.example; none\r\n" % (i, i, i)
        for i in range(500, 0, -1)
    )
    assert code(judge({}, sets + FIELDS + b"\r\nbody\r\n"), "arc-chain-valid") == "broken"


def test_a_body_of_blanks() -> None:
    message = b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=host.example; s=s1; h=from; bh=AAAA; b=AAAA\r\n"
    judge({}, message + FIELDS + b"\r\n" + b" \t" * 1_000_000 + b"x")


def test_reports_to_everybody() -> None:
    uris = ",".join(f"mailto:r@t{i}.example" for i in range(300))
    found = judge({"_dmarc.host.example TXT": [f"v=DMARC1; p=none; rua={uris}"]})
    assert code(found, "dmarc-reports-authorised") == "not-authorised"
