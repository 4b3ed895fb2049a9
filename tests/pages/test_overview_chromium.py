"""A summary in a real Chromium: no word is broken inside, nothing overflows at any width, paper keeps the tables."""

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Browser, chromium

from deliverability.api.requests import Reader, Request
from deliverability.api.summary import summarise
from deliverability.api.summary_rendering import rendered
from deliverability.compose.catalog import LANGUAGES, catalog
from deliverability.evidence.document import Facts, Table
from deliverability.evidence.overview import Overview, Part
from deliverability.evidence.summary import Fate, Summary
from deliverability.reports._overview_html import render_html

LOG = Path(__file__).parents[1] / "cases" / "logs" / "postfix" / "postfix-3.10.iso8601.log"
WIDTHS = (320, 390, 600, 768, 800, 1024, 1100, 1280, 1920)
SHORT = 20
"""Letters of a word that no table may break; a domain's label may have 63."""

pytestmark = pytest.mark.server


def missing(sentence: str) -> Any:
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = chromium()
    if program is None:
        missing("chromium is not installed (Debian: apt-get install chromium)")
    assert program
    with Browser(program) as one:
        yield one


@pytest.fixture(scope="module")
def summary() -> Summary:
    return summarise(Request(logs=(str(LOG),)), jobs=1)


def of_log(summary: Summary, lang: str) -> bytes:
    return rendered(summary, Reader(lang=lang), "html", Request())


def widest(summary: Summary, lang: str) -> bytes:
    """Every result that there is, beside names of all lengths."""
    t = catalog(lang)
    fates = tuple(t(f"summary.fate.{fate}") for fate in Fate)
    head = (t("summary.domain"), *fates, *(t("summary.within", share=n) for n in (50, 90, 99)), t("summary.tls-short"))
    names = (
        "corp.example",
        "nosuchdomain.example",
        "mail-for-everybody.customers.hosting.example",
        "x" * 63 + ".example",
    )
    rows = tuple((name, *("12\u202f345",) * len(fates), *("≤ 30 s",) * 3, "1000/1000") for name in names)
    table = Table(t("summary.chart-to-whom"), head, rows)
    dates = Facts((("-", "2026-11-22 13:31 – 2026-11-22 13:33, 2026-11-22"),))
    return render_html(Overview(lang=lang, title="-", parts=(Part("domains", "-", (dates, table)),), summary=summary))


def shown(browser: Browser, folder: Path, page: bytes, width: int) -> None:
    path = folder / "page.html"
    path.write_bytes(page)
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=720, deviceScaleFactor=1, mobile=width < 700)
    browser.open(path)


def wide(browser: Browser) -> list[str]:
    found: list[str] = browser.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => { const r = e.getBoundingClientRect();"
        " return r.width && !e.closest('thead, svg') && (r.right > innerWidth + .5 || r.left < -.5) })"
        ".map(e => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40))"
    )
    scroll = browser.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [*found, *(["the page scrolls sideways"] if scroll > 0 else [])]


def broken(browser: Browser) -> list[str]:
    """Words of tables and facts that stand on two lines."""
    found: list[str] = browser.evaluate(
        "(() => { const out = []; for (const cell of document.querySelectorAll('th, td, dd')) {"
        " const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);"
        " for (let text; (text = walk.nextNode());)"
        f" for (const word of text.data.matchAll(/\\d{{4}}-\\d\\d-\\d\\d|[A-Za-z0-9]{{2,{SHORT}}}(?![A-Za-z0-9])/g)) {{"
        "  if (/[A-Za-z0-9]/.test(text.data[word.index - 1] ?? '')) continue;"
        "  const range = document.createRange(); range.setStart(text, word.index);"
        "  range.setEnd(text, word.index + word[0].length);"
        "  if (new Set([...range.getClientRects()].map(r => Math.round(r.top))).size > 1) out.push(word[0]); } }"
        " return out })()"
    )
    return found


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("made", [of_log, widest])
def test_no_word_is_broken_and_nothing_overflows(
    browser: Browser, summary: Summary, made: Any, lang: str, tmp_path: Path
) -> None:
    page = made(summary, lang)
    told = {}
    for width in WIDTHS:
        shown(browser, tmp_path, page, width)
        told[width] = (broken(browser), wide(browser))
    assert told == {width: ([], []) for width in WIDTHS}


@pytest.mark.parametrize("made", [of_log, widest])
def test_paper_keeps_the_tables(browser: Browser, summary: Summary, made: Any, tmp_path: Path) -> None:
    """A4 is as wide as a small tablet: there, but not on paper, each row stands by itself."""
    pdftotext = shutil.which("pdftotext") or missing("poppler is not installed (Debian: apt-get install poppler-utils)")
    shown(browser, tmp_path, made(summary, "en"), 1280)
    browser.call("Emulation.clearDeviceMetricsOverride")
    printed = browser.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=False)
    path = tmp_path / "page.pdf"
    path.write_bytes(base64.b64decode(printed["data"]))
    told = subprocess.run([pdftotext, "-layout", str(path), "-"], capture_output=True, check=True).stdout.decode()
    assert len(told.removesuffix("\f").split("\f")) <= 11
    rows = [line.split() for line in told.splitlines() if line.split()[:1] == ["corp.example"]]
    assert max(map(len, rows)) > 8
    boxes = subprocess.run([pdftotext, "-bbox", str(path), "-"], capture_output=True, check=True).stdout.decode()
    assert max(float(part.split('"')[0]) for part in boxes.split('xMax="')[1:]) <= 8.27 * 72 - 20
