"""A page of HTML that holds log lines, as a ticket system shows and a browser saves them: its text, line by line.

Elements that begin a new line (HTML, "Rendering" §15.3) end one here; other tags go, and what was written ``&lt;`` is
read.  Only tags that HTML has are taken off: addresses in angle brackets stay where a page did not escape them.  No
character reference becomes a line end.  What is no log line (styles, scripts, the page's own words) stays and is
counted as unread.
"""

import html
import re
from collections.abc import Iterator

from deliverability.capture.decoders.streams import Stream, lines

_BEGINS = re.compile(rb"\s*+<(?:!doctype\s++html|html|head|body|pre|table|div|p)(?:\s[^<>]{0,1000})?>", re.IGNORECASE)
_NEW_LINE = re.compile(
    r"</?(?:!doctype|html|head|body|br|p|div|pre|tr|li|ul|ol|table|tbody|thead|h[1-6]|blockquote|hr|section|article|title"
    r"|main|header|footer|dd|dt|dl)(?:\s[^<>]{0,1000})?/?>",
    re.IGNORECASE,
)
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|button|center|code|col|em|font|i|img|input|kbd|label|link|mark|meta|nobr|o:p|s|samp|small|span"
    r"|strong|sub|sup|td|th|tt|u|var|wbr)(?:\s[^<>]{0,1000})?/?>",
    re.IGNORECASE,
)
_NO_TEXT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")


def is_page(head: bytes) -> bool:
    """Whether a page of HTML begins so."""
    return _BEGINS.match(head) is not None


def text_lines(stream: Stream) -> Iterator[bytes]:
    """The lines of the page's text; empty ones that only its form makes are left out."""
    for batch in lines(stream):
        made: list[str] = []
        for raw in batch:
            pieces = _NEW_LINE.split(raw.removesuffix(b"\r").decode("utf-8", "backslashreplace"))
            made += [line for piece in pieces if (line := _text(piece)) or len(pieces) == 1]
        yield "".join(f"{line}\n" for line in made).encode("utf-8", "replace")


def _text(piece: str) -> str:
    said = html.unescape(_TAG.sub("", piece)) if "<" in piece or "&" in piece else piece
    return _NO_TEXT.sub(" ", said).replace("\xa0", " ")
