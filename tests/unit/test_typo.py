"""Slips of the keyboard are noticed, and nothing that is right is doubted."""

import pytest

from deliverability.evidence.names import Domain
from deliverability.protocols.domain_lists import (
    DISPOSABLE,
    ENDINGS,
    MAILBOX_DOMAINS,
    PARENTS,
    ROLES,
    SLIPS,
    UNREAD,
)
from deliverability.protocols.typo import Ground, distance, is_mailbox_domain, suggest


@pytest.mark.parametrize("name", sorted(MAILBOX_DOMAINS))
def test_a_mailbox_domain_is_never_doubted(name: str) -> None:
    assert suggest(Domain(name)) is None


@pytest.mark.parametrize(
    ("name", "meant", "ground"),
    [
        ("hinet.com", "hinet.net", Ground.KNOWN_SLIP),
        ("ms25.hinet.com", "ms25.hinet.net", Ground.KNOWN_SLIP),
        ("yahoo.com.tv", "yahoo.com.tw", Ground.KNOWN_SLIP),
        ("pchome.com.tv", "pchome.com.tw", Ground.KNOWN_SLIP),
        ("gmial.com", "gmail.com", Ground.KNOWN_SLIP),
        ("gmail.con", "gmail.com", Ground.NO_SUCH_ENDING),
        ("hotmial.con", "hotmail.com", Ground.NO_SUCH_ENDING),
        ("shop-of-mei.con", "shop-of-mei.com", Ground.NO_SUCH_ENDING),
        ("yhaoo.com.tw", "yahoo.com.tw", Ground.ONE_LETTER),
        ("icluod.com", "icloud.com", Ground.ONE_LETTER),
        ("gmail.co", "gmail.com", Ground.ONE_LETTER),
        ("ｇｍａｉｌ.com", "gmail.com", Ground.WIDTH),
        ("hotmaul.co", "hotmail.com", Ground.TWO_LETTERS),
    ],
)
def test_slips(name: str, meant: str, ground: Ground) -> None:
    found = suggest(Domain.parse(name))
    assert found
    assert (found.domain, found.ground) == (meant, ground)


@pytest.mark.parametrize(
    "name",
    [
        "seed.net.tw",
        "proton.me",
        "ms25.hinet.net",
        "inbox.eu",
        "love.com",
        "nsn.com",
        "ntu.edu.tw",
        "host.example",
        "中文.台灣",
        "mail.tv",
    ],
)
def test_right_names_are_left_alone(name: str) -> None:
    assert suggest(Domain.parse(name)) is None


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [
        ("", "", 0),
        ("a", "", 1),
        ("ab", "ba", 1),
        ("abc", "acb", 1),
        ("gmail", "gmial", 1),
        ("abcd", "badc", 2),
        ("a", "xyz", 3),
    ],
)
def test_distance(one: str, other: str, edits: int) -> None:
    assert distance(one, other, 5) == distance(other, one, 5) == edits
    assert distance(one, other, 1) == min(edits, 2)


def test_the_lists_are_in_comparable_form_and_agree() -> None:
    for name in [*MAILBOX_DOMAINS, *PARENTS, *SLIPS, *SLIPS.values(), *DISPOSABLE]:
        assert Domain.parse(name).name == name
    assert all(is_mailbox_domain(meant) for meant in SLIPS.values())
    assert not any(is_mailbox_domain(slip) for slip in SLIPS)
    assert not set(DISPOSABLE) & MAILBOX_DOMAINS
    assert not ROLES & UNREAD
    assert not {known.rpartition(".")[2] for known in MAILBOX_DOMAINS} & set(ENDINGS)
    assert all(source.startswith("https://") for source in DISPOSABLE.values())
