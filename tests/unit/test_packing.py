"""What is packed is unpacked again, by whatever is installed; anything else is refused before room is made for it."""

import struct
import sys
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deliverability.errors import CannotLookError
from deliverability.ledger.archive_rows import MAX_SEGMENT, unpack
from deliverability.ledger.packing import packed, unpacked

LINES = b"2026-01-06T01:01:01+00:00 out1 postfix/qmgr[9]: 4dlXtV3V2zzLhRZ: removed\n" * 500


@given(st.binary(max_size=3000))
def test_octets_come_back(content: bytes) -> None:
    assert unpacked(packed(content), len(content)) == content
    assert unpacked(zlib.compress(content), len(content)) == content


def test_lines_take_little_room() -> None:
    assert len(packed(LINES)) < len(LINES) // 20


@pytest.mark.parametrize("form", [packed, zlib.compress])
@pytest.mark.parametrize("by", [-1, 1])
def test_another_length_is_refused(form: object, by: int) -> None:
    with pytest.raises(ValueError, match="length"):
        unpacked(form(LINES), len(LINES) + by)  # type: ignore[operator]


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x28\xb5\x2f\xfd", b"\x78\x9c"]), st.integers(0, 1 << 20))
@example(b"\xe0" + struct.pack("<Q", 1 << 62), b"\x28\xb5\x2f\xfd", 1 << 20)  # claims exbioctets
def test_anything_else_is_refused(octets: bytes, begins: bytes, size: int) -> None:
    try:
        content = unpack(begins + octets, size)
    except ValueError:
        return
    assert len(content) == size


@pytest.mark.parametrize("change", [lambda o: o[:-1], lambda o: o + b"x", lambda o: o + o])
def test_what_was_cut_or_has_more_is_refused(change: object) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        unpacked(change(packed(LINES)), len(LINES))  # type: ignore[operator]


def test_a_segment_has_a_limit() -> None:
    with pytest.raises(ValueError, match="too long"):
        unpack(packed(bytes(MAX_SEGMENT + 1)), MAX_SEGMENT + 1)


def test_without_the_extra_octets_are_packed_as_all_can_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = packed(LINES)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setitem(sys.modules, "isal", None)
    assert zlib.decompress(packed(LINES)) == LINES
    assert unpacked(packed(LINES), len(LINES)) == LINES
    with pytest.raises(CannotLookError, match="pip install"):
        unpacked(quick, len(LINES))
