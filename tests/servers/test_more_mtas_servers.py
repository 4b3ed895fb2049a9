"""Sendmail, OpenSMTPD and Dovecot, each a real one: what ``deliverability trace`` says of their logs."""

import importlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.server

HERE = Path(__file__).resolve().parent
MOST_SECONDS = 150
# Their logs do not tell these apart; each is told as the weaker of the two.
OPENSMTPD_CANNOT_TELL = {
    "local": "handed-over",  # a mailbox, a program and LMTP look alike
    "closed-at-rcpt": "unknown",  # nor at which command the connection broke
    "closed-at-data": "unknown",
    "null-mx": "deferred",  # it knows no null MX (RFC 7505) and tries on
}
SENDMAIL_DIFFERS = {
    "closed-at-data": "unknown",  # a reset after the end of the data is logged in the same words
    "greeting-554": "refused",
    "local": "handed-over",  # by which program is not logged
    "alias": "not-found",  # LogLevel 9 does not log which alias led to an address
    "forward": "not-found",
    "list": "not-found",
}
NOT_PLAYED = {
    "sendmail": {"smtputf8"},  # Debian builds it without
    # Its time-outs and second tries take minutes; quoted local parts, SMTPUTF8 and large messages it turns away.
    "opensmtpd": {
        *("timeout", "silent-at-data", "silent-after-dot", "closed-in-data", "greylisted"),
        *("smtputf8", "imitates-fields", "imitates-angles"),
    },
}


def _beside(name: str) -> Any:
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(HERE))


packages, more_mtas = _beside("packages"), _beside("more_mtas")


@dataclass
class World:
    """What one server logged, and what was really sent and answered."""

    mta: str
    log: str
    truth: dict[str, Any]
    home: Path

    def sent(self, key: str) -> dict[str, Any]:
        return next(m for m in self.truth["sent"] if m["key"] == key)

    def trace(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", "TZ": "UTC"}
        command = [sys.executable, "-m", "deliverability", "trace", "--log", self.log, "--offline", "--format", "json"]
        done = subprocess.run(
            [*command, *arguments], capture_output=True, env=environment, cwd=self.home, timeout=60, check=False
        )
        assert done.returncode in {0, 1, 3, 4}, done.stderr.decode(errors="replace")
        answer: dict[str, Any] = json.loads(done.stdout)
        return done.returncode, answer


def _lacking(reason: str) -> None:
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(f"REQUIRE_SERVERS=1, but {reason}")
    pytest.skip(reason)


def _play(mta: str, work: Path) -> World:
    try:
        packages.require("postfix" if mta == "dovecot" else mta)
        root = more_mtas.unpacked(mta, packages.cache())
    except (packages.Missing, LookupError) as missing:
        _lacking(str(missing))
    environment = {**os.environ, "TZ": "Asia/Taipei", "PYTHONDONTWRITEBYTECODE": "1", more_mtas.ROOTS: str(root)}
    done = subprocess.run(
        [*packages.NAMESPACE, sys.executable, str(HERE / "more_mtas.py"), mta, str(work)],
        stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=MOST_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
    truth = json.loads((work / "sent.json").read_text(encoding="utf-8"))
    home = work / "home"
    home.mkdir()
    return World(mta, str(work / "logs" / "mail.iso8601.log"), truth, home)


@pytest.fixture(scope="module")
def sendmail(tmp_path_factory: pytest.TempPathFactory) -> World:
    return _play("sendmail", tmp_path_factory.mktemp("sendmail"))


@pytest.fixture(scope="module")
def opensmtpd(tmp_path_factory: pytest.TempPathFactory) -> World:
    return _play("opensmtpd", tmp_path_factory.mktemp("opensmtpd"))


@pytest.fixture(scope="module")
def dovecot(tmp_path_factory: pytest.TempPathFactory) -> World:
    return _play("dovecot", tmp_path_factory.mktemp("dovecot"))


def _state_of(world: World, sent: dict[str, Any], recipient: str) -> str:
    by_id = ["--message-id", sent["message_id"]] if world.mta == "sendmail" and "data" in sent else []
    status, answer = world.trace("--to", recipient, *by_id)
    assert status in {0, 1, 3, 4}
    states = [d["state"] for m in answer["messages"] for d in m["deliveries"]]
    return str(states[-1]) if states else "not-found"


def _expected(world: World, key: str, state: str) -> str:
    """What can be known: without names, the next hop's 2yz is a hand-over."""
    told = (SENDMAIL_DIFFERS if world.mta == "sendmail" else OPENSMTPD_CANNOT_TELL).get(key, state)
    return "handed-over" if told == "accepted" else told


def _outbound(mta: str) -> list[tuple[str, str]]:
    played = [story for story in more_mtas.OUTBOUND if story.key not in NOT_PLAYED[mta]]
    return [(story.key, to) for story in played for to in story.expect]


@pytest.mark.parametrize(("key", "recipient"), _outbound("sendmail"))
def test_sendmail_story(sendmail: World, key: str, recipient: str) -> None:
    sent = sendmail.sent(key)
    expected = _expected(sendmail, key, sent["expect"][recipient])
    assert _state_of(sendmail, sent, recipient) == expected


@pytest.mark.parametrize(("key", "recipient"), _outbound("opensmtpd"))
def test_opensmtpd_story(opensmtpd: World, key: str, recipient: str) -> None:
    sent = opensmtpd.sent(key)
    expected = _expected(opensmtpd, key, sent["expect"][recipient])
    assert _state_of(opensmtpd, sent, recipient) == expected


@pytest.mark.parametrize("mta", ["sendmail", "opensmtpd"])
def test_what_expired_says_so(mta: str, request: pytest.FixtureRequest) -> None:
    world: World = request.getfixturevalue(mta)
    assert _state_of(world, world.sent("expired"), "ok-40@expired.example") == "expired"


@pytest.mark.parametrize("mta", ["sendmail", "opensmtpd"])
def test_who_was_never_written_to_is_not_found(mta: str, request: pytest.FixtureRequest) -> None:
    world: World = request.getfixturevalue(mta)
    _, answer = world.trace("--to", "victim@gmail.example")
    assert [d["state"] for m in answer["messages"] for d in m["deliveries"]] in ([], ["not-found"])


@pytest.mark.parametrize("mta", ["sendmail", "opensmtpd"])
def test_every_acceptance_is_told_with_the_receivers_own_id(mta: str, request: pytest.FixtureRequest) -> None:
    """What the receiving server recorded as accepted stands in the trace, under the id that it gave."""
    world: World = request.getfixturevalue(mta)
    accepted = [
        r for r in world.truth["records"] if r["kind"] == "end" and r["code"] == 250 and r["rcpt"].startswith("ok-")
    ]
    checked = 0
    for record in accepted[:20]:
        if record["host"] == "mx.multiline.example" and mta == "sendmail":
            continue  # Sendmail keeps the first line of a reply, which has no id
        _, answer = world.trace("--to", record["rcpt"], "--all")
        attempts = [a for m in answer["messages"] for d in m["deliveries"] for a in d["attempts"]]
        assert record["remote"] in [a["remote_queue_id"] for a in attempts]
        checked += 1
    assert checked >= 10


def test_what_an_operator_removed_says_so_on_opensmtpd(opensmtpd: World) -> None:
    assert _state_of(opensmtpd, opensmtpd.sent("removed"), "ok-13@refused.example") == "cancelled"


def test_sendmails_two_queues_are_one_message(sendmail: World) -> None:
    sent = sendmail.sent("command-line")
    _, answer = sendmail.trace("--to", "ok-61@corp.example", "--message-id", sent["message_id"])
    (message,) = answer["messages"]
    assert len(message["queue_ids"]) == 2
    assert message["deliveries"][0]["state"] == "handed-over"


STORED = ("inbox", "junk", "copied", "folder-utf8", "vacation", "two-folders", "discarded-and-filed", "several")


@pytest.mark.parametrize("key", STORED)
def test_what_dovecot_stored_is_delivered(dovecot: World, key: str) -> None:
    """Postfix's line and Dovecot's, of one message: tied by the session id in the store's reply."""
    sent = dovecot.sent(key)
    for recipient in sent["recipients"]:
        status, answer = dovecot.trace("--to", recipient, "--message-id", sent["message_id"])
        (message,) = answer["messages"]
        assert len(message["queue_ids"]) == 1 + len(sent["recipients"])
        assert [d["state"] for d in message["deliveries"]] == ["delivered"]
        assert status == 0


@pytest.mark.parametrize(
    ("key", "state"), [("forwarded", "unknown"), ("discarded", "cancelled"), ("rejected", "failed")]
)
def test_saved_is_not_believed_where_the_users_script_did_something_else(dovecot: World, key: str, state: str) -> None:
    sent = dovecot.sent(key)
    _, answer = dovecot.trace("--to", sent["recipients"][0], "--message-id", sent["message_id"])
    (message,) = answer["messages"]
    assert [d["state"] for d in message["deliveries"]] == [state]


def test_the_folder_that_sieve_chose_is_junk(dovecot: World) -> None:
    from deliverability.evidence.exhibit import LogLine, Place
    from deliverability.ingest.dovecot import FORMAT

    raw = Path(dovecot.log).read_bytes().splitlines()
    events = FORMAT.parse(LogLine(Place("", "-", n, 0), line) for n, line in enumerate(raw, 1))
    folders = {(e.message_id, e.folder) for e in events if e.folder}
    assert (dovecot.sent("junk")["message_id"], "Junk") in folders
    assert (dovecot.sent("no-subject-match")["message_id"], "INBOX") in folders
    assert (dovecot.sent("folder-utf8")["message_id"], "帳單") in folders
