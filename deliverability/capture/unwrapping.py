"""A log as it grows, wrapped in JSON lines: Loki, Elastic, Docker's json-file driver, ``journalctl -o json -f``.

How the records are read is settled once for a file, as it is for one that is read whole
(:mod:`deliverability.capture.decoders.ndjson`): by the first octets of the file that is there, else by the first
records that come, which are held back until they agree.  So no message can choose to be taken for a whole line.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from deliverability.capture.blocks import MAX_LINE
from deliverability.capture.decoders.containers import unwrapped
from deliverability.capture.decoders.ndjson import record_of, sample_of
from deliverability.capture.decoders.pasted import is_log_line
from deliverability.capture.decoders.plain import is_plain
from deliverability.capture.follow import Begun, Growing
from deliverability.capture.logfile import ZIP
from deliverability.capture.opening import SQLITE
from deliverability.errors import CannotLookError, printable
from deliverability.evidence.exhibit import LogLine
from deliverability.protocols.wrapped import RAW, TEXTS, Layout, flat, layout_of

AGREEING = 3  # records that settle how they are read
MAX_HELD = 100  # records among which they are
MAX_HELD_OCTETS = 4 << 20
QUIET = 2  # looks at which nothing came: what is held back is told by itself
_COMPRESSED = (b"\x1f\x8b", b"\x1f\x9d", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", *ZIP)
_FOLLOWED = frozenset({"NDJSON", "journal JSON", "pasted lines", "byte order mark"})


class Holding(Growing, Protocol):
    """What may hold lines back for a while."""

    def last(self) -> Iterator[LogLine]:
        """What is held back, when nobody looks again."""


class Unwrapped:
    """Lines of a source that grows, as their server wrote them."""

    def __init__(self, source: Begun, shown: str, remark: Callable[[str], None] = lambda _: None) -> None:
        """Raises :class:`CannotLookError` for a file that does not grow by lines."""
        self._source, self._shown, self._remark = source, printable(shown), remark
        self._held: list[LogLine] = []
        self._records: list[dict[str, Any]] = []
        self._octets = self._quiet = 0
        self._layout: Layout | None = None
        self._settled = False
        self.given = self.unread = self.cut = 0
        """Lines that came; records among them that hold no log line; lines longer than any may be, or broken off."""
        if source.head:
            refuse_still(source.head, self._shown)
            self._settle_by(source.head)

    @property
    def ended(self) -> bool:
        """Nothing more can come."""
        return self._source.ended

    def close(self) -> None:
        """Let go of what is followed."""
        self._source.close()

    def lines(self) -> Iterator[LogLine]:
        """What has come since the last look, but for what is held back."""
        before = self.given
        for line in self._source.lines():
            self.given += 1
            if line.place.offset == 0:
                yield from self.last()  # another file: it is settled anew
                self._settled, self._layout = False, None
            yield from self._given(line) if self._settled else self._tried(line)
        self._quiet = 0 if self.given > before else self._quiet + 1
        if self._source.ended or self._quiet >= QUIET:
            yield from self.last()

    def last(self) -> Iterator[LogLine]:
        """What is held back, by what is known."""
        if self._held and (layout := layout_of(self._records)) is not None:
            self._settled, self._layout = True, layout
        yield from self._released()

    def _released(self) -> Iterator[LogLine]:
        held, self._held = self._held, []
        self._records, self._octets = [], 0
        for line in held:
            yield from self._given(line)

    def _settle_by(self, head: bytes) -> None:
        records, _ = sample_of(head)
        self._layout = layout_of(records) if records else None
        self._settled = self._layout is not None or any(map(is_log_line, head.split(b"\n")))

    def _tried(self, line: LogLine) -> Iterator[LogLine]:
        """A line that came before it was settled how they are read."""
        record = record_of(line.raw)
        if record is None:
            self._settled = is_log_line(line.raw)
            if self._settled:
                yield from self._released()
            if self._held:
                self._hold(line)
            else:
                yield from self._given(line)
            return
        self._records.append(record)
        self._hold(line)
        itself = not any(name in fields for fields in (flat(record),) for name in (*TEXTS, RAW))
        agree = len(self._records) >= AGREEING and layout_of(self._records) is not None
        if itself or agree or len(self._held) >= MAX_HELD or self._octets >= MAX_HELD_OCTETS:
            yield from self.last()

    def _hold(self, line: LogLine) -> None:
        self._held.append(line)
        self._octets += len(line.raw)

    def _given(self, line: LogLine) -> Iterator[LogLine]:
        raw, cut = line.raw, line.cut
        if self._layout is not None and raw.strip(b"\x1e \t\r"):
            record = record_of(raw)
            raw = b"" if record is None else self._layout.line(flat(record))
            if raw[:1] in (b"", b"["):  # inert: see Layout.line
                self._tell_unread(line)
                return
        cut = cut or len(raw) > MAX_LINE
        self.cut += cut
        yield line if raw is line.raw and cut == line.cut else replace(line, raw=raw[:MAX_LINE], cut=cut)

    def _tell_unread(self, line: LogLine) -> None:
        self.unread += 1
        if self.unread == 1:
            place = printable(str(line.place))
            self._remark(
                f"{place}: no record that holds a log line, as others here do; such are passed over and counted"
            )


def refuse_still(head: bytes, shown: str) -> None:
    """Raises :class:`CannotLookError` for what begins so and does not grow by lines, with what to do."""
    if is_plain(head):
        return
    if head.startswith(_COMPRESSED):
        raise CannotLookError(f"{shown}: compressed; --follow reads a log that grows: leave --follow out")
    if head.startswith(SQLITE):
        raise CannotLookError(f"{shown}: an SQLite database; --follow reads a log that grows: leave --follow out")
    _, names = unwrapped(head, io.BytesIO())
    if "journal export" in names:
        raise CannotLookError(
            f"{shown}: a journal export; --follow reads it as it is written: journalctl -o export -f | … --log -"
        )
    if other := [name for name in names if name not in _FOLLOWED]:
        raise CannotLookError(
            f"{shown}: {' in '.join(other)}; --follow reads plain lines and JSON lines: leave --follow out"
        )
