"""Which lines of an NDJSON output are complete, so that a run that was broken off goes on where it stopped."""

import json
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final

from deliverability.errors import CannotLookError, printable

MAX_ENTRY: Final = 4096
"""Octets of one entry of a list; the rest of a longer line is another, and no domain."""
MAX_LINE: Final = 16 << 20
"""Octets of one line; a longer one is counted as unreadable."""


@dataclass(frozen=True, slots=True)
class Done:
    """What an output file holds."""

    octets: int
    """Where the last complete line ends: what follows was cut while it was written, and is to be cut off."""
    lines: int
    """Complete lines that name what they are about."""
    unreadable: int
    """Complete lines that do not."""
    digests: "array[int]"
    """Eight octets for each name, sorted: a list of millions of names is not held as text."""

    def __contains__(self, name: str) -> bool:
        """Whether a line is about this name, as it was written there."""
        digest = _digest(name)
        place = bisect_left(self.digests, digest)
        return place < len(self.digests) and self.digests[place] == digest

    def __len__(self) -> int:
        return self.lines


def done_names(path: Path, key: str = "subject") -> Done:
    """The names in member ``key`` of each complete line; of a file that is not there, none.

    Raises :class:`~deliverability.errors.CannotLookError` for a file that cannot be read.
    """
    digests = array("Q")
    octets = unreadable = 0
    try:
        with path.open("rb") as file:
            for line, size in _lines(file):
                octets += size
                name = _name(line, key)
                if name is None:
                    unreadable += 1
                else:
                    digests.append(_digest(name))
    except FileNotFoundError:
        pass
    except OSError as problem:
        raise CannotLookError(f"{printable(str(path))}: {problem.strerror or type(problem).__name__}") from None
    return Done(octets, len(digests), unreadable, array("Q", sorted(digests)))


def _lines(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Complete lines with their size; of one that is too long only the size."""
    size = 0
    while piece := file.readline(MAX_LINE):
        size += len(piece)
        if piece.endswith(b"\n"):
            yield (piece if size == len(piece) else b""), size
            size = 0


def _name(line: bytes, key: str) -> str | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    name = value.get(key) if isinstance(value, dict) else None
    return name if isinstance(name, str) else None


def _digest(name: str) -> int:
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def listed(path: Path) -> Iterator[str]:
    """The entries of a list, one a line, read as they are asked for; blank lines and ``#`` comments are none.

    Raises :class:`~deliverability.errors.CannotLookError` when the list cannot be read.
    """
    try:
        with sys.stdin.buffer if str(path) == "-" else path.open("rb") as file:
            while line := file.readline(MAX_ENTRY):
                entry = line.decode("utf-8", "replace").partition("#")[0].strip()
                if entry:
                    yield entry
    except OSError as problem:
        raise CannotLookError(f"{printable(str(path))}: {problem.strerror or type(problem).__name__}") from None


def append_after(path: Path, octets: int) -> BinaryIO:
    """Open an output to go on writing after its last complete line; what was cut is cut off.

    Raises :class:`~deliverability.errors.CannotLookError` when it cannot be written.
    """
    try:
        file = path.open("ab")
        file.truncate(octets)
    except OSError as problem:
        raise CannotLookError(f"{printable(str(path))}: cannot write: {problem.strerror}") from None
    return file
