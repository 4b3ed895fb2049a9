"""Generated mail through real servers to receivers with a will of their own: the log reader against what was really said.

The receivers answer as a seed says, in words that imitate a log's own, and write every answer down.  Nothing here expects
a certain course of events: whatever happened is in the receivers' notes and in the sender's queue, and the stories told
from the logs are held against both.
"""

import gzip
import importlib
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from deliverability.api import Network, Pick, Request
from deliverability.api.archiving import ingest
from deliverability.api.cohort import Wanted, read_cohort
from deliverability.api.tracing import read_logs
from deliverability.evidence.event import Result, Transport
from deliverability.evidence.story import Attempt, Delivery, Message

pytestmark = pytest.mark.server

HERE = Path(__file__).resolve().parent
SEED, MESSAGES = "20261123", 90
SECONDS = {"postfix": 7, "exim": 7, "opensmtpd": 26}
"""How long mail is sent and tried again; OpenSMTPD leaves a host that failed alone for 15 seconds."""
ARRIVED = ("handed-over", "delivered")
GIVEN_UP = ("refused", "failed", "expired")
STAGES = {"end": "end-of-data"}
_TOKEN = re.compile(r"tok=\d{5}x")


def _beside(name: str) -> Any:
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(HERE))


packages, more_mtas = _beside("packages"), _beside("more_mtas")


def _key(address: str) -> str:
    local, _, domain = address.rpartition("@")
    if len(local) > 1 and local.startswith('"') and local.endswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    if not local.isascii():  # Exim sends it so to a server without SMTPUTF8
        local = "xn--" + local.encode("punycode").decode("ascii")
    return f"{local}@{domain}".casefold()


@dataclass
class Run:
    """What one server logged, what the receivers said to it, and what it still had in its queue."""

    mta: str
    truth: dict[str, Any]
    home: Path
    said: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By token: the receivers' note of the reply."""
    about: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    """By sender and recipient: what was said to it of that recipient."""
    text: str = ""
    """The first host's log, folded."""
    waiting: set[tuple[str, str]] = field(default_factory=set)
    told: dict[Wanted, tuple[Message, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for record in self.truth["records"]:
            for token in _TOKEN.findall(" ".join(record.get("lines", ()))):
                self.said[token] = record
            for rcpt in _named(record):
                self.about[record["sender"], rcpt].append(record)
        self.text = Path(self.truth["logs"]["out1.hosting.example"]).read_text("utf-8", "replace").casefold()
        self.waiting = {(sender, _key(address)) for sender, address in self.truth["queue"]}
        wanted = [*map(_by_address, self.addresses()), *map(_by_id, self.truth["mails"])]
        self.told = dict(zip(wanted, self.cohort(self.request(), wanted), strict=True))

    @property
    def nameless(self) -> bool:
        """Whether the server's log holds no Message-ID, nor the command that a reply answered."""
        return self.mta == "opensmtpd"

    @property
    def logs(self) -> tuple[str, ...]:
        """Named as the hosts: Exim's own log does not say whose it is."""
        return tuple(f"{name}={path}" for name, path in self.truth["logs"].items())

    def request(self, **more: Any) -> Request:
        # Both hosts run at this time; the second one's lines state no zone.
        asked = {"logs": self.logs, "tz": "Asia/Taipei", "pick": Pick.ALL, "network": Network(offline=True)}
        return Request(**(asked | more))

    @staticmethod
    def cohort(request: Request, wanted: list[Wanted]) -> list[tuple[Message, ...]]:
        return [row.messages for row in read_cohort(request, wanted).rows]

    def mails(self) -> Iterator[dict[str, Any]]:
        for mail in self.truth["mails"]:
            if mail["taken"]:
                yield mail | {"to": {rcpt: to for rcpt, to in mail["to"].items() if mail["answers"][rcpt] == 250}}

    def addresses(self) -> list[str]:
        found = {a for m in self.mails() for rcpt, to in m["to"].items() for a in (rcpt, *(t for t in to if "@" in t))}
        return sorted(found)

    def names(self, final: str) -> bool:
        """Whether the log can tell of it: OpenSMTPD's does not say what an alias leads to before it is tried."""
        return not self.nameless or "@" not in final or f"<{final.casefold()}>" in self.text

    def of(self, mail: dict[str, Any], found: tuple[Message, ...]) -> Message:
        """The one story of this message; two with one Message-ID are told apart by their senders."""
        ids = (mail["message_id"], *((None,) if self.nameless else ()))
        mine = [m for m in found if m.message_id in ids and m.reverse_path == mail["sender"]]
        assert len(mine) == 1, (mail, [(m.message_id, m.reverse_path, m.queue_ids) for m in found])
        return mine[0]

    def pairs(self) -> Iterator[tuple[dict[str, Any], str, str, Delivery]]:
        """Message, the address that was asked for, the address that it led to, and what is told of that one."""
        for mail in self.mails():
            for rcpt, leads_to in mail["to"].items():
                to = [t for t in leads_to if self.names(t)]
                for asked in {rcpt, *(t for t in to if "@" in t)}:
                    message = self.of(mail, self.told[_by_address(asked)])
                    (delivery,) = message.deliveries
                    finals = (to or [rcpt]) if asked == rcpt else [asked]
                    parts = {_key(p.recipient): p for p in delivery.parts} or {_key(finals[0]): delivery}
                    assert set(parts) == set(map(_key, finals)), (asked, finals, delivery.forward_paths)
                    for final in finals:
                        yield mail, rcpt, final, parts[_key(final)]


def _named(record: dict[str, Any]) -> list[str]:
    rcpts = record.get("rcpts") or ([record["rcpt"]] if "rcpt" in record else [])
    return [_key(rcpt) for rcpt in rcpts]


def _by_address(address: str) -> Wanted:
    return Wanted(address=address)


def _by_id(mail: dict[str, Any]) -> Wanted:
    return Wanted(message_id=mail["message_id"])


def _lacking(reason: str) -> None:
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(f"REQUIRE_SERVERS=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="module", params=list(SECONDS))
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    mta, work = request.param, tmp_path_factory.mktemp(f"truth-{request.param}")
    try:
        packages.require(mta)
        packages.require("postfix")
        root = packages.exim_root() if mta == "exim" else None
        laid = more_mtas.unpacked(mta, packages.cache()) if mta == "opensmtpd" else None
    except (packages.Missing, LookupError) as missing:
        _lacking(str(missing))
    environment = {**os.environ, "TZ": "Asia/Taipei", "PYTHONDONTWRITEBYTECODE": "1", "EXIM_PACKAGE_ROOT": str(root)}
    environment[more_mtas.ROOTS] = str(laid)
    drive = [str(HERE / "truth_driver.py"), mta, str(work), SEED, str(MESSAGES), str(SECONDS[mta])]
    done = subprocess.run(
        [*packages.NAMESPACE, sys.executable, *drive],
        stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
    truth = json.loads((work / "truth.json").read_text(encoding="ascii"))
    home = work / "home"
    home.mkdir()
    return Run(mta, truth, home)


def _lost(run: Run, sender: str, told: Delivery) -> bool:
    """Whether a receiver went silent on this sender when all or part of a message had been sent.

    OpenSMTPD does not log at which command a connection ended, nor whether it was the message before that ended it:
    there it is enough that this receiver broke connections.
    """
    if run.nameless:
        ip = told.decisive.relay.ip if told.decisive and told.decisive.relay else None
        return any(r["ip"] == ip and (r["kind"] == "silence" or r.get("closes")) for r in run.truth["records"])
    silent = (r for r in run.truth["records"] if r["kind"] == "silence" and r["sender"] == sender)
    return any(r["stage"] in ("end", "body", "data") for r in silent)


def _timed_out(delivery: Delivery) -> bool:
    """Whether the sender says that its own patience ended: on a busy machine a true 250 may come after that.

    OpenSMTPD hangs up where more comes than the one reply that it waits for, and believes none of it.
    """
    last = delivery.decisive
    return bool(last and last.result is Result.UNCERTAIN and re.search("timed out|timeout|too much data", last.text))


def test_accepted_is_said_where_a_receiver_accepted_and_nowhere_else(run: Run) -> None:
    accepted = 0
    for mail, _, final, told in run.pairs():
        if "@" not in final:
            continue
        said = [r for r in run.about[mail["sender"], _key(final)] if r["kind"] == "accepted"]
        state = told.state.value
        accepted += bool(said)
        unsure = _timed_out(told) or (run.nameless and told.decisive and told.decisive.result is Result.UNCERTAIN)
        if said and not (state == "unknown" and unsure):
            assert state in ARRIVED, (mail["number"], final, state)
        if state in ARRIVED:
            assert said, (mail["number"], final, state)
            assert _TOKEN.findall(_words(told.decisive))[0] in " ".join(line for r in said for line in r["lines"])
    assert accepted > MESSAGES / 2


def test_refused_is_said_in_the_words_and_at_the_stage_of_the_refusal(run: Run) -> None:
    refused = 0
    for mail, _, final, told in run.pairs():
        if told.state.value != "refused":
            continue
        assert told.decisive is not None
        record = run.said[_TOKEN.findall(_words(told.decisive))[0]]
        assert record["code"] // 100 == 5, (mail["number"], final)
        assert not [r for r in run.about[mail["sender"], _key(final)] if r["kind"] == "accepted"]
        refused += 1
    assert refused > 5


def test_what_waits_is_in_the_queue_and_what_is_in_the_queue_waits(run: Run) -> None:
    for mail, rcpt, final, told in run.pairs():
        state, sender = told.state.value, mail["sender"]
        waits = bool({(sender, _key(final)), (sender, _key(rcpt))} & run.waiting)
        if state in ("deferred", "queued"):
            assert waits, (mail["number"], final, state)
        elif waits and (sender, _key(final)) in run.waiting:
            frozen = run.mta == "exim" and sender == "" and state in GIVEN_UP  # kept for the postmaster to see
            assert frozen or (state == "unknown" and (_lost(run, sender, told) or _timed_out(told))), (
                mail["number"],
                final,
            )


def test_unknown_is_said_only_where_the_sender_could_not_know(run: Run) -> None:
    for mail, _, final, told in run.pairs():
        if told.state.value == "unknown":
            assert _lost(run, mail["sender"], told) or _timed_out(told), (mail["number"], final)


def _words(attempt: Attempt | None) -> str:
    return attempt.reply.text if attempt and attempt.reply else ""


def test_no_attempt_has_the_words_of_another_recipient_or_host(run: Run) -> None:
    checked = 0
    for mail, _, final, told in run.pairs():
        for attempt in told.attempts:
            tokens = _TOKEN.findall(_words(attempt))
            record = run.said[tokens[0]] if tokens else None
            if record is None or record["kind"] == "filtered":
                continue
            where = (mail["number"], final, _words(attempt))
            assert attempt.relay is not None and attempt.relay.ip == record["ip"], where
            assert (attempt.result is Result.SENT) == (record["kind"] == "accepted"), where
            if record["kind"] != "silence":
                assert attempt.reply is not None and attempt.reply.code == record["code"], where
            if record["stage"] in ("mail", "rcpt", "data", "end"):
                assert record["sender"] == mail["sender"], where
                # Exim gives a deferral of the whole message to all recipients of the transaction, also to refused ones.
                own = not _named(record) or _key(final) in _named(record)
                assert own or (run.mta == "exim" and attempt.result is Result.DEFERRED), where
                _check_stage(run, attempt, record, where)
            checked += 1
    assert checked > MESSAGES


def _check_stage(run: Run, attempt: Attempt, record: dict[str, Any], where: object) -> None:
    if attempt.transport is Transport.LMTP and run.mta == "exim" and attempt.stage == "data":
        return  # it calls each recipient's answer of an LMTP server one "after DATA"
    cut = attempt.stage is None and (len(_words(attempt)) > 900 or run.nameless)
    assert cut or attempt.stage == STAGES.get(record["stage"], record["stage"]), where


def test_what_ends_here_is_told_as_what_it_is(run: Run) -> None:
    mailbox = {"handed-over"} if run.nameless else {"delivered"}  # a mailbox, a program and LMTP look alike there
    states = {"mailbox:": mailbox, "pipe:": {"handed-over"}, "file:": {"delivered", "handed-over"}}
    ended = [(final, told.state.value) for _, _, final, told in run.pairs() if final in states]
    assert ended
    assert all(state in states[final] for final, state in ended)


def test_a_message_id_finds_all_recipients_of_its_message(run: Run) -> None:
    for mail in () if run.nameless else run.mails():
        message = run.of(mail, run.told[_by_id(mail)])
        assert {_key(d.recipient) for d in message.deliveries} == set(map(_key, mail["to"])), mail["number"]


def _told_alike(found: tuple[Message, ...]) -> list[object]:
    """A story without the places of its lines, which differ from form to form."""
    return [
        (
            m.message_id,
            m.stays,
            [(d.recipient, d.state, d.forward_paths, [_alike(a) for a in d.attempts]) for d in m.deliveries],
        )
        for m in found
    ]


def _alike(attempt: Attempt) -> Attempt:
    return replace(attempt, lines=())


def test_other_forms_of_the_logs_tell_the_same(run: Run) -> None:
    wanted = list(run.told)
    packed = []
    for name, path in run.truth["logs"].items():
        folder = run.home / name
        folder.mkdir()
        (folder / "mail.log.gz").write_bytes(gzip.compress(Path(path).read_bytes()))
        packed.append(f"{name}={folder / 'mail.log.gz'}")
    ingest(run.request(), run.home / "archive")
    plain = [_told_alike(run.told[w]) for w in wanted]
    for request in (run.request(logs=tuple(packed)), run.request(logs=(), archive=run.home / "archive")):
        assert [_told_alike(found) for found in run.cohort(request, wanted)] == plain
    for address in run.addresses()[::9]:
        alone, among_others = read_logs(run.request(to=(address,)))[0].messages, run.told[_by_address(address)]
        if run.nameless:  # a session may have begun long before: only who asks for one address is told of its TLS
            assert _told_alike(_without_tls(alone)) == _told_alike(_without_tls(among_others))
        else:
            assert alone == among_others


def _without_tls(found: tuple[Message, ...]) -> tuple[Message, ...]:
    return tuple(replace(m, deliveries=tuple(_delivery_without_tls(d) for d in m.deliveries)) for m in found)


def _delivery_without_tls(delivery: Delivery) -> Delivery:
    return replace(delivery, attempts=tuple(replace(a, tls=None) for a in delivery.attempts))


def test_the_command_says_what_the_library_says(run: Run) -> None:
    address = next(final for _, _, final, told in run.pairs() if told.state.value == "refused")
    command = [
        sys.executable,
        "-m",
        "deliverability",
        "trace",
        "--offline",
        "--all",
        "--format",
        "json",
        "--to",
        address,
    ]
    logs = [word for log in run.logs for word in ("--log", log)]
    done = subprocess.run(
        [*command, *logs, "--tz", "Asia/Taipei"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False, cwd=run.home,
        env={"PATH": os.environ["PATH"], "HOME": str(run.home), "LANG": "C.UTF-8", "PYTHONPATH": str(HERE.parents[1])},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr.decode(errors="replace")
    states = [d["state"] for m in json.loads(done.stdout)["messages"] for d in m["deliveries"]]
    assert states == [d.state.value for m in run.told[_by_address(address)] for d in m.deliveries]
