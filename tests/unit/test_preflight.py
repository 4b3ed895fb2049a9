"""Messages and addresses before anything is sent: one answer for each, whatever comes."""

import asyncio
import base64
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deliverability.api.preflight import (
    assess_address,
    assess_message,
    check_address,
    check_message,
    load_provider,
    rules_of,
)
from deliverability.api.requests import Network, Request
from deliverability.errors import UsageError
from deliverability.evidence.bundle import Assessment
from deliverability.evidence.observation import DnsAnswer, Question, Rcode, Record
from deliverability.evidence.plugin import LANGUAGES
from deliverability.evidence.verdict import Outcome

CASES = Path(__file__).parents[1] / "cases" / "checks"
NOW = datetime(2026, 11, 22, 0, 0, tzinfo=UTC)
OFFLINE = Request(network=Network(offline=True), now=NOW)


def outcomes(assessment: Assessment) -> dict[str, str]:
    return {verdict.check: verdict.outcome.value for verdict in assessment.verdicts}


def signed() -> tuple[bytes, dict]:
    """A message with one-click unsubscription and a signature over it, and the zone that it needs."""
    case = tomllib.loads((CASES / "one-click-unsubscribe" / "pass.toml").read_text(encoding="utf-8"))
    zone = dict(case["zone"])
    zone["host.example TXT"] = ["v=spf1 ip4:192.0.2.10 -all"]
    zone["_dmarc.host.example TXT"] = ["v=DMARC1; p=none"]
    zone["10.2.0.192.in-addr.arpa PTR"] = ["out.host.example"]
    zone["out.host.example A"] = ["192.0.2.10"]
    return case["evidence"]["message"].encode(), zone


def observer(zone: dict):
    asked: list[Question] = []

    async def observe(questions):
        asked.extend(questions)
        answers = []
        for question in questions:
            said = zone.get(str(question), [])
            exists = any(name.split(" ")[0].endswith(question.name) for name in zone)
            records = tuple(
                Record(
                    text, (text.encode(),) if question.rdtype == "TXT" else (), 10 if question.rdtype == "MX" else None
                )
                for text in said
            )
            code = Rcode.NOERROR if exists else Rcode.NXDOMAIN
            answers.append(DnsAnswer(question, code, records, question.name, 300, "192.0.2.53:53", NOW))
        return tuple(answers)

    return observe, asked


def preflight(mail: bytes, zone: dict, *, bulk: bool | None = True, **given) -> Assessment:
    request = Request(now=NOW, **given).checked()
    return asyncio.run(assess_message(request, mail, observer(zone)[0], NOW, bulk=bulk))


FULL = {"from_ip": "192.0.2.10", "helo": "out.host.example", "sender": "bounce@host.example"}


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("gmail", "gmail"),
        ("Google", "gmail"),
        ("gmail.com", "gmail"),
        ("outlook", "outlook-com"),
        ("hotmail.com", "outlook-com"),
        ("apple", "icloud"),
        ("me.com", "icloud"),
        ("aol", "yahoo"),
        ("yahoo.com.tw", "yahoo-tw"),
    ],
)
def test_a_provider_goes_by_other_names_and_by_its_domains(name: str, provider: str) -> None:
    assert load_provider(name).id == provider


def test_a_good_message_holds_every_rule_that_can_be_seen() -> None:
    mail, zone = signed()
    found = preflight(mail, zone, **FULL)
    seen = outcomes(found)
    for check in (
        "required-headers-once", "one-author", "lines-within-limit", "eight-bit-declared", "encoded-words-valid",
        "mime-readable", "one-click-unsubscribe", "size-within-common-limits", "content-facts",
        "dkim-pass", "dkim-aligned", "dmarc-pass", "dmarc-published", "spf-pass", "iprev-confirmed",
    ):  # fmt: skip
        assert seen[check] == "pass", (check, [v.sentence("en") for v in found.verdicts if v.check == check])
    assert len(seen) == len(found.verdicts), "each check once"
    for provider in ("gmail", "yahoo", "yahoo-tw", "outlook-com", "icloud"):
        for verdict in rules_of(load_provider(provider), [found]):
            expected = Outcome.PASS if verdict.rule.visible else Outcome.INDETERMINATE
            if verdict.rule.author_domains:
                expected = Outcome.NOT_APPLICABLE  # it speaks of mail from the provider's own domain
            assert verdict.outcome is expected, verdict.rule.id


def test_dmarc_by_dkim_alone_still_breaks_microsofts_rule() -> None:
    mail, zone = signed()
    found = preflight(mail, zone, **FULL | {"from_ip": "192.0.2.99"})
    assert outcomes(found)["dmarc-pass"] == "pass"
    microsoft = {v.rule.id: v for v in rules_of(load_provider("outlook-com"), [found])}
    assert microsoft["spf-and-dkim"].outcome is Outcome.FAIL
    assert microsoft["dmarc"].outcome is Outcome.PASS
    gmail = {v.rule.id: v.outcome for v in rules_of(load_provider("gmail"), [found])}
    assert gmail["spf-or-dkim"] is Outcome.PASS
    assert gmail["reverse-dns"] is Outcome.FAIL


def test_what_is_missing_is_said_and_nothing_fails_for_it() -> None:
    mail, zone = signed()
    found = preflight(mail, zone, bulk=None)
    by_check = {verdict.check: verdict for verdict in found.verdicts}
    assert by_check["spf-pass"].outcome is Outcome.INDETERMINATE
    assert "--from-ip" in by_check["spf-pass"].sentence("en")
    assert "--bulk" in by_check["one-click-unsubscribe"].sentence("en")
    assert not [check for check, outcome in outcomes(found).items() if outcome in ("fail", "error")]


def test_a_transactional_message_says_nothing_of_how_much_its_sender_sends() -> None:
    mail, zone = signed()
    found = preflight(mail, zone, bulk=False, **FULL | {"from_ip": "192.0.2.99"})
    assert outcomes(found)["one-click-unsubscribe"] == "not-applicable"
    microsoft = {v.rule.id: v for v in rules_of(load_provider("outlook-com"), [found])}
    assert microsoft["spf-and-dkim"].ruling.finding.code == "broken-if-bulk"


def test_the_return_path_of_a_copy_is_the_envelope_sender() -> None:
    mail, zone = signed()
    found = preflight(b"Return-Path: <bounce@host.example>\n" + mail, zone, from_ip="192.0.2.10")
    assert found.evidence.reverse_path
    assert (found.evidence.reverse_path.value, outcomes(found)["spf-pass"]) == ("bounce@host.example", "pass")


def test_offline_nothing_is_asked_and_nothing_fails() -> None:
    mail, _ = signed()
    found = check_message(mail, OFFLINE, bulk=True)
    assert outcomes(found)["dkim-pass"] == "indeterminate"
    assert "fail" not in outcomes(found).values()


def nested(depth: int) -> bytes:
    return b"From: a@b.example\nMIME-Version: 1.0\n" + b"Content-Type: message/rfc822\n\n" * depth


@pytest.mark.parametrize(
    "mail",
    [
        b"",
        b"\0",
        b"hello",
        b"\n\n",
        b"Subject: " + b"x" * (1 << 20) + b"\n\n",
        b"A: b\n" * 100_000,
        nested(5000),
        b"From: " + b"(" * 60_000 + b"\n\n",
        b"DKIM-Signature: " + b"v=1;" * 5000 + b"\nFrom: a@b.example\n\n",
        b"From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n" * 200_000,
        bytes(range(256)) * 400,
        b"From: a@b.example\nDate: \xff\nMessage-ID: <\xff>\nSubject: =?utf-8?B?\xff?=\n\n\xff",
        base64.b64encode(bytes(range(256))) * 3000,
    ],
    ids=range(13),
)
def test_hostile_messages_are_findings(mail: bytes) -> None:
    found = check_message(mail, OFFLINE, bulk=True)
    assert "error" not in outcomes(found).values(), [v.sentence("en") for v in found.verdicts]
    for verdict in found.verdicts:
        for lang in LANGUAGES:
            assert verdict.sentence(lang)
            verdict.details(lang)


# --- addresses


def preflight_address(text: str, zone: dict, about: str | None = None) -> Assessment:
    return asyncio.run(assess_address(Request(now=NOW), text, observer(zone)[0], NOW, about=about))


def test_a_good_address() -> None:
    zone = {"hinet.net MX": ["mx.hinet.net"], "mx.hinet.net A": ["192.0.2.25"]}
    found = preflight_address("mei@hinet.net", zone, "shop.example")
    assert set(outcomes(found).values()) == {"pass"}
    assert found.provider == "hinet"


def test_an_address_on_the_domain_that_lapses() -> None:
    zone = {"shop.example MX": ["mx.shop.example"], "mx.shop.example A": ["192.0.2.25"]}
    found = outcomes(preflight_address("mei@shop.example", zone, "Shop.Example."))
    assert (found["reachable-when-about-expires"], found["domain-accepts-mail"]) == ("fail", "pass")


def test_hints_decide_no_exit_status() -> None:
    found = preflight_address("info@mailinator.com", {"mailinator.com A": ["192.0.2.1"]})
    hints = {v.check for v in found.verdicts if v.advisory}
    assert {"no-likely-typo", "not-a-role-address", "not-disposable"} <= hints
    assert all(v.outcome is not Outcome.FAIL for v in found.verdicts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "a@",
        "@b",
        "a@[",
        "a" * 10_000,
        "a@" + "b." * 5000,
        "\0@\r\n",
        "a@b@c",
        "a@\ud800",
        "名@",
        '"@b.example',
        "a@[IPv6:::::]",
    ],
)
def test_what_is_no_address_is_a_finding(text: str) -> None:
    found = check_address(text, OFFLINE, about="shop.example")
    seen = outcomes(found)
    assert seen["address-well-formed"] == "fail"
    assert set(seen.values()) <= {"fail", "not-applicable"}


def test_about_that_is_no_domain_is_the_callers_mistake() -> None:
    with pytest.raises(UsageError, match="--about"):
        check_address("mei@mail.example", OFFLINE, about="no domain")


def test_blocking_twins_refuse_to_run_inside_a_loop() -> None:
    async def inside() -> None:
        with pytest.raises(UsageError, match="check_message_async"):
            check_message(b"", OFFLINE)
        with pytest.raises(UsageError, match="check_address_async"):
            check_address("a@b.example", OFFLINE)

    asyncio.run(inside())
