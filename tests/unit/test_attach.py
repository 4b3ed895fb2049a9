"""``report --attach-to``: a reply that a mail program takes, made from a ticket that anybody may have written."""

import subprocess
import sys
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pages
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.api import Reader, Request
from deliverability.config import Configuration, ReportSettings
from deliverability.errors import DeliverabilityError, UsageError
from deliverability.evidence.document import Attachment, Relationship
from deliverability.protocols import typst_font
from deliverability.terminal import attach
from deliverability.terminal.attach import Ticket, reply, ticket_of
from deliverability.terminal.pages import refuse_idle_forms

TICKET = """From: =?utf-8?B?6Zmz576O?= <mei@gmail.com>
To: support@host.example
Subject: =?utf-8?B?5oiR5rKS5pS25Yiw?=
 =?utf-8?B?6YCZ5bCB5L+h?=
Message-ID: <abc.123@gmail.com>
References: <one@a.example> <two@b.example>

I never got it.
"""


def ticket_in(folder: Path, content: bytes) -> Ticket:
    path = folder / "ticket.eml"
    path.write_bytes(content)
    return ticket_of(str(path))


def replied(ticket, lang="en", **settings):
    settings = {"brand_name": "Host Example", "sender": "support@host.example", **settings}
    request = Request(configuration=Configuration(report=ReportSettings(**settings)))
    made = pages.factory.BRANCHES["accepted"](lang)
    return reply(ticket, made, Reader(lang=lang), request, ())


def test_a_ticket_is_read_from_the_customer_s_mail(tmp_path):
    found = ticket_in(tmp_path, TICKET.encode())
    assert found == Ticket(
        "mei@gmail.com",
        "我沒收到這封信",
        "<abc.123@gmail.com>",
        ("<one@a.example>", "<two@b.example>", "<abc.123@gmail.com>"),
    )


def test_reply_to_goes_before_from(tmp_path):
    assert ticket_in(tmp_path, b"Reply-To: a@x.example\n" + TICKET.encode()).address == "a@x.example"


def test_an_address_is_enough():
    assert ticket_of("ticket+42@help.example") == Ticket("ticket+42@help.example")


@pytest.mark.parametrize("target", ["", "no address", "a@b\r\nBcc: x@y", "a@b.example, c@d.example", "陳@host.example"])
def test_anything_else_is_refused(target):
    with pytest.raises(UsageError, match=r"neither an address nor a FILE.eml"):
        ticket_of(target)


@pytest.mark.parametrize(
    "content", [b"", b"From: nobody\n\n", b"Subject: x\n\n", b"\xff\xfe\x00" * 50, b"From: <>\n\n"]
)
def test_a_file_without_an_author_is_refused(content, tmp_path):
    with pytest.raises(UsageError, match="no From line"):
        ticket_in(tmp_path, content)


@pytest.mark.parametrize("lang", pages.LANGUAGES)
def test_the_reply_holds_the_page_twice_and_belongs_to_its_thread(lang, tmp_path):
    pytest.importorskip("typst")
    content = replied(ticket_in(tmp_path, TICKET.encode()), lang)
    made = message_from_bytes(content, policy=default)
    assert made.defects == []
    assert (made["To"], made["Subject"]) == ("mei@gmail.com", "Re: 我沒收到這封信")
    assert made["From"] == "Host Example <support@host.example>"
    assert made["In-Reply-To"] == "<abc.123@gmail.com>"
    assert made["References"].split()[-1] == "<abc.123@gmail.com>"
    body, page = list(made.iter_parts())
    assert body.get_content_type() == "text/plain"
    told = body.get_content().replace("\r\n", "\n")
    assert told.startswith(pages.report("accepted", lang).title[:10])
    assert "Host Example" in told
    assert page.get_content_type() == "application/pdf"
    assert page.get_content().startswith(b"%PDF-1.7")
    name = page.get_filename()
    assert name.startswith("2026-11-22-")
    assert name.endswith(".pdf")
    assert not any(word in name.lower() for word in ("proof", "dispute", "edition", "customer"))
    assert all(len(line) <= 998 for line in content.split(b"\r\n"))
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert content.isascii()


def test_equal_input_gives_equal_octets(tmp_path):
    ticket = ticket_in(tmp_path, TICKET.encode())
    assert replied(ticket) == replied(ticket)


def test_without_the_extra_it_carries_html_and_says_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "typst", None)
    made = message_from_bytes(replied(Ticket("mei@gmail.com")), policy=default)
    page = list(made.iter_parts())[1]
    assert page.get_content_type() == "text/html"
    assert page.get_filename().endswith(".html")
    assert "pip install 'deliverability[pdf]'; the reply carries HTML instead" in capsys.readouterr().err


def parts_of(content):
    return [part.get_content() for part in message_from_bytes(content, policy=default).iter_parts()]


def test_in_a_ticket_of_another_address_the_recipient_is_masked(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "typst", None)
    text, page = parts_of(replied(Ticket("other@gmail.com")))
    assert "mei@gmail.com" not in text + page
    assert "m•••@gmail.com" in text
    assert "--edition customer shows it in full" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["mei@gmail.com", "mei@GMAIL.com"])
def test_in_the_recipient_s_own_ticket_it_is_not(address, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "typst", None)
    text, _ = parts_of(replied(Ticket(address)))
    assert "mei@gmail.com" in text
    assert "the notice went to" not in capsys.readouterr().err


def test_whoever_asks_for_the_customer_s_page_by_name_gets_it_in_full(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "typst", None)
    made = pages.factory.BRANCHES["accepted"]("en")
    text, _ = parts_of(reply(Ticket("other@gmail.com"), made, Reader(lang="en"), Request(), (), in_full=True))
    assert "mei@gmail.com" in text
    assert "make sure that it is the same customer's" in capsys.readouterr().err


def test_no_bundle_goes_with_a_masked_address():
    made = pages.factory.BRANCHES["accepted"]("en")
    bundle = Attachment("bundle.json", "application/json", b"{}", Relationship.DATA)
    with pytest.raises(UsageError, match="leave out --bundle"):
        reply(Ticket("other@gmail.com"), made, Reader(lang="en"), Request(), (bundle,))


def test_without_a_sender_there_is_no_from_line(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "typst", None)
    made = message_from_bytes(replied(Ticket("mei@gmail.com"), sender=None), policy=default)
    assert made["From"] is None
    assert "no sender is configured" in capsys.readouterr().err


def test_the_support_edition_goes_into_no_ticket():
    with pytest.raises(UsageError, match="only the customer's page"):
        reply(Ticket("a@b.example"), pages.factory.not_found(), Reader(), Request(), ())


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        ({"form": "html", "attach_to": None, "bundle": Path("b.json"), "link": None}, "--bundle is enclosed in a PDF"),
        (
            {"form": "text", "attach_to": None, "bundle": None, "link": "https://h.example"},
            "--link is for --format sms",
        ),
    ],
)
def test_options_that_would_do_nothing_are_refused(given_, sentence):
    with pytest.raises(UsageError, match=sentence):
        refuse_idle_forms(**given_)
    refuse_idle_forms("pdf", attach_to=None, bundle=Path("b.json"), link=None)
    refuse_idle_forms("text", attach_to="a@b.example", bundle=Path("b.json"), link=None)


_HEADER = st.text(st.characters(codec=None), max_size=120) | st.text('\r\n: <>@=?,;"\\()utf-8bcq\x00', max_size=120)


@settings(max_examples=40, deadline=None)
@given(st.tuples(_HEADER, _HEADER, _HEADER))
def test_no_ticket_writes_a_header_of_its_own(fields):
    sender, subject, ids = (field.encode("utf-8", "surrogatepass") for field in fields)
    content = b"From: m <mei@gmail.com>" + sender + b"\nSubject: " + subject + b"\nMessage-ID: " + ids + b"\n\n"
    try:
        ticket = attach._ticket_in(content, "x.eml")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(typst_font, "PACKAGE", "no_such_package_of_fonts")
            patch.setitem(sys.modules, "typst", None)
            made = message_from_bytes(replied(ticket), policy=default)
    except DeliverabilityError:
        return
    known = {"from", "to", "subject", "date", "in-reply-to", "references", "x-unsent", "mime-version"}
    assert {name.lower() for name in made} <= known | {"content-type", "content-language"}
    assert len(made.get_all("To")) == 1
    assert len(list(made.iter_parts())) == 2


def test_the_command_writes_it(tmp_path):
    """From the customer's sentence to the file in one command."""
    (tmp_path / "ticket.eml").write_text(TICKET)
    log = Path(__file__).parents[2] / "examples" / "exim" / "mainlog"
    command = [sys.executable, "-m", "deliverability", "report", "--log", str(log), "--to", "mei.lin@gmail.com"]
    command += ["--latest", "--offline", "--attach-to", "ticket.eml", "-o", "reply.eml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert b"wrote reply.eml" in done.stderr
    assert message_from_bytes((tmp_path / "reply.eml").read_bytes(), policy=default)["To"] == "mei@gmail.com"
