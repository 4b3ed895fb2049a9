"""Replies of several lines, as logs join them: read once, their codes at the head alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.compose.recognise import providers
from deliverability.protocols.replies import explain
from deliverability.protocols.smtp import on_one_line

BLOCKED = "552 5.7.0 This message was blocked because its content presents a potential security issue. See x - gsmtp"


@pytest.mark.parametrize(
    ("logged", "read"),
    [
        (
            (
                "552-5.7.0 This message was blocked because its content presents a potential 552-5.7.0 security issue."
                " 552 5.7.0 See x - gsmtp"
            ),
            BLOCKED,
        ),
        (
            (
                r"552-5.7.0 This message was blocked because its content presents a potential\n552-5.7.0 security issue."
                r"\n552 5.7.0  See x - gsmtp"
            ),
            BLOCKED,
        ),
        (
            (
                "552-5.7.0 This message was blocked because its content presents a potential\r\n552-5.7.0 security issue."
                "\r\n552 5.7.0 See x - gsmtp"
            ),
            BLOCKED,
        ),
        ("550-5.7.1 one 550-two 550 5.7.1 three", "550 5.7.1 one two three"),
        ("550-5.7.1 one 550 two", "550 5.7.1 one two"),
        ("550-one 550-two 550 three", "550 one two three"),
        ("550-5.1.1 ports 550 and 551 550 5.1.1 end", "550 5.1.1 ports 550 and 551 end"),
        ("550-5.1.1 one 550 5.1.1", "550 5.1.1 one"),
        ("550-5.7.1 one 550-5.7.10 two 550 5.7.1 three", "550 5.7.1 one 5.7.10 two three"),
        ("552-5.7.0", "552 5.7.0"),
        ("550-", "550"),
        ("550 5.7.1 read 550-5.7.1 of our rules", "550 5.7.1 read 550-5.7.1 of our rules"),
        ("host mx said: 550-5.1.1 no", "host mx said: 550-5.1.1 no"),
        ("", ""),
    ],
)
def test_lines_of_a_reply_become_one(logged: str, read: str) -> None:
    assert on_one_line(logged) == read


@given(st.text(alphabet="25.0-71 \\nab\n", max_size=80))
def test_it_is_read_once(text: str) -> None:
    once = on_one_line(f"550-{text}")
    assert on_one_line(once) == once


@pytest.mark.parametrize("gap", [" 552-5.7.0 ", r"\n552-5.7.0 ", " 552 5.7.0 "])
def test_a_break_amid_the_words_hides_no_cause(gap: str) -> None:
    text = f"552-5.7.0 This message was blocked because its content presents a potential security{gap}issue. - gsmtp"
    assert explain(text, providers(), "gmail").cause == explain(BLOCKED, providers(), "gmail").cause == "malware"
