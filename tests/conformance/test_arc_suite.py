"""The ARC validation suite (ValiMail/arc_test_suite, tests/arc-draft-validation-tests.yml): all of its 171 cases.

No package registry ships the file, so it is read from the path in ``ARC_SUITE`` or from pytest's cache
(``suites/arc-draft-validation-tests.yml``).  Without it these tests are skipped, and counted.
"""

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deliverability.errors import ParseError
from deliverability.evidence.observation import DnsAnswer, DnsQuestion, Observations, Rcode, Record, Unobserved
from deliverability.protocols.arc import ArcState, read_chain

yaml = pytest.importorskip("yaml")

CASES = 171
SHA256 = "629d8a36f685602d2cee08126fae9f00d357141f79c95ecb9d1a61bc5b0c40e4"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
SAID = {ArcState.NONE: "none", ArcState.PASS: "pass", ArcState.FAIL: "fail", ArcState.TERMINATED: ""}


@pytest.fixture(scope="session")
def suite(request: pytest.FixtureRequest) -> list[dict]:
    kept = Path(request.config.cache.mkdir("suites")) / "arc-draft-validation-tests.yml"
    path = Path(os.environ.get("ARC_SUITE", kept))
    if not path.exists():
        pytest.skip(f"the ARC suite ({CASES} cases) is not at hand; name it with ARC_SUITE")
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHA256
    return list(yaml.safe_load_all(content))


def judge(message: bytes, records: dict[str, str]) -> str:
    observations = Observations()
    while True:
        try:
            return SAID[read_chain(message, observations, NOW).state]
        except ParseError:
            return "none"  # no header at all: nothing that could be a chain
        except Unobserved as missing:
            questions = [q for q in missing.questions if isinstance(q, DnsQuestion)]
        observations = observations.joined(answer(question, records) for question in questions)


def answer(question: DnsQuestion, records: dict[str, str]) -> DnsAnswer:
    text = {name.lower(): value for name, value in records.items()}.get(question.name)
    found = (Record(text, (text.encode(),)),) if text else ()
    rcode = Rcode.NOERROR if text else Rcode.NXDOMAIN
    return DnsAnswer(question, rcode, found, question.name, 60, "suite", NOW)


def test_all_cases_of_the_suite(suite: list[dict]) -> None:
    run, failures = 0, []
    for scenario in suite:
        records = scenario.get("txt-records") or {}
        for name, case in scenario["tests"].items():
            run += 1
            said = judge((case["message"] or "").encode(), records)
            if said != str(case["cv"] or "").lower():
                failures.append(f"{name}: {said!r}, not {case['cv']!r}")
    assert run == CASES
    assert failures == []
