"""The codec at its bounds: what it reads, what it leaves to the full parser, and what it never does."""

import struct

import pytest

from deliverability.capture.dns_query import KINDS, RefusedError, encode_name, encode_query
from deliverability.capture.dns_wire import Reply, UnfamiliarError, decode
from deliverability.evidence.observation import Obstacle, Record

QUERY = encode_query("a.example", KINDS["MX"], 0x1234, 1232)
QUESTION = QUERY[12:-11]
HERE = b"\xc0\x0c"
END = 12 + len(QUESTION)
OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"


def record(owner: bytes, kind: int, data: bytes, *, ttl: int = 300, group: int = 1, size: int | None = None) -> bytes:
    return owner + struct.pack("!HHIH", kind, group, ttl, len(data) if size is None else size) + data


def answer(
    *answers: bytes,
    authority: tuple[bytes, ...] = (),
    additional: tuple[bytes, ...] = (OPT,),
    flags: int = 0x8180,
    question: bytes = QUESTION,
    counts: tuple[int, int, int] | None = None,
) -> bytes:
    counts = counts or (len(answers), len(authority), len(additional))
    header = struct.pack("!HHHHHH", 0x1234, flags, 1, *counts)
    return header + question + b"".join((*answers, *authority, *additional))


def read(wire: bytes, kind: str = "MX") -> Reply:
    return decode(QUERY if kind == "MX" else encode_query("a.example", KINDS[kind], 0x1234, 1232), wire, KINDS[kind])


def mx(exchange: bytes) -> bytes:
    return record(HERE, 15, b"\0\x0a" + exchange)


def test_a_name_may_point_into_the_question_and_into_other_data() -> None:
    first = mx(b"\3mx1" + HERE)
    second = mx(b"\3mx2" + struct.pack("!H", 0xC000 | END + 12 + 2 + 4))
    found = read(answer(first, second))
    assert [r.value for r in found.records] == ["mx1.a.example", "mx2.a.example"]
    assert [r.preference for r in found.records] == [10, 10]
    assert found.ttl == 300


@pytest.mark.parametrize(
    "exchange",
    [
        struct.pack("!H", 0xC000 | END + 14),  # to itself
        struct.pack("!H", 0xC000 | END + 60),  # forwards
        b"\1x" + struct.pack("!H", 0xC000 | END + 14),  # back to the start of the same name
        b"\x40abc\0",  # a label type that there is not
        b"\x80abc\0",
        b"\x3fabc\0",  # beyond the data
        b"\3mx1",  # no end
        b"\xc0",  # half a pointer
        b"\3mx1\0\0",  # something after the name
        b"".join(b"\x3f" + b"x" * 63 for _ in range(4)) + b"\0",  # 257 octets
        b"",
    ],
)
def test_names_that_do_not_hold_are_left_alone(exchange: bytes) -> None:
    with pytest.raises(UnfamiliarError):
        read(answer(mx(exchange)))


def test_a_pointer_to_a_pointer_ends_after_sixteen() -> None:
    def chained(links: int) -> bytes:
        """Names of which each is a pointer to the one before."""
        records, place = [mx(b"\3mx1" + HERE)], END + 14
        for _ in range(links):
            records.append(mx(struct.pack("!H", 0xC000 | place)))
            place += len(records[-2])
        return answer(*records)

    assert read(chained(14)).records[0].value == "mx1.a.example"
    with pytest.raises(UnfamiliarError):
        read(chained(20))


def test_the_longest_name_is_read() -> None:
    parts = b"".join(b"\x3f" + b"y" * 63 for _ in range(3)) + b"\x3d" + b"y" * 61 + b"\0"
    assert len(parts) == 255
    assert len(read(answer(mx(parts))).records[0].value) == 253


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        QUERY,  # an echo
        answer()[:20],
        answer(mx(b"\3mx1\0"), flags=0x8380),  # cut
        answer(flags=0x8182),  # SERVFAIL
        answer(flags=0x8980),  # another opcode
        answer(question=b"\1b\7example\0\0\x0f\0\1"),
        answer(question=QUESTION[:-4] + b"\0\1\0\1"),
        answer(mx(b"\3mx1\0"), counts=(2, 0, 1)),
        answer(record(HERE, 15, b"\0\x0a\0", size=900)),
        answer(record(HERE, 15, b"\0\x0a\0", group=3)),
        answer(record(HERE, 1, b"\x7f\0\0")),
        answer(record(HERE, 41, b"")),
        answer(additional=(OPT, OPT)),
        answer(additional=(b"\0\0\x29\x04\xd0\1\0\0\0\0\0",)),  # BADVERS
        answer(additional=(b"\0\0\x29\x04\xd0\0\0\0\0\0\4\0\x0a\0\0",)),  # options
        answer(authority=(record(HERE, 6, b"\0\0" + bytes(20)), record(HERE, 6, b"\0\0" + bytes(20)))),
        answer(authority=(record(HERE, 6, b"\0\0" + bytes(19)),)),
    ],
)
def test_what_is_not_ordinary_is_left_to_the_full_parser(wire: bytes) -> None:
    with pytest.raises(UnfamiliarError):
        read(wire)


def test_another_id_is_another_query() -> None:
    with pytest.raises(UnfamiliarError):
        read(b"\x12\x35" + answer()[2:])


def test_the_question_may_come_back_in_capitals() -> None:
    capitals = QUESTION[:-4].upper() + QUESTION[-4:]
    assert read(answer(mx(b"\3MX1" + HERE), question=capitals)).records[0].value == "mx1.a.example"


def test_a_ttl_with_the_highest_bit_is_none() -> None:
    assert read(answer(record(HERE, 15, b"\0\1\0", ttl=0x80000000))).ttl == 0


def test_a_negative_answer_holds_as_its_soa_says() -> None:
    soa = record(HERE, 6, b"\0\0" + struct.pack("!IIIII", 1, 2, 3, 4, 77), ttl=900)
    found = read(answer(authority=(soa,), flags=0x8183))
    assert (found.nxdomain, found.ttl, found.records) == (True, 77, ())


def test_servers_named_without_recursion_are_a_referral() -> None:
    servers = (record(HERE, 2, b"\2ns" + HERE),)
    assert read(answer(authority=servers, flags=0x8100)).referral
    assert not read(answer(authority=servers, flags=0x8180)).referral
    with pytest.raises(RefusedError) as refused:
        read(answer(authority=servers, flags=0x8100)).checked()
    assert refused.value.obstacle is Obstacle.REFUSED


def test_equal_records_are_one() -> None:
    assert len(read(answer(mx(b"\3mx1\0"), mx(b"\3MX1\0"), mx(b"\3mx2\0"))).records) == 2


def test_strings_are_bounded_by_their_record() -> None:
    data = b"\3a\xffb\0\1c"
    question = encode_query("a.example", KINDS["TXT"], 0x1234, 1232)[12:-11]
    assert read(answer(record(HERE, 16, data), question=question), "TXT").records == (
        Record("a\xffbc", (b"a\xffb", b"", b"c")),
    )
    for broken in (b"", b"\4abc", b"\3abc\1"):
        with pytest.raises(UnfamiliarError):
            read(answer(record(HERE, 16, broken), question=question), "TXT")


@pytest.mark.parametrize("name", ["a..b", ".", ".a", "x" * 64, ".".join(["abcdefg"] * 32) + ".abc"])
def test_a_name_that_the_dns_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(RefusedError):
        encode_name(name)


def test_thousands_of_equal_records_are_one_too() -> None:
    records = [mx(struct.pack("!BcH", 1, b"m", 0xC00C)) for _ in range(3600)]
    assert len(read(answer(*records)).records) == 1
