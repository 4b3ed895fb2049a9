"""Messages as they are found: well-formed, sloppy, and hostile."""

from datetime import UTC, datetime

import pytest

from deliverability.errors import ParseError
from deliverability.evidence.names import Domain
from deliverability.protocols.mail import address_list, author_domain, parse_mail

PLAIN = (
    b"From: Billing <billing@Host.Example>\r\nSubject: =?utf-8?B?57qM57SE6YCa55+l?=\r\n =?utf-8?Q?_1?=\r\n"
    b"Date: Sun, 22 Nov 2026 08:00:00 +0800\r\nMessage-ID: <1@host.example>\r\n\r\nBody\r\n"
)


def test_a_plain_message() -> None:
    mail = parse_mail(PLAIN)
    assert [field.name for field in mail.fields] == ["From", "Subject", "Date", "Message-ID"]
    assert mail.body == b"Body\r\n"
    assert mail.message_id == "1@host.example"
    assert mail.subject == "\u7e8c\u7d04\u901a\u77e5 1"
    assert mail.date == datetime(2026, 11, 22, tzinfo=UTC)
    assert author_domain(mail) == Domain("host.example")


def test_folding_stays_in_the_bytes() -> None:
    (subject,) = parse_mail(PLAIN).all("SUBJECT")
    assert subject.body.count(b"\r\n") == 2
    assert b"\r\n" not in subject.unfolded


@pytest.mark.parametrize(
    "convert", [lambda m: m, lambda m: m.replace(b"\r\n", b"\n"), lambda m: b"From me@x Sun Nov 22\n" + m]
)
def test_line_endings_and_mbox(convert) -> None:
    assert parse_mail(convert(PLAIN)) == parse_mail(PLAIN)


def test_a_header_alone_has_an_empty_body() -> None:
    assert parse_mail(b"From: a@b.example").body == b""
    assert parse_mail(b"From: a@b.example\r\n\r\n").body == b""


def test_a_stray_line_ends_the_header_and_is_body() -> None:
    mail = parse_mail(b"From: a@b.example\r\nnot a field\r\nTo: c@d.example\r\n\r\nx")
    assert [field.name for field in mail.fields] == ["From"]
    assert mail.body.startswith(b"not a field\r\n")


@pytest.mark.parametrize(
    "message", [b"", b"\r\n", b"\r\n\r\nbody", b"no colon here", b" folded: first", b"\x00" * 100, b"\xff: x"]
)
def test_what_is_no_message(message: bytes) -> None:
    with pytest.raises(ParseError):
        parse_mail(message)


@pytest.mark.parametrize(
    "message", [b"A: b\r\n" * 2001, b"A: " + b"x" * 600_000, b"A: b\r\n" + b" c\r\n" * 200_000, b"A" * 700_000]
)
def test_bounds(message: bytes) -> None:
    with pytest.raises(ParseError):
        parse_mail(message)


@pytest.mark.parametrize(
    "date",
    [b"", b"yesterday", b"Sun, 99 Nov 2026 08:00:00 +0800", b"Sun, 22 Nov 99999 08:00:00", b"\xff\xfe", b"1 " * 200],
)
def test_a_date_that_cannot_be_read_is_none(date: bytes) -> None:
    assert parse_mail(b"From: a@b.example\r\nDate: " + date + b"\r\n\r\n").date is None


def test_fields_that_are_not_there() -> None:
    mail = parse_mail(b"To: a@b.example\r\n\r\n")
    assert (mail.message_id, mail.subject, mail.date, mail.text("x")) == (None, None, None, None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"a@b.example", ("a@b.example",)),
        (b"A B <a@b.example>", ("a@b.example",)),
        (b'"x, <evil@c.example>" <a@b.example>', ("a@b.example",)),
        (b"a@b.example (comment <evil@c.example> (nested \\) here))", ("a@b.example",)),
        (b"<a@b.example>, c@d.example", ("a@b.example", "c@d.example")),
        (b"Group: a@b.example, c@d.example;", ("a@b.example", "c@d.example")),
        (b"undisclosed-recipients:;", ()),
        (b"", ()),
        (b"<@relay.example:a@b.example>", ("a@b.example",)),
        (b'"a@x"@b.example', ('"a@x"@b.example',)),
        ("\u738b <\u738b@\u4f8b.example>".encode(), ("\u738b@\u4f8b.example",)),
        (b"=?utf-8?Q?evil=40c=2Eexample?= <a@b.example>", ("a@b.example",)),
    ],
)
def test_address_lists(text: bytes, found: tuple[str, ...]) -> None:
    assert address_list(text) == found


@pytest.mark.parametrize(
    "text",
    [
        b"nobody",
        b"<a@b.example",
        b'"open <a@b.example>',
        b"(open a@b.example",
        b"<>",
        b"a@",
        b"@b.example",
        b"<x@y>" + b"," * 5 + b"<",
        b"a@b.example," * 101,
    ],
)
def test_what_is_no_address_list(text: bytes) -> None:
    with pytest.raises(ParseError):
        address_list(text)


@pytest.mark.parametrize(
    "header",
    [
        b"To: a@b.example\r\n",
        b"From: a@b.example\r\nFrom: a@b.example\r\n",
        b"From: a@b.example, c@d.example\r\n",
        b"From:\r\n",
        b"From: a@-.example\r\n",
    ],
)
def test_no_author_domain_to_rely_on(header: bytes) -> None:
    with pytest.raises(ParseError):
        author_domain(parse_mail(header + b"\r\n"))


def test_two_authors_of_one_domain() -> None:
    assert author_domain(parse_mail(b"From: a@b.example, c@B.example.\r\n\r\n")) == Domain("b.example")


def test_the_same_octets_are_read_once_and_others_anew() -> None:
    message = b"From: a@host.example\r\n\r\none\r\n"
    found = parse_mail(message)
    assert parse_mail(bytes(bytearray(message))) is found
    assert parse_mail(message.replace(b"one", b"two")).body == b"two\r\n"
    assert parse_mail.cache_info().currsize == 1
