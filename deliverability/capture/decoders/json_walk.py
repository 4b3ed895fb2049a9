"""The records of a JSON document, one after the other, in bounded memory."""

import re
from collections.abc import Iterable, Iterator

from deliverability.capture.decoders.streams import MAX_RECORD, DamagedError
from deliverability.protocols.wrapped import parsed

_MAX_DEPTH = 50  # of lists around records
_MAX_INSIDE = 1_000  # open brackets within a record: as deep as a parser goes, and a hundred times what logs need
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?P<end>")?|[{}\[\]]', re.DOTALL)
_GAP = re.compile(rb"[\s,:]*+(?:(?:true|false|null|[-+.0-9eE]+)[\s,:]*+)*+")
_KEY = re.compile(rb'"(\w{1,40})"\s*:\s*\Z')
_LISTS = frozenset(
    {b"hits", b"events", b"messages", b"results", b"logs", b"entries", b"data", b"records", b"rows", b"email"}
)
"""Members of a document in which the records stand: Elastic's ``hits.hits``, CloudWatch's ``events``, WHMCS's
``emails.email``, …"""


def elements(pieces: Iterable[bytes], *, whole: bool = False, most: int = 2 * MAX_RECORD) -> Iterator[bytes]:
    """The text of each record: an object that stands alone, or in the outermost list of objects.

    With ``whole``, a text that ends within a record raises :class:`DamagedError`, as a record does that is longer than
    ``most`` octets.
    """
    walk = _Walk(most)
    for piece in pieces:
        yield from walk.feed(piece)
    if whole:
        walk.finish()


class _Walk:
    """Follows brackets and strings; knows nothing else of JSON, so that it is quick and never deep."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._text = b""
        self._at = 0  # up to where the text was looked at
        self._start: int | None = None  # where the present record begins
        self._open: list[bool] = []  # of each open bracket around records: whether it is a list
        self._inside = 0  # open brackets within the record
        self._whole = False  # whether it is known that this record holds no others

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """More text; yields the records that end in it."""
        self._text += piece
        while match := _TOKEN.search(self._text, self._at):
            self._between(match.start())
            mark = self._text[match.start()]
            if mark == 0x22:
                if match["end"] is None:
                    self._at = match.start()
                    break
            elif (record := self._bracket(chr(mark), match.start())) is not None:
                yield record
            self._at = match.end()
        else:
            # Outside of records a word may be cut here: it is looked at when the rest has come.
            self._at = len(self._text) if self._start is not None else self._at
        self._forget()

    def finish(self) -> None:
        """No more text comes; raises :class:`DamagedError` when it should."""
        if self._open or self._start is not None:
            raise DamagedError("the JSON text breaks off within a record")
        self._between(len(self._text))

    def _between(self, end: int) -> None:
        """Between records stands nothing but JSON: a log may hold brackets too, and a stranger's objects in them."""
        if self._start is None and not _GAP.fullmatch(self._text, self._at, end):
            raise DamagedError("something that is no JSON stands between the records")

    def _forget(self) -> None:
        keep = self._at if self._start is None else self._start
        # The name before a list may still be needed.
        keep = max(min(keep, self._at) - 64, 0) if self._start is None else keep
        self._text, self._at = self._text[keep:], self._at - keep
        if self._start is not None:
            self._start -= keep
        if len(self._text) > self._most:
            raise DamagedError(f"a record longer than {self._most >> 20} MiB")

    def _bracket(self, mark: str, at: int) -> bytes | None:
        if self._start is None:
            if mark == "{":
                self._start, self._inside, self._whole = at, 1, False
            elif mark == "[":
                self._list(0)
            elif self._open:
                self._open.pop()
            return None
        if mark in "{[":
            if mark == "[" and self._holds_records(at):
                self._list(self._inside)
                self._start, self._inside = None, 0
            else:
                self._inside += 1
                if self._inside > _MAX_INSIDE:
                    raise DamagedError("brackets within brackets, far too deep")
            return None
        self._inside -= 1
        if self._inside:
            return None
        start, self._start = self._start, None
        return self._text[start : at + 1]

    def _list(self, within: int) -> None:
        self._open += [False] * within + [True]
        if len(self._open) > _MAX_DEPTH:
            raise DamagedError("lists within lists, far too deep")

    def _holds_records(self, at: int) -> bool:
        """Whether the list that begins here is where a document that is no record itself keeps its records.

        A record that is an element of a list already is one, unless phpMyAdmin wrote it: its list of tables has the
        rows of each in ``data``.
        """
        key = None if self._whole else _KEY.search(self._text, max(at - 64, 0), at)
        if key is None or key[1] not in _LISTS:
            return False
        self._whole = True  # asked once: a record may be long, and hold the name of such a list many times
        around = parsed(self._text[self._start : at] + b"[]" + b"}" * self._inside)
        return around is not None and (not any(self._open) or around.get("type") == "table")
