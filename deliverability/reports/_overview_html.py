"""An overview as one HTML file: no script, nothing loaded, plots inline, readable on paper and in the dark."""

import base64
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from deliverability.errors import printable
from deliverability.evidence.overview import Chart, Overview
from deliverability.protocols.columns import joints, width

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

WIDTH, BAR, STEP, NAME = 480, 14, 22, 16
HEIGHT = 140  # of the columns over a time axis
FEET = 20  # below them, for the first and the last name
SHORT = 12  # columns of a cell that is never broken but at blanks
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def render_html(page: Overview) -> bytes:
    """The whole overview, UTF-8."""
    from markupsafe import Markup

    css = _resource("overview.css")
    made = _template().render(
        page=page,
        css=Markup(css),  # noqa: S704 - our own file, and beside the plots the only text that is not escaped
        digest=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode("ascii"),
    )
    return (made + "\n").encode("utf-8", "backslashreplace")


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=False)
    environment.filters.update(
        seen=lambda text: printable(text, limit=len(text)),
        kind=lambda piece: type(piece).__name__.lower(),
        plot=_plot,
        numeric=lambda text: bool(text) and set(text) <= set("0123456789\u202f"),
        flow=_flow,
        short=lambda text: width(text) <= SHORT,
    )
    return environment.from_string(_resource("overview.html.j2"))


def _plot(chart: Chart) -> "Markup":
    from markupsafe import Markup

    return Markup(svg(chart))  # noqa: S704 - it escapes every text itself


def _flow(text: str) -> "Markup":
    """Visible text, escaped here: a date stays on one line, and a name that is too long for its place ends one at a dot."""
    from markupsafe import Markup, escape

    pieces = Markup()
    for word in re.split(r"(\s+)", printable(text, limit=len(text))):
        if _DATE.fullmatch(word):
            pieces += Markup('<span class="kept">{}</span>').format(word)
        else:
            pieces += Markup("<wbr>").join(map(escape, joints(word)))
    return pieces


def _resource(name: str) -> str:
    return files("deliverability.reports").joinpath("templates", name).read_text(encoding="utf-8")


# --- plots: the table beside each says the same ---


def svg(chart: Chart) -> str:
    """The chart as one ``svg`` element; an empty string where there is nothing to draw."""
    totals = [sum(series.values[at] for series in chart.series) for at in range(len(chart.categories))]
    most = max(totals, default=0)
    if not most:
        return ""
    draw = _columns if chart.upright else _lines
    return "".join(draw(chart, most))


def _lines(chart: Chart, most: int) -> Iterator[str]:
    named = any(chart.categories)
    step = STEP + NAME if named else STEP
    yield _open(chart, WIDTH, step * len(chart.categories))
    for at, name in enumerate(chart.categories):
        top = at * step
        if named:
            yield f'<text class="name" x="0" y="{top + 13}">{_text(name)}</text>'
            top += NAME
        x = 0.0
        for series in chart.series:
            value = series.values[at]
            width = value * WIDTH / most
            if value:
                yield _bar(series.kind, (x, top + 3, width, BAR), f"{name} {series.label}: {value}")
            x += width
    yield "</svg>"


def _columns(chart: Chart, most: int) -> Iterator[str]:
    yield _open(chart, WIDTH, HEIGHT + FEET)
    step = WIDTH / len(chart.categories)
    width = max(step * 0.8, 1.0)
    for at, name in enumerate(chart.categories):
        bottom = float(HEIGHT)
        for series in chart.series:
            value = series.values[at]
            height = value * (HEIGHT - 4) / most
            bottom -= height
            if value:
                yield _bar(
                    series.kind,
                    (at * step + (step - width) / 2, bottom, width, height),
                    f"{name} {series.label}: {value}",
                )
    yield f'<line class="axis" x1="0" x2="{WIDTH}" y1="{HEIGHT}" y2="{HEIGHT}"/>'
    yield f'<text class="name" x="0" y="{HEIGHT + 16}">{_text(chart.categories[0])}</text>'
    if len(chart.categories) > 1:
        yield f'<text class="name" x="{WIDTH}" y="{HEIGHT + 16}" text-anchor="end">{_text(chart.categories[-1])}</text>'
    yield "</svg>"


def _open(chart: Chart, width: int, height: int) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{_text(chart.label)}" focusable="false">'


def _bar(kind: str, box: tuple[float, float, float, float], title: str) -> str:
    x, y, width, height = box
    shape = f'class="{_text(kind)}" x="{x:.2f}" y="{y:.2f}" width="{max(width, 0.5):.2f}" height="{height:.2f}"'
    return f"<rect {shape}><title>{_text(title)}</title></rect>"


def _text(text: str) -> str:
    from markupsafe import escape

    return str(escape(printable(text, limit=len(text))))
