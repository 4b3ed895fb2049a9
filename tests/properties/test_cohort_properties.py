"""Many words and many ids at once: with the libraries that look through large logs and without, the same is found."""

import sys
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.api.many_ids import many_ids
from deliverability.api.search import load_formats
from deliverability.api.words import FEW, Words
from deliverability.protocols import octets

T = TypeVar("T")
LONG = b"\n" * octets.WORTHWHILE
"""What makes a text long enough for the libraries."""
WORDS = (
    *(b"a@b", b"jo32.1@corp.example", b"jo32.2@corp.example", b"x.jo32.1@corp.example", b"jo32.1@corp.example.net"),
    *(b"info@one-shop.example", b"info@two-shop.example", b"<id@host>", b"no-at-sign", b"\xc3\xbc@b", b"@corp.example"),
    *(b'"odd name"@corp.example', b"j" * 40 + b"@" + b"d" * 40, b"corp", b"@"),
)
AROUND = (b" ", b"<", b">", b"\n", b".", b",", b"x", b"=", b"\xc3", b"\r\n", b"", b"to=<", b">, ")
IDS = (
    "4jXH3k3V2zzLhRZ",
    "4jXH3k3V2zzLhRX",
    "4jXH3k3V2zzLhR",
    "8213C42E3A",
    "8213C42E3AB",
    "0A1B2C",
    "1xV0AV-0000000002z-42Us",
)
OTHERS = frozenset(f"{n:06X}" for n in range(40, 60))


def without_libraries(work: Callable[[], T]) -> T:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "hyperscan", None)
        patch.setattr(octets, "_vectors", lambda: None)
        return work()


PARTS = st.tuples(st.sampled_from(AROUND), st.sampled_from(WORDS), st.booleans(), st.sampled_from(AROUND))


@settings(max_examples=150)
@given(st.lists(PARTS, max_size=14), st.lists(st.sampled_from(WORDS), max_size=9, unique=True), st.integers(0, 40))
def test_the_same_rows_on_the_same_lines(
    parts: list[tuple[bytes, bytes, bool, bytes]], wanted: list[bytes], cut: int
) -> None:
    text = b"".join(before + (word.upper() if loud else word) + after for before, word, loud, after in parts)
    content = LONG + text
    spelled = {word: [number] for number, word in enumerate(wanted)}
    for end in (len(content), len(content) - min(cut, len(text))):
        slow = without_libraries(lambda end=end: Words(spelled).find(content, end))  # type: ignore[misc]
        assert Words(spelled).find(content, end) == slow


def test_words_that_end_alike() -> None:
    """More than are held against a place one by one: what stands around the "@" tells none from another."""
    words = [b"%02d%s@corp.example" % (number, b"-" * 60) for number in range(2 * FEW)]
    spelled = {word: [number] for number, word in enumerate(words)}
    content = LONG + b"to=<" + words[7].upper() + b">\nfrom=<x" + words[8] + b">, " + words[9] + b"\n" + words[3][1:]
    found = Words(spelled).find(content, len(content))
    assert found == without_libraries(lambda: Words(spelled).find(content, len(content)))
    assert [rows for _, rows in found] == [[7], [9]]


@given(st.lists(st.sampled_from((b"lost", b"LOST", b"a@b", b"dropped", b"drop", b" ", b"\n")), max_size=20))
def test_words_beside_are_found_in_the_same_look(parts: list[bytes]) -> None:
    content = LONG + b"".join(parts)
    spelled, beside = {b"a@b": [0], b"lost": [1]}, (b"lost", b"dropped")
    found, others = Words(spelled, beside).look(content, len(content))
    assert found == Words(spelled).find(content, len(content))
    lower = content.lower()
    every = {at for word in beside for at in range(len(LONG), len(lower)) if lower.startswith(word, at)}
    assert others is not None
    assert set(others) == every
    assert without_libraries(lambda: Words(spelled, beside).look(content, len(content))) == (found, None)


def line(shape: str, first: str, second: str) -> bytes:
    return shape.replace("FIRST", first).replace("SECOND", second).encode()


HEAD = "2026-01-05T00:00:01.000001+00:00 mx1 "
SHAPES = (
    HEAD + "postfix/smtp[7]: FIRST: to=<a@b.example>, relay=c[192.0.2.1]:25, status=sent (250 Ok: queued as SECOND)",
    HEAD + "postfix/pickup[7]: FIRST: uid=0 from=<a@b.example> orig_id=SECOND",
    HEAD + "postfix/bounce[7]: FIRST: sender non-delivery notification: SECOND",
    HEAD + "postfix/qmgr[7]: FIRST: removed",
    "<22>1 2026-01-05T00:00:01Z mx1 postfix/qmgr 7 - - FIRST: removed",
    HEAD + "postfix/qmgr[7]: [ID 197553 mail.info] FIRST: removed",
    HEAD + "postfix/smtp[7]: xFIRST: to=<FIRST@b.example>, (SECOND)",
    '2026-01-05 00:00:01 FIRST => a@b.example R=r T=t H=c [192.0.2.1] C="250 OK id=SECOND"',
    "2026-01-05 00:00:01 FIRST <= <> R=SECOND U=mail P=local S=1",
)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.sampled_from(SHAPES), st.sampled_from(IDS), st.sampled_from(IDS)), max_size=12),
    st.sets(st.sampled_from(IDS)),
    st.sets(st.sampled_from(IDS)),
    st.sampled_from([("postfix",), ("exim",), ("exim", "postfix")]),
)
def test_the_same_lines_of_the_same_ids(
    said: list[tuple[str, str, str]], ours: set[str], theirs: set[str], which: tuple[str, ...]
) -> None:
    """What a line belongs to, its format says; a place where nobody reads an id may be found or not."""
    formats = [fmt for fmt in load_formats() if fmt.id in which]
    names, leads = ours | OTHERS, theirs - ours
    content = LONG + b"".join(line(*one) + b"\n" for one in said)

    def lines() -> set[int]:
        places = many_ids(names, leads, formats)(content, len(content))
        starts = {content.rfind(b"\n", 0, at) + 1 for at in places}
        read = {at: [i for f in formats for i in f.queue_ids(content[at : content.index(b"\n", at)])] for at in starts}
        # A lead that stands where it is no line's own id is found by its shape here and there: nothing rests on it.
        return {at for at, ids in read.items() if names.intersection(ids) or leads.intersection(ids[:1])}

    assert lines() == without_libraries(lines)
