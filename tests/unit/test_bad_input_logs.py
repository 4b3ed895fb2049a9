"""Files that are no mail log, or one in a strange dress: read rightly, or refused in plain words."""

import gzip
import json
import lzma
from pathlib import Path

import pytest

from deliverability.api import trace
from deliverability.api.requests import Request
from deliverability.api.tracing import TraceResult
from deliverability.errors import CannotLookError

ROOT = Path(__file__).parents[2]
RFC3164 = (ROOT / "tests" / "cases" / "logs" / "postfix" / "postfix-3.10.rfc3164.log").read_bytes()
LINES = RFC3164.splitlines()[:120]
LOG = b"\n".join(LINES) + b"\n"


def look(log: Path) -> TraceResult:
    return trace(Request(logs=(str(log),), to=("jo32@corp.example",)))


def states(log: Path) -> list[str]:
    return [told.claim.state for told in look(log).told]


@pytest.fixture
def given(tmp_path: Path) -> Path:
    return tmp_path / "given"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"7z\xbc\xaf\x27\x1c\x00\x04" + b"\x17" * 300, "7z archives are not read; unpack it"),
        (b"Rar!\x1a\x07\x01\x00" + b"\x17" * 300, "RAR archives"),
        (b"Rar!\x1a\x07\x00" + b"\x17" * 300, "RAR archives"),
        (b"LZIP\x01" + b"\x17" * 300, "lzip archives"),
        (b"\x89LZO\x00\r\n\x1a\n" + b"\x17" * 300, "lzop archives"),
        (gzip.compress(b"7z\xbc\xaf\x27\x1c\x00\x04" + b"\x17" * 300), "7z archives"),
        (LOG.replace(b"\n", b"\r"), "CR alone"),
    ],
    ids=["7z", "RAR 5", "RAR 4", "lzip", "lzop", "7z in gzip", "CR only"],
)
def test_what_is_not_read_is_named_with_what_to_do(content: bytes, words: str, given: Path) -> None:
    given.write_bytes(content)
    with pytest.raises(CannotLookError, match=words):
        look(given)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_unicode_in_every_width_is_read(encoding: str, given: Path) -> None:
    given.write_bytes(LOG.decode().encode(encoding))
    assert states(given) == ["handed-over"]


@pytest.mark.parametrize("before", [0, 3, 20, 500])
def test_what_a_container_said_first_does_not_hide_its_mail_log(before: int, given: Path) -> None:
    """Docker's json-file driver: a mail server's container may print hundreds of lines before the first of its log."""
    texts = [*(f"starting {number}" for number in range(before)), *(line.decode() for line in LINES)]
    records = [{"log": text + "\n", "stream": "stdout", "time": "2026-11-22T05:00:00.1Z"} for text in texts]
    given.write_text("".join(json.dumps(record) + "\n" for record in records))
    found = look(given)
    assert [told.claim.state for told in found.told] == ["handed-over"]
    (file,) = found.trace.coverage.files
    assert file.unread == before


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (gzip.compress(LOG) + gzip.compress(LOG), 2 * len(LINES)),
        (gzip.compress(LOG[:1000]) + gzip.compress(LOG[1000:]), len(LINES)),
        (gzip.compress(LOG) + b"\0" * 700, len(LINES)),
        (lzma.compress(LOG[:1000]) + lzma.compress(LOG[1000:]), len(LINES)),
    ],
    ids=["twice", "within a line", "padded", "xz"],
)
def test_archives_one_after_another_are_one_log(content: bytes, read: int, given: Path) -> None:
    given.write_bytes(content)
    assert look(given).trace.coverage.files[0].lines == read


def test_the_end_of_a_gzip_that_is_cut_short_is_told(given: Path) -> None:
    given.write_bytes(gzip.compress(LOG)[:-20])
    (file,) = look(given).trace.coverage.files
    assert any(gap.kind == "damaged" for gap in file.gaps)
