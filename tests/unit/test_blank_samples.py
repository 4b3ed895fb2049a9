"""A log may begin or end with very many blank lines: what its samples say of its times takes no memory for each."""

import tracemalloc
from pathlib import Path

import pytest

from deliverability.api.scan import FileScan
from deliverability.api.search import search
from deliverability.capture.files import LogFile

QUIET = b"Nov 23 08:43:01 h postfix/master[7]: daemon started -- version 3.10.13, configuration /etc/postfix\n"
LINE = b"Nov 23 08:43:01 h postfix/qmgr[7]: 4jXH3k3V2zzLhRZ: removed\n"
BLANK = b"\n" * 150_000


def scanned(path: Path) -> FileScan:
    (scan,) = search([LogFile("", str(path), None)], lambda _format: [b"nobody@corp.example"]).scans
    return scan


@pytest.mark.parametrize("content", [QUIET + BLANK + LINE, LINE + BLANK + QUIET, QUIET + BLANK + QUIET])
def test_blank_lines_of_a_sample_are_not_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(QUIET + LINE)
    scanned(path)  # what is imported for it takes memory once
    path.write_bytes(content)
    tracemalloc.start()
    try:
        scan = scanned(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert scan.lines == content.count(b"\n")
    assert bool(scan.first) == bool(scan.last) == (LINE in content)
    assert peak < 4 << 20
