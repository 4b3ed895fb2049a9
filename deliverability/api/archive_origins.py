"""Which of the logs that are kept a file is, by what it holds, whatever it is called by now."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deliverability.api import archive_shape as shape
from deliverability.api.archive_copies import begins_alike, is_shorter_copy
from deliverability.api.times import MAX_HEAD, stamp
from deliverability.capture import rotation
from deliverability.capture.continued import Beginning, Known, beginning_of, furthest, tail_of
from deliverability.capture.files import LogFile, container_of, head
from deliverability.errors import CannotLookError
from deliverability.ledger.archive import Archive, Source

CHANGED = "begins as one that is kept, and goes on otherwise: kept beside that, so what is in both may be in it twice"


class Origins:
    """The files of one run, and what was kept before it."""

    def __init__(self, archive: Archive, files: Sequence[LogFile]) -> None:
        self._archive, self._files = archive, files
        known = archive.sources()
        self._before = {source.id for source in known}
        looks = ((shape.of_source(source).get("look"), source) for source in known)
        self._looks = {(source.log, look): source for look, source in looks if look}

    def unchanged(self, file: LogFile, look: str | None) -> Source | None:
        """What is kept of a file in which nothing is new, by its look."""
        source = self._looks.get((file.log, look)) if look else None
        waits = source is not None and shape.of_source(source).get("waiting")
        return None if waits and self.is_settled(file) else source

    def is_settled(self, file: LogFile) -> bool:
        """Whether a newer file of its set is there: it was rotated, and what its last line lacks by now it will lack."""
        base = _base(file.log, file.path)
        return next(f for f in reversed(self._files) if _base(f.log, f.path) == base) is not file

    def source_of(self, file: LogFile, beginning: Beginning) -> Source | None:
        """What is kept of this file, or a source that is new; ``None`` for a copy that is shorter than what is kept."""
        candidates = self._like(file, beginning)
        index = furthest(file, [Known(s.position, s.tail) for s in candidates]) if candidates else None
        if index is not None:
            return replace(candidates[index], path=file.path, modified=file.modified)
        if any(is_shorter_copy(self._archive, file, one) for one in candidates):
            return None
        return Source(
            *(0, file.log, file.path, beginning.head, 0, 0, tail_of(b"")),
            modified=file.modified,
            container=container_of(file),
            facts="{}",
        )

    def of_new(self, file: LogFile, beginning: Beginning) -> dict[str, str]:
        """What must be known of a file that is read for the first time: how it is to what is kept, what is missing."""
        like = self._like(file, beginning)
        changed = CHANGED if any(begins_alike(self._archive, file, one, beginning) for one in like) else None
        missing = (None if changed else self._rotated_away(file), file.missing)
        known = {"changed": changed, "missing": "; ".join(filter(None, missing))}
        return {key: text for key, text in known.items() if text}

    def _like(self, file: LogFile, beginning: Beginning) -> list[Source]:
        """What is kept of logs that begin as a file does."""
        return [s for s in self._archive.candidates(beginning.head) if s.log == file.log]

    def _rotated_away(self, file: LogFile) -> str | None:
        """That none of the files at hand goes on from where the last run ended."""
        base = _base(file.log, file.path)
        siblings = [f for f in self._files if _base(f.log, f.path) == base]
        before = [s for s in self._archive.sources() if s.id in self._before and _base(s.log, s.path) == base]
        if siblings[0] is not file or not before or any(map(self._is_known, siblings[1:])):
            return None
        timed = [[one for one in self._archive.segments(s.id) if one.first and one.last] for s in before]
        ends = [one.last for some in timed for one in some[-1:] if one.last]
        since = f"{max(ends):%Y-%m-%dT%H:%M:%SZ}" if ends else "the last run"
        first = stamp(head(file, MAX_HEAD))
        until = first.logged if first else "its first line"
        return f"the log was rotated away between two runs: lines between {since} and {until} were never seen"

    def _is_known(self, file: LogFile) -> bool:
        try:
            beginning = beginning_of(file)
            source = self.source_of(file, beginning) if beginning else None
        except CannotLookError:
            return False
        return source is not None and source.id in self._before


def _base(log: str, path: str) -> tuple[str, str]:
    """The rotated set of a file."""
    name = Path(path)
    return log, str(name.parent / rotation.base_of(name.name)) if name.name else path


def look_of(file: LogFile) -> str | None:
    """What a file looks like from outside, before it is read: where that is the same, so is the content."""
    if file.identity is None or file.modified is None:
        return None
    try:
        status = Path(file.archive or file.path).stat()
    except (OSError, ValueError):
        return None
    if (status.st_dev, status.st_ino) != file.identity:
        return None
    look = f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{file.member or ''}"
    return hashlib.sha256(look.encode("utf-8", "surrogateescape")).hexdigest()[:32]
