"""The Merkle tree of RFC 6962 §2.1 over SHA-256: root hashes, inclusion proofs, consistency proofs.

Pure: nothing is stored here.  Proofs are checked by the algorithms of RFC 9162 §2.1.3.2 and §2.1.4.2, which use each
hash of a proof exactly once, so a proof that is longer or shorter than it has to be is refused.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from deliverability.errors import ParseError

EMPTY_ROOT = sha256(b"").digest()
"""The root hash of a tree without leaves."""
MAX_PROOF = 64  # hashes; a tree of 2^63 leaves needs no more

Subtree = Callable[[int, int], bytes]
"""``subtree(level, index)``: the hash over the ``2**level`` leaves that begin at leaf ``index * 2**level``."""


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of a leaf's content (RFC 6962 §2.1): the prefix keeps a node from passing for a leaf."""
    return sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash over two children."""
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: one hash for each full subtree, largest first.

    It is all that appending and the root hash need: at most 64 hashes, however large the tree.
    """

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size, self.hashes = size, list(hashes)
        if len(self.hashes) != size.bit_count() or any(len(h) != 32 for h in self.hashes):
            msg = "a frontier has one hash of 32 octets for each bit of its size that is set"
            raise ParseError(msg)

    def append(self, hashed_leaf: bytes, lowest: int = 0) -> list[tuple[int, int, bytes]]:
        """Add a leaf's hash; the full subtrees that this completes, from level ``lowest`` up, as level, index and hash.

        The leaf itself is level 0.
        """
        made = [] if lowest else [(0, self.size, hashed_leaf)]
        level, index, hashed = 0, self.size, hashed_leaf
        while index & 1:
            level, index, hashed = level + 1, index >> 1, node_hash(self.hashes.pop(), hashed)
            if level >= lowest:
                made.append((level, index, hashed))
        self.hashes.append(hashed)
        self.size += 1
        return made

    def root(self) -> bytes:
        """The root hash of the tree so far."""
        if not self.hashes:
            return EMPTY_ROOT
        hashed = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            hashed = node_hash(left, hashed)
        return hashed


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root hash over the contents of all leaves."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf_hash(leaf))
    return frontier.root()


# --- making proofs ----------------------------------------------------------------------------------------------------


def inclusion_proof(index: int, size: int, subtree: Subtree) -> tuple[bytes, ...]:
    """The hashes that lead from leaf ``index`` to the root of the first ``size`` leaves (RFC 6962 §2.1.1)."""
    if not 0 <= index < size:
        msg = f"there is no leaf {index} in a tree of {size}"
        raise ValueError(msg)
    return tuple(_range_hash(low, high, subtree) for low, high in _siblings(index, size))


def consistency_proof(old: int, new: int, subtree: Subtree) -> tuple[bytes, ...]:
    """The hashes that show the first ``old`` of ``new`` leaves to be unchanged (RFC 6962 §2.1.2)."""
    if not 0 <= old <= new:
        msg = f"a tree of {new} does not continue one of {old}"
        raise ValueError(msg)
    if old in (0, new):
        return ()
    # The path of the old tree's last full subtree; the subtree itself stands first, unless it is the old root.
    shift = (old & -old).bit_length() - 1
    low = (old - 1) >> shift << shift
    ranges = _siblings_of_range(low, 1 << shift, new)
    first = [] if low == 0 else [(low, low + (1 << shift))]
    return tuple(_range_hash(a, b, subtree) for a, b in (*first, *ranges))


def _siblings(index: int, size: int) -> list[tuple[int, int]]:
    return _siblings_of_range(index, 1, size)


def _siblings_of_range(start: int, width: int, size: int) -> list[tuple[int, int]]:
    """Leaf ranges beside the way from a subtree up to the root, lowest first."""
    found: list[tuple[int, int]] = []
    low, high = 0, size
    while high - low > width:
        middle = low + (1 << ((high - low - 1).bit_length() - 1))
        if start < middle:
            found.append((middle, high))
            high = middle
        else:
            found.append((low, middle))
            low = middle
    return found[::-1]


def _range_hash(low: int, high: int, subtree: Subtree) -> bytes:
    """The hash over leaves ``low`` to ``high``, put together from full subtrees."""
    hashes: list[bytes] = []
    while low < high:
        level = min((low & -low).bit_length() - 1 if low else 64, (high - low).bit_length() - 1)
        hashes.append(subtree(level, low >> level))
        low += 1 << level
    hashed = hashes.pop()
    while hashes:
        hashed = node_hash(hashes.pop(), hashed)
    return hashed


# --- checking proofs --------------------------------------------------------------------------------------------------


def verify_inclusion(hashed_leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from the leaf to the root (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size or len(proof) > MAX_PROOF or any(len(h) != 32 for h in (hashed_leaf, root, *proof)):
        return False
    place, last, hashed = index, size - 1, hashed_leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            hashed = node_hash(sibling, hashed)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            hashed = node_hash(hashed, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and hashed == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree of ``new`` leaves begins with that of ``old`` (RFC 9162 §2.1.4.2)."""
    if not 0 <= old <= new or len(proof) > MAX_PROOF or any(len(h) != 32 for h in proof):
        return False
    if old == new:
        return not proof and old_root == new_root and (old > 0 or old_root == EMPTY_ROOT)
    if old == 0:
        return not proof and old_root == EMPTY_ROOT and len(new_root) == 32
    if not proof:
        return False
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root
