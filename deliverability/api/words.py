"""Many byte strings in a block at once: what could be one of them is held against a set, so their number does not matter.

An address, or a Message-ID, is found by what stands before its ``@``; for what has none, a block is cut into words.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from deliverability.api.needles import each_position
from deliverability.api.pieces import pieces

FEW = 16  # words found in one piece that are looked for again one by one, to learn where they stand
MARKS = b" \t\r\n<>,;:\"'()[]{}=|\\/`\0"
"""What stands between words; addresses that hold one of these are found by their longest piece without."""

_FOLD = bytes(0x20 if c in MARKS else c + 32 if 0x41 <= c <= 0x5A else c for c in range(256))
_FOLD_IN_LINE = bytes(0x0A if c == 0x0A else _FOLD[c] for c in range(256))
_PIECES = re.compile(b"[^" + re.escape(MARKS) + b"]+")
_ADDRESS = re.compile(rb"[^@]+@[0-9a-z._\x80-\xff-]+")
_LOCALS = re.compile(b"@([^@" + re.escape(MARKS) + b"]+)")  # in reversed text


_Line = tuple[int, int, Iterable[bytes]]
"""Where a line begins and ends, and the words in it that were asked for."""


class Words:
    """Byte strings in lower case, each with the numbers of the rows that asked for it."""

    def __init__(self, wanted: Mapping[bytes, Sequence[int]]) -> None:
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

    def find(self, content: bytes, end: int) -> list[tuple[int, list[int]]]:
        """Where lines with any of them have it, in order, and the rows that asked; one place a line."""
        found = []
        for start, stop in pieces(content, end):
            piece = content[start:stop]
            for line, line_end, words in self._lines(piece):
                at, rows = self._in_line(piece, line, line_end, words)
                if rows:
                    found.append((start + at, rows))
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
