"""One HTML file: no script, nothing loaded from anywhere, readable on a telephone and on paper.

WCAG 2.2 AA is the aim: every state is told in words, headings are in order, contrast is at least 4.5:1 in both
colour schemes, the page reflows at 320 CSS pixels.  The content security policy allows this file's own style and
nothing else.
"""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deliverability.compose.catalog import catalog
from deliverability.errors import printable
from deliverability.evidence.document import Accent, Attachment, Block, Document, Instructions, Picture, Timeline
from deliverability.evidence.plugin import Renderer

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

_SCHEMES = frozenset({"https", "http", "mailto", "tel"})
# The end of an address with the punctuation behind it, a number with the character that counts it, a date: a narrow
# page would put a single character on a line of its own.
_PIECES = r"(?<=[@./-])[A-Za-z0-9]{1,16}[。，、；：？！）」』]{1,3}|[0-9]{1,4}[年月日]|[0-9]{4}-[0-9]{2}-[0-9]{2}"
_KEPT = re.compile(_PIECES)
_HAN = re.compile(r"[\u3400-\u9fff]+")
_KEPT_OR_HAN = re.compile(f"{_PIECES}|{_HAN.pattern}")
_ON_ONE_LINE = '<span class="kept">{}</span>'
_IN_CHINESE = '<span lang="zh-Hant-TW">{}</span>'
_REACHED = {True: "yes", False: "no", None: "open"}


def render(document: Document) -> bytes:
    """The whole report, UTF-8."""
    from markupsafe import Markup

    css = _resource("report.css") + _colours(document.look.accent)
    page = _template().render(
        document=document,
        t=catalog(document.lang),
        css=Markup(css),  # noqa: S704 - our own file, and the only text that is not escaped
        logo=_data_url(document.look.logo) if document.look.logo else "",
        digest=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode("ascii"),
    )
    return (page + "\n").encode("utf-8", "backslashreplace")


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    # One page is made: folding the template's constants beforehand would take longer than it saves.
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=False, optimized=False)
    environment.filters.update(
        seen=_seen,
        flow=_flow,
        kind=lambda block: type(block).__name__.lower(),
        reached=_REACHED.__getitem__,
        followable=_followable,
        runs=lambda blocks: list(_runs(blocks)),
        drawn=_drawn,
        file_url=_data_url,
    )
    return environment.from_string(_resource("report.html.j2"))


def _resource(name: str) -> str:
    return files("deliverability.reports").joinpath("templates", name).read_text(encoding="utf-8")


def _seen(text: str) -> str:
    """Control and bidirectional characters become visible escapes; markup is escaped by the template."""
    return printable(text, limit=len(text))


def _flow(text: str, lang: str = "") -> "Markup":
    """Visible text, escaped here, in which some pieces stay on one line.

    In our own English prose (``lang``) Chinese words are marked as such, for those who have the page read to them.
    """
    from markupsafe import Markup, escape

    shown, done = _seen(text), 0
    pieces = Markup()
    for found in (_KEPT_OR_HAN if lang == "en" else _KEPT).finditer(shown):
        tag = _IN_CHINESE if _HAN.match(found.group()) else _ON_ONE_LINE
        pieces += escape(shown[done : found.start()]) + Markup(tag).format(found.group())  # noqa: S704 - ours, constant
        done = found.end()
    return pieces + escape(shown[done:])


def _followable(url: str) -> bool:
    """Whether a link may be offered at all: never ``javascript:`` and its like."""
    try:
        return urlsplit(url).scheme in _SCHEMES and url == _seen(url)
    except ValueError:
        return False


def _runs(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Instructions that follow each other stand side by side where there is room."""
    for together, run in groupby(blocks, lambda block: isinstance(block, Instructions)):
        found = list(run)
        if together:
            yield found
        else:
            yield from ([block] for block in found)


def _data_url(held: Picture | Attachment) -> str:
    """A file inside the page; browsers save a link to one where it says ``download``, and open none."""
    return f"data:{held.media_type};base64,{base64.b64encode(held.content).decode('ascii')}"


def _colours(accent: Accent | None) -> str:
    """The sender's colour in both schemes; on paper everything stays black."""
    if accent is None:
        return ""
    light = f"--accent: {accent.light}; --on-accent: {accent.on_light}; --focus: {accent.light};"
    dark = f"--accent: {accent.dark}; --on-accent: {accent.on_dark}; --focus: {accent.dark};"
    return (
        f"@media screen {{ :root {{ {light} }} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
    )


# --- the picture of the attempts --------------------------------------------------------------------------------------

_LINE = 1.45  # em from one line of text to the next
_COLUMNS = 30  # that fit beside the marks on a page of 320 CSS pixels
_SHAPES: Mapping[str, str] = {
    "good": '<circle class="mark good" cx=".7em" cy="{y}em" r=".42em"/>',
    "waiting": '<circle class="mark waiting ring" cx=".7em" cy="{y}em" r=".38em"/>',
    "bad": '<rect class="mark bad" x=".32em" y="{top}em" width=".76em" height=".76em"/>',
    "unknown": '<circle class="mark unknown ring dashed" cx=".7em" cy="{y}em" r=".38em"/>',
}


def _drawn(block: Timeline) -> "Markup":
    """One ``svg`` element measured in ``em``: it grows with the text, and needs no more than 320 pixels of width."""
    from markupsafe import Markup, escape

    drawn, y, above = [], 1.0, 0.0
    for mark in block.marks:
        if above:
            drawn.append(f'<text class="after" x="2em" y="{y:g}em">{escape(_seen(mark.after))}</text>')
            y += _LINE + mark.room * 0.4
            drawn.append(f'<line class="wait" x1=".7em" x2=".7em" y1="{above + 0.6:g}em" y2="{y - 0.95:g}em"/>')
        above = y - 0.35
        drawn.append(_SHAPES[mark.tone].format(y=f"{above:g}", top=f"{above - 0.38:g}"))
        drawn.append(f'<text class="when" x="2em" y="{y:g}em">{escape(_seen(mark.when))}</text>')
        for line in _folded(_seen(mark.label)):
            y += _LINE
            drawn.append(f'<text x="2em" y="{y:g}em">{escape(line)}</text>')
        y += _LINE
    head = (
        f'<svg role="img" aria-labelledby="timeline-title timeline-desc" width="100%" height="{y - 0.9:g}em">'
        f'<title id="timeline-title">{escape(_seen(block.label))}</title>'
        f'<desc id="timeline-desc">{escape(_seen(block.description))}</desc>'
    )
    return Markup(head + "".join(drawn) + "</svg>")  # noqa: S704 - every text in it was escaped above


def _folded(text: str) -> Iterator[str]:
    """Lines of at most :data:`_COLUMNS` columns, broken at blanks and between Chinese characters."""
    line = ""
    for piece in _BREAKABLE.findall(text):
        if line and _columns(line + piece.rstrip()) > _COLUMNS:
            yield line.rstrip()
            line = ""
        line += piece
    yield line.rstrip()


_BREAKABLE = re.compile(r"[\u2e80-\u9fff\uff00-\uffef][，。：；、）」]?|[^\s\u2e80-\u9fff\uff00-\uffef]{1,30}\s?|\s")


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


RENDERER = Renderer(id="html", media_type="text/html; charset=utf-8", extension="html", render=render)
