"""Where any of thousands of queue ids stands in a block.

Ids stand in few places of a line: where a program begins to speak of a message, and where it links one to another.
What stands there is cut out of a whole piece at once and held against the set; only a piece that has one of them is
looked at more closely.  Logs of formats whose ids stand elsewhere are searched by the ids' shape.  With Hyperscan, all
ids are found in one go.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache, partial

from deliverability.api.archive_tokens import COVERED, MARKS
from deliverability.api.ids import MAX_FOUND_SINGLY, Finder, finder
from deliverability.api.pieces import pieces
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols.octets import WORTHWHILE, any_of, each_position

MAX_BEGINNINGS = 3
TELLING = 8  # octets at the end of a string by which Hyperscan tells it from others: it takes long where many are alike
BEGINNINGS = (12, 7)  # octets of an id that tell most apart; all ids begin with their clock
_EXIM = re.compile(rb"-(?:[0-9A-Za-z]{6}|[0-9A-Za-z]{11})-[0-9A-Za-z]{2,4}(?![0-9A-Za-z-])")
_EXIM_FIRST = 6  # characters before the first hyphen of an Exim id
_BEFORE_OWN = (b": ", b"] ", b"- ")  # where a program begins to speak: RFC 3164, Solaris, RFC 5424
_BOM = b"\xef\xbb\xbf"  # RFC 5424 §6.4
_OWN = re.compile(rb"[:\]-] (?:%s)?([0-9A-Za-z]{5,40}):" % _BOM)
_DASHED = re.compile(r"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}|[0-9A-Za-z]{11})-[0-9A-Za-z]{2,4}")
_PLAIN = re.compile(r"[0-9A-Za-z]{5,40}")

Look = Callable[[bytes], Iterable[bytes]]


def many_ids(ids: Iterable[str], leads: Iterable[str], formats: Sequence[LogFormat]) -> Finder:
    """As :func:`~deliverability.api.ids.finder`: where any of the ids stands in a log of these formats."""
    names, told = frozenset(ids), frozenset(leads)
    exim = any(fmt.id == "exim" for fmt in formats)
    known = all(fmt.id in COVERED for fmt in formats)
    shaped = all(_PLAIN.fullmatch(i) or (exim and _DASHED.fullmatch(i)) for i in names | told)
    if len(names | told) <= MAX_FOUND_SINGLY or not known or not shaped:
        return finder(names, told)
    ours, theirs = (frozenset(i.encode() for i in some) for some in (names, told))
    beginnings = _beginnings(ours)
    looks = [] if beginnings is None else [_from_beginning(b, ours) for b in beginnings]
    if beginnings is None:
        looks += [_from_places(ours | theirs, formats), _from_tails(ours | theirs)]
    else:
        looks += [_from_own_places(theirs), _from_tails(theirs)]

    at_once = cache(partial(_at_once, ours, theirs))

    def find(content: bytes, end: int) -> list[int]:
        fast = at_once() if end >= WORTHWHILE else None
        if fast:
            return fast(content, end)
        places: set[int] = set()
        for start, stop in pieces(content, end):
            piece = content[start:stop]
            for name in {name for look in looks for name in look(piece)}:
                places.update(each_position(content, name, start, stop))
        return sorted(places)

    return find


def _at_once(ours: frozenset[bytes], theirs: frozenset[bytes]) -> Finder | None:
    """All of them in one go, where Hyperscan is there: ``theirs`` without a dash where a program begins to speak."""
    sought = ours | {name for name in theirs if b"-" in name}
    length = _told_apart(sought)
    whole: dict[bytes, list[bytes]] = {}
    for name in sought:
        whole.setdefault(name[:length], []).append(name)
    places = any_of([*whole, *(b"%s:" % name for name in theirs if b"-" not in name)])
    if places is None:
        return None
    names = list(whole.values())

    def find(content: bytes, end: int) -> list[int]:
        found = set()
        for at, which in places(content, end):
            if which >= len(names):
                meant = content[max(0, at - 5) : at].removesuffix(_BOM).endswith(_BEFORE_OWN)
            else:
                meant = not content[at - 1 : at].isalnum() and _any_stands(content, names[which], at)
            if meant:
                found.add(at)
        return sorted(found)

    return find


def _told_apart(names: Collection[bytes]) -> int | None:
    """How many octets of each to look for, so that few end alike; ``None``: all.

    What stands behind an id's clock may be a process' number, which hardly differs from one id to the next.
    """
    for length in (None, *BEGINNINGS[:-1]):
        if 2 * len({name[:length][-TELLING:] for name in names}) >= len(names):
            return length
    return BEGINNINGS[-1]


def _any_stands(content: bytes, names: Iterable[bytes], at: int) -> bool:
    """Whether one of ``names`` stands there, and not only its beginning, or another id's."""
    for name in names:
        stop = at + len(name)
        if content.startswith(name, at) and not content[stop : stop + 1].isalnum():
            return True
    return False


def _beginnings(names: frozenset[bytes]) -> set[bytes] | None:
    """What all ids begin with, where that is one of a few things: they begin with a clock."""
    for length in (3, 2):
        found = {name[:length] for name in names}
        if len(found) <= MAX_BEGINNINGS:
            return found
    return None


def _from_beginning(beginning: bytes, names: frozenset[bytes]) -> Look:
    search = re.compile(re.escape(beginning) + rb"[0-9A-Za-z-]+").findall
    return lambda piece: names.intersection(search(piece))


def _from_own_places(names: frozenset[bytes]) -> Look:
    """Ids without a dash that a program begins to speak with."""
    plain = frozenset(name for name in names if b"-" not in name)
    return (lambda piece: plain.intersection(_OWN.findall(piece))) if plain else _none


def _from_tails(names: frozenset[bytes]) -> Look:
    """Exim's ids, by what follows their first dash: letters and digits alone are everywhere."""
    dashed = frozenset(name for name in names if b"-" in name)
    tails = frozenset(name[_EXIM_FIRST:] for name in dashed)

    def look(piece: bytes) -> Iterable[bytes]:
        if tails.isdisjoint(_EXIM.findall(piece)):
            return ()
        ends = ((match.start(), match.end()) for match in _EXIM.finditer(piece, _EXIM_FIRST))
        return {name for at, end in ends if (name := piece[at - _EXIM_FIRST : end]) in dashed}

    return look if dashed else _none


def _from_places(names: frozenset[bytes], formats: Sequence[LogFormat]) -> Look:
    """Ids without a dash by the places at which each format writes them."""
    spelled: dict[bytes, list[bytes]] = {}
    for name in names:
        if b"-" not in name:
            spelled.setdefault(name.lower(), []).append(name)
    folded = frozenset(spelled)
    patterns = dict.fromkeys(p for fmt in formats for p in COVERED[fmt.id])
    looks = [(MARKS.get(pattern, b""), re.compile(pattern).findall) for pattern in patterns]

    def look(piece: bytes) -> Iterable[bytes]:
        met = {
            name
            for marks, search in looks
            if marks in piece
            for name in folded.intersection(map(bytes.lower, search(piece)))
        }
        return [one for name in met for one in spelled[name]]

    return look if spelled else _none


def _none(_piece: bytes) -> Iterable[bytes]:
    return ()
