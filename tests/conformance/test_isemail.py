"""The addresses of Dominic Sayers' isemail suite: none escapes with an exception, and every difference has its rule.

The suite's data (BSD) come from the npm package ``isemail`` 1.2.0, which carries the 164 addresses of the original and 21
of its own.  It is fetched once, into pytest's cache, and is not part of this repository.  Without it these tests are
skipped, and with ``REQUIRE_SUITES=1`` they fail.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.verdict import Outcome
from deliverability.protocols.address import Form, judge

PACKAGE = "isemail@1.2.0"
ARCHIVE = "isemail-1.2.0.tgz"
SHA256 = "155acd40db36cbaf48dd358dbb6420beecf18e686f8ddea05ce85aabb3f6650f"
CASES = 185

CARRIED = ("valid", "dnsWarn", "rfc5321")
"""Categories of addresses that SMTP can carry; the others are comments and folding (``cfws``), obsolete forms
(``deprecated``), forms that RFC 5322 allows in a header and RFC 5321 does not (``rfc5322``), and mistakes (``err``)."""
DIFFERENT = {
    '""@iana.org': "an empty quoted string is grammar (RFC 5321 4.1.2), and names nobody: email-validator refuses it",
    "test@[IPv6:1111:2222:3333:4444:5555:6666::8888]": (
        "RFC 5321 4.1.3 wants '::' to stand for two groups at least; RFC 4291 2.2 reads one, and so does every resolver"
    ),
    '"test\\\u00a9"@iana.org': "the suite is older than RFC 6531 3.3, which allows UTF-8 in a quoted string",
}


def fetched(cache: Path) -> bytes | None:
    """The suite's bytes, downloading them on first use."""
    archive, npm = cache / ARCHIVE, shutil.which("npm")
    if not archive.exists():
        if npm is None:
            return None
        done = subprocess.run(
            [npm, "pack", "--silent", PACKAGE], cwd=cache, capture_output=True, check=False, timeout=120
        )
        if done.returncode or not archive.exists():
            return None
    with tarfile.open(archive) as tar:
        member = tar.extractfile("package/test/tests.json")
        return member.read() if member else None


@pytest.fixture(scope="session")
def suite(request: pytest.FixtureRequest) -> list[tuple[str, str]]:
    content = fetched(Path(request.config.cache.mkdir("suites")))
    if content is None:
        if os.environ.get("REQUIRE_SUITES") == "1":
            pytest.fail("the isemail suite could not be fetched")
        pytest.skip(f"the isemail suite ({CASES} addresses) could not be fetched: it needs npm")
    assert hashlib.sha256(content).hexdigest() == SHA256
    return [(address, category) for address, category in json.loads(content)]


def test_every_difference_has_its_rule(suite: list[tuple[str, str]]) -> None:
    assert len(suite) == CASES
    different = {address for address, category in suite if judge(address).form.well != category.startswith(CARRIED)}
    assert different == set(DIFFERENT)


def test_the_check_gives_a_finding_for_each(suite: list[tuple[str, str]]) -> None:
    from datetime import UTC, datetime

    from deliverability import assess, plugins

    check = plugins.load("checks", "address-well-formed")
    now = datetime(2026, 11, 22, tzinfo=UTC)
    # Two more that the suite adds in code, because JSON was thought not to hold NUL.
    for address in [*(address for address, _ in suite), "test@[\0", "(\0)test@example.com"]:
        evidence = Evidence(subject=Subject.ADDRESS, assessed_at=now, address_given=address)
        verdict = assess.run(check, evidence)
        form = judge(address).form
        # A domain without a dot is grammar, and no address on the Internet (RFC 5321 §2.3.5).
        assert verdict.outcome is (Outcome.PASS if form.well and form is not Form.UNQUALIFIED else Outcome.FAIL)
        assert verdict.sentence("en") and verdict.sentence("zh-Hant-TW")
