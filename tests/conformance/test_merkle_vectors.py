"""transparency-dev/merkle, ``testdata``: its 98 cases of inclusion and 98 of consistency, the edge cases among them.

No package registry that this project's own checks reach carries them; they are read from the folder in
``MERKLE_TESTDATA``.  Without it these tests are skipped, and counted.
"""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from deliverability.ledger.merkle import verify_consistency, verify_inclusion

CASES = 98


@pytest.fixture(scope="module")
def suite() -> Path:
    named = os.environ.get("MERKLE_TESTDATA")
    if named is None:
        pytest.skip("transparency-dev/merkle's testdata is not at hand; name it with MERKLE_TESTDATA")
    return Path(named)


def cases(folder: Path) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))]
    assert len(found) == CASES
    return found


def octets(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def hashes(case: dict[str, Any]) -> list[bytes]:
    return [octets(text) for text in case["proof"] or ()]


def test_inclusion(suite: Path) -> None:
    for case in cases(suite / "inclusion"):
        held = verify_inclusion(
            octets(case["leafHash"]), case["leafIdx"], case["treeSize"], hashes(case), octets(case["root"])
        )
        assert held is (not case["wantErr"]), case


def test_consistency(suite: Path) -> None:
    for case in cases(suite / "consistency"):
        held = verify_consistency(
            case["size1"], case["size2"], octets(case["root1"]), octets(case["root2"]), hashes(case)
        )
        assert held is (not case["wantErr"]), case
