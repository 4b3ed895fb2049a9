"""Real filters around a real Postfix: what their log lines say, held against what the receiving servers really got."""

import email.parser
import email.policy
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.plugin import LogFormat
from deliverability.ingest import amavis, opendkim, opendmarc, rspamd

pytestmark = pytest.mark.server

HERE = Path(__file__).resolve().parent
PACKAGES = {"amavisd": "amavisd-new", "opendkim": "opendkim", "opendmarc": "opendmarc", "rspamd": "rspamd"}
START_SECONDS = 180
IMITATED = "4dWt1q0zQ3z1RmV"
"""Stands in texts of strangers as a queue id (``filters_driver.py``)."""


def beside(name: str) -> Any:
    """A module of this folder, which is no package (the driver runs it as scripts)."""
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(HERE))


def lacking(reason: str) -> None:
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(f"REQUIRE_SERVERS=1, but {reason}")
    pytest.skip(reason)


@dataclass
class Played:
    """The logs of one run, and what was really sent and received."""

    work: Path
    truth: dict[str, Any]

    def sent(self, key: str) -> dict[str, Any]:
        return next(m for m in self.truth["sent"] if m["key"] == key)

    def events(self, fmt: LogFormat, log: str = "iso8601") -> list[DeliveryEvent]:
        raw = Path(self.truth["logs"][log]).read_bytes().splitlines()
        return list(fmt.parse(LogLine(Place("", log, n, 0), line) for n, line in enumerate(raw, start=1)))

    def signatures(self, recipient: str) -> set[tuple[str, str]]:
        """``d=`` and ``s=`` of the signatures that the recipient's server really got."""
        (record,) = (r for r in self.truth["records"] if r["rcpt"] == recipient and r["kind"] == "end")
        message = Path(self.truth["sink_folder"], record["file"]).read_bytes()
        head = email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes(message)
        tags = [dict(re.findall(r"\b([ds])=([^;\s]+)", field)) for field in head.get_all("DKIM-Signature", [])]
        return {(tag["d"], tag["s"]) for tag in tags}

    def trace(self, recipient: str, *logs: str) -> dict[str, Any]:
        """The one message to the recipient, as ``deliverability trace`` tells it."""
        named = [word for log in logs or ("iso8601",) for word in ("--log", self.truth["logs"][log])]
        command = [sys.executable, "-m", "deliverability", "trace", *named, "--offline", "--format", "json"]
        done = subprocess.run([*command, "--to", recipient], capture_output=True, timeout=60, check=False)
        assert done.returncode in {0, 1, 3, 4}, done.stderr.decode(errors="replace")
        (message,) = json.loads(done.stdout)["messages"]
        assert isinstance(message, dict)
        return message


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    packages = beside("packages")
    try:
        packages.require("postfix")
    except packages.Missing as missing:
        lacking(str(missing))
    for program, package in PACKAGES.items():
        if shutil.which(program) is None:
            lacking(f"{program} is not installed (Debian: apt-get install {package})")
    work = tmp_path_factory.mktemp("filters")
    errors = work.parent / "filters.stderr"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [*packages.NAMESPACE, sys.executable, str(HERE / "filters_driver.py"), str(work), "long"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, "TZ": "Asia/Taipei", "PYTHONDONTWRITEBYTECODE": "1"},
        )
    assert process.stdout is not None
    assert process.stdin is not None
    ready = process.stdout.readline()
    process.stdin.close()  # the driver ends, and with it everything in its process table
    process.wait(START_SECONDS)
    process.stdout.close()
    if not ready:
        pytest.fail(f"the filters did not come up:\n{errors.read_text(errors='replace')[-3000:]}")
    return Played(work, json.loads((work / "sent.json").read_text(encoding="utf-8")))


def told(found: dict[str, Any]) -> set[tuple[str, str]]:
    return {(s["signing_domain"], s["selector"]) for s in found.get("signings", ())}


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        ("plain", ("hosting.example", "s2026")),
        ("amavis-signs", ("shop.example", "shop1")),
        ("signed-only", ("hosting.example", "s2026")),
        ("over-lmtp", None),
        ("hostile-sender", ("hosting.example", "s2026")),
        ("hostile-message-id", ("hosting.example", "s2026")),
        ("hostile-subject", ("hosting.example", "s2026")),
    ],
)
def test_what_is_said_to_be_signed_was_signed(played: Played, key: str, signed: tuple[str, str] | None) -> None:
    recipient = played.sent(key)["arrives"][0]
    assert told(played.trace(recipient)) == ({signed} if signed else set()) == played.signatures(recipient)


@pytest.mark.parametrize("key", ["rspamd-signs", "rspamd-has-no-key", "rspamd-other-author", "rspamd-hostile-id"])
def test_what_rspamd_says_it_signed_was_signed(played: Played, key: str) -> None:
    """In rspamd's own file, beside the mail server's log."""
    recipient = played.sent(key)["arrives"][0]
    assert told(played.trace(recipient, "iso8601", "rspamd")) == played.signatures(recipient)


def test_rspamd_signed_more_than_can_be_believed(played: Played) -> None:
    """A sender whose address imitates a symbol: the forged signature is not told, at the price of the true one."""
    recipient = played.sent("rspamd-hostile-sender")["arrives"][0]
    assert played.signatures(recipient) == {("hosting.example", "s2026")}
    domains = {e.signing_domain for e in played.events(rspamd.FORMAT, "rspamd") if e.action is Action.SIGNED}
    assert domains == {"hosting.example"}


@pytest.mark.parametrize("key", ["spam-kept", "banned", "rspamd-refuses", "unknown-key", "hostile-file"])
def test_what_a_filter_kept_or_refused_is_never_accepted(played: Played, key: str) -> None:
    (recipient,) = played.sent(key)["recipients"]
    assert not [r for r in played.truth["records"] if r["rcpt"] == recipient]
    (delivery,) = played.trace(recipient)["deliveries"]
    assert delivery["state"] in {"cancelled", "refused", "deferred"}


def test_amavis_says_for_whom_it_kept_the_message(played: Played) -> None:
    """One recipient of two: Postfix logs ``sent (250 …)`` for both."""
    cancelled = {e.recipient for e in played.events(amavis.FORMAT) if e.action is Action.CANCELLED}
    got = {r["rcpt"] for r in played.truth["records"]}
    assert cancelled == {"ok-6@corp.example", "ok-7@corp.example"}
    assert cancelled.isdisjoint(got)
    assert "lover-1@corp.example" in got


@pytest.mark.parametrize("key", ["plain", "two", "over-lmtp", "many", "hostile-bare-id"])
def test_the_hop_through_amavis_is_followed(played: Played, key: str) -> None:
    sent = played.sent(key)
    found = played.trace(sent["arrives"][0])
    assert found["message_id"] == sent["message_id"]
    assert len(found["queue_ids"]) == 2
    (delivery,) = found["deliveries"]
    assert delivery["attempts"][-1]["relay"]["ip"].startswith("198.51.100.")


def test_nobody_elses_address_is_shown(played: Played) -> None:
    found = json.dumps(played.trace("ok-100-a-rather-long-name-of-a-mailbox@corp.example"))
    assert "ok-101-" not in found
    assert found.count("ok-100-") >= 2


@pytest.mark.parametrize(
    ("key", "results"),
    [
        ("in-unsigned", {"SPF(mailfrom): corp.example none", "corp.example none"}),
        ("in-forged", {"SPF(mailfrom): corp.example none", "hosting.example fail"}),
        ("in-signed", {"SPF(mailfrom): corp.example none", "hosting.example pass"}),
        ("in-altered", {"SPF(mailfrom): corp.example none", "hosting.example fail"}),
    ],
)
def test_what_opendmarc_made_of_mail_from_outside(played: Played, key: str, results: set[str]) -> None:
    queue_id = played.sent(key)["answers"][-1][1].rpartition(" ")[2]
    assert {e.text for e in played.events(opendmarc.FORMAT) if e.queue_id == queue_id} == results


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("in-signed", "DKIM verification successful"),
        ("in-altered", "bad signature data"),
        ("in-no-such-key", "key retrieval failed"),
        ("in-unsigned", "no signature data"),
        ("amavis-signs", "no signing table match"),
    ],
)
def test_what_opendkim_says_beside_signing(played: Played, key: str, words: str) -> None:
    queue_id = played.sent(key)["answers"][-1][1].rpartition(" ")[2]
    said = [e for e in played.events(opendkim.FORMAT) if e.queue_id == queue_id]
    assert {e.action for e in said} == {Action.FILTERED}
    assert any(e.text.startswith(words) for e in said)


def test_text_of_strangers_names_no_queue_id(played: Played) -> None:
    logs = {"rspamd": rspamd.FORMAT, "iso8601": amavis.FORMAT}
    for log, fmt in [*logs.items(), ("iso8601", opendkim.FORMAT), ("iso8601", opendmarc.FORMAT)]:
        said = played.events(fmt, log)
        assert said
        assert IMITATED in Path(played.truth["logs"][log]).read_text()
        assert IMITATED not in {e.queue_id for e in said} | {e.remote_queue_id for e in said}
        assert "gmail.com" not in {e.signing_domain for e in said}
