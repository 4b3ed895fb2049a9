"""Lines, encoded words and parts of a message, and that hostile ones are read in bounded time."""

from functools import partial

import pytest
from bounded import LONG, calls, hang_guard

from deliverability.protocols.mail import parse_mail
from deliverability.protocols.mime import (
    MAX_DEPTH,
    MAX_PARTS,
    Defect,
    codec_of,
    parse_parameters,
    read_structure,
    text_of,
)
from deliverability.protocols.structure import LongLines, WordProblem, encoded_words, long_lines

HEAD = b"From: a@host.example\nMIME-Version: 1.0\n"


def structure(text: bytes):
    return read_structure(parse_mail(HEAD + text))


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (b"", None),
        (b"\n" * 5000, None),
        (b"x" * 998, None),
        (b"x" * 998 + b"\r\n", None),
        (b"x" * 998 + b"\n", None),
        (b"x" * 999, LongLines(1, 1, 999)),
        (b"x" * 999 + b"\n", LongLines(1, 1, 999)),
        (b"x" * 999 + b"\r\n", LongLines(1, 1, 999)),
        (b"a\r\n" * 700 + b"x" * 1500 + b"\r\n", LongLines(1, 701, 1500)),
        (b"a\n" + b"x" * 999 + b"\n" + b"b\n" + b"y" * 2000, LongLines(2, 2, 999)),
        (b"\r" * 999 + b"\n", None),  # the last of them belongs to the line end
    ],
)
def test_long_lines(message: bytes, found: LongLines | None) -> None:
    assert long_lines(message) == found


@pytest.mark.parametrize("seed", range(40))
def test_long_lines_as_counted_one_by_one(seed: int) -> None:
    import random

    rng = random.Random(seed)
    lines = [b"x" * rng.choice([0, 1, 500, 996, 997, 998, 999, 1000, 1001, 1998, 3000]) for _ in range(60)]
    ends = [rng.choice([b"\n", b"\r\n"]) for _ in lines]
    message = b"".join(line + end for line, end in zip(lines, ends, strict=True))
    over = [(number, len(line)) for number, line in enumerate(lines, 1) if len(line) > 998]
    assert long_lines(message) == (LongLines(len(over), *over[0]) if over else None)


def test_many_short_lines_cost_little() -> None:
    assert long_lines(b"\n" * (32 << 20)) is None
    few, many = (calls(partial(long_lines, (b"x" * 998 + b"\n" * 999) * times)) for times in (10, 1000))
    assert many <= 100 * few + 100


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        (b"=?utf-8?Q?=E7=BA=8C?=", None),
        (b"=?utf-8*en?Q?a?=", None),
        (b"=?utf-8?q??=", None),
        (b"5 =? 6", None),  # nothing that could be meant as one
        (b"a=?utf-8?Q?b?=", WordProblem.MALFORMED),  # meant as one; RFC 2047 section 5 (1) wants white space before it
        (b"a=?b?c", None),
        (b"=?utf-8?X?b?=", WordProblem.MALFORMED),
        (b"=?utf-8?Q?b", WordProblem.MALFORMED),
        (b"=?utf-8?Q?=zz?=", WordProblem.UNDECODABLE),
        (b"=?utf-8?B?a?=", WordProblem.UNDECODABLE),
        (b"=?base64?B?YQ==?=", WordProblem.UNKNOWN_CHARSET),
        (b"=?utf-8?Q?" + b"a" * 63 + b"?=", None),
        (b"=?utf-8?Q?" + b"a" * 64 + b"?=", WordProblem.TOO_LONG),
    ],
)
def test_encoded_words_of_a_subject(subject: bytes, problem: WordProblem | None) -> None:
    assert encoded_words(parse_mail(b"Subject: " + subject + b"\n\n")).problem is problem


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (b"=?utf-8?B?57qM?= <a@b.example>", None),
        (b"=?utf-8?B?57qM?=<a@b.example>", None),
        (b"a@b.example (=?utf-8?B?57qM?=)", None),
        (b'"=?utf-8?B?57qM?=" <a@b.example>', WordProblem.IN_QUOTES),
        (b'"\\"=?utf-8?B?57qM?=" <a@b.example>', None),
        (b'"a =?b" <a@b.example>', None),
    ],
)
def test_encoded_words_of_an_address(value: bytes, problem: WordProblem | None) -> None:
    assert encoded_words(parse_mail(b"To: " + value + b"\n\n")).problem is problem


def test_hostile_fields_are_read_in_linear_time() -> None:
    with hang_guard():
        for piece in (b'\\"', b"=?", b" =?a?b?", b'"', b"("):
            encoded_words(parse_mail(b"To: " + piece * (LONG // 3 // len(piece)) + b"\n\n"))


@pytest.mark.parametrize(
    ("body", "value", "parameters"),
    [
        (b"text/plain", "text/plain", {}),
        (b"Text/HTML; Charset=UTF-8", "text/html", {"charset": "UTF-8"}),
        (b'a/b; boundary="x;\\"y"; c=d', "a/b", {"boundary": 'x;"y', "c": "d"}),
        (b"a/b (comment; x=y); c=d", "a/b", {"c": "d"}),
        (b"a/b; x=1; x=2", "a/b", {"x": "1"}),
        (b"a/b; n*0=on; n*1=e", "a/b", {"n": "one"}),
        (b";;;=", "", {}),
        (b"", "", {}),
        (b"\xff/\xfe", "�/�", {}),
    ],
)
def test_parameters(body: bytes, value: str, parameters: dict) -> None:
    assert parse_parameters(body) == (value, parameters)


def test_the_parts_of_an_ordinary_message() -> None:
    found = structure(
        b'Content-Type: multipart/mixed; boundary="o"\n\nprologue\n--o\n'
        b"Content-Type: multipart/alternative; boundary=i\n\n--i\n\nplain\n--i \t\n"
        b"Content-Type: text/html; charset=big5\nContent-Transfer-Encoding: base64\n\nsWKz5g==\n--i--\n"
        b"--o\nContent-Type: application/pdf; name=a.pdf\nContent-Disposition: attachment\n\nx\n--o--\nepilogue\n"
    )
    assert not found.defects
    assert [(p.number, p.media_type, p.leaf) for p in found.parts] == [
        ("", "multipart/mixed", False),
        ("1", "multipart/alternative", False),
        ("1.1", "text/plain", True),
        ("1.2", "text/html", True),
        ("2", "application/pdf", True),
    ]
    assert found.content(found.leaves[0]) == b"plain"
    assert text_of(found, found.leaves[1]) == "帳單"
    assert found.leaves[2].disposition == "attachment"


def test_a_boundary_that_begins_another_is_not_mistaken() -> None:
    found = structure(
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n"
        b"--bb\n\none\n--bb--\n--b--\n"
    )
    assert [found.content(leaf) for leaf in found.leaves] == [b"one"]
    assert not found.defects


def test_an_inner_multipart_ends_with_the_outer_one() -> None:
    found = structure(
        b"Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n"
        b"--i\n\none\n--o\n\ntwo\n--o--\n"
    )
    assert [found.content(leaf) for leaf in found.leaves] == [b"one", b"two"]
    assert found.defects == ((Defect.UNCLOSED, "1"),)


def nested_multiparts(depth: int) -> bytes:
    opening = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(depth))
    return opening + b"\nend\n" + b"".join(b"--b%d--\n" % n for n in reversed(range(depth)))


def test_bombs_are_not_followed() -> None:
    deep = structure(nested_multiparts(2000))
    assert (Defect.TOO_DEEP, "") in deep.defects
    assert len(deep.parts) <= MAX_DEPTH + 1
    wide = structure(b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n\n" * 500_000)
    assert (Defect.TOO_MANY, "") in wide.defects
    assert len(wide.parts) <= MAX_PARTS
    same = structure(
        b"Content-Type: multipart/mixed; boundary=b\n\n"
        + b"--b\nContent-Type: multipart/mixed; boundary=b\n\n" * 20_000
    )
    assert len(same.parts) <= MAX_PARTS
    almost = structure(nested_multiparts(30)[:-200] + b"--b1x\n" * 1_000_000)
    assert almost.parts


def test_the_work_on_a_bomb_grows_with_its_parts_alone() -> None:
    head = b"Content-Type: multipart/mixed; boundary=b\n\n"
    for bomb in (lambda times: head + b"--b\n\n\n" * times, lambda times: head + b"--b1x\n" * times, nested_multiparts):
        few, many = (calls(partial(structure, bomb(times))) for times in (500, 2000))
        assert many <= 5 * few + 1000


def test_nesting_within_the_limit_is_read() -> None:
    found = structure(nested_multiparts(20))
    assert not found.defects
    assert found.content(found.leaves[0]) == b"end"


@pytest.mark.parametrize(
    "name", ["utf-8", "UTF8", "Big5", "gb2312", "iso-8859-1", "us-ascii", "windows-1252", "shift_jis"]
)
def test_charsets_that_are_known(name: str) -> None:
    assert codec_of(name)


@pytest.mark.parametrize(
    "name", ["", "base64", "punycode", "idna", "unicode_escape", "zlib", "../x", "x" * 5000, "\0", "mbcs"]
)
def test_names_that_are_no_charset(name: str) -> None:
    assert codec_of(name) is None
