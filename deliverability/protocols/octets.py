"""Finding and counting octet strings in a block of a log: by vector instructions where the ``logs`` extra is there.

StringZilla finds and counts one string, Hyperscan looks for any number of them in one go.  Without them the methods
of :class:`bytes` give the same answers, in more time.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

PIECE = 28 << 10  # octets that are searched at once without StringZilla
SHORT = 1 << 10  # octets that are counted as quickly without it
MARKED = 128 << 10  # octets that are marked at once: few enough to stay near the processor
WORTHWHILE = 128 << 10  # octets: to load a library takes longer than to look through less

Places = Callable[[bytes, int], Iterable[tuple[int, int]]]
"""Gives where strings begin in ``content`` before ``end``, each with its number; not in order."""


def is_quick() -> bool:
    """Whether several strings are found one by one in the time that one takes without StringZilla."""
    return _vectors() is not None


@cache
def _vectors() -> ModuleType | None:
    """StringZilla, where it is installed."""
    try:
        return import_module("stringzilla")
    except ImportError:
        return None


def count(content: bytes, what: bytes, start: int, end: int) -> int:
    """How often ``what`` stands between two places, no octet counted twice; parts of a long text are counted fast too."""
    fast = _vectors() if len(content) >= WORTHWHILE and end - start >= SHORT else None
    if fast is None:
        return content.count(what, start, end)
    end = min(end, len(content))
    return _marked(fast, content, what, start, end) if len(what) == 1 else int(fast.count(content, what, start, end))


def _marked(fast: ModuleType, content: bytes, octet: bytes, start: int, end: int) -> int:
    """How often one octet stands there: ones in its places, zeros elsewhere, added up.

    A search stops at each place, which for the ends of lines takes twice as long.
    """
    ones = _ones(octet)
    parts = ((at, min(at + MARKED, end)) for at in range(start, end, MARKED))
    return sum(int(fast.bytesum(fast.translate(content, ones, start=at, end=stop))) for at, stop in parts)


@cache
def _ones(octet: bytes) -> bytes:
    """A table that makes it 1, and every other octet 0."""
    return bytes(which == octet[0] for which in range(256))


def find(content: bytes, what: bytes, start: int, end: int) -> int:
    """Where ``what`` stands first between two places; -1 where it does not."""
    return next(each_position(content, what, start, end), -1)


def last(content: bytes, what: bytes, start: int, end: int) -> int:
    """Where ``what`` stands last between two places; -1 where it does not."""
    fast = _vectors() if end - start >= WORTHWHILE else None
    return content.rfind(what, start, end) if fast is None else int(fast.rfind(content, what, start, end))


def each_position(content: bytes, what: bytes, start: int, end: int) -> Iterator[int]:
    """Where ``what`` stands between two places, no octet in two of them."""
    fast = _vectors() if end - start >= WORTHWHILE else None
    return _in_pieces(content, what, start, end) if fast is None else _each(fast.find, content, what, start, end)


def _each(find: Callable[..., int], content: bytes, what: bytes, start: int, end: int) -> Iterator[int]:
    while start < end and (at := find(content, what, start, end)) >= 0:
        yield at
        start = at + len(what)


def _in_pieces(content: bytes, what: bytes, start: int, end: int) -> Iterator[int]:
    """In a long text CPython searches by another algorithm, which takes twice the time on log lines."""
    piece = PIECE + len(what) - 1
    find = content.find
    while start < end:
        at = find(what, start, min(start + piece, end))
        if at < 0:
            start += PIECE
        else:
            yield at
            start = at + len(what)


def any_of(wanted: Iterable[bytes], *, caseless: bool = False) -> Places | None:
    """Finds each of ``wanted``, told by its place among them; ``None`` without Hyperscan.

    ``caseless`` folds the case of ASCII letters alone, as :meth:`bytes.lower` does.  A string that overlaps itself may
    be found at both places.
    """
    hyperscan: Any
    try:
        import hyperscan
    except ImportError:
        return None
    names = list(wanted)
    lengths = [len(name) for name in names]
    flags = [hyperscan.HS_FLAG_CASELESS if caseless else 0] * len(names)
    literal = not any(b"\0" in name for name in names)  # a literal ends at a NUL
    told = names if literal else [_expression(name) for name in names]
    try:
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        database.compile(told, ids=list(range(len(names))), elements=len(names), flags=flags, literal=literal)
    except hyperscan.HyperscanError:  # too much at once, or a processor that it does not know
        return None

    def find(content: bytes, end: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []

        def note(which: int, _start: int, stop: int, _flags: int, _context: object) -> None:
            if stop <= end:
                found.append((stop - lengths[which], which))

        database.scan(content, match_event_handler=note)
        return found

    return find


def _expression(name: bytes) -> bytes:
    """Each octet by its number."""
    return b"".join(b"\\x%02x" % octet for octet in name)
