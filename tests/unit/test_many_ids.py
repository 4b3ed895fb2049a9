"""Thousands of ids looked for at once: every line that one of them names is found, whatever they look like."""

from pathlib import Path

import pytest

from deliverability.api import many_ids as module
from deliverability.api.many_ids import many_ids
from deliverability.api.pieces import PIECE, pieces
from deliverability.api.search import load_formats

LOGS = Path(__file__).parents[1] / "cases" / "logs"
NAMES = [
    "postfix/postfix-3.10.iso8601.log",
    "postfix/postfix-3.10.rfc3164.log",
    "exim/4.98-cpanel/mainlog",
    "exim/4.96/mainlog",
    "exim/4.96/syslog",
]


def read(name):
    content = (LOGS / name).read_bytes()
    formats = [fmt for fmt in load_formats() if fmt.sniff(content[: 1 << 16]) > 0]
    lines = []
    at = 0
    for raw in content.splitlines(keepends=True):
        lines.append((at, [i for fmt in formats for i in fmt.queue_ids(raw.rstrip(b"\r\n"))]))
        at += len(raw)
    return content, formats, lines


@pytest.mark.parametrize("most", [0, 3])
@pytest.mark.parametrize("name", NAMES)
def test_every_line_that_names_one_of_them_is_found(name, most, monkeypatch):
    monkeypatch.setattr(module, "MAX_BEGINNINGS", most)
    content, formats, lines = read(name)
    ours = {ids[0] for _, ids in lines if ids}
    linked = {i for _, ids in lines for i in ids[1:]} - ours
    chosen = set(sorted(ours)[::2])
    assert len(chosen) > 20
    places = many_ids(chosen, linked, formats)(content, len(content))
    found = {content.rfind(b"\n", 0, at) + 1 for at in places}
    assert {at for at, ids in lines if not chosen.isdisjoint(ids)} <= found
    # What another server told is looked for where one of ours begins a line with it.
    turned = many_ids(set(), chosen, formats)(content, len(content))
    begun = {content.rfind(b"\n", 0, at) + 1 for at in turned}
    assert {at for at, ids in lines if ids[:1] and ids[0] in chosen} <= begun
    assert places == sorted(set(places))


def test_ids_of_other_shapes_and_of_other_formats_are_found_too():
    content = b"x A.b_c! y\n" + b"z" * 40_000 + b" A.b_c!\n"
    ids = {"A.b_c!", *(f"other{n}" for n in range(30))}
    assert many_ids(ids, (), [])(content, len(content)) == [2, 40_012]


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 70_000, b"x\n" * 30_000, b"x" * 20_000 + b"\n" + b"y" * 40_000])
def test_pieces_are_all_of_it_at_line_ends(content):
    cut = list(pieces(content, len(content)))
    assert b"".join(content[start:stop] for start, stop in cut) == content
    assert all(content[stop - 1 : stop] == b"\n" for _, stop in cut[:-1])
    assert all(stop - start <= PIECE or content.count(b"\n", start, stop - 1) == 0 for start, stop in cut)
