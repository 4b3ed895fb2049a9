"""Our notes and proofs, judged by verifiers that others wrote: Go's ``golang.org/x/mod`` and npm's ``@sigstore/verify``.

Go and ``x/mod`` come as Debian packages (``golang-go``, ``golang-golang-x-mod-dev``): those of the system, or unpacked once
into a cache.  ``@sigstore/verify`` comes from npm, into pytest's cache.  What is not at hand is skipped, and fails with
``REQUIRE_SUITES=1``.  Nothing of them is part of this repository.
"""

import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from deliverability.errors import ParseError
from deliverability.ledger.checkpoint import Checkpoint, parse_text
from deliverability.ledger.keys import FileSigner, make_key, signed
from deliverability.ledger.merkle import (
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from deliverability.ledger.notes import VerifierKey, parse_note

XMOD = Path(__file__).parents[1] / "verifiers" / "xmod.go"
GOPATH = Path("/usr/share/gocode")
SIGSTORE = "@sigstore/verify@4.1.3"
CASES = 250
SIZE = 1 << 15


def lacking(sentence: str) -> None:
    if os.environ.get("REQUIRE_SUITES") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


# --- trees to prove things of ---


class Tree:
    """A tree that remembers all of its full subtrees."""

    def __init__(self, size: int) -> None:
        self.leaves = [b"leaf %d" % number for number in range(size)]
        self.nodes: dict[tuple[int, int], bytes] = {}
        frontier = Frontier()
        self.roots = [frontier.root()]
        for leaf in self.leaves:
            for level, index, made in frontier.append(leaf_hash(leaf)):
                self.nodes[level, index] = made
            self.roots.append(frontier.root())

    def subtree(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree(SIZE)


def spoiled(proof: Sequence[bytes], generator: random.Random) -> list[bytes]:
    """The proof with a bit turned, a hash more, a hash less, or two of them changed about."""
    hashes = list(proof)
    what = generator.randrange(4)
    if what == 0 and hashes:
        place = generator.randrange(len(hashes))
        hashes[place] = bytes([hashes[place][0] ^ 1]) + hashes[place][1:]
    elif what == 1 and hashes:
        hashes.pop(generator.randrange(len(hashes)))
    elif what == 2 and len(hashes) > 1:
        hashes[0], hashes[1] = hashes[1], hashes[0]
    else:
        hashes.insert(generator.randrange(len(hashes) + 1), bytes(32))
    return hashes


def inclusions(tree: Tree) -> list[dict[str, Any]]:
    generator = random.Random(6962)
    cases = []
    for _ in range(CASES):
        size = generator.randint(1, SIZE)
        index = generator.randrange(size)
        proof = list(inclusion_proof(index, size, tree.subtree))
        case = {"op": "inclusion", "size": size, "index": index, "root": tree.roots[size].hex()}
        leaf = leaf_hash(tree.leaves[index])
        cases += [{**case, "leaf": leaf.hex(), "data": index, "proof": proof}]
        cases += [{**case, "leaf": leaf.hex(), "data": index, "proof": spoiled(proof, generator)}]
        cases += [{**case, "leaf": leaf.hex(), "data": index, "proof": proof, "root": tree.roots[size - 1].hex()}]
    return cases


def consistencies(tree: Tree) -> list[dict[str, Any]]:
    generator = random.Random(9162)
    cases = []
    for _ in range(CASES):
        new = generator.randint(2, SIZE)
        old = generator.choice([generator.randint(1, new), 1 << generator.randrange(new.bit_length() - 1)])
        proof = list(consistency_proof(old, new, tree.subtree))
        case = {
            "op": "consistency",
            "size": new,
            "index": old,
            "root": tree.roots[new].hex(),
            "old": tree.roots[old].hex(),
        }
        cases += [{**case, "proof": proof}, {**case, "proof": spoiled(proof, generator)}]
        cases += [{**case, "proof": proof, "old": tree.roots[old - 1].hex()}]
    return cases


def ours(case: dict[str, Any]) -> bool:
    root, proof, size, index = bytes.fromhex(case["root"]), case["proof"], case["size"], case["index"]
    if case["op"] == "inclusion":
        return verify_inclusion(bytes.fromhex(case["leaf"]), index, size, proof, root)
    return verify_consistency(index, size, bytes.fromhex(case["old"]), root, proof)


# --- Go ---


def go_root(cache: Path) -> tuple[Path, Path]:
    """The ``go`` program and a GOPATH with ``x/mod`` in it."""
    installed = shutil.which("go")
    if installed and (GOPATH / "src/golang.org/x/mod").is_dir():
        return Path(installed), GOPATH
    root = cache / "root"
    if not root.is_dir():
        if shutil.which("apt-get") is None:
            lacking("Go is not installed, and there is no apt-get to fetch it with")
        depends = subprocess.run(
            ["apt-cache", "depends", "golang-go"], capture_output=True, check=False, text=True
        ).stdout
        found = re.search(r"Depends: (golang-[\d.]+)-go", depends)
        if not found:
            lacking("Debian's golang-go is not to be had (apt-get install golang-go golang-golang-x-mod-dev)")
            raise AssertionError
        names = [f"{found[1]}-go", f"{found[1]}-src", "golang-golang-x-mod-dev"]
        fetch = ["apt-get", "-o", "APT::Sandbox::User=root", "download", *names]
        if subprocess.run(fetch, cwd=cache, capture_output=True, check=False).returncode:
            lacking("Debian's golang-go could not be fetched (apt-get install golang-go golang-golang-x-mod-dev)")
        for package in sorted(cache.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(cache / "part")], check=True, capture_output=True)
            package.unlink()
        (cache / "part").rename(root)
    return next(root.glob("usr/lib/go-*/bin/go")), root / "usr/share/gocode"


@pytest.fixture(scope="module")
def go(request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """The built program, and the sources of ``x/mod``."""
    cache = Path(request.config.cache.mkdir("go"))
    program, gopath = go_root(cache)
    built = cache / "xmod"
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": str(gopath),
        "GOCACHE": str(cache / "built"),
        "GOROOT": str(program.resolve().parents[1]),
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    done = subprocess.run(
        [str(program), "build", "-o", str(built), str(XMOD)], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return built, gopath / "src/golang.org/x/mod/sumdb"


def go_says(go: tuple[Path, Path], cases: Sequence[dict[str, Any]]) -> list[bool]:
    lines = "\n".join(json.dumps({**c, "proof": [h.hex() for h in c.get("proof", ())], "data": None}) for c in cases)
    done = subprocess.run([str(go[0])], input=lines.encode(), capture_output=True, check=True)
    return [line == b"true" for line in done.stdout.splitlines()]


def test_go_judges_our_inclusion_proofs_as_we_do(go: tuple[Path, Path], tree: Tree) -> None:
    cases = inclusions(tree)
    found = go_says(go, cases)
    assert found == [ours(case) for case in cases]
    assert all(found[::3]) and not any(found[1::3]) and not any(found[2::3]) and len(found) == 3 * CASES


def test_go_judges_our_consistency_proofs_as_we_do(go: tuple[Path, Path], tree: Tree) -> None:
    cases = consistencies(tree)
    found = go_says(go, cases)
    assert found == [ours(case) for case in cases]
    assert all(found[::3]) and not any(found[1::3]) and len(found) == 3 * CASES


def test_go_judges_every_small_tree_as_we_do(go: tuple[Path, Path], tree: Tree) -> None:
    cases = []
    for size in range(1, 34):
        for index in range(size):
            proof = list(inclusion_proof(index, size, tree.subtree))
            leaf = leaf_hash(tree.leaves[index]).hex()
            cases.append(
                {
                    "op": "inclusion",
                    "size": size,
                    "index": index,
                    "root": tree.roots[size].hex(),
                    "leaf": leaf,
                    "proof": proof,
                }
            )
            old = list(consistency_proof(index + 1, size, tree.subtree))
            roots = {"root": tree.roots[size].hex(), "old": tree.roots[index + 1].hex()}
            cases.append({"op": "consistency", "size": size, "index": index + 1, **roots, "proof": old})
    assert all(go_says(go, cases)) and all(ours(case) for case in cases)


def test_go_opens_our_notes_and_no_changed_one(go: tuple[Path, Path], tmp_path: Path) -> None:
    generator = random.Random(1)
    cases, expected = [], []
    for number in range(CASES):
        make_key(tmp_path / f"{number}.pem")
        signer = FileSigner(tmp_path / f"{number}.pem", f"log{number}.example/dispatch")
        root = sha256(b"%d" % number).digest()
        note = signed(Checkpoint(signer.key.name, generator.randrange(1 << 62), root).to_text(), [signer]).to_bytes()
        # Before the last letter of the base64: Go takes it whatever its unused bits are, where our reader is stricter.
        place = generator.randrange(len(note) - len(b"A=\n"))
        bad = note[:place] + bytes([note[place] ^ 1 << generator.randrange(7)]) + note[place + 1 :]
        for content in (note, bad):
            cases.append({"op": "note", "note": content.hex(), "key": signer.key.to_text()})
            try:
                expected.append(signer.key.verify(parse_note(content)))
            except ParseError:
                expected.append(False)
    found = go_says(go, cases)
    assert found == expected and sum(found) == CASES


# --- golang/mod's own cases, read out of its tests ---


def literal(source: str, name: str) -> str:
    found = re.search(rf'\b{name}\s*:?=\s*("(?:[^"\\\n]|\\.)*")', source)
    assert found, name
    return str(json.loads(found[1]))


def test_the_cases_of_xmod_for_keys_and_notes(go: tuple[Path, Path]) -> None:
    source = (go[1] / "note/note_test.go").read_text()
    vkey = literal(source, "vkey")
    key = VerifierKey.parse(vkey)
    for start in range(len(vkey) + 1):
        for end in range(start + 1, len(vkey) + 1):
            if (start, end) != (0, len(vkey)):
                with pytest.raises(ParseError):
                    VerifierKey.parse(vkey[start:end])
    for place in range(len(vkey)):
        for other in (chr(ord(vkey[place]) + 1), chr(ord(vkey[place]) - 1)):
            with pytest.raises(ParseError):
                VerifierKey.parse(vkey[:place] + other + vkey[place + 1 :])
    bad = re.findall(r'badKey\(("[^"\n]+")\)', source)
    assert len(bad) >= 2
    for text in bad:
        with pytest.raises(ParseError):
            VerifierKey.parse(json.loads(text))
    golden = re.search(r"want := `(.*?\n\n— PeterNeumann [^\n]*\n)`", source, re.DOTALL)
    assert golden
    note = golden[1].encode()
    assert parse_note(note).to_bytes() == note and key.verify(parse_note(note))
    text, _, line = golden[1].rpartition("\n\n")
    malformed = [
        f"{text}\n",
        f"{text}\n\n",
        golden[1][:-1],
        f"\x01{golden[1]}",
        golden[1].replace("PeterNeumann ", "Bad Name "),
        f"{golden[1]}Unexpected line.\n",
        f"{text}\n\n{line}{line}",
    ]
    for content in (*(one.encode() for one in malformed), b"\xff" + note):
        with pytest.raises(ParseError):
            parse_note(content)
    assert not key.verify(parse_note(golden[1].replace("PeterNeumann", "CarmenSandiego").encode()))


def test_the_cases_of_xmod_for_trees(go: tuple[Path, Path]) -> None:
    source = (go[1] / "tlog/note_test.go").read_text()
    golden = literal(source, "golden")
    name, size, root = golden.splitlines()
    assert Checkpoint(name.replace(" ", "-"), int(size), leaf_hash(b"hello world")).to_text() == golden.replace(
        name, name.replace(" ", "-")
    )
    assert len(root) == 44
    listed = re.search(r"badTrees = \[\]string\{(.*?)\n\t\}", source, re.DOTALL)
    assert listed
    bad = [json.loads(text) for text in re.findall(r'"(?:[^"\\\n]|\\.)*"', listed[1])]
    assert len(bad) == 3
    for text in (bad[1], bad[2]):
        with pytest.raises(ParseError):
            parse_text(text.replace(" ", "-"))


# --- Sigstore ---

ASK = """
const { verifyMerkleInclusion } = require(process.argv[1] + "/node_modules/@sigstore/verify/dist/tlog/merkle.js");
const out = JSON.parse(require("fs").readFileSync(0, "utf8")).map((c) => {
  const hex = (digits) => Buffer.from(digits, "hex");
  const entry = { inclusionProof: { logIndex: String(c.index), hashes: c.proof.map(hex) }, canonicalizedBody: hex(c.data) };
  try {
    verifyMerkleInclusion(entry, { logSize: BigInt(c.size), logHash: hex(c.root) });
    return true;
  } catch (problem) {
    if (problem.name !== "VerificationError" && problem.code === undefined) throw problem;
    return false;
  }
});
console.log(JSON.stringify(out));
"""


@pytest.fixture(scope="module")
def sigstore(request: pytest.FixtureRequest) -> Path:
    cache = Path(request.config.cache.mkdir("sigstore"))
    npm = shutil.which("npm")
    if npm is None:
        lacking("npm is not installed")
    if not (cache / "node_modules/@sigstore/verify/dist/tlog/merkle.js").exists():
        words = [str(npm), "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", SIGSTORE]
        if subprocess.run(words, cwd=cache, capture_output=True, check=False, timeout=300).returncode:
            lacking(f"{SIGSTORE} could not be fetched from npm")
    return cache


def test_sigstore_judges_our_inclusion_proofs_as_we_do(sigstore: Path, tree: Tree) -> None:
    cases = inclusions(tree)
    asked = [{**c, "data": tree.leaves[c["data"]].hex(), "proof": [h.hex() for h in c["proof"]]} for c in cases]
    done = subprocess.run(
        ["node", "-e", ASK, str(sigstore)], input=json.dumps(asked).encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert found == [ours(case) for case in cases] and sum(found) == CASES
