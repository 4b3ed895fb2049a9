"""Canonical JSON: one spelling for one value, and nothing else is read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.errors import ParseError
from deliverability.protocols.canonical import MAX_DEPTH, MAX_MARKS, members, parse, to_bytes

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read_and_written_alike(value: object) -> None:
    octets = to_bytes(value)
    assert parse(octets) == value
    assert to_bytes(parse(octets)) == octets


@given(VALUES, st.sampled_from([{"indent": 1}, {"ensure_ascii": True}, {"separators": (", ", ": ")}]))
def test_any_other_spelling_is_refused(value: object, style: dict[str, object]) -> None:
    octets = json.dumps(value, **{"ensure_ascii": False, "sort_keys": True, "separators": (",", ":"), **style}).encode()  # type: ignore[arg-type]
    if octets != to_bytes(value):
        with pytest.raises(ParseError):
            parse(octets)


@given(st.binary(max_size=200))
def test_octets_are_read_or_refused(octets: bytes) -> None:
    try:
        value = parse(octets)
    except ParseError:
        return
    assert to_bytes(value) == octets


@pytest.mark.parametrize(
    "octets",
    [
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
        b"1.0",
        b"1e3",
        b"NaN",
        b"-0",
        b"9007199254740992",
        b'"\\u0041"',
        b'"\xff"',
        b'"\\ud800"',
        b"[1] ",
        b"",
        b"\xef\xbb\xbf1",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        (b"[" * (MAX_DEPTH + 1)) + (b"]" * (MAX_DEPTH + 1)),
        b'["' + b'"' * 3,
    ],
)
def test_what_is_not_canonical_is_refused(octets: bytes) -> None:
    with pytest.raises(ParseError):
        parse(octets)


@pytest.mark.parametrize("one", [b"0", b"[]", b'[{"a":""}]', b'"\\\\"', b'{"]":"\\"[,","}":[]}'])
def test_more_values_than_any_bundle_holds_are_refused_before_they_are_made(one: bytes) -> None:
    def count(value: object) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return (isinstance(value, (dict, list))) + max(0, len(inner) - 1) + sum(map(count, inner))

    fits, left = divmod(MAX_MARKS, count(json.loads(one)) + 1)  # each with the comma, or the bracket, before it
    most = [one] * fits + [b"null"] * left
    assert len(parse(b"[%s]" % b",".join(most))) == fits + left
    with pytest.raises(ParseError, match="commas and brackets"):
        parse(b"[%s]" % b",".join([*most, b"null"]))


def test_what_stands_in_a_string_is_no_value() -> None:
    value = ["[]," * MAX_MARKS, '\\",{' * MAX_MARKS]
    assert parse(to_bytes(value)) == value


@pytest.mark.parametrize("one", [b'"', b'\\"', b"]", b'""', b'["', b"\\", b"[\\"], ids=repr)
def test_octets_of_no_form_are_refused_in_one_pass(one: bytes) -> None:
    with pytest.raises(ParseError):
        parse(one * (4 * MAX_MARKS // len(one)))


def test_brackets_in_a_text_are_no_depth() -> None:
    value: list[object] = ["[" * 1000, '"[\\' * 100]
    assert parse(to_bytes(value)) == value


def test_what_has_no_form_is_refused() -> None:
    for value in (1.5, {1: 2}, object(), "\ud800", 2**53, b"x", (1,)):
        with pytest.raises(ParseError):
            to_bytes(value)


def test_members_are_exactly_those() -> None:
    assert members({"a": 1, "b": None}, {"a": int, "b": (str, type(None))}, "it") == {"a": 1, "b": None}
    for value in ([], {"a": 1}, {"a": 1, "b": "", "c": 1}, {"a": True, "b": ""}, {"a": "1", "b": ""}):
        with pytest.raises(ParseError):
            members(value, {"a": int, "b": (str, type(None))}, "it")
