"""What Loki's own interface answers: one JSON document of streams, each with its lines as pairs of time and text.

``/loki/api/v1/query_range`` with the result type ``streams`` (https://grafana.com/docs/loki/latest/reference/loki-http-api/).
A text is a JSON string, in which a quotation mark never stands bare: so no text can begin a pair of its own.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from deliverability.capture.decoders.streams import MAX_RECORD, DamagedError, Stream, gathered
from deliverability.protocols.wrapped import Layout, layout_of

_KIND = re.compile(rb'\s*+\{[^\[]{0,400}?"resultType"\s*:\s*"streams"')
_PAIR = re.compile(rb'\[\s*+"(?P<at>\d{16,20})"\s*+,\s*+(?P<text>"(?:[^"\\]++|\\.)*+")\s*+[\],]', re.DOTALL)
_SAMPLED = 50  # lines that tell what they are


def layout_in(head: bytes) -> Layout | None:
    """How the lines of such a document are read; ``None`` for what is none, or holds no syslog lines."""
    if not _KIND.match(head):
        return None
    sampled = [
        record for match, _ in zip(_PAIR.finditer(head), range(_SAMPLED), strict=False) if (record := _record(match))
    ]
    return layout_of(sampled) if sampled else None


def stream_lines(stream: Stream, layout: Layout) -> Iterator[bytes]:
    """The lines, in the order of the document; raises :class:`DamagedError` where it breaks off."""
    text = b""
    for piece in gathered(stream):
        text += piece
        end = 0
        for match in _PAIR.finditer(text):
            record = _record(match)
            if record is not None:
                yield layout.line(record) + b"\n"
            end = match.end()
        text = text[end:]
        if len(text) > 2 * MAX_RECORD:
            raise DamagedError("a record longer than 2 MiB")
    if not text.rstrip().endswith(b"}"):
        raise DamagedError("the JSON text breaks off")


def _record(match: re.Match[bytes]) -> dict[str, Any] | None:
    try:
        return {"ts": match["at"].decode("ascii"), "line": json.loads(match["text"])}
    except ValueError:
        return None
