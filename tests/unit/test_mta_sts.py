"""MTA-STS records and policies: the RFC's own examples, and what is neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.errors import ParseError
from deliverability.evidence.names import Domain
from deliverability.protocols.mta_sts import (
    MAX_AGE,
    Mode,
    Policy,
    parse_policy,
    parse_record,
    policy_url,
    record_name,
)

EXAMPLE = (  # RFC 8461 §3.2
    b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n"
    b"mx: backupmx.example.com\r\nmax_age: 604800\r\n"
)


def test_where_it_stands() -> None:
    domain = Domain("example.com")
    assert record_name(domain) == "_mta-sts.example.com"
    assert policy_url(domain) == "https://mta-sts.example.com/.well-known/mta-sts.txt"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("v=STSv1; id=20160831085700Z;", "20160831085700Z"),  # RFC 8461 §3.1
        ("v=STSv1;id=1", "1"),
        ("v=STSv1 ; id=a ;x-y.z=1:2", "a"),
        ("v=STSv1; ext=1; id=b;", "b"),
    ],
)
def test_records(text: str, found: str) -> None:
    assert parse_record(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=STSv1",
        "v=STSv1;",
        "v=STSv2; id=1;",
        "V=STSv1; id=1;",
        " v=STSv1; id=1;",
        "v=STSv1; id=;",
        "v=STSv1; id=a-b;",
        "v=STSv1; id=" + "1" * 33,
        "v=STSv1; id=1; id=2;",
        "v=STSv1; id=1;; x=y",
        "v=STSv1; id = 1",
        "v=STSv1; ID=1",
        "v=STSv1; id=１",
    ],
)
def test_what_is_no_record(text: str) -> None:
    with pytest.raises(ParseError):
        parse_record(text)


def test_the_example_policy() -> None:
    policy = parse_policy(EXAMPLE)
    assert policy == Policy(Mode.ENFORCE, ("mail.example.com", "*.example.net", "backupmx.example.com"), 604800)
    assert policy.matches("MAIL.example.com.")
    assert policy.matches("a.example.net")
    assert not policy.matches("example.net")
    assert not policy.matches("a.b.example.net")
    assert not policy.matches("mail.example.com.evil.example")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"version:STSv1\nmode:none\nmax_age:0", Policy(Mode.NONE, (), 0)),
        (b"mx: A.example\nmode: testing \nmax_age: 1\nversion: STSv1\n\n", Policy(Mode.TESTING, ("a.example",), 1)),
        (
            b"version: STSv1\nmode: enforce\nmode: none\nmx: a.example\nmx: a.example\nmax_age: 9\nnew_key: x: y\n",
            Policy(Mode.ENFORCE, ("a.example",), 9),
        ),
        ("version: STSv1\nmode: enforce\nmx: 郵.example\nmax_age: 9\n".encode(), Policy(Mode.ENFORCE, ("xn--5nq.example",), 9)),
    ],
)  # fmt: skip
def test_policies(body: bytes, expected: Policy) -> None:
    found = parse_policy(body)
    assert (found.mode, found.max_age) == (expected.mode, expected.max_age)
    assert [name.partition(".")[2] for name in found.mx] == [name.partition(".")[2] for name in expected.mx]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"<html><body>not found</body></html>",
        b"version: STSv1\nmode: enforce\nmax_age: 1\n",
        b"version: STSv2\nmode: none\nmax_age: 1\n",
        b"mode: none\nmax_age: 1\n",
        b"version: STSv1\nmax_age: 1\n",
        b"version: STSv1\nmode: Enforce\nmx: a.example\nmax_age: 1\n",
        b"version: STSv1\nmode: none\n",
        b"version: STSv1\nmode: none\nmax_age: -1\n",
        b"version: STSv1\nmode: none\nmax_age: %d\n" % (MAX_AGE + 1),
        b"version: STSv1\nmode: none\nmax_age: 1e3\n",
        b"version: STSv1\nmode: enforce\nmx: *.*.example\nmax_age: 1\n",
        b"version: STSv1\nmode: enforce\nmx: a b\nmax_age: 1\n",
        b"version: STSv1\nmode: none\nmax_age: 1\nno colon\n",
        b"version: STSv1\nmode: none\nmax_age: 1\n" + b"a: b\n" * 3000,
        b"version: STSv1\nmode: none\nmax_age: 1\n" + b"x" * 70000,
    ],
)
def test_what_is_no_policy(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse_policy(body)


@given(st.text(max_size=200) | st.text("v=STS1; id\t", max_size=60).map("v=STSv1;".__add__))
def test_any_text_is_a_record_or_a_parse_error(text: str) -> None:
    try:
        found = parse_record(text)
    except ParseError:
        return
    assert found.isascii()
    assert found.isalnum()


@given(st.binary(max_size=300) | st.text("versionmodxag: \nST1*.,", max_size=200).map(str.encode))
def test_any_octets_are_a_policy_or_a_parse_error(body: bytes) -> None:
    try:
        found = parse_policy(body)
    except ParseError:
        return
    assert found.mx or found.mode is Mode.NONE


@given(
    st.sampled_from(Mode),
    st.lists(st.sampled_from(["a.example", "*.b.example", "mx.c.example"]), min_size=1, unique=True),
    st.integers(0, MAX_AGE),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_is_read(mode: Mode, mx: list[str], age: int, end: str) -> None:
    lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {name}" for name in mx), f"max_age: {age}", ""]
    assert parse_policy(end.join(lines).encode()) == Policy(mode, tuple(mx), age)
