"""A file that is no message is told apart, with what it looks like, before anything is judged."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deliverability.protocols.message_file import read_message_file

MESSAGE = b"From: Billing <billing@host.example>\nDate: Sun, 22 Nov 2026 08:00:00 +0800\nSubject: Renewal\n\nhello\n"
SEPARATOR = b"From billing@host.example Sun Nov 22 00:00:00 2026\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b" \r\n\n", "empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), ".msg"),
        (b"PK\x03\x04" + MESSAGE, "ZIP"),
        (b"\x1f\x8b\x08" + bytes(20), "gzip"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\x89PNG\r\n\x1a\n", "image"),
        (MESSAGE.decode().encode("utf-16"), "UTF-16"),
        (b"\xef\xbb\xbf" + MESSAGE, "byte order mark"),
        (b"<!DOCTYPE html>\n<p>hello", "HTML"),
        (b"\n <HTML><body>", "HTML"),
        (b"<table><tr>", "piece of HTML"),
        (b'{"subject": "Renewal"}', "JSON"),
        (b"\x00\x01\x02" * 300, "binary"),
        (b"\n" + MESSAGE, "empty line"),
        (b"Dear customer,\n\nplease renew.\n", "header fields"),
        (b"Note: buy milk\nAlso: bread\n", "none of them is a header field"),
        (b"2026-11-22T13:05:00 host exim[1]: 1abc => mei@gmail.com\n", "none of them is a header field"),
        (SEPARATOR + MESSAGE + b"\n" + SEPARATOR + MESSAGE, "2 messages"),
        (SEPARATOR.replace(b"\n", b"\r\n") + b"Subject: a\r\n\r\nb\r\n\r\n" + SEPARATOR + MESSAGE, "2 messages"),
        (b"From now on we write letters.\n", "header fields"),
    ],
)
def test_what_is_no_message_is_named(content: bytes, said: str) -> None:
    found = read_message_file(content)
    assert said in found.problem
    assert not found.message


@pytest.mark.parametrize(
    "content",
    [
        MESSAGE,
        MESSAGE.replace(b"\n", b"\r\n"),
        b"Subject: nothing else\n",
        b"From: a@b.example\nFrom: c@d.example\n\n",
        b"Received: x\nbroken line\n\nhello",
        b"From: a@b.example\nX: " + b"a" * 600_000 + b"\n\n",  # beyond our bounds: a finding, and a message
    ],
)
def test_a_message_stays_as_it_is_however_broken(content: bytes) -> None:
    found = read_message_file(content)
    assert (found.message, found.problem, found.from_line) == (content, "", False)


def test_an_mbox_with_one_message_loses_its_from_line() -> None:
    # A line of the text that begins with "From " and is no separator does not make it two.
    inside = MESSAGE + b"\nFrom now on we write letters.\n"
    found = read_message_file(SEPARATOR + inside)
    assert (found.message, found.problem, found.from_line) == (inside, "", True)


@given(st.binary(max_size=300))
@example(b"From ")
@example(b"From \n")
def test_every_file_is_a_message_or_is_named(content: bytes) -> None:
    found = read_message_file(content)
    assert bool(found.message) != bool(found.problem)
