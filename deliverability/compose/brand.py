"""What the sender says of itself; everything else in a report comes from evidence.

Its logo is looked into before it is shown (PNG, W3C; JPEG, ITU-T T.81), its colour held against what lies beside it
(WCAG 2.2 §1.4.3).
"""

import re
from dataclasses import dataclass
from struct import error, unpack_from

from deliverability.errors import ParseError, printable
from deliverability.evidence.document import Accent, Look, Picture

MAX_LOGO = 200_000
"""Octets."""
MAX_SIDE = 2_000
"""Pixels."""
CONTRAST = 4.5
"""Between text and what is behind it (WCAG 2.2 §1.4.3, level AA)."""
# What links stand on: card, page and box of ``report.css``.
_LIGHT = ((0xFF, 0xFF, 0xFF), (0xF4, 0xF3, 0xEF), (0xF7, 0xF6, 0xF3))
_DARK = ((0x1B, 0x1F, 0x23), (0x12, 0x15, 0x17), (0x22, 0x27, 0x2C))
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
_COLOUR = re.compile(r"#([0-9A-Fa-f]{6})\Z")
_PNG = b"\x89PNG\r\n\x1a\n"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # JPEG markers that tell the size (T.81 table B.1)
_MAX_SEGMENTS = 1_000

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """The sending company, from its configuration.  Absent parts are left out of the report."""

    name: str = ""
    contact: str = ""
    """How to reach its people without e-mail: telephone, page, address, as plain text."""
    action_url: str = ""
    """Where the customer can pay, renew or restore without needing the mail."""
    change_address_url: str = ""
    """Where the customer changes the address that notices go to."""
    sender: str = ""
    """The address in the From line of its notices, where it is always the same."""
    link: str = ""
    """A short link for messages to telephones; else :attr:`action_url`."""
    logo: Picture | None = None
    accent: Accent | None = None

    @property
    def look(self) -> Look:
        """How its pages look."""
        return Look(self.name, self.logo, self.accent)


def logo(content: bytes, origin: str) -> Picture:
    """The picture that a file holds.

    Raises :class:`~deliverability.errors.ParseError` for anything but a PNG or JPEG within :data:`MAX_LOGO` and
    :data:`MAX_SIDE`: an SVG may carry scripts, and a page that is sent must stay small.
    """
    name = printable(origin)
    if len(content) > MAX_LOGO:
        raise ParseError(f"{name}: the logo is larger than {MAX_LOGO // 1000} kB; save a smaller PNG or JPEG")
    try:
        media_type, width, height = _measured(content)
    except (ValueError, error, IndexError):
        raise ParseError(
            f"{name}: the logo must be a PNG or JPEG file; SVG, which can carry scripts, is not taken"
        ) from None
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ParseError(f"{name}: the logo is {width} × {height} pixels; at most {MAX_SIDE} each way")
    return Picture(media_type, content, width, height)


def _measured(content: bytes) -> tuple[str, int, int]:
    if content.startswith(_PNG):
        if content[12:16] != b"IHDR" or b"IEND" not in content[-16:]:
            raise ValueError("cut PNG")
        width, height = unpack_from(">LL", content, 16)
        return "image/png", width, height
    if not content.startswith(b"\xff\xd8\xff"):
        raise ValueError("neither")
    at = 2
    for _ in range(_MAX_SEGMENTS):
        lead, marker = unpack_from(">BB", content, at)
        if lead != 0xFF:
            raise ValueError("no marker")
        if marker in _FRAMES:
            height, width = unpack_from(">HH", content, at + 5)
            return "image/jpeg", width, height
        at += 1 if marker == 0xFF else 2 + unpack_from(">H", content, at + 2)[0]
    raise ValueError("too many segments")


def accent(colour: str) -> tuple[Accent, str]:
    """The sender's colour for light and dark pages, and a sentence where it had to be changed to stay legible.

    Raises :class:`~deliverability.errors.ParseError` for what is not ``#rrggbb``.
    """
    found = _COLOUR.match(colour)
    if not found:
        raise ParseError(f"{printable(colour, 40)!r} is no colour; write #rrggbb, such as #0a5a85")
    given = _rgb(found[1])
    light = _apart(given, _LIGHT, towards=_BLACK)
    dark = _apart(given, _DARK, towards=_WHITE)
    note = ""
    if light != given:
        note = f"the colour {colour} is too faint on white to be read: {_hex(light)} is used instead"
    return Accent(_hex(light), _upon(light), _hex(dark), _upon(dark)), note


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Rgb) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _apart(colour: Rgb, behind: tuple[Rgb, ...], *, towards: Rgb) -> Rgb:
    """The nearest shade on the way to black or white that stands out from everything behind it."""
    for step in range(101):
        mixed = tuple(round(c + (end - c) * step / 100) for c, end in zip(colour, towards, strict=True))
        shade = (mixed[0], mixed[1], mixed[2])
        if all(contrast(shade, ground) >= CONTRAST for ground in behind):
            return shade
    return towards


def _upon(colour: Rgb) -> str:
    """Black or white, whichever is read more easily on it: one of the two always has 4.58:1."""
    return _hex(max((_WHITE, _BLACK), key=lambda text: contrast(text, colour)))


def _rgb(text: str) -> Rgb:
    return int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)


def _hex(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
