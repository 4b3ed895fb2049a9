"""Clocks inside ids, held against the times that real servers logged beside them."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.protocols import idclock
from deliverability.protocols.idclock import exim, postfix_long, reply_clock
from deliverability.protocols.syslog import parse_prologue

LOGS = Path(__file__).parents[1] / "cases" / "logs"
SECOND = datetime(2026, 11, 22, 5, 1, 38, tzinfo=UTC)
EXIM_SECOND = datetime(2025, 11, 20, 16, 24, 57, tzinfo=UTC)
RECORDED = LOGS / "postfix" / "postfix-3.10.iso8601.log"


def test_every_long_id_is_the_time_of_its_arrival() -> None:
    heads = [parse_prologue(line) for line in RECORDED.read_bytes().splitlines()]
    skew = []
    for head in heads:
        assert head is not None
        match = re.match(rb"(\w+): (?:client|uid)=", head.rest)
        if match:
            made = postfix_long(match[1].decode())
            assert made is not None
            assert head.at.instant is not None
            skew.append(head.at.instant - made)
    assert len(skew) == 124
    assert timedelta(0) < min(skew)
    assert max(skew) < timedelta(milliseconds=5)


@pytest.mark.parametrize("version", ["4.96", "4.98-cpanel"])
def test_every_exim_id_is_the_time_of_its_arrival(version: str) -> None:
    seen = 0
    for line in (LOGS / "exim" / version / "mainlog").read_text("utf-8", "replace").splitlines():
        match = re.match(r"(\S+ \S+?)(?:\.\d+)? (?:\[\d+\] )?([0-9A-Za-z-]+) <= ", line)
        if match:
            made = exim(match[2])
            assert made is not None
            logged = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
            # The log has whole seconds, and Exim waits for the clock to move on before it uses an id up.
            assert timedelta(seconds=-1) < logged - made < timedelta(seconds=2)
            seen += 1
    assert seen == 119


def test_gmail_epochs_are_the_times_of_their_lines() -> None:
    seen = 0
    for line in RECORDED.read_bytes().splitlines():
        head = parse_prologue(line)
        if head is None or b"gsmtp" not in head.rest:
            continue
        told = reply_clock(head.rest.decode("utf-8", "replace"))
        assert told is not None
        assert head.at.instant is not None
        assert timedelta(0) <= head.at.instant - told < timedelta(seconds=2)
        seen += 1
    assert seen == 49


def test_alphabet_of_long_ids_has_no_vowels() -> None:
    start = datetime(2026, 11, 22, 5, 1, 38, 486_943, tzinfo=UTC)
    assert abs((postfix_long("4jXH3k3V2zzLhRZ") or start) - start) < timedelta(seconds=1)
    assert postfix_long("4jXH3k0000z0") == datetime(2026, 11, 22, 5, 1, 38, tzinfo=UTC)
    assert postfix_long("4jXH3k0001z0") == datetime(2026, 11, 22, 5, 1, 38, 1, tzinfo=UTC)
    assert postfix_long("4jXH3k0010z0") == datetime(2026, 11, 22, 5, 1, 38, 52, tzinfo=UTC)
    for vowel in "AEIOUaeiou":
        assert postfix_long(f"4jXH3{vowel}0000z0") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7C1A02B3F4",
        "NOQUEUE",
        "4jXH3k3V2zLhRZ",  # one digit short of "z"
        "4jXH3k3V2zz",
        "4jXH3k3V2zzLhRZ ",
        "4jXH3k3V2zzLhzRZ",  # no "z" in an inode
        "4jXH3kzzzzz0",  # more microseconds than a second has
        "000000" + "0000" + "z0",  # 1970
        "zzzzzz" + "0000" + "z0",  # 2596
        "4jXH3k3V2zz" + "0" * 40,
    ],
)
def test_not_a_long_id(text: str) -> None:
    assert postfix_long(text) is None


def test_exim_ids_old_and_new() -> None:
    assert exim("1vM7Sr-0000r7-bS") == datetime(2025, 11, 20, 16, 24, 57, tzinfo=UTC)
    assert exim("1vM7Sr-00000000r7p-0001") == datetime(2025, 11, 20, 16, 24, 57, 1, tzinfo=UTC)
    # localhost_number mixed in: no microseconds to be had, the second stays
    assert exim("1vM7Sr-00000000r7p-bySx") == datetime(2025, 11, 20, 16, 24, 57, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1vM7Sr",
        "1vM7Sr-0000r7-bSx",
        "1vM7Sr-0000r7p-bS",
        "1vM7Sr-0000r7-bS\n",
        "000000-000000-00",
        "T5XYZ0-0000r7-bS",
    ],
)
def test_not_an_exim_id(text: str) -> None:
    assert exim(text) is None


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            "250 2.0.0 OK  1795323698 bfe228f219e9-cb0eb53f1694si991014557cc.948 - gsmtp",
            SECOND,
        ),
        (
            "550 5.1.1  https://x.example/?p=NoSuchUser 1795323698 a0-cc2bd8183194si334.204 - gsmtp",
            SECOND,
        ),
        ("250 ok 1795323698 qp 12345", SECOND),
        ("250 2.0.0 Ok: queued as 4jXH3k0000z0", SECOND),
        ("250 OK id=1vM7Sr-0000r7-bS", EXIM_SECOND),
        ("250 2.0.0 Ok: queued as 67C76FB008F8", None),
        ("250 2.0.0 Ok: queued as ZMgzFGrJdvFpRDH", None),
        ("250 ok dirdel", None),
        ("250 ok 99 qp 12345", None),
        ("250 2.0.0 OK 0000000001 bfe228f219e9 - gsmtp", None),
        ("", None),
    ],
)
def test_reply_clock(reply: str, expected: datetime | None) -> None:
    assert reply_clock(reply) == expected


def test_a_short_postfix_id_is_not_taken_for_one_of_sendmails() -> None:
    """With inode numbers of five octets, as XFS has them, a short id may have Sendmail's form by chance."""
    short = "4A5B612345678"
    assert idclock.sendmail(short) is not None
    assert idclock.own(short, "postfix/smtp") is None
    assert idclock.own(short, "sendmail") is not None
    assert idclock.reply_clock(f"250 2.0.0 Ok: queued as {short}") is None
    assert idclock.reply_clock(f"250 2.0.0 {short} Message accepted for delivery") is not None


@given(st.from_regex(rb"\A[0-2][0-9A-Za-z]{5}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})\Z"))
def test_the_quick_clock_is_the_same(queue_id: bytes) -> None:
    made, quick = idclock.exim(queue_id.decode()), idclock.seconds_of(queue_id)
    assert (quick is None) == (made is None)
    assert made is None or quick is None or round(quick - made.timestamp(), 6) == 0


def test_the_quick_clock_reads_postfix_too() -> None:
    assert idclock.seconds_of(b"4dDkzR2Xz9zLhRZ") == idclock.postfix_long("4dDkzR2Xz9zLhRZ").timestamp()
    assert idclock.seconds_of(b"7C1A02B3F4") is None
    assert idclock.seconds_of("用戶".encode()) is None
