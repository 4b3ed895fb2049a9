"""Whatever part a string is found by, and however many are looked for: the places are those of a plain search."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from deliverability.api import needles as finding
from deliverability.api.ids import finder
from deliverability.api.needles import Needles
from deliverability.api.times import stamp
from deliverability.api.words import Words
from deliverability.protocols import octets
from deliverability.protocols.octets import any_of, count, each_position

TEXT = st.lists(
    st.sampled_from(
        [
            b"a",
            b"B",
            b"ab",
            b"@",
            b".",
            b"12",
            b"<",
            b">",
            b" ",
            b"\n",
            b"Jo32@Corp.example",
            b"x" * 40,
            b"=",
            b"\xc3\xbc",
        ]
    ),
    max_size=60,
).map(b"".join)
LONG = b"\n" * octets.WORTHWHILE
"""What makes a text long enough for the libraries that look through large ones."""
NEEDLE = st.sampled_from(
    [b"a", b"ab", b"jo32@corp.example", b"12@ab.12@ab", b"corp.example", b"bab12ab", b"\xc3\xbc@ab", b"aa"]
)


@given(TEXT, st.lists(NEEDLE, max_size=4), st.integers(0, 3))
def test_needles_are_found_in_any_case(text: bytes, wanted: list[bytes], repeats: int) -> None:
    content = text * (1 + 200 * repeats)
    lower = content.lower()
    lines = {lower.rfind(b"\n", 0, m.start()) for w in wanted for m in re.finditer(re.escape(w), lower)}
    needles = Needles(wanted)
    kept, finding.MIN_SAMPLE = finding.MIN_SAMPLE, 64
    try:
        for _ in range(2):  # the second time with the parts that the first chose
            found = needles.find(content, len(content))
            assert all(any(lower.startswith(w, at) for w in wanted) for at in found)
            assert {lower.rfind(b"\n", 0, at) for at in found} == lines
        found = Needles(wanted).find(content + LONG, len(content))
        assert {lower.rfind(b"\n", 0, at) for at in found} == lines
        assert {lower.rfind(b"\n", 0, at) for at in Needles(wanted).find(content + LONG, len(content + LONG))} == lines
    finally:
        finding.MIN_SAMPLE = kept


@example("ababab@c", "ab", "")
@given(st.text("ab@.", min_size=1, max_size=40), st.text("ab@.", max_size=20), st.text("ab@.", max_size=20))
def test_no_part_hides_behind_itself(whole: str, before: str, after: str) -> None:
    """A string is found by its part though the part begins before it, with octets of both."""
    name = whole.encode()
    content = before.encode() + name + after.encode()
    for part in list(finding._parts(name))[1:]:
        assert len(before) + name.index(part) in each_position(content, part, 0, len(content))


@given(st.integers(0, 40), st.integers(1, 3))
def test_many_needles_that_share_what_is_not_rare(common: int, copies: int) -> None:
    wanted = [b"%d@corp.example" % number for number in range(300)]
    content = LONG + b"".join(b"<%dA@corp.example> <%d@Corp.example>\n" % (n, n + 290) for n in range(common)) * copies
    lower = content.lower()
    expected = {lower.rfind(b"\n", 0, at) for w in wanted if (at := lower.find(b"<" + w)) >= 0}
    needles = Needles(wanted)
    for _ in range(2):
        found = {lower.rfind(b"\n", 0, at) for at in needles.find(content, len(content))}
        assert expected <= found
        assert all(any(w in lower[at + 1 : lower.find(b"\n", at + 1)] for w in wanted) for at in found)


@given(st.integers(0, 70_000), st.integers(0, 40), st.integers(1, 2000))
def test_positions_across_pieces(before: int, gap: int, length: int) -> None:
    name = b"n" * length
    content = b"." * before + name + b"." * gap + name + b"."
    assert list(each_position(content, name, 0, len(content))) == [before, before + length + gap]


@given(TEXT, NEEDLE, st.integers(0, 9), st.integers(0, 9))
def test_long_texts_are_counted_as_short_ones_are(text: bytes, name: bytes, cut: int, rest: int) -> None:
    content = text + LONG + text
    start, end = cut, len(content) - rest
    assert count(content, name, start, end) == content.count(name, start, end)
    assert list(each_position(content, name, start, end)) == [
        start + m.start() for m in re.finditer(re.escape(name), content[start:end])
    ]


@given(st.lists(st.binary(min_size=1, max_size=6), min_size=1, max_size=5), st.binary(max_size=40), st.booleans())
def test_any_number_of_strings_of_any_octets(names: list[bytes], text: bytes, caseless: bool) -> None:
    places = any_of(names, caseless=caseless)
    assert places is not None  # the environment of these tests has it
    content = b"".join([text, *names, text.upper(), b"\0", *names])
    end = len(content) - 3
    heard, said = (content.lower(), [n.lower() for n in names]) if caseless else (content, names)
    assert set(places(content, end)) == {
        (at, which)
        for which, name in enumerate(said)
        for at in range(end - len(name) + 1)
        if heard.startswith(name, at)
    }


IDS = st.sampled_from(
    [
        "4jXH3k3V2zzLhRZ",
        "4jXH3k3V2zzLhRX",
        "8213C42E3A",
        "0A1B2C",
        "1xV0AV-0000000002z-42Us",
        "1vccKQ-0000Bp-00",
        "zz9Q8w7E6r5T",
    ]
)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([" ", "=", "\n", "x", "-", "]: "]), IDS, st.sampled_from([":", " ", ",", "y", ": ", "\n"])
        ),
        max_size=12,
    ),
    st.sets(IDS),
)
def test_many_ids_are_found_where_each_is_found(parts: list[tuple[str, str, str]], wanted: set[str]) -> None:
    content = "".join(a + i + b for a, i, b in parts).encode()
    others = {f"{n:06X}" for n in range(20)}
    many = finder(wanted | others)(content, len(content))
    marks = b" =:<(\"'\n"
    for one in wanted:
        name = one.encode()
        for match in re.finditer(rb"(?<![^%s])%s(?![0-9A-Za-z-])" % (re.escape(marks), re.escape(name)), content):
            assert match.start() in many
    assert all(any(content.startswith(i.encode(), at) for i in wanted | others) for at in many)
    assert finder(wanted | others)(content + LONG, len(content + LONG)) == many
    assert finder(wanted | others)(content + LONG, len(content)) == many
    assert finder(set(list(wanted)[:3]))(content + LONG, len(content + LONG)) == finder(set(list(wanted)[:3]))(
        content, len(content)
    )
    assert finder(set(list(wanted)[:3]))(content, len(content)) == sorted(
        {m.start() for i in list(wanted)[:3] for m in re.finditer(re.escape(i.encode()), content)}
    )


@given(TEXT, st.lists(NEEDLE, max_size=5, unique=True))
def test_words_name_the_rows_of_each_line(text: bytes, wanted: list[bytes]) -> None:
    spelled = {w: [n] for n, w in enumerate(wanted)}
    found = {text.rfind(b"\n", 0, at): rows for at, rows in Words(spelled).find(text, len(text))}
    start = -1
    for line in text.split(b"\n"):
        for w, (row,) in spelled.items():
            standing_alone = re.search(rb"(?:^|[ <>])%s(?:$|[ <>])" % re.escape(w), line.lower())
            assert not standing_alone or row in found.get(start, [])
            assert w in line.lower() or row not in found.get(start, [])
        start += len(line) + 1


@given(st.binary(max_size=80))
def test_any_octets_have_a_time_or_none(head: bytes) -> None:
    at = stamp(head)
    assert at is None or at.logged.encode() in head
