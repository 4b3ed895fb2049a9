"""The page for a reader who is not shown to be the customer: in no form does it give the recipient's address away."""

import json
import re
from dataclasses import replace

import pages
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.api import Reader, Request
from deliverability.api.rendering import document_of, render
from deliverability.compose.redact import redactor, tells
from deliverability.errors import UsageError
from deliverability.evidence.document import Edition
from deliverability.protocols import typst_font
from deliverability.protocols.typst_page import page

FORMS = ("text", "html", "json")
REDACTED = Reader(lang="en", edition="redacted")
FAR = typst_font.Font("", (0,), (0x10FFFF,))


def everything(assessment, lang):
    """The page in every form, one after the other; the PDF as the data that it is set from."""
    reader = replace(REDACTED, lang=lang)
    made = [render(assessment, reader, form, Request()).decode() for form in FORMS]
    document = document_of(assessment, reader, Request())
    return "\n".join([*made, page(document, FAR, str), document.file_stem, *document.short])


@pytest.mark.parametrize("lang", pages.LANGUAGES)
@pytest.mark.parametrize("branch", pages.factory.BRANCHES)
def test_no_form_of_any_branch_names_the_recipient(branch, lang):
    made = pages.factory.BRANCHES[branch](lang)
    told = everything(made, lang)
    recipient = made.evidence.delivery.recipient
    assert recipient not in told
    assert recipient[0] + "•••@" in told


def test_neither_do_a_subject_a_return_address_an_id_and_a_log_line():
    factory = pages.factory
    line = factory.log_line(
        "2026-11-22 13:01:38 1vM => mei <MEI@gmail.com> F=<bounce-mei=gmail.com@host.example> FOLDER=/home/mei/Mail"
    )
    made = factory.assessment(
        attempts=(factory.attempt("mei@gmail.com", "250 ok <mei@gmail.com>", lines=(line,), folder="/home/mei/Mail"),),
        subject="For mei@Gmail.com: renewal",
    )
    message = replace(
        made.evidence.message, reverse_path="bounce-mei=gmail.com@host.example", message_id="mei.gmail.com.7@h.example"
    )
    made = replace(made, evidence=replace(made.evidence, message=message, reverse_path=None))
    told = everything(made, "en")
    assert re.findall(r"(?i)(?<!\w)mei(?!\w)", told) == []
    assert "m•••@gmail.com" in told
    assert "gmail-smtp-in.l.google.com" in told
    shown = json.loads(render(made, REDACTED, "json", Request()))
    assert shown["edition"] == "redacted"
    assert shown["evidence"]["message"]["subject"] == "For m•••@Gmail.com: renewal"


def test_a_customer_s_own_page_still_does():
    made = pages.factory.BRANCHES["accepted"]("en")
    assert "mei@gmail.com" in render(made, Reader(lang="en"), "text", Request()).decode()
    assert "Part of the address is hidden" not in render(made, Reader(lang="en"), "text", Request()).decode()


def test_what_was_not_found_makes_no_such_page():
    with pytest.raises(UsageError, match="no customer's page"):
        document_of(pages.factory.not_found(), REDACTED, Request())


def test_the_edition_is_one_of_three():
    assert {e.value for e in Edition} == {"customer", "redacted", "support"}


_ADDRESSED = st.text(st.characters(codec="utf-8"), max_size=30) | st.text('<>=@. "\\()mei\n,;:', max_size=40)


@settings(max_examples=200, deadline=None)
@given(_ADDRESSED, _ADDRESSED)
def test_no_text_around_it_brings_an_address_through(before, after):
    hide = redactor(["billing@host.example", "bounce+mei=gmail.com@host.example"], "-", "mei@gmail.com")
    assert not tells(hide(f"{before}<mei@gmail.com>{after}").replace(before, "").replace(after, ""), "mei@gmail.com")
    assert "mei@gmail.com" not in hide(f"{before} mei@gmail.com {after}").replace(before, "").replace(after, "")


def test_a_long_line_takes_no_longer_than_its_length():
    hide = redactor([], "-", "mei@gmail.com")
    assert len(hide("mei" * 200_000)) == 600_000
    assert hide("mei " * 50_000).count("•••") == 50_000
