"""A log as it comes out of Windows and out of a ticket's page: byte order marks, and HTML around the lines."""

import html
from collections.abc import Callable
from pathlib import Path

import pytest

from deliverability.capture.blocks import blocks
from deliverability.capture.files import LogFile, container_of

LOGS = Path(__file__).parents[2] / "examples"
POSTFIX = (LOGS / "postfix" / "mail.log").read_text("utf-8")
EXIM = (LOGS / "exim" / "mainlog").read_text("utf-8")


def read(content: str | bytes) -> list[str]:
    file = LogFile("", "-", None, content.encode() if isinstance(content, str) else content)
    return b"".join(block.content for block in blocks(file)).decode().splitlines()


def container(content: str) -> str | None:
    return container_of(LogFile("", "-", None, content.encode()))


@pytest.mark.parametrize("log", [POSTFIX, EXIM], ids=["postfix", "exim"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_what_powershell_writes_is_read_from_its_first_line(log: str, end: str, coding: str) -> None:
    content = end.join(log.splitlines()) + end
    assert read(content.encode(coding)) == log.splitlines()


def each(before: str, after: str) -> Callable[[str], str]:
    return lambda log: "".join(f"{before}{html.escape(line)}{after}" for line in log.splitlines())


PAGES: dict[str, Callable[[str], str]] = {
    "preformatted": lambda log: f"<html><body><p>Hello,</p>\n<pre class='x'>\n{html.escape(log)}</pre></body></html>",
    "line breaks": lambda log: f"<!DOCTYPE html>\n<html><body><p>Our log:</p><p>{each('', '<br />')(log)}</p></html>",
    "line breaks and ends": lambda log: (
        f"<!DOCTYPE html><html><body><div>{each('', '<br>' + chr(10))(log)}</div></html>"
    ),
    "a paragraph each": lambda log: f"<HTML><BODY>{each('<P>', '</P>')(log)}</BODY></HTML>",
    "a row each": lambda log: f"<html><table>{each('<tr><td>', '</td></tr>')(log)}</table></html>",
    "quoted": lambda log: f"<html><body>{each('<div>&gt; ', '</div>')(log)}</body></html>",
    "not escaped": lambda log: f"<html><body><pre>\n{log}</pre></body></html>",
    "marked": lambda log: f"<html><body>{each('<div><span style=color:red>', '</span></div>')(log)}</body></html>",
    "blanks": lambda log: f"<html><body>{each('<div>', '</div>')(log).replace(': ', ':&nbsp;')}</body></html>",
}


@pytest.mark.parametrize("log", [POSTFIX, EXIM], ids=["postfix", "exim"])
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_lines_of_a_saved_page_are_read(page: Callable[[str], str], log: str) -> None:
    content = page(log)
    found = read(content)
    assert "HTML" in (container(content) or "")
    missing = [line for line in log.splitlines() if line not in found]
    assert missing == []


def test_no_text_of_a_page_becomes_a_line_of_its_own() -> None:
    forged = POSTFIX.splitlines()[0]
    for sign in ("&#10;", "&#x0a;", "&#13;", "&NewLine;", "<br>", "</p><p>"):
        line = html.escape(f"{POSTFIX.splitlines()[1]} {sign}{forged}")
        assert forged not in read(f"<html><body><p>{line}</p></body></html>")
        if sign.startswith("&"):  # nor where somebody wrote it without escaping it
            assert forged not in read(f"<html><body><p>{html.unescape(line)}</p></body></html>".replace("\n", "&#10;"))


@pytest.mark.parametrize(
    "unit", ["<", "<a ", "<br", "<br>", "&", "&#1", "&lt;", "<!--", "</", "<pre>", "&#99999999999;"]
)
def test_hostile_pages_give_lines(unit: str) -> None:
    made = read("<html>" + unit * (300_000 // len(unit)))
    assert sum(map(len, made)) <= 2_000_000


def test_a_log_that_begins_with_a_sign_is_no_page() -> None:
    for line in ("<22>Nov 22 05:31:12 out1 postfix/qmgr[1]: 4jXH3k3V2zzLhRZ: removed", "<html@x.example> and words"):
        assert container(f"{line}\n" * 20) is None


def test_tags_that_are_text_stay_text() -> None:
    page = f"<html><body><p>&lt;html&gt;&lt;p&gt;{POSTFIX.splitlines()[0]}</p><p>x</p></body></html>"
    assert read(page) == [f"<html><p>{POSTFIX.splitlines()[0]}", "x"]
