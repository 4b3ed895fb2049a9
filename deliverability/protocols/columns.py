"""Text in columns as a terminal shows them: Chinese characters take two, and punctuation begins no line.

Ids and URLs stay in one piece, even where they are longer than a line.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache

from deliverability.errors import printable

WIDTH = 72
LONG = 12  # characters; a word of no more stays whole
# Characters that must not begin a line, and those that must not end one (the usual rule of Chinese typesetting).
_NOT_FIRST = frozenset("。，、；：？！）」』》〉】〕…‧—%.,;:?!)]}”’")
_NOT_LAST = frozenset("（「『《〈【〔([{“‘")


def width(text: str) -> int:
    """Columns that ``text`` takes (UAX 11): two for wide characters, none for combining ones."""
    return len(text) if text.isascii() else sum(map(_columns, text))


@lru_cache(maxsize=8192)
def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def joints(word: str) -> list[str]:
    """A long word in the parts after which a narrow place may end a line: at the dots of a name, the ``@`` of an address."""
    return _joint().split(word) if len(word) > LONG else [word]


@cache
def _joint() -> re.Pattern[str]:
    return re.compile(r"(?<=[^\s.@/]{2}[.@/])(?=[^\s.@/]{2})")


def visible(text: str) -> str:
    """Foreign text on one line, with control and bidirectional characters shown as escapes."""
    return printable(text, limit=len(text))


def wrap(text: str, first: str = "", rest: str = "", columns: int = WIDTH) -> Iterator[str]:
    """Lines of at most ``columns`` columns; ``first`` and ``rest`` stand before them."""
    line: list[str] = []
    indent, used = first, width(first)
    for piece in _pieces(visible(text)):
        if line and used + width(piece.rstrip()) > columns:
            yield (indent + "".join(line)).rstrip()
            line, indent, used = [], rest, width(rest)
        kept = piece if line else piece.lstrip()
        if kept:
            line.append(kept)
            used += width(kept)
    yield (indent + "".join(line)).rstrip()


@cache
def _piece() -> re.Pattern[str]:
    """Blanks, a word, or one letter; compiled where a text is wrapped, for it takes long."""
    return re.compile(r"\s+|[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]+|.", re.DOTALL)


def _pieces(text: str) -> Iterator[str]:
    """What may not be broken: a word with the blank after it, a Chinese character with its punctuation."""
    piece = ""
    for match in _piece().finditer(text):
        token = match.group()
        if piece and not token.isspace() and token[0] not in _NOT_FIRST and piece[-1] not in _NOT_LAST:
            yield piece
            piece = ""
        piece += " " if token.isspace() else token
    if piece:
        yield piece
