"""Names of rotated log files: which belong to one set, which is older, and which number is missing.

``logrotate`` counts (``mail.log.1``, ``mail.log.2.gz``) or dates (``dateext``: ``mail.log-20261101``, also
``-2026-11-01`` or with a time), BSD's ``newsyslog`` counts from 0.  Only names are looked at here, never files.
"""

import re
from collections.abc import Iterable

_ROTATED = re.compile(
    r"(?P<base>.+?)(?:[.-](?P<n>\d{1,14}(?:-\d{1,10}){0,2}))?(?P<z>\.(?:gz|bz2|xz|zst|Z))?\Z", re.DOTALL
)
_DATE_DIGITS = 8  # as many digits or more are a date
_MAX_NAMED = 5  # missing members that are named; more are counted

Age = tuple[int, tuple[int, ...]]
"""Sort key, oldest first."""


def base_of(name: str) -> str:
    """The name of the file that is written now: ``mail.log`` for ``mail.log.2.gz``."""
    match = _ROTATED.fullmatch(name)
    return match["base"] if match else name


def age(name: str) -> Age:
    """Sort key of a member of a set, oldest first: numbers before dates, the file that is written now last."""
    match = _ROTATED.fullmatch(name)
    if not match or not (match["n"] or match["z"]):
        return (2, ())
    parts = tuple(int(part) for part in (match["n"] or "0").split("-"))
    return (1, parts) if _is_date(match["n"]) else (0, tuple(-part for part in parts))


def _is_date(number: str | None) -> bool:
    return number is not None and len(number.replace("-", "")) >= _DATE_DIGITS


def missing(names: Iterable[str]) -> dict[str, str]:
    """For members of one set: by the first name after a hole in the numbers, what is not there, in words.

    Dates have no known step, so they show no holes.  The current file shows that the newest number should be there.
    """
    numbered: dict[int, str] = {}
    current: str | None = None
    for name in names:
        match = _ROTATED.fullmatch(name)
        if match and match["n"] and match["n"].isdecimal() and not _is_date(match["n"]):
            numbered[int(match["n"])] = name
        elif match and not match["n"] and not match["z"]:
            current = name
    holes: dict[str, str] = {}
    newer, at = (current, 0) if current is not None else (None, -1)
    for number in sorted(numbered):
        if newer is not None and number > at + 1:
            holes[newer] = _absent(base_of(numbered[number]), at + 1, number - 1)
        newer, at = numbered[number], number
    return holes


def _absent(base: str, first: int, last: int) -> str:
    if last - first >= _MAX_NAMED:
        return f"{base}.{first} to {base}.{last} are not there"
    names = [f"{base}.{number}" for number in range(first, last + 1)]
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} not there"
