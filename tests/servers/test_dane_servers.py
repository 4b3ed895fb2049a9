"""``tls="policy"`` with a real Postfix whose keys stand, rightly or wrongly, in zones that ldns signed and NSD serves."""

import hashlib
import importlib.util
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import packages
import pytest
from tls_files import make_certificate

from deliverability.protocols.certificate import public_key_info

pytestmark = pytest.mark.server

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("signing_servers", HERE / "test_dnssec_servers.py")
assert _spec
assert _spec.loader
signing = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = signing
_spec.loader.exec_module(signing)

RECORDS = """\
{zone}. 300 IN MX 10 mx.{zone}.
mx.{zone}. 300 IN A 127.0.0.2
_25._tcp.mx.{zone}. 300 IN TLSA 3 1 1 {digest}
"""


def lacking() -> str | None:
    try:
        packages.require("postfix")
    except packages.Missing as missing:
        return str(missing)
    return signing.lacking()


def zones(folder: Path, digests: dict[str, str]) -> None:
    """The zones, signed from the root down, and the root's DS record."""
    folder.mkdir()
    below = []
    for zone, digest in digests.items():
        ds = signing.sign(folder, zone, RECORDS.format(zone=zone, digest=digest).splitlines(), signing.Made())
        below += [f"{zone}. 3600 IN NS ns.invalid.", ds]
    ds = signing.sign(folder, "example", below, signing.Made(options=("-n",)))
    root = signing.sign(folder, "", ["example. 3600 IN NS ns.invalid.", ds], signing.Made("RSASHA256"))
    (folder / "root.ds").write_text(root)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What came of one message to each domain, in one world."""
    reason = lacking()
    if reason:
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    work = tmp_path_factory.mktemp("dane")
    certificate, _ = make_certificate(
        work / "tls", "somebody.else.example"
    )  # DANE-EE asks for no name (RFC 7672 §3.1.1)
    digest = hashlib.sha256(public_key_info(ssl.PEM_cert_to_DER_cert(certificate.read_text("ascii")))).hexdigest()
    other = hashlib.sha256(b"another key").hexdigest()
    zones(work / "zones", {"right.example": digest, "wrong.example": other})
    done = subprocess.run(
        [*packages.NAMESPACE, sys.executable, str(HERE / "dane_driver.py"), str(work), "mei@right.example", "mei@wrong.example"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=dict(os.environ, PYTHONPATH=str(HERE.parents[1])),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_the_key_that_the_zone_names_is_given_the_message(told: dict) -> None:
    (outcome,) = told["came"][0]["outcomes"]
    assert outcome["finish"] == "accepted", outcome
    assert outcome["reply"]["code"] == 250
    assert outcome["tls"]["verified"] is True
    assert "DANE" in outcome["detail"]
    assert "for mei@right.example" in told["mailbox"]


def test_another_key_is_given_nothing_by_our_own_decision(told: dict) -> None:
    (outcome,) = told["came"][1]["outcomes"]
    assert outcome["finish"] == "deferred", outcome
    assert outcome["reply"] is None
    assert "matches none of its TLSA records" in outcome["detail"]
    assert "wrong.example" not in told["mailbox"]
    assert "to=<mei@right.example>" in told["log"]
    assert "wrong.example" not in told["log"]
