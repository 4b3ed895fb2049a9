"""Where queue ids stand in a block: a few each by itself, many by their common shape.

Hyperscan finds all of them in one go, which is quicker than StringZilla from some four on.  Without it, an alternation
of thousands of ids never ends; one expression for the shape, and a look into a set, does.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial

from deliverability.protocols.octets import WORTHWHILE, any_of, each_position, is_quick

MAX_FOUND_SINGLY = 8  # ids looked for one by one, which is fastest for few
MAX_QUICK_SINGLY = 3  # the same where StringZilla finds each: Hyperscan would take longer
MAX_PREFIXES = 6  # beginnings that many ids share, each looked for by itself

# The shapes of queue ids (Exim old and new, Postfix long and short, Sendmail) between marks that stand around them.
_EXIM = rb"[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}"
_PLAIN = rb"[0-9A-Za-z]{6,24}"
_MARKS = b" =:<(\"'\n"
_NO_MORE = rb"(?![0-9A-Za-z-])"
_ANY = rb"[ =:<(\"'\n](%s|%s)%s" % (_EXIM, _PLAIN, _NO_MORE)
_ANY_HEX = rb"[ =:<(\"'\n]([0-9A-F]{6,24})%s" % _NO_MORE
_OWN = rb": (%s): " % _PLAIN
_EXIM_TAIL = rb"-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}%s" % _NO_MORE
_AT_START = rb"(%s|%s)%s" % (_EXIM, _PLAIN, _NO_MORE)
_NAME = re.compile(rb"[0-9A-Za-z-]")
_ALONE = re.compile(rb"%s|%s" % (_EXIM, _PLAIN))

Finder = Callable[[bytes, int], list[int]]
"""Gives where one of the ids stands in ``content`` before ``end``, in order."""


def finder(ids: Iterable[str], leads: Iterable[str] = ()) -> Finder:
    """A function that finds any of ``ids``, and of ``leads`` at least where they begin a program's words.

    A lead is what another server's reply told: of interest where one of our servers begins a line with it.
    """
    names, told = _octets(ids), _octets(leads)
    if len(names) + len(told) <= MAX_FOUND_SINGLY:
        anywhere, alone, own = names | told, frozenset[bytes](), frozenset[bytes]()
    else:
        dashed = frozenset(name for name in told if b"-" in name)
        own = told - names - dashed
        alone = frozenset(name for name in names if _ALONE.fullmatch(name)) | dashed
        anywhere = names - alone
    singly = _joined([*map(_single, sorted(anywhere)), *_by_shape(alone), *_beginning_words(own)])
    few = len(names) + len(told) <= MAX_QUICK_SINGLY
    at_once = cache(partial(_at_once, anywhere, alone, own))

    def find(content: bytes, end: int) -> list[int]:
        fast = None if end < WORTHWHILE or (few and is_quick()) else at_once()
        return (fast or singly)(content, end)

    return find


def _at_once(anywhere: frozenset[bytes], alone: frozenset[bytes], own: frozenset[bytes]) -> Finder | None:
    """All of them in one go, where Hyperscan is there."""
    wanted = [*anywhere, *alone, *(b": %s: " % name for name in own)]
    places = any_of(wanted) if wanted else None
    if places is None:
        return None
    marked = range(len(anywhere), len(anywhere) + len(alone))

    def find(content: bytes, end: int) -> list[int]:
        found = set()
        for at, which in places(content, end):
            if which < marked.start:
                found.add(at)
            elif which >= marked.stop:
                found.add(at + 2)
            elif (not at or content[at - 1] in _MARKS) and not _NAME.match(content, at + len(wanted[which])):
                found.add(at)
        return sorted(found)

    return find


def _octets(ids: Iterable[str]) -> frozenset[bytes]:
    return frozenset(name for i in ids if (name := i.encode("utf-8", "surrogateescape")))


def _joined(finders: list[Finder]) -> Finder:
    def find(content: bytes, end: int) -> list[int]:
        return sorted({at for one in finders for at in one(content, end)})

    return find


def _single(name: bytes) -> Finder:
    return lambda content, end: list(each_position(content, name, 0, end))


def _by_shape(names: frozenset[bytes]) -> Iterator[Finder]:
    """Finders for many ids, each for those of one shape."""
    dashed = frozenset(name for name in names if b"-" in name)
    plain = names - dashed
    if dashed:
        yield _from_tail(dashed)
    beginnings = {name[:3] for name in plain}
    if len(beginnings) <= MAX_PREFIXES:
        for beginning in sorted(beginnings):
            yield _from_prefix(beginning, frozenset(name for name in plain if name.startswith(beginning)))
    elif all(re.fullmatch(rb"[0-9A-F]+", name) for name in plain):
        yield _from_shape(_ANY_HEX, plain)
    else:
        yield _from_shape(_ANY, plain)


def _beginning_words(names: frozenset[bytes]) -> Iterator[Finder]:
    if names:
        yield _from_shape(_OWN, names)


def _from_tail(names: frozenset[bytes]) -> Finder:
    """Exim's ids, found by what follows their first dash: letters and digits alone are everywhere."""
    tail = re.compile(_EXIM_TAIL)

    def find(content: bytes, end: int) -> list[int]:
        found = []
        for match in tail.finditer(content, 0, end):
            start = match.start() - 6
            if start >= 0 and content[start : match.end()] in names and (not start or content[start - 1] in _MARKS):
                found.append(start)
        return found

    return find


def _from_prefix(prefix: bytes, names: frozenset[bytes]) -> Finder:
    pattern = re.compile(re.escape(prefix) + rb"[0-9A-Za-z]{3,21}%s" % _NO_MORE)

    def find(content: bytes, end: int) -> list[int]:
        return [
            match.start()
            for match in pattern.finditer(content, 0, end)
            if match[0] in names and (not match.start() or content[match.start() - 1] in _MARKS)
        ]

    return find


def _from_shape(shape: bytes, names: frozenset[bytes]) -> Finder:
    pattern, at_start = re.compile(shape), re.compile(_AT_START)

    def find(content: bytes, end: int) -> list[int]:
        # The mark before the first id may be the end of the block before.
        first = at_start.match(content, 0, end)
        found = [0] if first and first[1] in names else []
        return found + [match.start(1) for match in pattern.finditer(content, 0, end) if match[1] in names]

    return find
