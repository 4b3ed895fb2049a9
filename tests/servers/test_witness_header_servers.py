"""The settings of ``docs/witness-header.md``, word for word, in the real OpenDKIM and the real Exim."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deliverability.evidence.observation import DnsAnswer, DnsQuestion, Observations, Rcode, Record
from deliverability.ledger.log import Ledger
from deliverability.protocols.witness import Carried, Cover, make_header, read_header

pytestmark = pytest.mark.server

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs" / "witness-header.md"
SELECTOR = "s2026"
MAIL = "From: renewals@hosting.example\r\nTo: chen@hinet.example\r\nSubject: Renewal\r\n\r\nDear customer\r\n"


def settings(kind: str) -> str:
    found = re.findall(rf"^```{re.escape(kind)}\n(.*?)^```", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def beside(name: str) -> Any:
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(HERE))


def lacking(sentence: str) -> None:
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("ledger") / "l"
    with Ledger.create(folder, "hosting.example/dispatch", now=datetime(2026, 11, 22, tzinfo=UTC)) as ledger:
        return make_header(ledger.head.read() or b"")


def read(mail: bytes, public: str, selector: str) -> tuple[Carried, ...]:
    question = DnsQuestion(f"{selector}._domainkey.hosting.example", "TXT")
    now = datetime.now(UTC)
    key = (Record("", (f"v=DKIM1; k=rsa; p={public}".encode(),)),)
    return read_header(
        mail, Observations.of([DnsAnswer(question, Rcode.NOERROR, key, question.name, 60, "t", now)]), now
    )


def opendkim(folder: Path, options: str, mail: str) -> str:
    """What the filter puts on top of a message, in its own test mode."""
    program = shutil.which("opendkim")
    if program is None:
        lacking("opendkim is not installed (Debian: apt-get install opendkim)")
    key = folder / "key.pem"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    own = f"Mode s\nDomain hosting.example\nSelector {SELECTOR}\nKeyFile {key}\nRequireSafeKeys no\nCanonicalization relaxed/simple\n"
    (folder / "opendkim.conf").write_text(f"{own}InternalHosts 127.0.0.1\nSyslog no\n{options}")
    (folder / "mail.eml").write_bytes(mail.encode())
    words = [str(program), "-x", "opendkim.conf", "-t", "mail.eml", "-vvv"]
    done = subprocess.run(words, cwd=folder, capture_output=True, check=False, timeout=60)
    found = re.search(r"hname='(DKIM-Signature)' hvalue='(.*?)'\n", done.stdout.decode() + "\n", re.DOTALL)
    assert found, done.stderr.decode()
    return f"{found[1]}: {found[2]}".replace("\n", "\r\n") + "\r\n"


def public_of(folder: Path) -> str:
    der = subprocess.run(
        ["openssl", "pkey", "-in", "key.pem", "-pubout"], cwd=folder, check=True, capture_output=True
    ).stdout.decode()
    return "".join(der.splitlines()[1:-1])


def test_opendkim_covers_the_field(header: str, tmp_path: Path) -> None:
    mail = f"{header}\r\n{MAIL}"
    signed = opendkim(tmp_path, settings("opendkim.conf"), mail) + mail
    (one,) = read(signed.encode(), public_of(tmp_path), SELECTOR)
    assert (one.cover, one.sealed) == (Cover.COVERED, True)
    twice = read(f"Dispatch-Checkpoint: x\r\n{signed}".encode(), public_of(tmp_path), SELECTOR)
    assert Cover.COVERED not in {other.cover for other in twice}


def test_opendkim_as_it_comes_does_not(header: str, tmp_path: Path) -> None:
    mail = f"{header}\r\n{MAIL}"
    signed = opendkim(tmp_path, "OversignHeaders From\n", mail) + mail
    (one,) = read(signed.encode(), public_of(tmp_path), SELECTOR)
    assert one.cover is Cover.NOT_NAMED


@pytest.fixture(scope="module")
def exim(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], dict[str, str]]:
    packages = beside("packages")
    try:
        packages.require("exim")
        root = packages.exim_root()
    except packages.Missing as missing:
        lacking(str(missing))
    libraries = ":".join(str(p) for p in root.glob("usr/lib/*") if p.is_dir())
    return packages.NAMESPACE, {**os.environ, "EXIM_PACKAGE_ROOT": str(root), "LD_LIBRARY_PATH": libraries}


def delivered(exim: tuple[list[str], dict[str, str]], folder: Path, header: str, transport: str) -> Path:
    namespace, environment = exim
    (folder / "header").write_text(header.replace("\r\n", "\n") + "\n")
    (folder / "work").mkdir()
    words = [
        *namespace,
        sys.executable,
        str(HERE / "witness_driver.py"),
        str(folder / "work"),
        str(folder / "header"),
        transport,
    ]
    done = subprocess.run(words, capture_output=True, check=False, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    return folder / "work"


def test_exim_covers_the_field(exim: tuple[list[str], dict[str, str]], header: str, tmp_path: Path) -> None:
    work = delivered(exim, tmp_path, header, settings("exim"))
    mail = (work / "got.eml").read_bytes()
    (one,) = read(mail, (work / "public").read_text(), (work / "selector").read_text())
    assert (one.cover, one.sealed) == (Cover.COVERED, True)
    assert one.note is not None and make_header(one.note) == header


def test_exim_without_the_list_does_not(exim: tuple[list[str], dict[str, str]], header: str, tmp_path: Path) -> None:
    work = delivered(exim, tmp_path, header, settings("exim").split("\n")[0])
    (one,) = read((work / "got.eml").read_bytes(), (work / "public").read_text(), (work / "selector").read_text())
    assert one.cover is Cover.NOT_NAMED
