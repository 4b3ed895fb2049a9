"""Names of rotated log files: which belong to one set, which is older, and which number is missing.

``logrotate`` counts (``mail.log.1``, ``mail.log.2.gz``) or dates (``dateext``: ``mail.log-20261101``, also
``-2026-11-01`` or with a time, with ``extension .log`` as ``mail-20261101.log``), BSD's ``newsyslog`` counts from 0,
Exim's ``exicyclog`` with two digits (``mainlog.01``), archives by the month are named ``exim_mainlog-11-2026.gz``.
Only names are looked at here, never files.
"""

import re
from collections.abc import Iterable

_ROTATED = re.compile(
    r"(?P<base>.+?)(?:[.-](?P<n>\d{1,14}(?:-\d{1,10}){0,2}))?(?P<z>\.(?:gz|bz2|xz|zst|zip|Z))?\Z", re.DOTALL
)
# Only a date may stand before the extension: ``mx-1.log`` is a host's name.
_DATED = re.compile(
    r"(?P<base>.+?)[.-](?P<n>(?:19|20)\d{6}(?:-\d{1,10})?|(?:19|20)\d\d-\d\d-\d\d)(?P<e>\.(?:log|txt))"
    r"(?P<z>\.(?:gz|bz2|xz|zst|zip|Z))?\Z",
    re.DOTALL,
)
_MONTH = re.compile(r"(?:(?P<m>0?[1-9]|1[0-2])-(?P<y>20\d\d)|(?P<y2>20\d\d)-(?P<m2>0[1-9]|1[0-2]))\Z")
_DATE_DIGITS = 8  # as many digits or more are a date
_MAX_NAMED = 5  # missing members that are named; more are counted

Age = tuple[int, tuple[int, ...]]
"""Sort key, oldest first."""


def base_of(name: str) -> str:
    """The name of the file that is written now: ``mail.log`` for ``mail.log.2.gz``."""
    base, _, _ = _parts(name)
    return base


def is_numbered(name: str) -> bool:
    """Whether it bears a number or a date of a rotated set."""
    return _parts(name)[1] is not None


def _parts(name: str) -> tuple[str, str | None, bool]:
    """Base, number or date, and whether it is compressed."""
    if dated := _DATED.fullmatch(name):
        return dated["base"] + dated["e"], dated["n"], bool(dated["z"])
    match = _ROTATED.fullmatch(name)
    return (match["base"], match["n"], bool(match["z"])) if match else (name, None, False)


def age(name: str) -> Age:
    """Sort key of a member of a set, oldest first: numbers before dates, the file that is written now last."""
    _, number, packed = _parts(name)
    if number is None:
        return (0, (0,)) if packed else (2, ())
    if month := _MONTH.fullmatch(number):
        return (1, (int(month["y"] or month["y2"]), int(month["m"] or month["m2"])))
    parts = tuple(int(part) for part in number.split("-"))
    return (1, parts) if _is_date(number) else (0, tuple(-part for part in parts))


def _is_date(number: str) -> bool:
    return len(number.replace("-", "")) >= _DATE_DIGITS or _MONTH.fullmatch(number) is not None


def missing(names: Iterable[str]) -> dict[str, str]:
    """For members of one set: by the first name after a hole in the numbers, what is not there, in words.

    Dates have no known step, so they show no holes.  The current file shows that the newest number should be there.
    """
    numbered: dict[int, str] = {}
    current: str | None = None
    for name in names:
        _, n, packed = _parts(name)
        if n and n.isdecimal() and not _is_date(n):
            numbered[int(n)] = name
        elif not n and not packed:
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
