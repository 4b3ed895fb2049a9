"""JSON that is looked at: nothing unseen in it, and the value unchanged."""

import json
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.protocols.shown_json import dumps

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.sampled_from([None, 1, 2]))
def test_the_value_is_the_same_and_nothing_in_it_is_unseen(value: object, indent: int | None) -> None:
    text = dumps(value, indent=indent)
    assert json.loads(text) == value
    assert {category(char) for char in text} & {"Cf", "Cs", "Zl", "Zp"} == set()
    assert {char for char in text if category(char) == "Cc"} <= {"\n"}
    text.encode()


@pytest.mark.parametrize(
    ("char", "shown"),
    [
        ("\u202e", "\\u202e"),
        ("\u009b", "\\u009b"),
        ("\x7f", "\\u007f"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("續", "續"),
        ("é", "é"),
    ],
)
def test_escapes(char: str, shown: str) -> None:
    assert dumps([char]) == f'["{shown}"]'
