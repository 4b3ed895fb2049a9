"""Text in UTF-16, as Windows and Microsoft 365 export it, or UTF-32, to UTF-8 (RFC 2781; The Unicode Standard, D98)."""

import codecs
from collections.abc import Iterator

from deliverability.capture.decoders.streams import PIECE, Stream

_LOOKED_AT = 64  # octets; Latin text has a zero in every other one


def encoding_of(head: bytes) -> str | None:
    """``utf-16`` or ``utf-32`` by its byte order mark, or which half of the first letters is zero; else ``None``."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    first = head[:_LOOKED_AT]
    even, odd = first[0::2], first[1::2]
    if len(first) >= 16 and not any(odd) and all(even):
        return "utf-16-le"
    return "utf-16-be" if len(first) >= 16 and not any(even) and all(odd) else None


def text(stream: Stream, encoding: str) -> Iterator[bytes]:
    """The text as UTF-8; what is neither becomes U+FFFD."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    while piece := stream.read1(PIECE):
        yield decoder.decode(piece).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")
