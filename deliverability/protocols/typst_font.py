"""The one font of the pages that typst sets: Noto Sans CJK Regular (SIL Open Font License 1.1), and what it can show.

PDF/A (ISO 19005-3 §6.2.11) wants a glyph for every character, so a character that the font lacks is written out as
its name or its number.  The font's file is the same from PyPI (``noto-cjk-sans-otc``) and from Debian
(``fonts-noto-cjk``), so both give the same bytes of a page.  OpenType 1.9.1: ``cmap``, ``ttcf``.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from struct import error, iter_unpack, unpack_from

from deliverability.errors import CannotLookError, UsageError, printable

FAMILY = "Noto Sans CJK TC"
MONOSPACE = "Noto Sans Mono CJK TC"
FILE = "NotoSansCJK-Regular.ttc"
PACKAGE = "noto_cjk_sans_otc"
FOLDERS = (
    Path("/usr/share/fonts/opentype/noto"),  # Debian, Ubuntu: fonts-noto-cjk
    Path("/usr/share/fonts/google-noto-sans-cjk-fonts"),  # Fedora, RHEL
    Path("/usr/share/fonts/noto-cjk"),  # Arch
)
MAX_FONT = 64 << 20  # octets
_MAX_GROUPS = 100_000


class ExtraMissingError(UsageError):
    """PDF and PNG need an extra that is not installed; the message says how to add it."""


@dataclass(frozen=True, slots=True)
class Font:
    """Where the font lies, and the code points that it has a glyph for."""

    folder: str
    firsts: tuple[int, ...]
    lasts: tuple[int, ...]
    """Ranges of code points, in order, not overlapping."""

    def has(self, char: str) -> bool:
        """Whether there is a glyph for the character."""
        at = bisect_right(self.firsts, ord(char)) - 1
        return at >= 0 and ord(char) <= self.lasts[at]


@cache
def font() -> Font:
    """The font; raises :class:`ExtraMissingError` where it is missing."""
    folder = _folder()
    if folder is None:
        raise ExtraMissingError(
            f"no font with Chinese characters was found ({FILE}): pip install 'deliverability[pdf]' brings it,"
            " and so does apt install fonts-noto-cjk"
        )
    path = folder / FILE
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FONT + 1)
    except OSError as problem:
        raise CannotLookError(f"{printable(str(path))}: cannot read: {problem.strerror}") from problem
    try:
        ranges = coverage(content[:MAX_FONT])
    except (ValueError, error, IndexError):
        raise CannotLookError(f"{printable(str(path))} is no OpenType font that can be read") from None
    return Font(str(folder), tuple(first for first, _ in ranges), tuple(last for _, last in ranges))


def _folder() -> Path | None:
    spec = find_spec(PACKAGE)
    packaged = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    return next((folder for folder in (*packaged, *FOLDERS) if (folder / FILE).is_file()), None)


def coverage(content: bytes) -> Sequence[tuple[int, int]]:
    """First and last code point of each run of a font or of the first font of a collection (``cmap`` format 12).

    Raises ``ValueError`` or ``struct.error`` for what is no such font.
    """
    start = unpack_from(">L", content, 12)[0] if content[:4] == b"ttcf" else 0
    tables = unpack_from(">H", content, start + 4)[0]
    records = (unpack_from(">4sLLL", content, start + 12 + 16 * number) for number in range(tables))
    cmap = next((at for tag, _, at, _ in records if tag == b"cmap"), None)
    if cmap is None:
        raise ValueError("no cmap")
    count = unpack_from(">H", content, cmap + 2)[0]
    for number in range(count):
        at = cmap + unpack_from(">L", content, cmap + 4 + 8 * number + 4)[0]
        if unpack_from(">H", content, at)[0] == 12:
            groups = unpack_from(">L", content, at + 12)[0]
            if groups > _MAX_GROUPS:
                raise ValueError("too many groups")
            rows = iter_unpack(">LLL", content[at + 16 : at + 16 + 12 * groups])
            return _joined([(first, last) for first, last, glyph in rows if glyph or last > first])
    raise ValueError("no cmap of format 12")


def _joined(rows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for first, last in sorted(rows):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def shown(text: str, glyphs: Font) -> str:
    """Foreign text on one line in which every character has a glyph and none acts upon its neighbours."""
    return "".join(char if glyphs.has(char) else _named(char) for char in printable(text, limit=len(text)))


def _named(char: str) -> str:
    """A symbol by its name, so that a reader who asks for the mail with the party popper finds it; else its number."""
    if unicodedata.category(char) == "So":
        name = unicodedata.name(char, "").lower()
        if name:
            return f"[{name}]"
    if char in "\ufe0e\ufe0f":
        return ""  # they only choose between two pictures of the symbol before (Unicode §23.4)
    return f"[U+{ord(char):04X}]"
