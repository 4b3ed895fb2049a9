"""All that a request's logs hold, from the files themselves or from an archive of them: for what reads every line."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deliverability.api.named_logs import surroundings
from deliverability.api.requests import Request
from deliverability.api.scan import FileScan
from deliverability.capture.files import LogFile
from deliverability.correlate import TimeHints
from deliverability.evidence.exhibit import LogLine


@dataclass(frozen=True, slots=True)
class WholeLogs:
    """Logs to be read from end to end."""

    files: tuple[LogFile, ...]
    hints: TimeHints
    notes: tuple[str, ...] = ()
    """What must be said of an answer from them."""
    described: Callable[[Iterable[FileScan]], list[FileScan]] = list
    """Of the looks at :attr:`files`: what each log is."""
    moved: Callable[[LogLine], LogLine] = lambda line: line
    """A line of :attr:`files`, as it stands in its log."""
    kept: bool = False
    """Whether :attr:`files` are an archive's, whose lines stand elsewhere."""


@contextmanager
def whole_logs(request: Request) -> Iterator[WholeLogs]:
    """The logs of a request, or those in its archive with the logs beside it; each line once."""
    if request.archive is None:
        hints, files = surroundings(request)
        yield WholeLogs(files, hints)
        return
    from deliverability.api.archive_layout import moved, places_of
    from deliverability.api.from_archive import Kept, beside
    from deliverability.ledger.archive import Archive

    hints, files = beside(request)
    with Archive.open(request.archive) as archive:
        kept = Kept(archive, None, hints, files)
        whole = kept.whole()
        places = places_of(whole)
        told = tuple(kept.notes())
        yield WholeLogs(whole, kept.hints, told, kept.described, lambda line: moved(line, places), kept=True)
