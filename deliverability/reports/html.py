"""One HTML file: no script, nothing loaded from anywhere, readable on a telephone and on paper.

WCAG 2.2 AA is the aim: every state is told in words, headings are in order, contrast is at least 4.5:1 in both
colour schemes, the page reflows at 320 CSS pixels.  The content security policy allows this file's own style and
nothing else.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deliverability.compose import catalog
from deliverability.errors import printable
from deliverability.evidence.document import Block, Document, Instructions
from deliverability.evidence.plugin import Renderer

if TYPE_CHECKING:
    from jinja2 import Template

_SCHEMES = frozenset({"https", "http", "mailto", "tel"})
_REACHED = {True: "yes", False: "no", None: "open"}


def render(document: Document) -> bytes:
    """The whole report, UTF-8."""
    from markupsafe import Markup

    css = _resource("report.css")
    page = _template().render(
        document=document,
        t=catalog(document.lang),
        css=Markup(css),  # noqa: S704 - our own file, and the only text that is not escaped
        digest=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode("ascii"),
    )
    return (page + "\n").encode("utf-8", "backslashreplace")


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=False)
    environment.filters.update(
        seen=_seen,
        kind=lambda block: type(block).__name__.lower(),
        reached=_REACHED.__getitem__,
        followable=_followable,
        runs=lambda blocks: list(_runs(blocks)),
    )
    return environment.from_string(_resource("report.html.j2"))


def _resource(name: str) -> str:
    return files("deliverability.reports").joinpath("templates", name).read_text(encoding="utf-8")


def _seen(text: str) -> str:
    """Control and bidirectional characters become visible escapes; markup is escaped by the template."""
    return printable(text, limit=len(text))


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


RENDERER = Renderer(id="html", media_type="text/html; charset=utf-8", extension="html", render=render)
