"""Where queue ids stand in a block: a few each by itself, many by their common shape.

An alternation of thousands of ids never ends; one expression for the shape, and a look into a set, does.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from deliverability.api.needles import each_position

MAX_FOUND_SINGLY = 8  # ids looked for one by one, which is fastest for few
MAX_PREFIXES = 6  # beginnings that many ids share, each looked for by itself

# The shapes of queue ids (Exim old and new, Postfix long and short, Sendmail) between marks that stand around them.
_EXIM = rb"[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}"
_PLAIN = rb"[0-9A-Za-z]{6,24}"
_MARKS = b" =:<(\"'\n"
_NO_MORE = rb"(?![0-9A-Za-z-])"
_ANY = re.compile(rb"[ =:<(\"'\n](%s|%s)%s" % (_EXIM, _PLAIN, _NO_MORE))
_ANY_HEX = re.compile(rb"[ =:<(\"'\n]([0-9A-F]{6,24})%s" % _NO_MORE)
_OWN = re.compile(rb": (%s): " % _PLAIN)
_EXIM_TAIL = re.compile(rb"-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}%s" % _NO_MORE)
_AT_START = re.compile(rb"(%s|%s)%s" % (_EXIM, _PLAIN, _NO_MORE))
_ALONE = re.compile(rb"%s|%s" % (_EXIM, _PLAIN))

Finder = Callable[[bytes, int], list[int]]
"""Gives where one of the ids stands in ``content`` before ``end``, in order."""


def finder(ids: Iterable[str], leads: Iterable[str] = ()) -> Finder:
    """A function that finds any of ``ids``, and of ``leads`` at least where they begin a program's words.

    A lead is what another server's reply told: of interest where one of our servers begins a line with it.
    """
    names, told = _octets(ids), _octets(leads)
    if len(names) + len(told) <= MAX_FOUND_SINGLY:
        return _joined([_single(name) for name in sorted(names | told)])
    shaped = frozenset(name for name in names if _ALONE.fullmatch(name))
    finders = [_single(name) for name in sorted(names - shaped)]
    finders += _by_shape(shaped)
    plain = frozenset(name for name in told - shaped if b"-" not in name)
    finders += [_from_shape(_OWN, plain)] if plain else []
    dashed = told - shaped - plain
    finders += [_from_tail(dashed)] if dashed else []
    return _joined(finders)


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


def _from_tail(names: frozenset[bytes]) -> Finder:
    """Exim's ids, found by what follows their first dash: letters and digits alone are everywhere."""

    def find(content: bytes, end: int) -> list[int]:
        found = []
        for match in _EXIM_TAIL.finditer(content, 0, end):
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


def _from_shape(pattern: re.Pattern[bytes], names: frozenset[bytes]) -> Finder:
    def find(content: bytes, end: int) -> list[int]:
        # The mark before the first id may be the end of the block before.
        first = _AT_START.match(content, 0, end)
        found = [0] if first and first[1] in names else []
        return found + [match.start(1) for match in pattern.finditer(content, 0, end) if match[1] in names]

    return find
