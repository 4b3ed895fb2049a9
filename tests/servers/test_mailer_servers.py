"""The recording mailer with real mail servers: Postfix and Exim as smarthost, and as the recipient's own exchanger."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.server
OWN_IP = "203.0.113.25"
EXIM, EXIM_PID = "/run/rig/exim/bin/exim4", "/run/rig/exim/spool/mailer-test.pid"


def inside(world, *command: str) -> None:
    """A program in the namespace of the server."""
    child = Path(f"/proc/{world.process.pid}/task/{world.process.pid}/children").read_text().split()[0]
    enter = ["nsenter", "-t", child, "--mount", "--net", "--pid", *command]
    done = subprocess.run(enter, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60, check=False, cwd="/")
    assert done.returncode == 0, command


@pytest.fixture(scope="module", params=["postfix", "exim"])
def own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A world of our own: its server runs on after the stories, and so would try again what they left in its queue."""
    plugins = request.config.pluginmanager.get_plugins()
    rig = next(p for p in plugins if getattr(p, "__file__", None) == str(Path(__file__).with_name("conftest.py")))
    world = rig._start(request.param, tmp_path_factory.mktemp(f"mailer-{request.param}"))
    if world.mta == "postfix":
        start = ["postfix", "-c", "/run/rig/postfix/etc", "start"]
        stop = ["postfix", "-c", "/run/rig/postfix/etc", "stop"]
    else:
        start = [EXIM, "-bd", "-q1s", "-oP", EXIM_PID]
        stop = ["sh", "-c", f"kill $(cat {EXIM_PID})"]
    inside(world, *start)
    yield world
    inside(world, *stop)
    world.process.stdin.close()
    world.process.wait(20)
    world.process.stdout.close()


def notice(world, recipient: str, subject: str) -> Path:
    name = f"{subject}-{time.time_ns()}"
    path = world.work / f"{name}.eml"
    path.write_text(
        f"From: Renewals <renewals@hosting.example>\nTo: {recipient}\nSubject: {subject}\n"
        f"Message-ID: <{name}@hosting.example>\nDate: Sun, 22 Nov 2026 10:00:00 +0000\n\nhello\n.\n..\n",
        encoding="utf-8",
    )
    return path


def send(world, recipient: str, *arguments: str) -> tuple[int, Path, dict]:
    receipt = world.work / f"receipt-{time.time_ns()}.json"
    done = world.run(
        "send", str(notice(world, recipient, "recorded-notice")), "--ledger", str(world.work / "ledger"),
        "--nameserver", world.truth["nameserver"], "-o", str(receipt), *arguments,
    )  # fmt: skip
    assert done.returncode in {0, 1, 3}, done.stderr.decode(errors="replace")
    return done.returncode, receipt, json.loads(receipt.read_text(encoding="utf-8"))


def report(world, receipt: Path, *arguments: str) -> tuple[int, dict]:
    done = world.run(
        "report", "--receipt", str(receipt), "--nameserver", world.truth["nameserver"], "--format", "json", *arguments
    )
    assert done.returncode in {0, 1, 3}, done.stderr.decode(errors="replace")
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    ("recipient", "status", "state"),
    [("ok-77@corp.example", 0, "accepted"), ("nouser-77@corp.example", 1, "refused")],
)
def test_the_smarthost_s_log_tells_the_rest(own, recipient, status, state):
    """Handed over is all that its 250 shows; the same receipt with its log tells what the recipient's exchanger said."""
    first, receipt, value = send(own, recipient, "--relay", f"{OWN_IP}:25")
    assert first == 3
    assert value["outcomes"][0]["remote_queue_id"], value["outcomes"]
    assert report(own, receipt)[1]["claim"]["state"] == "handed-over"
    for _ in range(100):
        reached, answer = report(own, receipt, "--log", own.main_log)
        if answer["claim"]["state"] == state:
            break
        time.sleep(0.2)
    assert (reached, answer["claim"]["state"]) == (status, state)
    verdicts = {v["check"]: v["outcome"] for v in answer["verdicts"]}
    assert "fail" not in {verdicts["spf-pass"], verdicts["dkim-pass"]}


def test_straight_to_a_real_server_that_is_the_exchanger(own):
    """Its own MX is this very server; the message goes to a mailbox of its own."""
    if own.mta == "exim":
        status, _, value = send(own, "ok-78@eximhost.example")
    else:
        status, _, value = send(own, "box@hosting.example")
    assert status == 0, value["outcomes"]
    outcome = value["outcomes"][0]
    assert outcome["finish"] == "accepted"
    assert outcome["reply"]["code"] == 250
    assert outcome["remote_queue_id"]


def test_refused_by_the_exchanger(own):
    status, receipt, value = send(own, "nouser-79@corp.example")
    assert status == 1
    assert value["outcomes"][0]["reply"]["enhanced_status_code"] == "5.1.1"
    assert report(own, receipt)[1]["claim"]["state"] == "refused"


def test_tls_to_an_exchanger_is_on_record(own):
    _, _, value = send(own, "ok-80@eximhost.example")
    tls = value["outcomes"][0]["tls"]
    assert tls["version"].startswith("TLSv1.")
    assert tls["verified"] is False
