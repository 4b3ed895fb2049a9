"""How much of a file was read, for the tables of what was looked at.

The number of lines alone would mislead: an archive knows how many it keeps, though some of them cannot be unpacked, and
a file that may not be opened has as few lines as an empty one.
"""

from collections.abc import Callable

from deliverability.compose.catalog import Catalog
from deliverability.evidence.story import UNREADABLE, FileCoverage


def counts(file: FileCoverage, t: Catalog, number: Callable[[int], str] = str, *, none: str = "–") -> tuple[str, str]:
    """Two cells: the lines, and those that could not be read, in words where a part was never looked at."""
    if not any(gap.kind in UNREADABLE for gap in file.gaps):
        return number(file.lines), number(file.unread)
    if not file.lines:
        return none, t("coverage.unread.all")
    part = t("coverage.unread.part")
    return number(file.lines), t("list.separator").join([number(file.unread), part]) if file.unread else part
