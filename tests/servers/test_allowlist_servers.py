"""Every allowlist file that an engine can run, in that engine, over genuine and forged letters: in and out, every one.

A recipient's mail system in a private world: Postfix and rspamd receive, and write ``Authentication-Results``; what
they deliver goes to SpamAssassin, Amavis, Dovecot's Sieve and Exim's filter.  About a minute on two cores.
"""

import importlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deliverability import plugins
from deliverability.evidence.plugin import Form
from deliverability.evidence.sender_facts import SenderFacts, Signer

pytestmark = pytest.mark.server

HERE = Path(__file__).resolve().parent
RUN_SECONDS = 400
PROGRAMS = {
    "rspamd": "rspamd",
    "rspamadm": "rspamd",
    "spamassassin": "spamassassin",
    "amavisd": "amavisd-new",
    "postfix": "postfix",
}


def _beside(name: str) -> Any:
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(HERE))


packages, more_mtas, mails = _beside("packages"), _beside("more_mtas"), _beside("allowlist_mails")
TODAY = datetime.now(UTC).date()
FACTS = SenderFacts(
    address=mails.SENDER,
    signers=(Signer("host.example", ("s1",)),),
    issued_on=TODAY,
    expires_on=TODAY + timedelta(days=30),
    authserv_id=mails.SERVER,
)
PAST = replace(FACTS, issued_on=date(2025, 1, 1), expires_on=date(2025, 12, 31))
CONTROLS = {
    "control-sieve": '\nif allof (address :is "from" "billing@host.example") { keep; stop; }\n',
    "control-exim": '# Exim filter\nif $h_From: contains "billing@host.example" then finish endif\n',
    "control-spamassassin": "welcomelist_from *@host.example\n",
}
RECEIVED = {letter.name: letter.welcome for letter in mails.LETTERS}
STORED = RECEIVED | {letter.name: letter.welcome for letter in mails.STORED}
ENGINES = {
    "rspamd": RECEIVED,
    "spamassassin": RECEIVED,
    "amavis": RECEIVED,
    "sieve": STORED,
    "exim-user-filter": STORED,
    "exim-system-filter": STORED,
}
ENDING = ("sieve", "exim-user-filter", "exim-system-filter", "amavis")
"""Amavis reads the last day when it starts, so it is not said to end by itself."""
ODD = {letter.name: letter.welcome for letter in mails.STORED_ODD}


def _lacking(reason: str) -> None:
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(f"REQUIRE_SERVERS=1, but {reason}")
    pytest.skip(reason)


def _roots() -> str:
    """Packages that cannot stand beside Postfix, unpacked: to be laid over ``/usr`` of the lab alone."""
    try:
        packages.require("postfix")
        roots = [more_mtas.unpacked("dovecot", packages.cache()), packages.exim_root()]
    except (packages.Missing, LookupError) as missing:
        _lacking(str(missing))
    for program, package in PROGRAMS.items():
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            _lacking(f"{program} is not installed (Debian: apt-get install {package})")
    return ":".join(f"{root}/usr" for root in roots)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each engine let in, of every letter, from one run of the lab."""
    roots = _roots()
    work = tmp_path_factory.mktemp("allowlists")
    forms = work / "forms"
    forms.mkdir()
    for name in ENGINES:
        form: Form = plugins.load("allowlists", name)
        (forms / name).write_bytes(form.render(FACTS))
        if name in ENDING:
            (forms / f"{name}-expired").write_bytes(form.render(PAST))
    for name in ("sieve", "exim-user-filter"):
        odd = plugins.load("allowlists", name).render(replace(FACTS, address=mails.ODD))
        (forms / f"{name}-odd").write_bytes(odd)
    for name, text in CONTROLS.items():
        (forms / name).write_text(text)
    command = [*packages.NAMESPACE, sys.executable, str(HERE / "allowlist_lab.py"), str(work)]
    environment = {**os.environ, "ALLOWLIST_ROOTS": roots, "PYTHONDONTWRITEBYTECODE": "1", "TZ": "UTC"}
    done = subprocess.run(command, capture_output=True, env=environment, cwd=HERE, timeout=RUN_SECONDS, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-5000:]
    answer: dict[str, Any] = json.loads((work / "found.json").read_text())
    return answer


def test_every_form_that_is_said_to_be_run_is_run() -> None:
    loaded: dict[str, Form] = dict(plugins.load_all("allowlists"))
    assert {name for name, form in loaded.items() if form.run_here} == set(ENGINES)
    assert {name for name in ENGINES if loaded[name].ends_by_itself} <= set(ENDING)


@pytest.mark.parametrize(
    ("engine", "letter"), [(engine, letter) for engine, letters in ENGINES.items() for letter in letters]
)
def test_genuine_in_forged_out(found: dict[str, Any], engine: str, letter: str) -> None:
    assert found[engine][letter] is ENGINES[engine][letter], "".join(found["results"].get(letter, ()))


@pytest.mark.parametrize("engine", ENGINES)
def test_without_the_file_everything_is_junk(found: dict[str, Any], engine: str) -> None:
    assert set(found[f"{engine}-without"]) == set(RECEIVED)
    assert not any(found[f"{engine}-without"].values())


@pytest.mark.parametrize("engine", ENDING)
def test_after_its_last_day_nothing_gets_in(found: dict[str, Any], engine: str) -> None:
    assert set(found[f"{engine}-expired"]) == set(ENGINES[engine])
    assert not any(found[f"{engine}-expired"].values())


@pytest.mark.parametrize("engine", ["sieve", "exim-user-filter"])
def test_every_sign_of_an_address_means_itself(found: dict[str, Any], engine: str) -> None:
    assert found[f"{engine}-odd"] == ODD


@pytest.mark.parametrize("control", CONTROLS)
def test_the_letters_are_live(found: dict[str, Any], control: str) -> None:
    """A list by From alone lets in the genuine ones and the plainest forgeries: the letters do reach the rule."""
    assert found[control]["genuine"]
    assert found[control]["no-signature"]
    assert found[control]["signed-by-another"]
    assert found[control]["second-result"]


def test_what_the_receiving_server_wrote_of_the_attack_on_its_line(found: dict[str, Any]) -> None:
    """The quoted local part does put a stranger's words into the server's own header: the rule meets them."""
    assert "dmarc=pass header.from=host.example b@evil.example" in "".join(found["results"]["quoted-local-part"])
