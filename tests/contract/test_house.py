"""The layers hold, and each contract is seen to fail when it is broken."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BREACHES = {
    "a lower layer imports an upper one": ("protocols/smtp.py", "import deliverability.api.requests", "The house"),
    "neighbours import each other": ("correlate/states.py", "import deliverability.assess", "The house"),
    "the model imports a protocol": ("evidence/smtp.py", "import deliverability.protocols.smtp", "The house"),
    "a room that is in no layer": ("utils.py", "import deliverability.errors", "The house"),
    "a plug-in imports another": ("checks/spf_aligned.py", "import deliverability.checks.spf_pass", "Plug-ins"),
    "a pure layer touches a socket": ("protocols/mx.py", "import socket", "Only capture and ledger"),
    "a pure layer asks the clock": ("assess.py", "import time", "Only capture and ledger"),
    "a pure layer asks the DNS": ("checks/spf_pass.py", "import dns.resolver", "Only capture and ledger"),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(command), "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def house(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "deliverability", tmp_path / "deliverability", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_layers_hold(house: Path) -> None:
    done = lint(house)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_seen(house: Path, breach: str) -> None:
    name, line, contract = BREACHES[breach]
    file = house / "deliverability" / name
    text = file.read_text() if file.exists() else '"""A junk drawer."""\n'
    file.write_text(f"{text}\n{line}\n")
    done = lint(house)
    assert done.returncode != 0
    broken = [row for row in done.stdout.splitlines() if "BROKEN" in row]
    assert any(row.startswith(contract) for row in broken), done.stdout
