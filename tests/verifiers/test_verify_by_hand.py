"""``docs/verify-by-hand.md`` is run as it stands: it accepts what was sealed, and stops at what was changed."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sealed_bundles
from sealed_bundles import World

from deliverability.protocols import canonical

DOCS = Path(__file__).parents[2] / "docs" / "verify-by-hand.md"
PROGRAMS = ("bash", "openssl", "sha256sum", "base64", "xxd", "jq")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail(f"not installed: {', '.join(missing)}")
        pytest.skip(f"not installed: {', '.join(missing)}")
    return sealed_bundles.make(tmp_path_factory.mktemp("sealed"))


def blocks() -> list[str]:
    return re.findall(r"^```bash\n(.*?)^```", DOCS.read_text(), re.DOTALL | re.MULTILINE)


def run(content: bytes, world: World, folder: Path, key: str | None = None) -> "subprocess.CompletedProcess[str]":
    (folder / "evidence.json").write_bytes(content)
    (folder / "root.pem").write_bytes(world.root)
    environment = {"PATH": os.environ["PATH"], "KEY": key or world.key, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    return subprocess.run(
        ["bash"], input="\n".join(blocks()), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["customer", "one", "stamped", "part erased"])
def test_what_was_sealed_is_shown(world: World, tmp_path: Path, name: str) -> None:
    done = run(world.good[name], world, tmp_path)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "Signature Verified Successfully" in done.stdout and "in the log of" in done.stdout
    assert ("Verification: OK" in done.stdout + done.stderr) == (name == "stamped")
    assert ("erased" in done.stdout) == (name == "part erased")
    assert ("notice.eml: " in done.stdout) == (name == "customer")


def test_what_an_earlier_bundle_left_in_the_folder_is_not_taken_for_this_one(world: World, tmp_path: Path) -> None:
    """A record of the one would stand in for what was erased from the other."""
    assert run(world.good["customer"], world, tmp_path).returncode == 0
    done = run(world.good["one"], world, tmp_path)
    assert done.returncode != 0 and "Verified" not in done.stdout


def other_digit(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a record": lambda b: b["entries"][1].update(
        record=b["entries"][1]["record"].replace("accepted", "deferred", 1) + " "
    ),
    "a salt": lambda b: b["entries"][0].update(salt=other_digit(b["entries"][0]["salt"])),
    "a leaf": lambda b: b["entries"][0].update(leaf=other_digit(b["entries"][0]["leaf"])),
    "a number": lambda b: b["entries"][0].update(number=b["entries"][0]["number"] + 1),
    "a proof": lambda b: b["entries"][0]["proof"].__setitem__(0, other_digit(b["entries"][0]["proof"][0])),
    "a shorter proof": lambda b: b["entries"][0]["proof"].pop(),
    "the size": lambda b: b.update(checkpoint=re.sub(r"\n\d", "\n9", b["checkpoint"], count=1)),
    "an entry left out": lambda b: b["entries"].pop(2),
    "a copy": lambda b: b["files"][0].update(content="AAAA"),
    "the origin": lambda b: b.update(origin="other.example"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_was_changed_is_refused(world: World, tmp_path: Path, what: str) -> None:
    bundle = json.loads(world.good["customer"])
    CHANGES[what](bundle)
    content = canonical.to_bytes(bundle)
    assert content != world.good["customer"]
    assert run(content, world, tmp_path).returncode != 0


def test_another_key_or_time_stamp_is_refused(world: World, tmp_path: Path) -> None:
    changed = world.key[:-4] + ("AAAA" if world.key[-4:] != "AAAA" else "BBBB")
    for name in ("key", "stamp"):
        (tmp_path / name).mkdir()
    assert run(world.good["customer"], world, tmp_path / "key", key=changed).returncode != 0
    done = run(world.good["wrongly stamped"], world, tmp_path / "stamp")
    assert done.returncode != 0 and "the head existed" not in done.stdout
