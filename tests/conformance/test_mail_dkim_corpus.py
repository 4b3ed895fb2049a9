"""Mail::DKIM's corpus (fastmail/mail-dkim, t/): its DKIM messages, its verdicts, and why ours may differ.

The corpus is of the days before RFC 8301 and partly before RFC 4871.  No package registry ships it, so it is read from
the folder in ``MAIL_DKIM_SUITE`` (its ``t``); no package registry carries it: without it this
test is skipped, and counted.
"""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

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
from deliverability.protocols.dkim import DkimResult, DkimSignature, Reason, verify

NOW = datetime(2026, 11, 22, tzinfo=UTC)
VERDICT = re.compile(r'^\s*test_email\(\s*"([\w.-]+)",\s*"(\w+)"\s*\)', re.MULTILINE)
BY_RFC_8301 = frozenset({Reason.WEAK_KEY, Reason.WEAK_HASH})
"""§3.1: rsa-sha1 must not verify; §3.2: nor RSA below 1024 bits.  The corpus passes both."""
DRAFT_VERSION = ("no v= tag", "v= has a value of unknown meaning")
"""RFC 6376 §3.5: ``v=1`` must be there.  The corpus passes signatures of the drafts, with ``v=0.5`` or none."""


@pytest.fixture(scope="module")
def suite() -> Path:
    named = os.environ.get("MAIL_DKIM_SUITE")
    if named is None:
        pytest.skip("Mail::DKIM's corpus is not at hand; name its folder t with MAIL_DKIM_SUITE")
    return Path(named)


def zone(suite: Path) -> dict[str, str]:
    lines = (suite / "FAKE_DNS.dat").read_text("latin-1").splitlines()
    pairs = (line.split(None, 1) for line in lines if line.strip() and line.lstrip()[0] not in "#;")
    return {pair[0].lower(): pair[1] if len(pair) > 1 else "" for pair in pairs}


def look(known: dict[str, str], question: DnsQuestion) -> Observation:
    said = known.get(question.name, "NXDOMAIN")
    if said.startswith("~~"):
        obstacle = Obstacle.SERVFAIL if "SERVFAIL" in said else Obstacle.TIMEOUT
        return CouldNotLook(question, obstacle, said, "suite", NOW)
    found = () if said == "NXDOMAIN" else (Record(said, (said.encode("latin-1"),)),)
    rcode = Rcode.NOERROR if found else Rcode.NXDOMAIN
    return DnsAnswer(question, rcode, found, question.name, 60, "suite", NOW)


def judged(message: bytes, known: dict[str, str]) -> tuple[DkimSignature, ...]:
    observations = Observations()
    while True:
        try:
            return verify(message, observations, NOW)
        except Unobserved as missing:
            questions = [q for q in missing.questions if isinstance(q, DnsQuestion)]
        observations = observations.joined(look(known, question) for question in questions)


def test_the_corpus(suite: Path) -> None:
    known = zone(suite)
    verdicts = VERDICT.findall((suite / "verifier.t").read_text("latin-1"))
    run, unexplained, weak, drafts = 0, [], 0, 0
    for name, expected in verdicts:
        message = (suite / "corpus" / name).read_bytes()
        if "_dk_" in name or name.startswith("dk_") or "ietf00" in name:
            continue  # DomainKeys (RFC 4870, historic) and what came before DKIM had its field name
        run += 1
        found = judged(message, known)
        passes = any(signature.result is DkimResult.PASS for signature in found)
        if passes == (expected == "pass"):
            continue
        if expected == "pass" and any(signature.reason in BY_RFC_8301 for signature in found):
            weak += 1
        elif expected == "pass" and all((s.problem or "").startswith(DRAFT_VERSION) for s in found):
            drafts += 1
        else:
            unexplained.append((name, expected, [(s.result.value, s.reason.value, s.problem) for s in found]))
    assert unexplained == [], "\n".join(map(str, unexplained))
    assert run >= 55
    assert weak
    assert drafts
