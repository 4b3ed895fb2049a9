import base64
import hashlib
import importlib.util
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.compose.brand import Brand
from deliverability.compose.page import compose
from deliverability.evidence.document import Answer, Facts, Link, Paragraph, Quote, Section, Table, Tone
from deliverability.reports.html import render

spec = importlib.util.spec_from_file_location("f", Path(__file__).parents[1] / "golden" / "_factory.py")
factory = importlib.util.module_from_spec(spec)
spec.loader.exec_module(factory)

VOID = {"meta", "link", "br", "img", "hr"}


class Page(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.open, self.text, self.style, self.problems = [], [], [], "", []
        self.feed(content.decode())
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.text.append(data)

    def named(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def document(*blocks, lang="en", title=None, brand=factory.BRAND):
    made = compose(
        factory.assessment(lang=lang), lang=lang, timezone="Asia/Taipei", brand=brand, made_at=factory.MADE_AT
    )
    if blocks:
        made = replace(made, sections=(Section("answer", "Heading", blocks),))
    return replace(made, title=title) if title else made


def page(*blocks, **options):
    return Page(render(document(*blocks, **options)))


@pytest.mark.parametrize("lang", ["en", "zh-Hant-TW"])
@pytest.mark.parametrize("branch", factory.BRANCHES)
def test_every_branch_is_well_formed_and_loads_nothing(branch, lang):
    made = compose(
        factory.BRANCHES[branch](lang), lang=lang, timezone="UTC", brand=factory.BRAND, made_at=factory.MADE_AT
    )
    content = render(made)
    found = Page(content)
    assert found.problems == []
    assert found.open == []
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & {tag for tag, _ in found.tags}
    for tag, attrs in found.tags:
        assert "style" not in attrs, tag
        assert "src" not in attrs, tag
        assert not [name for name in attrs if name.startswith("on")], tag
    assert "url(" not in found.style
    assert "@import" not in found.style


def test_the_policy_allows_this_style_and_nothing_else():
    found = page()
    policy = next(m["content"] for m in found.named("meta") if m.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(found.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@pytest.mark.parametrize("lang", ["en", "zh-Hant-TW"])
def test_language_and_headings_in_order(lang):
    found = page(lang=lang)
    assert found.named("html") == [{"lang": lang}]
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_table_heads_have_a_scope_and_sections_a_name():
    found = page()
    assert all(attrs.get("scope") in ("col", "row") for attrs in found.named("th"))
    ids = {attrs["id"] for _, attrs in found.tags if "id" in attrs}
    assert all(attrs["aria-labelledby"] in ids for attrs in found.named("section"))
    assert len(ids) == len([1 for _, attrs in found.tags if "id" in attrs])


def test_the_ladder_is_told_in_words_too():
    made = document()
    text = "".join(page().text)
    for rung in made.sections[0].blocks[1].rungs:
        assert rung.label in text
    assert text.count("cannot be seen from here") >= 2
    assert "Left our mail server: yes" in re.sub(r"\s+", " ", text)


HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=y>\u202egnp\x1b[0m"


def test_foreign_text_is_text():
    found = page(
        Answer(HOSTILE, Tone.GOOD, HOSTILE),
        Paragraph(HOSTILE),
        Facts(((HOSTILE, HOSTILE),)),
        Table(HOSTILE, (HOSTILE, HOSTILE), ((HOSTILE, HOSTILE),)),
        Quote(HOSTILE, HOSTILE + "\n" + HOSTILE, literal=True),
        Link(HOSTILE, 'https://host.example/"><script>'),
        title=HOSTILE,
    )
    assert "script" not in {tag for tag, _ in found.tags}
    assert "img" not in {tag for tag, _ in found.tags}
    text = "".join(found.text)
    assert "<script>alert(1)</script>" in text
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "\\u202e" in text
    assert "\\x1b" in text


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "data:text/html,x",
        " javascript:x",
        "java\nscript:x",
        "//evil",
        "x",
        "http://[::",
    ],
)
def test_a_link_that_is_no_web_address_is_not_offered(url):
    found = page(Link("Go", url))
    assert [a for a in found.named("a") if a.get("class") == "button"] == []


@pytest.mark.parametrize(
    "url", ["https://my.host.example/pay?a=1&b=2", "tel:+886255550100", "mailto:help@host.example"]
)
def test_a_web_address_is_offered(url):
    assert [a["href"] for a in page(Link("Go", url)).named("a") if a.get("class") == "button"] == [url]


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_any_text_gives_the_same_tags(text):
    # Our own spans keep pieces of a line together or name their language, and carry nothing of the text.
    known = ({"class": "kept"}, {"lang": "zh-Hant-TW"})
    tags = [(tag, attrs) for tag, attrs in page(Paragraph(text)).tags if not (tag == "span" and attrs in known)]
    assert [tag for tag, _ in tags] == [tag for tag, _ in page(Paragraph("x")).tags]


def test_punctuation_stays_with_the_end_of_an_address():
    found = page(Paragraph("寄件者是 renewals@hosting.example。日期是 2026年11月22日"))
    assert found.named("span").count({"class": "kept"}) == 4
    assert "".join(found.text).count("renewals@hosting.example。") == 1


def test_chinese_words_in_english_prose_are_marked_as_chinese():
    assert {"lang": "zh-Hant-TW"} in page(Paragraph("Open 個人設定 (options)")).named("span")


def test_equal_input_gives_equal_bytes():
    assert render(document()) == render(document())


def test_without_a_brand_there_is_no_button():
    assert [a for a in page(brand=Brand()).named("a") if a.get("class") == "button"] == []


# --- contrast (WCAG 2.2 §1.4.3) ---------------------------------------------------------------------------------------


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one, two):
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def schemes():
    blocks = re.findall(r":root \{(.*?)\}", page().style, re.DOTALL)
    return [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in blocks[:2]]


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_has_contrast_in_both_schemes(scheme):
    colours = schemes()[scheme]
    pairs = [(text, ground) for text in ("ink", "soft") for ground in ("page", "card", "quiet")]
    pairs += [("ink", f"{tone}-bg") for tone in ("good", "waiting", "bad", "unknown")]
    pairs += [("accent", "card"), ("accent", "quiet"), ("on-accent", "accent"), ("card", "good")]
    assert [(a, b) for a, b in pairs if contrast(colours[a], colours[b]) < 4.5] == []


def test_it_knows_small_screens_dark_mode_and_paper():
    style = page().style
    for wanted in (
        "@media (max-width: 40rem)",
        "prefers-color-scheme: dark",
        "@media print",
        "overflow-wrap: anywhere",
    ):
        assert wanted in style
    assert "break-all" not in style
    assert "Noto Sans TC" in style
