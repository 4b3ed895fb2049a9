"""Whatever a stranger writes, the readers of messages and addresses answer."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.errors import ParseError
from deliverability.evidence.names import Domain
from deliverability.protocols import unsubscribe
from deliverability.protocols.address import MAX_ADDRESS, judge
from deliverability.protocols.mail import parse_mail
from deliverability.protocols.mime import MAX_PARTS, parse_parameters, read_structure, text_of
from deliverability.protocols.structure import encoded_words, long_lines
from deliverability.protocols.typo import distance, is_mailbox_domain, suggest

PIECES = [
    b"Content-Type: multipart/mixed; boundary=b\n", b"Content-Type: message/rfc822\n", b"\n", b"--b\n", b"--b--\n", b"--c\n",
    b"Content-Type: text/html; charset=big5\n", b"Content-Transfer-Encoding: base64\n", b"MIME-Version: 1.0\n", b"\xa4\xa4\n",
    b"Content-Transfer-Encoding: quoted-printable\n", b"=?utf-8?B?57qM?=", b'"', b"\r\n", b" \t", b"Subject: ", b"To: ", b"\0",
    b"List-Unsubscribe: <https://x.example/>\n", b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\n", b"<", b">", b"(",
]  # fmt: skip
MESSAGES = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=20)), max_size=60).map(
    lambda pieces: b"From: a@b.example\n" + b"".join(pieces)
)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz.-co", min_size=1, max_size=40)


@settings(max_examples=300, deadline=None)
@given(MESSAGES)
def test_any_message_has_a_structure(message: bytes) -> None:
    mail = parse_mail(message)
    found = read_structure(mail)
    assert 1 <= len(found.parts) <= MAX_PARTS
    for part in found.parts:
        assert 0 <= part.start <= part.end <= len(found.text)
        assert isinstance(text_of(found, part), str)
    leaves = found.leaves
    assert all(one.end <= other.start for one, other in pairwise(leaves)), "leaves do not overlap"
    assert encoded_words(mail).count >= 0
    assert unsubscribe.read(mail).offer


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2100), st.sampled_from([b"\n", b"\r\n"])), max_size=20))
def test_long_lines_are_those_that_are_long(lines: list[tuple[int, bytes]]) -> None:
    found = long_lines(b"".join(b"x" * size + end for size, end in lines))
    over = [size for size, _ in lines if size > 998]
    assert (found.count if found else 0) == len(over)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_parameters_are_read(body: bytes) -> None:
    value, parameters = parse_parameters(body)
    assert value == value.strip().lower()
    assert all(name == name.lower() for name in parameters)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(max_size=400), st.from_regex(r"[a-z\".@\\\[\]:() ]{1,60}@[a-z0-9.\[\]:-]{1,60}", fullmatch=True))
)
def test_any_text_is_judged(text: str) -> None:
    found = judge(text)
    if found.form.well:
        assert len(text.encode()) <= MAX_ADDRESS
        assert text.isprintable()
        assert found.mailbox is None or found.mailbox.domain.name.isascii()
    else:
        assert found.mailbox is None


@settings(max_examples=200, deadline=None)
@given(NAMES)
def test_a_suggestion_is_a_domain_and_is_not_the_one_given(name: str) -> None:
    try:
        domain = Domain.parse(name)
    except ParseError:
        return
    found = suggest(domain)
    if found:
        assert found.domain != domain.name
        assert Domain.parse(found.domain).name == found.domain
        assert not is_mailbox_domain(domain.name)


@settings(max_examples=200, deadline=None)
@given(st.text("abc", max_size=8), st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_distance_is_one(one: str, other: str, third: str) -> None:
    assert (distance(one, other, 99) == 0) == (one == other)
    assert distance(one, other, 99) == distance(other, one, 99)
    assert abs(len(one) - len(other)) <= distance(one, other, 99) <= max(len(one), len(other))
    assert distance(one, third, 99) <= 2 * (distance(one, other, 99) + distance(other, third, 99))
