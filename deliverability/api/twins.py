"""Logs that were given twice: a rotated one and its backup, a copy beside its archive."""

from collections.abc import Iterable, Iterator

from deliverability.capture.files import LogFile, head
from deliverability.errors import CannotLookError, printable

BEGINNING = 16 << 10  # octets of each that are held against the others'
LEAST = 80  # octets: about a line with its time


def twins(files: Iterable[LogFile]) -> Iterator[str]:
    """A sentence on each log that begins with the very lines of another: whatever counts lines counts those twice.

    Lines have times and ids in them: two logs do not come to begin alike by chance.  What only a part of both holds is
    not noticed.
    """
    known: dict[bytes, LogFile] = {}
    for file in files:
        try:
            beginning = head(file, BEGINNING)[:BEGINNING]
        except CannotLookError:
            continue  # whoever reads it says so
        if len(beginning) < LEAST:
            continue
        first = known.setdefault(beginning, file)
        if first is not file:
            names = f"{printable(file.path)} begins with the same lines as {printable(first.path)}"
            yield f"{names}: what stands in both is counted twice; name one of them"
