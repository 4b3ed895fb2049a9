"""The picture of several attempts: data in compose, drawn by each form, and never the only one to say a thing."""

import re
from dataclasses import replace
from datetime import timedelta

import pages
import pytest

from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.compose.catalog import catalog
from deliverability.compose.page import compose
from deliverability.compose.results import result_of
from deliverability.compose.timeline import MAX_MARKS
from deliverability.evidence.document import Section, Table, Timeline, Tone
from deliverability.evidence.event import Result
from deliverability.reports import html, text


def told(*gaps, last=Result.SENT, lang="en"):
    """Attempts so many seconds apart; all but the last deferred."""
    at, attempts = pages.factory.SENT_AT, []
    for number, gap in enumerate((0, *gaps)):
        at += timedelta(seconds=gap)
        final = number == len(gaps)
        reply = pages.factory.GMAIL_OK if final and last is Result.SENT else "451 4.7.1 try later"
        attempts.append(pages.factory.attempt("mei@gmail.com", reply, at=at, result=last if final else Result.DEFERRED))
    made = pages.factory.assessment(lang=lang, attempts=tuple(attempts))
    document = compose(made, lang=lang, timezone="Asia/Taipei", made_at=pages.factory.MADE_AT)
    evidence = next(section for section in document.sections if section.id == "evidence")
    return document, [block for block in evidence.blocks if isinstance(block, Timeline)], evidence.blocks


def test_one_attempt_needs_no_picture():
    assert told()[1] == []


def test_two_attempts_make_one_and_the_table_stays():
    _, (picture,), blocks = told(300)
    assert [mark.when for mark in picture.marks] == ["2026-11-22 13:01:38 UTC+8", "2026-11-22 13:06:38 UTC+8"]
    assert [mark.label for mark in picture.marks] == ["not yet, to be tried again", "taken by the other side"]
    assert [mark.tone for mark in picture.marks] == [Tone.WAITING, Tone.GOOD]
    assert [mark.after for mark in picture.marks] == ["", "5 min later"]
    assert picture.description.startswith("2 attempts")
    after = blocks[blocks.index(picture) + 1]
    assert isinstance(after, Table)
    assert [row[0] for row in after.rows] == [mark.when for mark in picture.marks]


@pytest.mark.parametrize(
    ("gap", "words", "room"),
    [
        (0, "0 s later", 0),
        (59, "59 s later", 0),
        (3_600, "1 h later", 2),
        (8_130, "2 h 15 min later", 3),
        (100_000, "1 d 3 h later", 4),
    ],
)
def test_what_lies_between_is_said_and_given_room(gap, words, room):
    mark = told(gap)[1][0].marks[-1]
    assert (mark.after, mark.room) == (words, room)


def test_the_newest_are_drawn():
    picture = told(*[600] * 30)[1][0]
    assert len(picture.marks) <= MAX_MARKS
    assert picture.marks[-1].tone is Tone.GOOD
    assert picture.marks[0].after == ""


@pytest.mark.parametrize("result", [Result.FAILED, Result.EXPIRED, Result.UNCERTAIN, Result.DEFERRED])
def test_only_a_handover_looks_good(result):
    assert told(60, last=result)[1][0].marks[-1].tone is not Tone.GOOD


def test_text_leaves_it_to_the_table():
    document, (picture,), _ = told(300)
    shown = text.render(document).decode()
    without = [replace(s, blocks=tuple(b for b in s.blocks if b != picture)) for s in document.sections]
    assert shown == text.render(replace(document, sections=tuple(without))).decode()
    assert "\n\n\n" not in shown


def test_html_has_an_image_with_a_name_and_a_description():
    document, (picture,), _ = told(300, 7_200)
    page = html.render(document).decode()
    svg = re.search(r"<svg.*?</svg>", page, re.DOTALL)
    assert svg
    drawn = svg.group()
    assert 'role="img" aria-labelledby="timeline-title timeline-desc"' in drawn
    assert f'<title id="timeline-title">{picture.label}</title>' in drawn
    assert f'<desc id="timeline-desc">{picture.description}</desc>' in drawn
    assert drawn.count('class="mark ') == 3
    assert not re.search(r"style=|<script|href|url\(|on\w+=", drawn)


def test_html_escapes_what_is_in_it():
    page = html.render(pages.hostile('</svg><script>x</script>"&\u202e')).decode()
    assert "<script>" not in page
    assert "\u202e" not in page
    assert page.count("<svg") == page.count("</svg>") == 1


def test_long_words_are_folded_to_the_width_of_a_telephone():
    folded = list(html._folded("uncertain: the connection broke before the answer"))
    assert " ".join(folded) == "uncertain: the connection broke before the answer"
    assert all(html._columns(line) <= 30 for line in folded)
    assert all(html._columns(line) <= 30 for line in html._folded("不確定：連線在對方回覆之前中斷" * 3))
    assert "".join(html._folded("x" * 100)) == "x" * 100


def test_a_document_may_hold_one_alone():
    document = replace(pages.hostile("x"), sections=(Section("answer", "Heading", (Timeline("a", "b", ()),)),))
    assert "Heading" in text.render(document).decode()
    assert "<svg" in html.render(document).decode()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("=> :blackhole: <mei@corp.example> R=virtual_aliases", "not kept"),
        ("=> |/usr/bin/list <mei@corp.example> R=virtual_aliases T=virtual_address_pipe", "handed to a program"),
        ("=> mei <mei@corp.example> R=virtual_user T=virtual_userdelivery", "written into the mailbox"),
        ('=> mei@corp.example R=dnslookup T=remote_smtp H=mx.x [192.0.2.1] C="250 ok"', "taken by the other side"),
        (
            "** mei@corp.example R=d T=remote_smtp H=mx.x [192.0.2.1]: SMTP error from remote mail server after DATA: 550 x",
            "refused",
        ),
    ],
)
def test_what_stayed_here_was_taken_by_no_other_side(line, told, tmp_path):
    log = tmp_path / "mainlog"
    log.write_text(f"2025-11-22 07:13:38 1vMhoQ-00000001AbC-0aBc {line}\n", "utf-8")
    found, _ = read_logs(Request(logs=(str(log),), to=("mei@corp.example",)))
    (attempt,) = found.messages[0].deliveries[0].attempts
    assert catalog("en")(f"result.{result_of(attempt)}") == told
