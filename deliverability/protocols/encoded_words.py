r"""Header text as logs keep it, made readable: RFC 2047 encoded words, raw bytes of unstated charset, Exim's escapes.

A log has the ``Subject`` in whatever spelling the mailer chose.  Everything here is total: any bytes give
text of bounded length, and text that cannot be decoded stays visible as it was.
"""

import codecs
import re
import unicodedata
from base64 import b64decode
from binascii import Error as BinasciiError
from encodings.aliases import aliases

MAX_RAW = 16_384
"""Octets of header text that are read; RFC 5322 §2.1.1 allows 998 a line, logs cut far earlier."""
MAX_TEXT = 4_096
"""Characters of the result."""

# RFC 2047 §2, with what is met in logs: a language tag (RFC 2231 §5), blanks inside, a word cut off at the end.
_WORD = re.compile(rb"=\?([A-Za-z0-9._:-]{1,40})(?:\*[A-Za-z0-9-]{0,20})?\?([BbQq])\?([^?]*)(?:\?=|\??\Z)")
_Q_OCTET = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_EXIM_ESCAPE = re.compile(rb"\\(?:([0-3][0-7]{2})|([\\\"ntrbvf]))")
_EXIM_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"v": b"\v", b"f": b"\f"}

# Codecs of the standard library that turn bytes into other bytes, or that are slow on hostile input.
_NOT_CHARSETS = {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec", "mbcs"}
_CHARSETS = {
    **{alias: codec for alias, codec in aliases.items() if codec not in _NOT_CHARSETS},
    **{codec: codec for codec in aliases.values() if codec not in _NOT_CHARSETS},
    **{name: name for name in ("koi8_u", "koi8_t", "cp720", "cp737", "cp856", "cp874", "cp1006", "utf_8_sig")},
    "windows_874": "cp874",
    "x_big5": "cp950",
    "x_gbk": "gb18030",
    "x_sjis": "cp932",
    "cp_850": "cp850",
    "unicode_1_1_utf_8": "utf_8",
}
# What mailers call by the left name is, in the wild, the larger set on the right.
_WIDER = {
    "big5": ("cp950", "big5hkscs"),
    "cp950": ("cp950", "big5hkscs"),
    "gb2312": ("gb18030",),
    "gbk": ("gb18030",),
    "shift_jis": ("cp932",),
    "euc_kr": ("cp949",),
    "iso2022_jp": ("iso2022_jp", "iso2022_jp_2", "iso2022_jp_3"),
    "ascii": ("utf_8", "cp1252"),
    "latin_1": ("cp1252",),
}


def decode_header_text(raw: bytes) -> str:
    """Readable text of a header field's body (RFC 2047), at most :data:`MAX_TEXT` characters.

    Encoded words are decoded, adjacent ones joined before decoding, so that a character which a mailer split
    over two words is whole again.  A word in an unknown charset stays as it was written.  Never raises.
    """
    raw = raw[:MAX_RAW]
    out: list[str] = []
    place = 0
    pending: tuple[str, bytes] | None = None
    for word in _WORD.finditer(raw):
        between = raw[place : word.start()]
        codec = _CHARSETS.get(word[1].decode("ascii").lower().replace("-", "_").replace(".", "_"))
        # RFC 2047 §6.2: white space between two encoded words is not shown.
        joined = pending is not None and codec is not None and not between.strip(b" \t\r\n")
        if pending and not (joined and pending[0] == codec):
            out.append(_decode_as(*pending))
            pending = None
        if not joined:
            out.append(decode_octets(between))
        if codec is None:
            out.append(decode_octets(word[0]))
        else:
            pending = (codec, (pending[1] if pending else b"") + _octets(word[2], word[3]))
        place = word.end()
    if pending:
        out.append(_decode_as(*pending))
    out.append(decode_octets(raw[place:]))
    return "".join(out)[:MAX_TEXT]


def decode_octets(raw: bytes) -> str:
    """Text of bytes whose charset nobody stated: UTF-8, else Big5 or GB 18030 where plausible, else Windows-1252.

    A character cut off at the end is left out.  Never raises; the result has at most :data:`MAX_TEXT` characters.
    """
    raw = raw[:MAX_RAW]
    if raw.isascii():
        japanese = _strict("iso2022_jp", raw) if b"\x1b$" in raw else None
        return (japanese or raw.decode("ascii"))[:MAX_TEXT]
    text = _strict("utf_8", raw)
    # Nothing but ASCII left: the only high octet stood at the end, and need not be a character cut off.
    return (_guess(raw) if text is None or text.isascii() else text)[:MAX_TEXT]


def decode_said(raw: bytes) -> str:
    r"""A server's words as its peer logged them: UTF-8, else Big5 or GB 18030 where plausible; other octets as ``\xNN``."""
    if len(raw) <= MAX_RAW and not raw.isascii() and not _strict("utf_8", raw):
        return _chinese(raw) or raw.decode("utf-8", "backslashreplace")
    return raw.decode("utf-8", "backslashreplace")


def unescape_exim(raw: bytes) -> bytes:
    r"""Undo Exim's ``string_printing``: ``\323`` is an octet, ``\n`` a line feed, ``\\`` and ``\"`` themselves.

    Anything else after a backslash stays as it is.  One layer: a reply inside ``C="…"`` has two.
    """
    return _EXIM_ESCAPE.sub(_unescape_one, raw)


def subject_matches(wanted: str, subject: str) -> bool:
    """Whether ``wanted`` stands in ``subject``: width (NFKC), case and runs of white space do not count.

    An empty wish matches nothing.
    """
    needle = _folded(wanted)
    return bool(needle) and needle in _folded(subject)


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text[:MAX_TEXT]).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _unescape_one(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes((int(match[1], 8),))
    return _EXIM_LETTERS.get(match[2], match[2])


def _octets(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"Qq":
        return _Q_OCTET.sub(lambda m: bytes((int(m[1], 16),)), text.replace(b"_", b" "))
    data = _NOT_BASE64.sub(b"", text)
    data = data[: len(data) - 1] if len(data) % 4 == 1 else data  # six bits make no octet: the word was cut
    try:
        return b64decode(data + b"=" * (-len(data) % 4))
    except BinasciiError:  # pragma: no cover - the alphabet and the padding were just made right
        return text


def _decode_as(codec: str, data: bytes) -> str:
    wider = _WIDER.get(codec, (codec,))
    for candidate in wider:
        text = _strict(candidate, data)
        if text is not None:
            return text
    return data.decode(wider[0], "replace")


def _strict(codec: str, data: bytes) -> str | None:
    """Decoded text, the last character left out when it is cut off; ``None`` if the bytes do not fit."""
    try:
        return codecs.getincrementaldecoder(codec)().decode(data)
    except (UnicodeError, ValueError):
        return None


def _guess(raw: bytes) -> str:
    return _chinese(raw) or raw.decode("cp1252", "replace")


def _chinese(raw: bytes) -> str | None:
    # Both Chinese charsets put their frequent characters first: Big5 level 1 has lead octets A4 to C6,
    # GB 2312 level 1 has B0 to D7 with both octets high.  The wrong reading gives mostly rare characters.
    readings = [(_common_share(raw, 0xA4, 0xC6, 0x40), "cp950"), (_common_share(raw, 0xB0, 0xD7, 0xA1), "gb18030")]
    for share, codec in sorted(readings, key=lambda reading: -reading[0]):
        for candidate in _WIDER.get(codec, (codec,)):
            text = _strict(candidate, raw) if share >= 0.5 else None
            if text is not None and not any(unicodedata.category(c) in ("Co", "Cn") for c in text):
                return text
    return None


def _common_share(raw: bytes, first: int, last: int, trail: int) -> float:
    """Share of the double octets that are frequent characters; 0 unless two stand side by side.

    A lone high octet before a letter is an accented Latin letter far more often than Chinese.
    """
    pairs = common = 0
    side_by_side = False
    place, end_of_last = 0, -1
    while place + 1 < len(raw):
        lead = raw[place]
        if lead < 0x81:
            place += 1
            continue
        pairs += 1
        common += first <= lead <= last and raw[place + 1] >= trail
        # Rows A1 to A3 are punctuation and full-width letters in both.
        pairs -= 0xA1 <= lead <= 0xA3
        side_by_side = side_by_side or place == end_of_last
        place = end_of_last = place + 2
    return common / pairs if pairs and side_by_side else 0.0
