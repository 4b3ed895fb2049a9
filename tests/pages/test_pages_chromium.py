"""The page in a real Chromium: axe-core finds nothing, nothing overflows on a small telephone, paper stays clean."""

import base64
import functools
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pages
import pytest
from chromium import Browser, chromium

from deliverability.api import Reader, Request
from deliverability.api.rendering import render
from deliverability.compose.brand import CONTRAST, accent, contrast
from deliverability.config import Configuration, ReportSettings
from deliverability.evidence.document import Picture
from deliverability.reports import html

AXE = "axe-core@4.14.1"
"""MPL-2.0; used by the tests, never shipped."""
SCHEMES = ("light", "dark")
BRANCHES = ("accepted", "deferred", "refused-no-mailbox", "unknown", "accepted-failed-check")
INCHES = {"A4": (8.27, 11.69), "Letter": (8.5, 11.0)}

pytestmark = pytest.mark.server


def missing(sentence: str) -> Any:
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


@functools.cache
def axe_source() -> str | None:
    """The script out of its package, fetched once with npm."""
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "deliverability-tests" / AXE
    script = folder / "axe.min.js"
    if not script.exists():
        npm = shutil.which("npm")
        if npm is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([npm, "pack", "--silent", AXE], cwd=folder, capture_output=True, check=False, timeout=120)
        archive = next(folder.glob("*.tgz"), None)
        if done.returncode or archive is None:
            return None
        with tarfile.open(archive) as packed:
            member = packed.extractfile("package/axe.min.js")
            assert member is not None
            script.write_bytes(member.read())
    return script.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = chromium()
    if program is None:
        missing("chromium is not installed (Debian: apt-get install chromium)")
    assert program
    with Browser(program) as one:
        yield one


def shown(browser: Browser, folder: Path, page: bytes, *, width: int, scheme: str, media: str = "") -> None:
    path = folder / "page.html"
    path.write_bytes(page)
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=720, deviceScaleFactor=1, mobile=width < 700)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.call("Emulation.setEmulatedMedia", media=media, features=features)
    browser.open(path)


def wide(browser: Browser) -> list[str]:
    """What is wider than the page, or leaves it."""
    found: list[str] = browser.evaluate(
        "[...document.querySelectorAll('body *')].filter(e => { const r = e.getBoundingClientRect();"
        " return r.width && !e.closest('.sr, .skip, thead') && (r.right > innerWidth + 0.5 || r.left < -0.5) })"
        ".map(e => e.tagName + '.' + (e.className.baseVal ?? e.className))"
    )
    scroll = browser.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [*found, *(["the page scrolls sideways"] if scroll > 0 else [])]


def branded(branch: str, lang: str) -> bytes:
    logo = Picture("image/png", base64.b64decode(_DOT), 1, 1)
    return html.render(pages.report(branch, lang, logo=logo, accent=accent("#ffcc00")[0]))


def with_files(lang: str) -> bytes:
    """A page that offers files to import."""
    request = Request(configuration=Configuration(report=ReportSettings(sender=pages.factory.SENDER)))
    return render(pages.factory.BRANCHES["accepted"](lang), Reader(lang=lang), "html", request)


def page_of(branch: str, lang: str) -> bytes:
    made = {"branded": lambda: branded("deferred", lang), "files": lambda: with_files(lang)}
    return made.get(branch, lambda: html.render(pages.report(branch, lang)))()


_DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("lang", pages.LANGUAGES)
@pytest.mark.parametrize("branch", [*BRANCHES, "branded", "files"])
def test_axe_finds_nothing(browser: Browser, branch: str, lang: str, scheme: str, tmp_path: Path) -> None:
    source = axe_source()
    if source is None:
        missing(f"npm could not fetch {AXE} (Debian: apt-get install npm)")
    page = page_of(branch, lang)
    for width in (320, 1280):
        shown(browser, tmp_path, page, width=width, scheme=scheme)
        browser.evaluate(f"{source}; true")
        found = browser.evaluate(
            "axe.run(document).then(r => JSON.stringify({ passes: r.passes.length,"
            " violations: r.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 200))]) }))"
        )
        result = json.loads(found)
        assert result["passes"] > 20
        assert result["violations"] == []


PAIRS = (
    *((text, ground) for text in ("ink", "soft", "accent") for ground in ("card", "page", "quiet")),
    *((tone, ground) for tone in ("good", "waiting", "bad", "unknown") for ground in (f"{tone}-bg", "card")),
    *(("ink", f"{tone}-bg") for tone in ("good", "waiting", "bad", "unknown")),
    ("on-accent", "accent"),
)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_contrast_where_axe_cannot_tell(browser: Browser, scheme: str, tmp_path: Path) -> None:
    """Over pseudo-elements and inside an SVG axe leaves contrast open: the colours themselves are held to 4.5:1."""
    for page in (html.render(pages.report("accepted", "en")), branded("accepted", "en")):
        shown(browser, tmp_path, page, width=1280, scheme=scheme)
        names = json.dumps(sorted({f"--{name}" for pair in PAIRS for name in pair}))
        read = f"{names}.map(n => [n.slice(2), getComputedStyle(document.documentElement).getPropertyValue(n).trim()])"
        colours = {name: tuple(bytes.fromhex(value[1:])) for name, value in browser.evaluate(read)}
        assert all(len(colour) == 3 for colour in colours.values())
        weak = [(a, b) for a, b in PAIRS if contrast(colours[a], colours[b]) < CONTRAST]
        assert weak == []


@pytest.mark.parametrize("lang", pages.LANGUAGES)
@pytest.mark.parametrize("branch", BRANCHES)
def test_nothing_overflows_at_320_pixels(browser: Browser, branch: str, lang: str, tmp_path: Path) -> None:
    for support in (False, True):
        page = html.render(pages.report(branch, lang, support=support))
        shown(browser, tmp_path, page, width=320, scheme="light")
        assert wide(browser) == []


@pytest.mark.parametrize(
    "text", ["x" * 2_000, "https://host.example/" + "a" * 500, "信" * 900, "\u202e<b>&\x00", "🎉" * 300]
)
def test_hostile_text_does_not_overflow_either(browser: Browser, text: str, tmp_path: Path) -> None:
    shown(browser, tmp_path, html.render(pages.hostile(text)), width=320, scheme="light")
    # Times and labels inside the picture are our own words: this one is made of the hostile text all the same.
    assert [one for one in wide(browser) if not one.startswith(("text", "svg"))] == []


@pytest.mark.parametrize("lang", pages.LANGUAGES)
def test_a_page_with_files_does_not_overflow_either(browser: Browser, lang: str, tmp_path: Path) -> None:
    shown(browser, tmp_path, with_files(lang), width=320, scheme="light")
    assert wide(browser) == []


@pytest.mark.parametrize("lang", pages.LANGUAGES)
def test_a_file_is_saved_as_it_is_enclosed(browser: Browser, lang: str, tmp_path: Path) -> None:
    """The strict policy of the page lets its own links save their files, and nothing is asked of the network."""
    saved = tmp_path / "saved"
    saved.mkdir()
    shown(browser, tmp_path, with_files(lang), width=360, scheme="light")
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(saved))
    links = "[...document.querySelectorAll('#enclosed a[download]')]"
    offered = browser.evaluate(f"{links}.map(a => [a.download, a.href.split(',')[1]])")
    assert [Path(name).suffix for name, _ in offered] == [".xml", ".vcf"]
    for number, (name, content) in enumerate(offered):
        browser.evaluate(f"{links}[{number}].click()")
        for _ in range(200):
            if (saved / name).exists():
                break
            time.sleep(0.05)
        assert (saved / name).read_bytes() == base64.b64decode(content)


@pytest.mark.parametrize("lang", pages.LANGUAGES)
def test_from_opening_the_page_to_the_junk_folder_in_three_steps(browser: Browser, lang: str, tmp_path: Path) -> None:
    """On a telephone of 360 pixels: open it, tap the link below the answer, read the folder's name and the way there."""
    shown(browser, tmp_path, html.render(pages.report("accepted", lang)), width=360, scheme="light")
    seen = "(e => { const r = e.getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight })"
    assert browser.evaluate(f"{seen}(document.querySelector('.jump a'))")
    browser.evaluate("document.querySelector('.jump a').click()")
    folder = pages.catalog(lang)("find.folder", folder={"en": "Spam", "zh-Hant-TW": "垃圾郵件"}[lang])
    first = "document.querySelector('#find p')"
    assert browser.evaluate(f"{first}.textContent") == folder
    assert browser.evaluate(f"{seen}({first})")
    ways = browser.evaluate("[...document.querySelectorAll('#find .steps')][0].querySelectorAll('li').length")
    assert ways <= 5


def test_the_picture_keeps_its_text_inside(browser: Browser, tmp_path: Path) -> None:
    for lang in pages.LANGUAGES:
        shown(browser, tmp_path, html.render(pages.report("deferred", lang)), width=320, scheme="dark")
        outside = browser.evaluate(
            "(() => { const box = document.querySelector('.timeline svg').getBoundingClientRect();"
            " return [...document.querySelectorAll('.timeline svg *')].filter(e => e.getBBox && e.tagName !== 'title'"
            " && e.tagName !== 'desc').map(e => e.getBoundingClientRect()).filter(r => r.right > box.right + .5"
            " || r.bottom > box.bottom + .5 || r.left < box.left - .5 || r.top < box.top - .5).length })()"
        )
        assert outside == 0
        overlapping = browser.evaluate(
            "(() => { const r = [...document.querySelectorAll('.timeline svg text')].map(e => e.getBoundingClientRect());"
            " return r.slice(1).filter((b, i) => b.top < r[i].bottom - 4).length })()"
        )
        assert overlapping == 0


@pytest.mark.parametrize("paper", list(INCHES))
@pytest.mark.parametrize("lang", pages.LANGUAGES)
def test_the_printed_page_is_clean(browser: Browser, lang: str, paper: str, tmp_path: Path) -> None:
    pdftotext, pdfinfo = shutil.which("pdftotext"), shutil.which("pdfinfo")
    if not (pdftotext and pdfinfo):
        missing("poppler is not installed (Debian: apt-get install poppler-utils)")
    assert pdftotext
    assert pdfinfo
    shown(browser, tmp_path, html.render(pages.report("deferred", lang)), width=1280, scheme="dark", media="print")
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.evaluate("getComputedStyle(document.querySelector('.timeline text')).fill") == "rgb(51, 51, 51)"
    width, height = INCHES[paper]
    browser.call("Emulation.clearDeviceMetricsOverride")
    printed = browser.call("Page.printToPDF", paperWidth=width, paperHeight=height, printBackground=False)
    path = tmp_path / "page.pdf"
    path.write_bytes(base64.b64decode(printed["data"]))
    told = subprocess.run([pdftotext, "-layout", str(path), "-"], capture_output=True, check=True).stdout.decode()
    leaves = told.removesuffix("\f").split("\f")
    assert 2 <= len(leaves) <= 8
    assert all(leaf.strip() for leaf in leaves)
    boxes = subprocess.run([pdftotext, "-bbox", str(path), "-"], capture_output=True, check=True).stdout.decode()
    rights = [float(part.split('"')[0]) for part in boxes.split('xMax="')[1:]]
    assert max(rights) <= width * 72 - 40
    assert "https://my.host.example/renew" in told
