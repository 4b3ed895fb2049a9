"""The mailers that people use, with the real frameworks, real servers, and processes that die."""

import asyncio
import hashlib
import http.client
import importlib
import json
import os
import re
import signal
import smtplib as stdlib
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from free_ports import free_port
from tls_files import server_context

from deliverability.api.receipts import Receipt
from deliverability.evidence.recorder import Finish, Intent, Later, Outcome, Record, Snapshot
from deliverability.evidence.smtp import Tls
from deliverability.ledger.leaves import LeafKind, parse_body
from deliverability.ledger.log import Ledger
from deliverability.ledger.spool import spooled
from deliverability.protocols.records import record_from_bytes

pytestmark = pytest.mark.server

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs" / "mailers.md"
SHOWN_LEDGER = "/var/lib/deliverability/ledger"
SENDER, CHEN = "renewals@hosting.example", "chen@hinet.example"
PATIENCE = 90


def block(heading: str, ledger: Path, port: int, number: int = 0) -> str:
    """A block of the page, as it stands there, led to this folder and this server."""
    part = DOCS.read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    text = re.findall(r"^```py\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)[number]
    assert SHOWN_LEDGER in text or heading == "Celery and the like"
    shown = {
        SHOWN_LEDGER: str(ledger),
        "smtp.example:587": f"127.0.0.1:{port}",
        '"smtp.example", 587': f'"127.0.0.1", {port}',
    }
    for word, own in shown.items():
        text = text.replace(word, own)
    return text


class Sink:
    """Keeps what it took; of a recipient whose name says so, it kills the process that is sending."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.seen: Counter[str] = Counter()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        self.seen[address] += 1
        if address.startswith("refused"):
            return "550 5.1.1 nobody"
        if address.startswith("killrcpt"):
            os.kill(pid_of(envelope.mail_from), signal.SIGKILL)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        (to,) = envelope.rcpt_tos
        if to.startswith("later") and self.seen[to] == 1:
            return "451 4.3.0 later"
        self.taken.append((to, hashlib.sha256(envelope.original_content).hexdigest()))
        if to.startswith("killdata"):
            os.kill(pid_of(envelope.mail_from), signal.SIGKILL)
        return f"250 2.0.0 Ok: queued as 4Xy{len(self.taken):08d}"


def pid_of(reverse_path: str) -> int:
    return int(reverse_path.partition("+")[2].partition("@")[0])


@contextmanager
def listening(sink: Sink, **options: Any) -> Iterator[int]:
    port = free_port()
    controller = Controller(sink, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def written(to: str = CHEN) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, to, "Renewal"
    message["Message-ID"], message["X-Customer"] = "<1@hosting.example>", "4711"
    message.set_content("Dear customer\n")
    return message


def records(folder: Path) -> list[Record]:
    return [record_from_bytes(line) for file in spooled(folder / "spool") for line, _ in file.lines()]


# --- the page's blocks, each over TLS and with credentials where it shows them ---------------------------------------------


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    folder = tmp_path_factory.mktemp("tls")
    return server_context(folder, "localhost"), folder / "certificate.pem"


def accepting(*_: object) -> AuthResult:
    return AuthResult(success=True)


def test_the_block_about_smtplib(tmp_path: Path, tls: tuple[ssl.SSLContext, Path]) -> None:
    sink = Sink()
    with listening(sink, tls_context=tls[0], authenticator=accepting, auth_required=True) as port:
        named: dict[str, Any] = {"message": written()}
        exec(block("smtplib", tmp_path, port), named)
    receipt = named["receipt"]
    intent, outcome = records(tmp_path)
    assert isinstance(intent, Intent) and isinstance(outcome, Outcome)
    assert receipt.finishes == {CHEN: Finish.ACCEPTED} and sink.taken == [(CHEN, intent.sha256)]
    assert isinstance(outcome.tls, Tls) and outcome.tls.version == "TLSv1.3" and outcome.tls.verified is False
    assert outcome.certificate_sha256 == hashlib.sha256(ssl.PEM_cert_to_DER_cert(tls[1].read_text())).hexdigest()
    assert outcome.relay is not None and (outcome.relay.ip, outcome.relay.port) == ("127.0.0.1", port)
    assert outcome.local_ip == "127.0.0.1" and outcome.remote_queue_id == "4Xy00000001"


def test_the_block_about_a_module(tmp_path: Path) -> None:
    with listening(Sink()) as port:
        named: dict[str, Any] = {}
        exec(block("smtplib", tmp_path, port, 1), named)
        with named["smtplib"].SMTP("127.0.0.1", port) as client:
            client.send_message(written())
    (intent, _) = records(tmp_path)
    assert isinstance(intent, Intent) and intent.account == "4711"


def test_verified_tls_from_the_start(tmp_path: Path, tls: tuple[ssl.SSLContext, Path]) -> None:
    from deliverability.contrib.smtplib import SMTP_SSL

    context = ssl.create_default_context(cafile=tls[1])
    with (
        listening(Sink(), ssl_context=tls[0], server_hostname="localhost") as port,
        SMTP_SSL("localhost", port, ledger=tmp_path, context=context) as client,
    ):
        client.send_message(written())
    outcome = records(tmp_path)[-1]
    assert isinstance(outcome, Outcome) and outcome.tls is not None and outcome.tls.verified is True
    assert outcome.relay is not None and outcome.relay.name == "localhost"


def test_the_block_about_flask_mail(tmp_path: Path) -> None:
    import flask
    import flask_mail

    app = flask.Flask("site")
    with listening(Sink()) as port:
        app.config.update(MAIL_SERVER="127.0.0.1", MAIL_PORT=port, DELIVERABILITY_ACCOUNT_HEADER="X-Customer")
        named: dict[str, Any] = {"app": app}
        exec(block("Flask-Mail", tmp_path, port), named)
        mail = named["mail"]
        letter = flask_mail.Message(
            "Renewal", [("Chen", CHEN)], "hello", sender=SENDER, extra_headers={"X-Customer": "4711"}
        )
        with app.app_context():
            mail.send(letter)
            with mail.connect() as connection:
                connection.send(flask_mail.Message("Renewal", ["refused@hinet.example", CHEN], "b", sender=SENDER))
                receipt = connection.host.receipt
    first = records(tmp_path)[0]
    assert isinstance(first, Intent) and (first.account, first.forward_path) == ("4711", CHEN)
    assert receipt.finishes == {CHEN: Finish.ACCEPTED, "refused@hinet.example": Finish.REFUSED}


def test_flask_mail_without_a_ledger_says_so() -> None:
    import flask

    from deliverability.contrib.flask_mail import Mail
    from deliverability.errors import UsageError

    app = flask.Flask("site")
    with app.app_context(), pytest.raises(UsageError, match="DELIVERABILITY_LEDGER"):
        Mail(app).connect()


def test_the_block_about_fastapi_mail(tmp_path: Path) -> None:
    from fastapi_mail import ConnectionConfig, FastMail, MessageSchema, MessageType

    config = ConnectionConfig(
        MAIL_USERNAME="", MAIL_PASSWORD="", MAIL_PORT=25, MAIL_SERVER="127.0.0.1", MAIL_STARTTLS=False, MAIL_SSL_TLS=False,
        MAIL_FROM=SENDER,
    )  # fmt: skip
    schema = MessageSchema(subject="Renewal", recipients=[CHEN], body="hello", subtype=MessageType.plain)
    sink = Sink()
    with listening(sink) as port:
        named: dict[str, Any] = {"FastMail": FastMail, "config": config}
        exec(block("FastAPI-Mail", tmp_path, port), named)
        receipt = asyncio.run(named["send"](schema))
    assert receipt.finishes == {CHEN: Finish.ACCEPTED} and sink.taken == [(CHEN, receipt.intents[0].sha256)]


# --- many processes, and some of them killed ------------------------------------------------------------------------------

SETTINGS = """
SECRET_KEY = "x"
ROOT_URLCONF = "site_urls"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
DEFAULT_FROM_EMAIL = "app+0@hosting.example"
EMAIL_HOST, EMAIL_PORT = "127.0.0.1", {port}
DATABASES = {{"default": {{
    "ENGINE": "django.db.backends.sqlite3", "NAME": "{folder}/db.sqlite", "ATOMIC_REQUESTS": True, "OPTIONS": {{"timeout": 60}},
}}}}
{block}
"""
URLS = """
import os

from django.core.mail import EmailMessage
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpResponse
from django.urls import path


def send(request):
    to = request.GET["to"]
    if "roll" in to:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO notice (recipient) VALUES (%s)", [to])
    sender = f"app+{os.getpid()}@hosting.example"
    message = EmailMessage("Renewal", "Dear customer", sender, [to], headers={"X-Customer": to})
    message.send()
    if "roll" in to:
        raise RuntimeError("after the notice has gone out")
    return HttpResponse(message.deliverability_receipt.to_json())


urlpatterns = [path("send", send)]
application = get_wsgi_application()
"""
TASKS = """
import os

import django
from celery import Celery
from celery.signals import worker_process_init

django.setup()
from django.conf import settings
from django.core.mail import EmailMessage

app = Celery("tasks")
app.conf.update(
    broker_url="filesystem://",
    broker_transport_options={{k: "{folder}/" + v for k, v in {{
        "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"}}.items()}},
    result_backend="file://{folder}/results",
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


@worker_process_init.connect
def begun(**_):
    settings.DEFAULT_FROM_EMAIL = f"app+{{os.getpid()}}@hosting.example"


{block}

if __name__ == "__main__":
    import sys

    for to in sys.argv[1:]:
        print(to, notify.delay(to, "Renewal", "Dear customer").id)
"""


class Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.path)


def until(what: Callable[[], bool], sentence: str) -> None:
    last = time.monotonic() + PATIENCE
    while not what():
        if time.monotonic() > last:
            pytest.fail(f"not within {PATIENCE} s: {sentence}")
        time.sleep(0.05)


@contextmanager
def running(folder: Path, *command: str) -> Iterator[None]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "DJANGO_SETTINGS_MODULE": "site_settings"}
    with (folder / f"{Path(command[1]).name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for name in ("queue", "control", "results"):
        (folder / name).mkdir()
    with closing(sqlite3.connect(folder / "db.sqlite")) as database, database:
        database.execute("CREATE TABLE notice (recipient TEXT)")
    database.close()
    return folder


def ask(folder: Path, to: str) -> int | None:
    connection = Unix(str(folder / "g.sock"))
    try:
        connection.request("GET", f"/send?to={to}")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None  # its worker was killed
    finally:
        connection.close()


WEB = [
    f"{('killdata', 'killrcpt', 'refused', 'roll', 'ok')[n % 5 if n < 25 else 4]}-web{n}@hinet.example"
    for n in range(60)
]
TASK = [f"{('killdata', 'killrcpt', 'refused', 'later', 'ok')[n % 5]}-task{n}@hinet.example" for n in range(15)]
EXPECTED = {
    "killdata": {Finish.UNKNOWN}, "killrcpt": {Finish.UNKNOWN}, "refused": {Finish.REFUSED}, "roll": {Finish.ACCEPTED},
    "ok": {Finish.ACCEPTED}, "later": {Finish.DEFERRED, Finish.ACCEPTED},
}  # fmt: skip


def test_workers_and_tasks_record_into_one_spool_and_may_be_killed(site: Path) -> None:
    sink, ledger = Sink(), site / "ledger"
    with listening(sink) as port:
        (site / "site_settings.py").write_text(
            SETTINGS.format(port=port, folder=site, block=block("Django", ledger, port))
        )
        (site / "site_urls.py").write_text(URLS)
        own = block("Celery and the like", ledger, port).replace("default_retry_delay=300", "default_retry_delay=0")
        (site / "tasks.py").write_text(TASKS.format(folder=site, block=own))
        gunicorn = ("-m", "gunicorn", "-w", "4", "--preload", "-b", f"unix:{site}/g.sock", "site_urls:application")
        celery = (
            "-m",
            "celery",
            "-A",
            "tasks",
            "worker",
            "-c",
            "2",
            "-l",
            "WARNING",
            "--without-gossip",
            "--without-mingle",
        )
        with running(site, *gunicorn), running(site, *celery):
            until((site / "g.sock").exists, "Gunicorn listens")
            submitted = submit(site, TASK)
            with ThreadPoolExecutor(6) as threads:
                statuses = dict(zip(WEB, threads.map(lambda to: ask(site, to), WEB), strict=True))
            until(lambda: done(site, submitted, sink), "Celery's tasks are done")
    check_statuses(statuses)
    check_ledger(ledger, sink)
    with closing(sqlite3.connect(site / "db.sqlite")) as database, database:
        assert database.execute("SELECT count(*) FROM notice").fetchone() == (0,)  # every one was rolled back
    database.close()


def submit(folder: Path, to: list[str]) -> dict[str, str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "DJANGO_SETTINGS_MODULE": "site_settings"}
    told = subprocess.run(
        [sys.executable, "tasks.py", *to], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return dict(line.split() for line in told.stdout.splitlines())


def done(folder: Path, submitted: dict[str, str], sink: Sink) -> bool:
    """Every task has ended, and the ones that are killed have been."""
    told = {to: folder / "results" / f"celery-task-meta-{name}" for to, name in submitted.items()}
    return all(sink.seen[to] if to.startswith("kill") else ended(told[to]) for to in submitted)


def ended(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text())["status"] in ("SUCCESS", "FAILURE"))
    except (OSError, ValueError):
        return False


def check_statuses(statuses: dict[str, int | None]) -> None:
    wanted = {"killdata": None, "killrcpt": None, "refused": 500, "roll": 500, "ok": 200}
    assert statuses == {to: wanted[to.partition("-")[0]] for to in statuses}


def check_ledger(folder: Path, sink: Sink) -> None:
    now = datetime.now(UTC)
    with Ledger.create(folder, "hosting.example/dispatch", now=now) as ledger:
        ledger.drain(now)
        bodies = [parse_body(e.body) for e in ledger.store.entries() if e.body is not None]
        assert ledger.store.open_dispatches() == ()
    assert spooled(folder / "spool") == ()
    assert LeafKind.INCIDENT not in {b.kind for b in bodies}
    kept = [record_from_bytes(b.event) for b in bodies if b.kind in (LeafKind.INTENT, LeafKind.OUTCOME)]
    intents = {r.dispatch: r for r in kept if isinstance(r, Intent)}
    found: dict[str, set[Finish]] = {}
    accepted: list[tuple[str, str]] = []
    for one in kept:
        assert not isinstance(one, Later | Snapshot)
        if isinstance(one, Outcome):
            intent = intents[one.dispatch]
            found.setdefault(intent.forward_path, set()).add(one.finish)
            accepted += [(intent.forward_path, intent.sha256)] * (one.finish is Finish.ACCEPTED)
    # No intent is lost: all that was taken is on record, octet for octet.
    assert {(i.forward_path, i.sha256) for i in intents.values()} >= set(sink.taken)
    # No success is invented, and nothing was sent twice: what was accepted is what was taken and answered.
    assert Counter(accepted) == Counter(t for t in sink.taken if not t[0].startswith("kill"))
    assert max(Counter(to for to, _ in sink.taken).values()) == 1
    assert found == {to: EXPECTED[to.partition("-")[0]] for to in [*WEB, *TASK]}
    assert {i.account for i in intents.values() if "-web" in i.forward_path} == set(WEB)


def test_a_task_answers_with_a_receipt_that_can_be_read_again(site: Path) -> None:
    """What the tasks of the test before left in Celery's result store."""
    results = [json.loads(path.read_text()) for path in (site / "results").iterdir()]
    receipts = [Receipt.from_dict(r["result"]) for r in results if r["status"] == "SUCCESS"]
    assert sorted(i.forward_path for r in receipts for i in r.intents) == sorted(
        t for t in TASK if t[:2] in ("ok", "la")
    )
    assert all(set(r.finishes.values()) == {Finish.ACCEPTED} for r in receipts)
    assert max(len(json.dumps(r["result"])) for r in results if r["status"] == "SUCCESS") < 4096


def test_threads_of_one_process(tmp_path: Path) -> None:
    from deliverability.contrib.smtplib import Recording

    sink, module = Sink(), Recording(tmp_path)

    def send(number: int) -> None:
        with module.SMTP("127.0.0.1", port, local_hostname="app.example") as client:
            client.send_message(written(f"ok-{number}@hinet.example"))

    with listening(sink) as port, ThreadPoolExecutor(8) as threads:
        list(threads.map(send, range(40)))
    kept = records(tmp_path)
    assert {(r.forward_path, r.sha256) for r in kept if isinstance(r, Intent)} == set(sink.taken)
    assert sum(isinstance(r, Outcome) and r.finish is Finish.ACCEPTED for r in kept) == 40
    assert len(spooled(tmp_path / "spool")) == 1


def test_a_server_that_goes_away(tmp_path: Path) -> None:
    from deliverability.contrib.smtplib import SMTP

    with listening(Sink()) as port:
        client = SMTP("127.0.0.1", port, ledger=tmp_path)
        client.ehlo()
    with pytest.raises(stdlib.SMTPException):
        client.send_message(written())
    assert client.receipt is not None and client.receipt.finishes == {CHEN: Finish.DEFERRED}
    client.close()


# --- Postfix as smarthost ---------------------------------------------------------------------------------------------


def beside(name: str) -> Any:
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def smarthost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any], list[str]]]:
    packages, work = beside("packages"), tmp_path_factory.mktemp("smarthost")
    try:
        packages.require("postfix")
    except packages.Missing as missing:
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    command = [*packages.NAMESPACE, sys.executable, str(HERE / "mailers_driver.py"), str(work)]
    with (work.parent / "mailers.stderr").open("w+b") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdin is not None and process.stdout is not None
        ready = process.stdout.readline()
        if not ready:
            process.wait(PATIENCE)
            errors.seek(0)
            pytest.fail(f"the rig did not come up:\n{errors.read().decode(errors='replace')[-3000:]}")
        child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
        yield work, json.loads(ready), ["nsenter", "-t", child, "--mount", "--net", "--pid"]
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


@pytest.mark.parametrize("mailer", ["smtplib", "django", "flask", "fastapi"])
def test_the_smarthosts_log_raises_what_was_handed_over(
    smarthost: tuple[Path, dict[str, Any], list[str]], mailer: str
) -> None:
    work, truth, enter = smarthost
    receipt = Receipt.from_json((work / f"{mailer}.json").read_bytes())
    (outcome,) = receipt.outcomes
    assert receipt.recorded and outcome.finish is Finish.ACCEPTED
    assert outcome.remote_queue_id is not None and outcome.relay is not None and outcome.relay.ip == truth["from_ip"]
    to = receipt.intents[0].forward_path
    (heard,) = [r for r in truth["records"] if r["rcpt"] == to and r["kind"] == "end"]
    alone = report(enter, work, "--receipt", str(work / f"{mailer}.json"))
    assert alone["claim"]["level"] == "L1"
    raised = report(
        enter, work, "--receipt", str(work / f"{mailer}.json"), "--log", truth["logs"]["iso8601"],
        "--nameserver", truth["nameserver"], "--tz", "UTC",
    )  # fmt: skip
    assert raised["claim"]["level"] == "L2"
    assert heard["remote"] in json.dumps(raised)


def test_what_the_smarthost_refused_is_refused(smarthost: tuple[Path, dict[str, Any], list[str]]) -> None:
    work, _, _ = smarthost
    receipt = Receipt.from_json((work / "blocked.json").read_bytes())
    (outcome,) = receipt.outcomes
    assert (outcome.finish, outcome.stage) == (Finish.REFUSED, "rcpt")
    assert outcome.reply is not None and "this address is blocked here" in outcome.reply.text


def report(enter: list[str], work: Path, *arguments: str) -> dict[str, Any]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(work), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    offline = () if "--nameserver" in arguments else ("--offline",)
    words = [*enter, sys.executable, "-m", "deliverability", "report", *arguments, *offline, "--format", "json"]
    done = subprocess.run(words, capture_output=True, env=environment, cwd=work, timeout=60, check=False)
    assert done.returncode in (0, 3), done.stderr.decode(errors="replace")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
