"""The openspf.org test suite for RFC 7208 (release 2014.04): all of its 203 cases, result and explanation.

The suite is BSD-3 and comes with pyspf's source distribution; it is fetched once, into pytest's cache, and is not
part of this repository.  Without it these tests are skipped, and with ``REQUIRE_SUITES=1`` they fail.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
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
from deliverability.protocols.spf import check_host

yaml = pytest.importorskip("yaml")

CASES = 203
SDIST = "pyspf-2.0.14"
SHA256 = "901f561a"
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def fetched(cache: Path) -> bytes | None:
    """The suite's bytes, downloading them on first use."""
    archive = cache / f"{SDIST}.tar.gz"
    if not archive.exists():
        arguments = ["download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        command = [sys.executable, "-m", "pip", *arguments, "--dest", str(cache), "pyspf==2.0.14"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=120)
        if done.returncode or not archive.exists():
            return None
    with tarfile.open(archive) as tar:
        member = tar.extractfile(f"{SDIST}/test/rfc7208-tests.yml")
        return member.read() if member else None


@pytest.fixture(scope="session")
def scenarios(request: pytest.FixtureRequest) -> list[dict]:
    suite = fetched(Path(request.config.cache.mkdir("suites")))
    if suite is None:
        if os.environ.get("REQUIRE_SUITES") == "1":
            pytest.fail("the RFC 7208 suite could not be fetched")
        pytest.skip(f"the RFC 7208 suite ({CASES} cases) could not be fetched")
    assert hashlib.sha256(suite).hexdigest().startswith(SHA256)
    return list(yaml.safe_load_all(suite))


class Zone:
    """A scenario's zone data, answering as a resolver would: CNAMEs followed, errors told apart from absence."""

    def __init__(self, data: dict) -> None:
        self.names: dict[str, list[tuple[str, object]]] = {}
        for name, records in data.items():
            pairs = [pair for record in records for pair in (record.items() if isinstance(record, dict) else [record])]
            typed = [pair for pair in pairs if pair != "TIMEOUT"]
            if not any(kind == "TXT" for kind, _ in typed):  # the suite's "auto-magic duplication of SPF to TXT"
                typed += [("TXT", value) for kind, value in typed if kind == "SPF"]
            if "TIMEOUT" in pairs:
                typed.append(("*", "TIMEOUT"))
            self.names[name.lower()] = typed

    def look(self, question: DnsQuestion) -> Observation:
        name, seen = question.name, set()
        while name not in seen:
            seen.add(name)
            records = self.names.get(name)
            if records is None:
                if name.startswith("error."):
                    return self._failed(question, Obstacle.TIMEOUT)
                return self._answer(question, Rcode.NXDOMAIN, name, ())
            values = [value for kind, value in records if kind == question.rdtype and value != "NONE"]
            if "TIMEOUT" in values or (not values and ("*", "TIMEOUT") in records):
                return self._failed(question, Obstacle.TIMEOUT)
            target = next((value for kind, value in records if kind == "CNAME"), None)
            if values or not isinstance(target, str):
                return self._answer(question, Rcode.NOERROR, name, tuple(map(record, values)))
            name = target.lower().removesuffix(".")
        return self._failed(question, Obstacle.MALFORMED)

    def _answer(self, question: DnsQuestion, rcode: Rcode, name: str, records: tuple[Record, ...]) -> DnsAnswer:
        return DnsAnswer(question, rcode, records, name, 60, "suite", NOW)

    def _failed(self, question: DnsQuestion, why: Obstacle) -> CouldNotLook:
        return CouldNotLook(question, why, "as the suite says", "suite", NOW)


def record(value: object) -> Record:
    if isinstance(value, list) and value and isinstance(value[0], int):
        return Record(str(value[1]).lower().removesuffix("."), preference=value[0])
    if isinstance(value, list):
        strings = tuple(str(part).encode() for part in value)
        return Record(b"".join(strings).decode("latin-1"), strings)
    return Record(str(value), (str(value).encode(),))


def evaluate(case: dict, zone: Zone) -> tuple[str, str | None, int]:
    observations, rounds = Observations(), 0
    while True:
        try:
            found = check_host(case["host"], case["mailfrom"], case["helo"], observations, receiver="receiver")
        except Unobserved as missing:
            known, rounds = len(observations), rounds + 1
            observations = observations.joined(zone.look(question) for question in missing.questions)
        else:
            return found.result.value, found.explanation, rounds
        assert len(observations) > known
        assert rounds < 60


def wrong(case: dict, zone: Zone, default: str) -> str | None:
    expected = case["result"] if isinstance(case["result"], list) else [case["result"]]
    result, explanation, _ = evaluate(case, zone)
    if result not in expected:
        return f"{result}, not {' or '.join(expected)}"
    wanted = case.get("explanation")
    if wanted and result == "fail":
        wanted = default if wanted == "DEFAULT" else wanted
        if explanation != wanted:
            return f"explanation {explanation!r}, not {wanted!r}"
    return None


def test_all_cases_of_the_suite(scenarios: list[dict]) -> None:
    run, failures = 0, []
    for scenario in scenarios:
        zone = Zone(scenario["zonedata"])
        for name, case in scenario["tests"].items():
            run += 1
            problem = wrong(case, zone, "SPF fail - not authorized")
            if problem:
                failures.append(f"{scenario['description']} / {name}: {problem}")
    assert run == CASES
    assert failures == []
