"""The tree of RFC 6962, held against its recursive definition and against every way to spoil a proof."""

import random
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.errors import ParseError
from deliverability.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)


def definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\1" + definition(leaves[:k]) + definition(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 §2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*path(m, leaves[:k]), definition(leaves[k:])]
    return [*path(m - k, leaves[k:]), definition(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962 §2.1.2."""
    if m == len(leaves):
        return [] if whole else [definition(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*subproof(m, leaves[:k], whole), definition(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), definition(leaves[:k])]


LEAVES = [b"leaf %d" % number for number in range(70)]
NODES: dict[tuple[int, int], bytes] = {}
_frontier = Frontier()
for leaf in LEAVES:
    NODES.update({(level, index): made for level, index, made in _frontier.append(leaf_hash(leaf))})


def subtree(level: int, index: int) -> bytes:
    return NODES[level, index]


# RFC 6962 has no numbers; these are the eight leaves that every implementation of it is held against.
CLASSIC = [bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")] + [
    bytes.fromhex("606162636465666768696a6b6c6d6e6f")
]


def test_the_eight_leaves_have_the_root_that_all_know() -> None:
    assert root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" == EMPTY_ROOT.hex()
    assert root_of(CLASSIC[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert root_of(CLASSIC).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@pytest.mark.parametrize("size", range(len(LEAVES) + 1))
def test_roots_are_those_of_the_definition(size: int) -> None:
    assert root_of(LEAVES[:size]) == definition(LEAVES[:size])


@pytest.mark.parametrize("size", range(1, 40))
def test_every_inclusion_proof_is_that_of_the_definition_and_holds(size: int) -> None:
    root = root_of(LEAVES[:size])
    for index in range(size):
        proof = inclusion_proof(index, size, subtree)
        assert list(proof) == path(index, LEAVES[:size])
        assert verify_inclusion(leaf_hash(LEAVES[index]), index, size, proof, root)


@pytest.mark.parametrize("new", range(40))
def test_every_consistency_proof_is_that_of_the_definition_and_holds(new: int) -> None:
    for old in range(new + 1):
        proof = consistency_proof(old, new, subtree)
        if 0 < old < new:
            assert list(proof) == subproof(old, LEAVES[:new], True)
        assert verify_consistency(old, new, root_of(LEAVES[:old]), root_of(LEAVES[:new]), proof)


def spoiled(proof: tuple[bytes, ...]) -> list[tuple[bytes, ...]]:
    other = sha256(b"other").digest()
    found = [(*proof, other), (other, *proof)]
    for place in range(len(proof)):
        found += [(*proof[:place], *proof[place + 1 :]), (*proof[:place], other, *proof[place + 1 :])]
        found.append((*proof[:place], proof[place][:31], *proof[place + 1 :]))
    return found


@given(st.integers(1, 70), st.data())
def test_a_spoiled_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root, leaf = root_of(LEAVES[:size]), leaf_hash(LEAVES[index])
    proof = inclusion_proof(index, size, subtree)
    for bad in spoiled(proof):
        assert not verify_inclusion(leaf, index, size, bad, root)
    for elsewhere in {*range(-1, size + 1)} - {index}:
        assert not verify_inclusion(leaf, elsewhere, size, proof, root)
    assert not verify_inclusion(leaf_hash(b"other"), index, size, proof, root)
    assert not verify_inclusion(leaf, index, size, proof, EMPTY_ROOT)


@given(st.integers(0, 70), st.data())
def test_a_spoiled_consistency_proof_is_refused(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, new))
    before, after = root_of(LEAVES[:old]), root_of(LEAVES[:new])
    proof = consistency_proof(old, new, subtree)
    for bad in spoiled(proof):
        assert not verify_consistency(old, new, before, after, bad)
    assert not verify_consistency(old, new, sha256(b"x").digest(), after, proof)
    if old:
        assert not verify_consistency(old, new, before, sha256(b"x").digest(), proof)
    assert not verify_consistency(new + 1, new, before, after, proof)


def test_a_tree_that_was_rewritten_is_not_consistent() -> None:
    rewritten = [*LEAVES[:3], b"another", *LEAVES[4:20]]
    proof = consistency_proof(10, 20, subtree)
    assert not verify_consistency(10, 20, root_of(LEAVES[:10]), root_of(rewritten), proof)


def test_large_places_need_no_large_tree() -> None:
    """Arithmetic past 2^32: a tree in which all leaves are alike has one hash a level."""
    level_hash = [leaf_hash(b"same")]
    for _ in range(62):
        level_hash.append(sha256(b"\1" + level_hash[-1] * 2).digest())
    generator = random.Random(6962)
    for _ in range(20):
        size = generator.randrange(1 << 40, 1 << 60)
        index = generator.randrange(size)
        frontier = Frontier(size, [level_hash[bit] for bit in range(62, -1, -1) if size >> bit & 1])
        proof = inclusion_proof(index, size, lambda level, _: level_hash[level])
        assert verify_inclusion(level_hash[0], index, size, proof, frontier.root())


def test_what_no_tree_has_is_refused() -> None:
    for index, size in ((0, 0), (-1, 3), (3, 3)):
        with pytest.raises(ValueError, match="no leaf"):
            inclusion_proof(index, size, subtree)
    with pytest.raises(ValueError, match="does not continue"):
        consistency_proof(4, 3, subtree)
    with pytest.raises(ParseError):
        Frontier(3, [EMPTY_ROOT])
    with pytest.raises(ParseError):
        Frontier(1, [b"short"])
