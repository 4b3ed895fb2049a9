"""What stands behind a compressed log, and archives that ask for more memory than is granted."""

import bz2
import gzip
import lzma
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from deliverability.capture.blocks import blocks
from deliverability.capture.files import LogFile
from deliverability.errors import CannotLookError

LINE = b"2026-11-22T05:01:01+00:00 h postfix/qmgr[7]: 4jXH3k3V2zzLhRZ: removed\n"
PACKERS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def read(path: Path, content: bytes) -> tuple[bytes, str]:
    """What the archive gave, and what was said of its end."""
    path.write_bytes(content)
    found = b""
    try:
        for block in blocks(LogFile("", str(path), None)):
            found += block.content
    except CannotLookError as problem:
        return found, str(problem)
    return found, ""


@pytest.mark.parametrize("form", PACKERS)
@pytest.mark.parametrize("tail", [b"z", b"zzzz\n", LINE, LINE * 50])
def test_what_is_no_archive_behind_one_is_told_as_such(tmp_path: Path, form: str, tail: bytes) -> None:
    given, said = read(tmp_path / f"mail.log.{form}", PACKERS[form](LINE * 9) + tail)
    assert given == LINE * 9
    assert said.endswith("something that is no archive follows")


@pytest.mark.parametrize("form", PACKERS)
@pytest.mark.parametrize("cut", [1, 2, 9])
def test_a_second_archive_that_is_cut_short_breaks_off(tmp_path: Path, form: str, cut: int) -> None:
    archive = PACKERS[form](LINE * 9)
    given, said = read(tmp_path / f"mail.log.{form}", archive + archive[:cut])
    assert given == LINE * 9
    assert said.endswith("the archive breaks off")


@pytest.mark.parametrize("form", PACKERS)
def test_archives_one_behind_the_other_are_one_log(tmp_path: Path, form: str) -> None:
    assert read(tmp_path / f"mail.log.{form}", PACKERS[form](LINE) * 3) == (LINE * 3, "")


def test_an_xz_archive_that_asks_for_too_much_memory_is_told_with_what_to_do(tmp_path: Path) -> None:
    dictionary = {"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 4096}
    archive = bytearray(lzma.compress(LINE * 9, lzma.FORMAT_XZ, filters=[dictionary]))
    header = slice(12, 12 + (archive[12] + 1) * 4)  # of the first block (xz file format 1.2.0, section 3.1)
    block = archive[header]
    place = block.index(b"\x21\x01") + 2  # LZMA2, one octet of properties: the size of the dictionary
    block[place] = 39  # 3 GiB (section 5.3.1)
    block[-4:] = struct.pack("<I", zlib.crc32(block[:-4]))
    archive[header] = block
    given, said = read(tmp_path / "mail.log.xz", bytes(archive))
    assert given == b""
    assert said.endswith("it needs more memory than is granted here; unpack it first: xz -d FILE")


def test_a_zstandard_archive_with_too_large_a_window_is_told_with_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("zstandard")
    # RFC 8878 §3.1.1: a frame of one raw block and a window of 2 GiB.
    frame = b"\x28\xb5\x2f\xfd\x00" + bytes([21 << 3]) + (len(LINE) << 3 | 1).to_bytes(3, "little") + LINE
    given, said = read(tmp_path / "mail.log.zst", frame)
    assert given == b""
    assert said.endswith("it needs more memory than is granted here; unpack it first: zstd -d --long=31 FILE")
