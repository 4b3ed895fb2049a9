"""Every check against its cases: a small zone, some evidence, and what has to be concluded from them.

A case is one TOML file under ``tests/cases/checks/<id>/``.  ``[zone]`` maps "name TYPE" to records, or to the
obstacle that a look-up met; any other name does not exist.  The DNS is seen at ``seen_at``.
``[https]`` maps URLs and ``[smtp]`` maps "host:port" to what the servers said, in the same way.
``[dnssec]`` signs the zones that it lists (``signed``, the root with them), leaves others without DS (``unsigned``), and
may let the signatures of a zone be ``expired``; without it the resolver hands on no signatures.
"""

import importlib.util
import ssl
import sys
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from deliverability import plugins
from deliverability.evidence.bundle import Evidence, Origin, Own, Sourced, Subject
from deliverability.evidence.event import LogTime, Result, Transport
from deliverability.evidence.exhibit import Exhibit
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
    Unobserved,
)
from deliverability.evidence.plugin import LANGUAGES, Check
from deliverability.evidence.smtp import Host, Reply
from deliverability.evidence.story import Attempt, Delivery, State
from deliverability.evidence.verdict import Outcome, Ruling, fill
from deliverability.protocols import grounds, structure
from deliverability.protocols.address import judge

ROOT = Path(__file__).parent.parent / "cases" / "checks"
CASES = sorted(ROOT.glob("*/*.toml"))
PEM_END = "-----END CERTIFICATE-----\n"
SENT_AT = datetime(2026, 11, 22, 0, 0, tzinfo=UTC)
SHARED = {*grounds.HOP, *structure.NOT_READ, "could-not-look", "observed-later"}
SHARED |= {"need-client-ip", "need-reverse-path", "need-helo"}
ORIGINS = {"option": Origin.OPTION, "log": Origin.LOG, "configuration": Origin.CONFIGURATION}


def text_record(text: str | list[str]) -> Record:
    """A TXT record; a list is its character-strings, one by one."""
    strings = [text] if isinstance(text, str) else text
    return Record("".join(strings), tuple(part.encode("latin-1") for part in strings))


def records(rdtype: str, texts: list) -> tuple[Record, ...]:
    if rdtype == "MX":
        pairs = [text.split(" ") for text in texts]
        return tuple(Record(host.rstrip("."), preference=int(preference)) for preference, host in pairs)
    if rdtype == "TXT":
        return tuple(map(text_record, texts))
    return tuple(Record(text) for text in texts)


def look(zone: dict, question: DnsQuestion, seen_at: datetime) -> Observation:
    said = zone.get(str(question))
    if isinstance(said, str):
        return CouldNotLook(question, Obstacle(said), said, "192.0.2.53:53", seen_at)
    exists = said is not None or any(key.split(" ")[0].endswith(question.name) for key in zone)
    rcode = Rcode.NOERROR if exists else Rcode.NXDOMAIN
    found = records(question.rdtype, said or [])
    return DnsAnswer(question, rcode, found, question.name, 300, "192.0.2.53:53", seen_at)


def certificates(pem: str) -> tuple[bytes, ...]:
    return tuple(ssl.PEM_cert_to_DER_cert(part + PEM_END) for part in pem.split(PEM_END)[:-1])


def _world_module():
    spec = importlib.util.spec_from_file_location("dnssec_world_of_cases", ROOT.parents[1] / "dnssec_world.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def signed_world(case: dict):
    """The case's zones with keys and signatures; ``None`` where it has none."""
    if "dnssec" not in case:
        return None
    if "world" not in case:
        case["world"] = _world_module().of_case(case)
    return case["world"]


def observed(case: dict, question: Question, seen_at: datetime) -> Observation:
    """The answer of ``[zone]``, ``[https]`` or ``[smtp]``; what is not there was not reached."""
    if isinstance(question, DnsQuestion) and question.signed and signed_world(case):
        return signed_world(case).observe(question)
    if isinstance(question, DnsQuestion):
        answer = look(case.get("zone", {}), question, seen_at)
        if isinstance(answer, CouldNotLook):
            return answer
        validated = case.get("authenticated", False)  # true, or the questions whose answers were validated
        target = case.get("aliases", {}).get(question.name, question.name)
        return replace(
            answer,
            canonical_name=target,
            authenticated=validated is True or (validated is not False and str(question) in validated),
        )
    said = case.get("https" if isinstance(question, HttpsQuestion) else "smtp", {}).get(str(question), "network")
    if isinstance(said, str):
        return CouldNotLook(question, Obstacle(said), said, "", seen_at)
    why = said.get("certificate_error")
    if isinstance(question, HttpsQuestion):
        body = said.get("body", "").encode()
        return HttpsAnswer(question, said.get("status"), said.get("media_type", "text/plain"), body, why, seen_at)
    shown = certificates(said.get("certificates", ""))
    tls, offered = said.get("tls"), said.get("starttls", True)
    leaf, chain = (shown[0], shown[1:]) if shown else (b"", ())
    return SmtpAnswer(question, "192.0.2.25", "220 ready", (), offered, tls, leaf, chain, why, seen_at)


def attempt(given: dict, recipient: str) -> Attempt:
    at = LogTime("", SENT_AT.replace(tzinfo=None), has_year=True, offset=None, instant=given.get("at", SENT_AT))
    relay = Host(given.get("relay"), given.get("relay_ip")) if {"relay", "relay_ip"} & given.keys() else None
    return Attempt(
        at=at,
        queue_id="1",
        log="",
        recipient=recipient,
        result=Result(given.get("result", "sent")),
        transport=Transport(given.get("transport", "smtp")),
        relay=relay,
        reply=Reply(250, None, "250 OK"),
        tls=None,
        local_ip=None,
        remote_queue_id=None,
        stage=None,
        route=None,
        text="",
        lines=(),
    )


def message_of(given: dict) -> bytes | None:
    """The message; ``repeat`` puts a text many times in place of a mark, ``octets`` octets that TOML cannot hold."""
    if "message" not in given:
        return None
    text = given["message"]
    for repeated in given.get("repeat", ()):
        text = text.replace(repeated["mark"], repeated["text"] * repeated["times"])
    raw = text.encode()
    for octets in given.get("octets", ()):
        raw = raw.replace(octets["mark"].encode(), bytes.fromhex(octets["hex"]))
    return raw


def evidence_of(case: dict) -> Evidence:
    given = case.get("evidence", {})
    recipient = given.get("recipient", "customer@mail.example")
    tried = attempt(case["attempt"], recipient) if "attempt" in case else None
    own = case.get("own", {})
    mail = message_of(given)
    address = given.get("address")

    def sourced(name: str, make: type = str) -> Sourced | None:
        origin = ORIGINS[given.get(f"{name}_from", "log")]
        return Sourced(make(given[name]), origin) if name in given else None

    return Evidence(
        subject=Subject(case["subject"]),
        assessed_at=datetime(2026, 11, 22, 6, 0, tzinfo=UTC),
        own=Own(
            frozenset(own.get("hosts", ())),
            tuple(ip_network(n) for n in own.get("networks", ())),
            frozenset(own.get("intermediaries", ())),
            own.get("routed_by_mx", False),
        ),
        delivery=Delivery(recipient, (), State.ACCEPTED, (tried,) if tried else (), tried) if tried else None,
        mail=Exhibit(mail, "message/rfc822", "case", SENT_AT) if mail else None,
        recipient_domain=Domain(given.get("recipient_domain", "mail.example")) if address is None else None,
        author_domain=sourced("author_domain", Domain),
        reverse_path=sourced("reverse_path"),
        client_ip=sourced("client_ip"),
        helo=sourced("helo"),
        asked_for=frozenset(given.get("asked_for", ())),
        signing_domain=sourced("signing_domain", Domain),
        selectors=tuple(Sourced(s, Origin.OPTION) for s in given.get("selectors", ())),
        address=judge(address).mailbox if address else None,
        address_given=address,
        about=Domain.parse(given["about"]) if "about" in given else None,
        bulk=given.get("bulk"),
        trust_anchors=signed_world(case).anchors if "dnssec" in case else (),
    )


def judged(check: Check, case: dict) -> Ruling:
    """Judge, looking up what is missing, as the real pipeline does."""
    bare, observations = evidence_of(case), Observations()
    seen_at = case.get("seen_at", SENT_AT)
    for _round in range(20):
        evidence = Evidence(
            **{name: getattr(bare, name) for name in Evidence.__slots__} | {"observations": observations}
        )
        try:
            why_not = check.applies(evidence)
            return Ruling(Outcome.NOT_APPLICABLE, why_not) if why_not else check.evaluate(evidence)
        except Unobserved as missing:
            wanted = missing.questions
        assert not any(question in observations.answers for question in wanted)
        observations = observations.joined(observed(case, question, seen_at) for question in wanted)
    raise AssertionError("the check asks without end")


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_case(path: Path) -> None:
    check: Check = plugins.load("checks", path.parent.name)
    case = tomllib.loads(path.read_text(encoding="utf-8"))
    assert case["subject"] in check.subjects
    ruling = judged(check, case)
    expected = case["expect"]
    assert (ruling.outcome.value, ruling.finding.code) == (expected["outcome"], expected["code"])
    assert ruling.protocol_result == expected.get("protocol_result")
    for lang in LANGUAGES:
        template = check.messages[ruling.finding.code][lang]
        bare = {name: value.replace("{", "") for name, value in ruling.finding.parameters.items()}  # SPF macros
        assert "{" not in fill(template, bare)
        sentence = fill(template, ruling.finding.parameters)
        for mentioned in expected.get("mentions", ()):
            assert mentioned in sentence
    codes = [finding.code for finding in ruling.details]
    assert set(expected.get("details", ())) <= set(codes), codes
    assert not set(expected.get("no_details", ())) & set(codes), codes


@pytest.mark.parametrize("plugin", plugins.ids("checks"))
def test_sentences_name_only_parameters_that_are_given(plugin: str) -> None:
    """Every code that a case reaches fills its sentence: no hole where a parameter should be."""
    check: Check = plugins.load("checks", plugin)
    for path in CASES:
        if path.parent.name != plugin:
            continue
        ruling = judged(check, tomllib.loads(path.read_text(encoding="utf-8")))
        for finding in (ruling.finding, *ruling.details):
            template = check.messages[finding.code]["en"]
            holes = {part.partition("}")[0] for part in template.split("{")[1:]}
            assert holes <= set(finding.parameters), (path.stem, finding.code, holes)


@pytest.mark.parametrize("plugin", plugins.ids("checks"))
def test_its_own_sentences_are_reached(plugin: str) -> None:
    """A sentence that no case reaches is untested; those shared by all checks may stand elsewhere."""
    check: Check = plugins.load("checks", plugin)
    reached: set[str] = set()
    for path in CASES:
        if path.parent.name == plugin:
            expected = tomllib.loads(path.read_text(encoding="utf-8"))["expect"]
            reached |= {expected["code"], *expected.get("details", ())}
    assert set(check.messages) - reached - SHARED == set()
