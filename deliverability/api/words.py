"""Many byte strings in a block at once: the block's words are held against a set, so their number does not matter."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from deliverability.api.needles import each_position

FEW = 64  # words found in one block that are looked for again one by one, to learn where they stand
MARKS = b" \t\r\n<>,;:\"'()[]{}=|\\/`\0"
"""What stands between words; addresses that hold one of these are found by their longest piece without."""

_FOLD = bytes(0x20 if c in MARKS else c + 32 if 0x41 <= c <= 0x5A else c for c in range(256))
_FOLD_IN_LINE = bytes(0x0A if c == 0x0A else _FOLD[c] for c in range(256))
_PIECES = re.compile(b"[^" + re.escape(MARKS) + b"]+")


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

    def find(self, content: bytes, end: int) -> list[tuple[int, list[int]]]:
        """Where lines with any of them have it, in order, and the rows that asked; one place a line."""
        folded = content[:end].translate(_FOLD)
        present = self._words.intersection(folded.split())
        if len(present) <= FEW:
            lines = self._lines_with(content, folded, present, end)
        else:
            lines = self._all_lines(content[:end].translate(_FOLD_IN_LINE))
        found = []
        for start, stop, words in lines:
            at, rows = self._in_line(content, start, stop, words)
            if rows:
                found.append((at, rows))
        return found

    def _lines_with(self, content: bytes, folded: bytes, present: Iterable[bytes], end: int) -> Iterator[_Line]:
        lines: dict[int, set[bytes]] = {}
        for word in present:
            for at in each_position(folded, word, 0, end):
                lines.setdefault(content.rfind(b"\n", 0, at) + 1, set()).add(word)
        for start in sorted(lines):
            stop = content.find(b"\n", start, end)
            yield start, stop if stop >= 0 else end, lines[start]

    def _all_lines(self, folded: bytes) -> Iterator[_Line]:
        start = 0
        for line in folded.split(b"\n"):
            words = self._words.intersection(line.split())
            if words:
                yield start, start + len(line), words
            start += len(line) + 1

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
