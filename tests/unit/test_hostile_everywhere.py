"""Text that strangers control, through the whole way from an assessment to every form of a page and to a ticket's reply."""

import json
import re
import sys
import unicodedata
from collections import Counter
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser

import pages
import pytest

from deliverability.api import Reader, Request
from deliverability.api.enclosing import brand_of
from deliverability.api.rendering import render
from deliverability.config import Configuration, ReportSettings
from deliverability.errors import CannotLookError, UsageError
from deliverability.evidence.smtp import Reply
from deliverability.protocols import typst_font, typst_run
from deliverability.terminal.attach import Ticket, reply

HOSTILE = {
    "markup": "<b>bold</b> &amp; </title></pre><style>*{display:none}</style> [x](javascript:1) `a` *b* #set",
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><svg/onload=alert(1)>",
    "bidi": "\u202egnp.eton\u202c \u2066a\u2069 \u200f\u061c",
    "zero width": "zero\u200bwidth\u200d\ufeff\u2060soft\u00adhyphen",
    "emoji": "🎉👨\u200d👩\u200d👧 \U0001f1f9\U0001f1fc ❤️",
    "100 kB": "信x " * 33_000,
    "100 kB without a blank": "x" * 100_000,
    "surrogates": "unpaired \ud800 and \udfff",
    "nulls": "a\x00b\x1b[31mred\x07\r\nBcc: x@y.example\x85\u2028z",
    "formats": "%s {0} {subject} $(id) ${x} \\N{DIGIT ONE} \\u202e",
}
REQUEST = Request(configuration=Configuration(report=ReportSettings(brand_name="Host", sender=pages.factory.SENDER)))


def poisoned(text: str, branch: str = "refused-policy"):
    """An assessment in which every field that a stranger writes holds this text."""
    made = pages.factory.BRANCHES[branch]("en")
    given = made.evidence.delivery
    line = replace(given.attempts[0].lines[0], raw=text.encode("utf-8", "surrogatepass"))
    attempts = tuple(
        replace(
            a,
            reply=Reply(a.reply.code, a.reply.enhanced_status_code, text) if a.reply else None,
            text=text,
            remote_queue_id=text[:200],
            relay=replace(a.relay, name=text[:300]) if a.relay else None,
            folder=text[:300],
            lines=(line,),
        )
        for a in given.attempts
    )
    delivery = replace(given, attempts=attempts, decisive=attempts[-1])
    message = replace(
        made.evidence.message, subject=text, message_id=text[:500], reverse_path=text[:300], deliveries=(delivery,)
    )
    verdicts = tuple(
        replace(
            v, ruling=replace(v.ruling, finding=replace(v.ruling.finding, parameters={"domain": text, "result": text}))
        )
        for v in made.verdicts
    )
    return replace(made, evidence=replace(made.evidence, message=message, delivery=delivery), verdicts=verdicts)


def unseen(text: str, *, allowed: str = "\n") -> set[str]:
    return {
        char for char in text if char not in allowed and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    }


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def handle_starttag(self, tag, attrs):
        names = " ".join(sorted(name for name, _ in attrs if name not in ("class", "lang")))
        if tag not in ("span", "bdi"):
            self.found[f"{tag} {names}"] += 1


def tags(page: bytes) -> Counter[str]:
    parser = Tags()
    parser.feed(page.decode())
    parser.close()
    return parser.found


@pytest.mark.parametrize("edition", ["customer", "redacted", "support"])
@pytest.mark.parametrize("name", HOSTILE)
def test_html_has_the_same_tags_as_with_harmless_text(name, edition):
    reader = Reader(lang="en", edition=edition)
    page = render(poisoned(HOSTILE[name]), reader, "html", REQUEST)
    assert tags(page) == tags(render(poisoned("harmless"), reader, "html", REQUEST))
    assert unseen(page.decode()) == set()


@pytest.mark.parametrize("edition", ["customer", "redacted", "support"])
@pytest.mark.parametrize("name", HOSTILE)
def test_text_shows_what_cannot_be_seen(name, edition):
    page = render(poisoned(HOSTILE[name]), Reader(lang="zh-Hant-TW", edition=edition), "text", REQUEST).decode()
    assert unseen(page) == set()
    headings = [line for line in page.splitlines() if re.fullmatch(r"-{4,}", line)]
    harmless = render(poisoned("harmless"), Reader(lang="zh-Hant-TW", edition=edition), "text", REQUEST).decode()
    assert len(headings) == len([line for line in harmless.splitlines() if re.fullmatch(r"-{4,}", line)])


@pytest.mark.parametrize("name", HOSTILE)
def test_json_gives_it_back(name):
    page = render(poisoned(HOSTILE[name]), Reader(lang="en", edition="support"), "json", REQUEST)
    assert json.loads(page)["evidence"]["message"]["subject"] == HOSTILE[name]


@pytest.mark.parametrize("lang", pages.LANGUAGES)
@pytest.mark.parametrize("branch", ["accepted", "refused-policy", "deferred"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_telephone_message_says_the_same_whatever_it_is(name, branch, lang):
    reader = Reader(lang=lang, link="https://h.example/r")
    made = render(poisoned(HOSTILE[name], branch), reader, "sms", REQUEST)
    assert made == render(poisoned("harmless", branch), reader, "sms", REQUEST)
    assert len(made.decode().rstrip("\n")) <= 70


@pytest.mark.parametrize(("form", "begins"), [("pdf", b"%PDF-1.7"), ("png", b"\x89PNG\r\n\x1a\n")])
@pytest.mark.parametrize("name", HOSTILE)
def test_pdf_and_picture_are_made_all_the_same(name, form, begins):
    try:
        typst_run.engine()
        typst_font.font()
    except UsageError as missing:
        pytest.skip(str(missing))
    assert render(poisoned(HOSTILE[name]), Reader(lang="en"), form, REQUEST).startswith(begins)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_reply_to_a_ticket_keeps_its_headers(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)  # the PDF is tried above
    ticket = Ticket("mei@gmail.com", subject="", message_id="<a@b.example>", references=("<a@b.example>",))
    content = reply(ticket, poisoned(HOSTILE[name]), Reader(lang="en"), REQUEST, ())
    made = message_from_bytes(content, policy=default)
    assert made.defects == []
    assert made["To"] == "mei@gmail.com"
    assert made["Bcc"] is None
    assert unseen(str(made["Subject"])) == set()
    body, page = made.iter_parts()
    assert (body.get_content_type(), page.get_content_type()) == ("text/plain", "text/html")
    assert re.fullmatch(r"[\w-]{1,60}\.html", page.get_filename())
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998


def test_a_logo_of_50_mb_is_refused_without_being_read(tmp_path):
    path = tmp_path / "logo.png"
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(50 << 20)
    with pytest.raises(CannotLookError, match=r"logo\.png.*larger than 200 kB"):
        brand_of(Request(configuration=Configuration(report=ReportSettings(logo=str(path)))))
