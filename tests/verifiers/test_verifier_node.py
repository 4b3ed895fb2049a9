"""A verifier in plain JavaScript, written from ``docs/bundle-format.md`` alone, finds what ours finds."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import sealed_bundles
from sealed_bundles import World, mutated, respelled

from deliverability.ledger.notes import VerifierKey
from deliverability.ledger.verify import Held, Step, Verification, verify_bundle

VERIFIER = Path(__file__).parent / "verify.mjs"
NODE = shutil.which("node")
MUTATIONS = 400


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return sealed_bundles.make(tmp_path_factory.mktemp("sealed"))


@pytest.fixture(scope="module")
def node() -> str:
    if NODE is None:
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail("node is not installed (Debian: apt-get install nodejs)")
        pytest.skip("node is not installed")
    return NODE


def verdict_of(done: Verification) -> str:
    if done.tampered:
        return "tampered"
    if done.findings[0].step is Step.FORM and done.findings[0].held is Held.UNDECIDED:
        return "other"
    return "complete" if done.complete else "open"


def ours(content: bytes, keys: list[str], heads: list[bytes]) -> dict[str, Any]:
    done = verify_bundle(content, keys=[VerifierKey.parse(key) for key in keys], held_heads=heads)
    return {"verdict": verdict_of(done), "findings": [[f.step, f.held, f.code] for f in done.findings]}


def theirs(node: str, asked: list[tuple[bytes, list[str], list[bytes]]]) -> list[dict[str, Any]]:
    lines = [
        json.dumps(
            {
                "bundle": base64.b64encode(content).decode(),
                "keys": keys,
                "heads": [base64.b64encode(head).decode() for head in heads],
            }
        )
        for content, keys, heads in asked
    ]
    done = subprocess.run(
        [node, str(VERIFIER), "--batch"], input="\n".join(lines).encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_bundle_is_judged_alike(node: str, world: World) -> None:
    other = VerifierKey(sealed_bundles.ORIGIN, b"\x07" * 32).to_text()
    stranger = VerifierKey("other.example/log", VerifierKey.parse(world.key).public).to_text()
    asked = [
        (content, keys, list(world.heads.values()))
        for name, content in world.good.items()
        if name != "wrongly stamped"  # without the root, Python leaves it open; the others look at the imprint
        for keys in ([world.key], [], [other], [other, world.key], [stranger])
    ]
    found = theirs(node, asked)
    assert len(found) == len(asked)
    for (content, keys, heads), one in zip(asked, found, strict=True):
        assert one == ours(content, keys, heads)
    assert {one["verdict"] for one in found} == {"complete", "open", "tampered"}


def test_a_time_stamp_over_another_head_fails(node: str, world: World) -> None:
    (found,) = theirs(node, [(world.good["wrongly stamped"], [world.key], [])])
    assert ["time", "failed", "time-bad"] in found["findings"] and found["verdict"] == "tampered"


@pytest.mark.parametrize("name", ["one", "customer", "continued", "part erased", "the log itself"])
@pytest.mark.parametrize("known", [True, False], ids=["with the key", "without"])
def test_mutations_are_judged_alike(node: str, world: World, name: str, known: bool) -> None:
    keys = [world.key] if known else []
    heads = [world.heads["first"], world.heads["after"]]
    asked = [(bad, keys, heads) for bad in mutated(world.good[name], MUTATIONS, seed=len(name))]
    found = theirs(node, asked)
    for (content, _, _), one in zip(asked, found, strict=True):
        assert one == ours(content, keys, heads), content
    assert "tampered" in {one["verdict"] for one in found}


@pytest.mark.parametrize("name", ["customer", "continued", "the log itself"])
def test_values_of_other_types_and_spellings_are_judged_alike(node: str, world: World, name: str) -> None:
    asked = [(bad, [world.key], []) for bad in respelled(world.good[name], MUTATIONS, seed=len(name))]
    for (content, _, _), one in zip(asked, theirs(node, asked), strict=True):
        assert one == ours(content, [world.key], []), content


def test_events_of_no_form_are_judged_alike_though_they_are_sealed(node: str, tmp_path: Path) -> None:
    bundles = list(sealed_bundles.odd_events(tmp_path))
    found = theirs(node, [(content, [], []) for content in bundles])
    for content, one in zip(bundles, found, strict=True):
        assert one == ours(content, [], []), content
    assert (
        sum(["records", "failed", "record-bad"] in one["findings"] for one in found)
        == len(bundles) - sealed_bundles.GOOD_ODD
    )


def test_odd_files_are_judged_alike(node: str) -> None:
    asked: list[tuple[bytes, list[str], list[bytes]]] = [(content, [], []) for content in sealed_bundles.ODD]
    for content, one in zip(sealed_bundles.ODD, theirs(node, asked), strict=True):
        assert one == ours(content, [], []), content


def test_on_the_command_line(node: str, world: World, tmp_path: Path) -> None:
    (tmp_path / "bundle").write_bytes(world.good["one"])
    (tmp_path / "head").write_bytes(world.heads["same"])
    words = [node, str(VERIFIER), str(tmp_path / "bundle"), "--key", world.key, "--checkpoint", str(tmp_path / "head")]
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.returncode == 0 and done.stdout.decode().splitlines()[-2:] == ["later shown later-same", "complete"]
