"""What is pasted to ``--to``, and what a search in vain says of its own limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.errors import UsageError
from deliverability.terminal.asking import address_within, lone_addresses, request_from, say_narrowing


@pytest.mark.parametrize(
    "text",
    [
        "I never got the renewal notice, chen@hinet.net",
        "I wrote from a.b to chen@hinet.net or so",
        "我沒收到續約通知\uff0c我的信箱是chen@hinet.net\u3002謝謝",
        '"Chen" <chen@hinet.net>',
        "Chen <chen@hinet.net>",
        "chen@hinet.net,mei.lin@gmail.com",
        "chen@hinet.net;",
        "mail: mailto:chen@hinet.net please",
    ],
)
def test_the_address_in_a_sentence_or_a_list_is_pointed_out(text):
    assert address_within(text) == "chen@hinet.net"
    with pytest.raises(UsageError, match=r"was this meant: --to chen@hinet\.net$"):
        lone_addresses(["mei@gmail.com", text])


@pytest.mark.parametrize(
    "text",
    [
        "chen@hinet.net",
        " <chen@hinet.net> ",
        "o'neil+tag=1@corp.example",
        '"odd, name"@corp.example',
        "odd name@corp.example",
        "用户@utf8.example",
        "a@[IPv6:2001:db8::1]",
        "@gmail.com",
        "*",
        "",
        "nothing of that kind, in here",
    ],
)
def test_what_may_be_an_address_is_left_to_be_looked_for(text):
    assert lone_addresses([text]) == (text,)


@given(st.text(max_size=200))
def test_what_is_pointed_out_is_itself_an_address_alone(text):
    found = address_within(text)
    if found is not None:
        assert "@" in found
        assert address_within(found) is None


def test_a_search_in_vain_names_what_narrowed_it(capsys):
    given_options = {"to": ["chen@hinet.net"], "subject": "INV-1", "since": "2026-11-22 15:00"}
    say_narrowing(request_from(given_options))
    said = capsys.readouterr().err
    assert "--subject 'INV-1', --since '2026-11-22 15:00+00:00'" in said
    say_narrowing(request_from({"to": ["chen@hinet.net"]}))
    assert capsys.readouterr().err == ""
