"""The openspf.org suite for RFC 4408 (release 2009.10): all of its 191 cases, judged by RFC 7208.

Where the older document left a choice, the suite lists several results, and ours is one of them; beyond that there is
no difference to explain.  Fetched like the RFC 7208 suite.
"""

import hashlib
import importlib.util
import os
import sys
import tarfile
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("rfc7208_suite", Path(__file__).with_name("test_rfc7208.py"))
assert _SPEC
assert _SPEC.loader
rfc7208 = importlib.util.module_from_spec(_SPEC)
sys.modules["rfc7208_suite"] = rfc7208
_SPEC.loader.exec_module(rfc7208)

yaml = pytest.importorskip("yaml")

CASES = 191
SHA256 = "82b7d184"


@pytest.fixture(scope="session")
def scenarios(request: pytest.FixtureRequest) -> list[dict]:
    folder = Path(request.config.cache.mkdir("suites"))
    if rfc7208.fetched(folder) is None:
        if os.environ.get("REQUIRE_SUITES") == "1":
            pytest.fail("the RFC 4408 suite could not be fetched")
        pytest.skip(f"the RFC 4408 suite ({CASES} cases) could not be fetched")
    with tarfile.open(folder / f"{rfc7208.SDIST}.tar.gz") as archive:
        member = archive.extractfile(f"{rfc7208.SDIST}/test/rfc4408-tests.yml")
        assert member
        content = member.read()
    assert hashlib.sha256(content).hexdigest().startswith(SHA256)
    return list(yaml.safe_load_all(content))


def test_all_cases_of_the_suite(scenarios: list[dict]) -> None:
    run, failures = 0, []
    for scenario in scenarios:
        zone = rfc7208.Zone(scenario["zonedata"])
        for name, case in scenario["tests"].items():
            run += 1
            problem = rfc7208.wrong(case, zone, "SPF fail - not authorized")
            if problem:
                failures.append(f"{scenario['description']} / {name}: {problem}")
    assert run == CASES
    assert failures == []
