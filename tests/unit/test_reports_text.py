import importlib.util
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.compose.page import compose
from deliverability.evidence.document import (
    Answer,
    Document,
    Facts,
    Instructions,
    Ladder,
    Link,
    Note,
    Paragraph,
    Quote,
    Rung,
    Section,
    Table,
    Tone,
)
from deliverability.reports.text import WIDTH, render, width, wrap

spec = importlib.util.spec_from_file_location("f", Path(__file__).parents[1] / "golden" / "_factory.py")
factory = importlib.util.module_from_spec(spec)
spec.loader.exec_module(factory)


def document(*blocks, lang="en", title="Title"):
    return Document(
        lang=lang,
        title=title,
        sections=(Section("answer", "Heading", blocks),),
        assessment=factory.assessment(),
        made_at=datetime(2026, 11, 22, tzinfo=UTC),
        file_stem="x",
    )


def shown(*blocks, **options):
    return render(document(*blocks, **options)).decode()


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("中文", 4), ("（日）", 6), ("e\u0301", 1), ("", 0)])
def test_columns_are_those_of_a_terminal(text, columns):
    assert width(text) == columns


def test_english_breaks_between_words_and_keeps_every_word():
    text = " ".join(["word"] * 60)
    lines = list(wrap(text))
    assert all(width(line) <= WIDTH for line in lines)
    assert " ".join(lines) == text


def test_chinese_breaks_anywhere_but_not_before_a_full_stop_or_after_a_bracket():
    text = "這封信已經收下了，" * 9 + "（請看下面的說明）。"
    lines = list(wrap(text))
    assert all(width(line) <= WIDTH for line in lines)
    assert "".join(lines) == text
    assert not any(line[0] in "，。）" for line in lines)
    assert not any(line.endswith("（") for line in lines)


def test_an_id_stays_whole_even_where_it_is_too_long():
    identifier = "x" * 100 + "@host.example"
    assert identifier in list(wrap(f"see {identifier} there"))


def test_every_line_of_every_golden_branch_fits_unless_it_is_one_piece():
    for branch in factory.BRANCHES.values():
        for lang in ("en", "zh-Hant-TW"):
            made = compose(branch(lang), lang=lang, timezone="UTC", brand=factory.BRAND, made_at=factory.MADE_AT)
            for line in render(made).decode().splitlines():
                too_long = width(line) > WIDTH
                assert not too_long or line.startswith("| ") or " " not in line.strip(), line


def test_every_block_is_shown_in_full():
    text = shown(
        Answer("It was accepted.", Tone.GOOD, "By them."),
        Ladder("So far", (Rung("one", True, "at noon"), Rung("two", False), Rung("three", None))),
        Paragraph("A paragraph."),
        Note("Careful."),
        Link("Go", "https://host.example/pay"),
        Instructions("Phone", ("Do this.", "Do that."), "As of today"),
        Facts((("Name", "value"),)),
        Table("Caption", ("A", "B"), (("1", "2"),)),
        Quote("Copy", "first\nsecond"),
        Quote("Log", "raw   line", literal=True),
    )
    for part in (
        "It was accepted.",
        "By them.",
        "  [x] one – at noon",
        "  [ ] two",
        "  [?] three",
        "A paragraph.",
        "!! Careful.",
        "  https://host.example/pay",
        "  1. Do this.",
        "  2. Do that.",
        "     As of today",
        "- Name: value",
        "- A: 1\n  B: 2",
        "| first\n| second",
        "| raw   line",
    ):
        assert part in text


@pytest.mark.parametrize("hostile", ["\x1b[31mred", "\u202eevil", "a\x00b", "a\u2028b", "bell\x07", "\u200bzero"])
def test_foreign_control_characters_are_made_visible(hostile):
    text = shown(Paragraph(hostile), Facts(((hostile, hostile),)), Quote(hostile, hostile, literal=True), title=hostile)
    assert not any(ord(char) < 0x20 and char != "\n" for char in text)
    assert not any(char in text for char in "\u202e\u2028\x1b\u200b")
    assert "\\x" in text or "\\u" in text


def test_a_line_break_in_foreign_text_makes_no_line_of_ours():
    text = shown(Facts((("Subject", "x\nReport id: FAKE"),)))
    assert "\nReport id" not in text
    assert "x\\x0aReport id: FAKE" in text


def test_a_lone_surrogate_does_not_break_the_report():
    assert b"\\udc80" in render(document(Paragraph("bad \udc80 byte")))


@given(st.text(max_size=200))
def test_nothing_is_lost_by_wrapping(text):
    from deliverability.reports.text import visible

    def squeezed(value):
        return "".join(value.split())

    assert squeezed("".join(wrap(text))) == squeezed(visible(text))


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_any_subject_can_be_rendered(subject):
    base = factory.assessment(subject=subject)
    made = compose(base, lang="zh-Hant-TW", timezone="Asia/Taipei", made_at=factory.MADE_AT)
    text = render(made).decode()
    assert all(ord(char) >= 0x20 or char == "\n" for char in text)


def test_the_recipient_and_the_report_id_are_in_it():
    made = compose(factory.assessment(), lang="en", timezone="UTC", made_at=factory.MADE_AT)
    text = render(replace(made)).decode()
    assert "mei@gmail.com" in text
    assert "DR-7Q4M-K2XD" in text
