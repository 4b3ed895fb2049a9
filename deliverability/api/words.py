"""Many byte strings in a block at once: what could be one of them is held against a set, so their number does not matter.

Hyperscan finds a few octets of each in one go.  Without it, an address, or a Message-ID, is found by what stands before
its ``@``; for what has none, a block is cut into words.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from deliverability.api.pieces import pieces
from deliverability.protocols.octets import WORTHWHILE, Places, any_of, each_position

FEW = 16  # words that are looked at one by one, to learn where they stand
ANCHOR = 16  # octets of each that are looked for when all are looked for at once
TELLING = 8  # octets at their end, by which Hyperscan tells them apart
BEFORE = 24  # octets before the "@" among which they are chosen
MARKS = b" \t\r\n<>,;:\"'()[]{}=|\\/`\0"
"""What stands between words; addresses that hold one of these are found by their longest piece without."""

_FOLD = bytes(0x20 if c in MARKS else c + 32 if 0x41 <= c <= 0x5A else c for c in range(256))
_FOLD_IN_LINE = bytes(0x0A if c == 0x0A else _FOLD[c] for c in range(256))
_PIECES = re.compile(b"[^" + re.escape(MARKS) + b"]+")
_ADDRESS = re.compile(rb"[^@]+@[0-9a-z._\x80-\xff-]+")
_BETWEEN = re.escape(MARKS + b"\v\f")  # at which :meth:`bytes.split` splits too
_WHOLE = re.compile(b"(?:\\A|(?<=[%s]))[^%s]+" % (_BETWEEN, _BETWEEN))
_LOCALS = re.compile(b"@([^@" + re.escape(MARKS) + b"]+)")  # in reversed text


_Line = tuple[int, int, Iterable[bytes]]
"""Where a line begins and ends, and the words in it that were asked for."""
_Place = tuple[int, int | None]
"""Where something was found, and where a word begins around it; ``None``: where one may begin is not known."""


class Words:
    """Byte strings in lower case, each with the numbers of the rows that asked for it.

    ``beside`` are words whose places are told too where that costs nothing, in whatever case they stand.
    """

    def __init__(self, wanted: Mapping[bytes, Sequence[int]], beside: Sequence[bytes] = ()) -> None:
        self._wholes: dict[bytes, list[tuple[bytes, Sequence[int]]]] = {}
        for whole, rows in wanted.items():
            word = max(_PIECES.findall(whole) or [b""], key=len)
            if word:
                self._wholes.setdefault(word, []).append((whole, rows))
        self._words = frozenset(self._wholes)
        locals_ = {word: word.partition(b"@") for word in self._words}
        self._locals = frozenset(local[::-1] for local, at, _ in locals_.values() if local and at)
        """What stands before the first "@" of a word, backwards."""
        self._bare = frozenset(word for word, (local, at, _) in locals_.items() if not local or not at)
        self._asked, self._beside = False, beside
        self._at_once: _AtOnce | None = None

    def find(self, content: bytes, end: int) -> list[tuple[int, list[int]]]:
        """Where lines with any of them have it, in order, and the rows that asked; one place a line."""
        return self.look(content, end)[0]

    def look(self, content: bytes, end: int) -> tuple[list[tuple[int, list[int]]], list[int] | None]:
        """As :meth:`find`, and where words beside stand; ``None`` where that was not looked for."""
        if not self._asked and end >= WORTHWHILE:
            self._asked, self._at_once = True, _AtOnce.of(self._words, self._beside)
        if self._at_once is not None:
            places, beside = self._at_once.find(content, end)
            return self._on_lines(content, end, places), beside
        return self._found(content, end), None

    def _found(self, content: bytes, end: int) -> list[tuple[int, list[int]]]:
        found = []
        for start, stop in pieces(content, end):
            piece = content[start:stop]
            for line, line_end, words in self._lines(piece):
                at, rows = self._in_line(piece, line, line_end, words)
                if rows:
                    found.append((start + at, rows))
        return found

    def _on_lines(self, content: bytes, end: int, places: Iterable["_Place"]) -> list[tuple[int, list[int]]]:
        """As :meth:`find`: of the lines around some places, in order, those that have one of the words."""
        found = []
        for start, stop, starts in _by_line(content, end, places):
            if None in starts:
                words = self._met(content[start:stop].translate(_FOLD).split())
            else:
                wholes = (_WHOLE.match(content, at, stop) for at in starts if at is not None)
                words = self._met([whole[0].lower() for whole in wholes if whole])
            at, rows = self._in_line(content, start, stop, words)
            if rows:
                found.append((at, rows))
        return found

    def _lines(self, piece: bytes) -> Iterator[_Line]:
        lower = piece.lower()
        parts = [local[::-1] + b"@" for local in self._locals.intersection(_LOCALS.findall(lower[::-1]))]
        if self._bare:
            parts += self._bare.intersection(piece.translate(_FOLD).split())
        if len(parts) > FEW:
            return self._all_lines(piece)
        return self._lines_with(piece, lower, parts) if parts else iter(())

    def _lines_with(self, piece: bytes, lower: bytes, parts: Iterable[bytes]) -> Iterator[_Line]:
        """The lines in which one of ``parts`` stands, with the words in them."""
        lines = {piece.rfind(b"\n", 0, at) + 1 for part in parts for at in each_position(lower, part, 0, len(lower))}
        for start in sorted(lines):
            end = piece.find(b"\n", start)
            stop = end if end >= 0 else len(piece)
            words = self._met(piece[start:stop].translate(_FOLD).split())
            if words:
                yield start, stop, words

    def _all_lines(self, piece: bytes) -> Iterator[_Line]:
        start = 0
        for line in piece.translate(_FOLD_IN_LINE).split(b"\n"):
            words = self._met(line.split())
            if words:
                yield start, start + len(line), words
            start += len(line) + 1

    def _met(self, words: Sequence[bytes]) -> set[bytes]:
        """Which of a line's words were asked for; something that is no mark may follow an address."""
        met = set(self._words.intersection(words))
        for word in words:
            if b"@" in word and word not in met and (address := _ADDRESS.match(word)):
                met.update({address[0], address[0].rstrip(b".")} & self._words)
        return met

    def _in_line(self, content: bytes, start: int, end: int, words: Iterable[bytes]) -> tuple[int, list[int]]:
        raw = content[start:end].lower()
        rows: set[int] = set()
        first = end
        for word in words:
            for whole, asked in self._wholes[word]:
                at = raw.find(whole)
                if at >= 0:
                    rows.update(asked)
                    first = min(first, start + at)
        return first, sorted(rows)


@dataclass(frozen=True, slots=True)
class _AtOnce:
    """Words by a few octets of each, all of them found in one go."""

    _places: Places
    _wholes: Sequence[Sequence[tuple[bytes, int]]]
    """The words that stand around what is found, and how many of their octets come before it; none where too many may."""

    @classmethod
    def of(cls, words: Iterable[bytes], beside: Sequence[bytes]) -> "_AtOnce | None":
        """``None`` without Hyperscan."""
        anchored: dict[bytes, list[tuple[bytes, int]]] = {}
        for word, end in _anchor_ends(words):
            start = max(0, end - ANCHOR)
            anchored.setdefault(word[start:end], []).append((word, start))
        places = any_of([*anchored, *beside], caseless=True) if anchored else None
        return None if places is None else cls(places, [w if len(w) <= FEW else () for w in anchored.values()])

    def find(self, content: bytes, end: int) -> "tuple[list[_Place], list[int]]":
        """Where any of the words may stand, in order: each is somewhere in the line of one of these places.

        And where the words beside them stand.
        """
        found: list[_Place] = []
        others: list[int] = []
        for at, which in self._places(content, end):
            if which >= len(self._wholes):
                others.append(at)
                continue
            wholes = self._wholes[which]
            if not wholes:
                found.append((at, None))
            for word, before in wholes:
                if _stands(content, word, at - before):
                    found.append((at, at - before))
        return sorted(found, key=itemgetter(0)), others


def _by_line(content: bytes, end: int, places: Iterable["_Place"]) -> Iterator[tuple[int, int, list[int | None]]]:
    """Where each line with some of the places begins and ends, and where words begin in it."""
    start = stop = -1
    starts: list[int | None] = []
    for at, word in places:
        if at > stop:
            if starts:
                yield start, stop, starts
            start, starts = content.rfind(b"\n", 0, at) + 1, []
            stop = content.find(b"\n", at, end)
            stop = end if stop < 0 else stop
        starts.append(word)
    if starts:
        yield start, stop, starts


def _stands(content: bytes, word: bytes, at: int) -> bool:
    return at >= 0 and content[at : at + len(word)].lower() == word


def _anchor_ends(words: Iterable[bytes]) -> list[tuple[bytes, int]]:
    """Each word, and where its part ends by which it is looked for.

    Hyperscan tells strings apart by their last octets: where thousands end alike, as addresses do, each line that holds
    this end is held against them.  So a part ends where only a few others end so; and rather behind the "@" than before
    it, for what stands there is not in every line.
    """
    places = {word: max(word.find(b"@"), TELLING) for word in words}
    ahead = {
        w: range(min(at + TELLING, len(w)), min(max(TELLING, at - BEFORE), len(w)) - 1, -1) for w, at in places.items()
    }
    chosen: dict[bytes, int] = {}
    fewest = dict.fromkeys(ahead, len(ahead) + 1)
    for step in range(BEFORE + TELLING + 1):
        ends = {word: some[step] for word, some in ahead.items() if step < len(some)}
        alike = Counter(_telling(word, end) for word, end in ends.items())
        for word, end in ends.items():
            others = alike[_telling(word, end)]
            if others < fewest[word]:
                fewest[word], chosen[word] = others, end
        ahead = {word: ahead[word] for word in ends if fewest[word] > FEW}
    return list(chosen.items())


def _telling(word: bytes, end: int) -> bytes:
    return word[max(0, end - TELLING) : end]
