"""JSON that is itself a list of notices, however long a row is and however the list is written down."""

import csv
import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.capture.blocks import BLOCK, blocks
from deliverability.capture.decoders import json_rows, json_walk
from deliverability.capture.decoders.json_rows import MAX_ROW
from deliverability.capture.decoders.streams import DamagedError
from deliverability.capture.files import LogFile, open_log
from deliverability.errors import CannotLookError

BODY = '<p>Dear customer, your \\ "account" [{</p>' + "<td>&nbsp;</td>" * 30 + "\n"
FORGED = '{"id":"9","userid":"9","subject":"x","date":"2026-11-22 13:31:09","to":"victim@corp.example"}'


def row(number: int, size: int = 0, **more: Any) -> dict[str, Any]:
    body = BODY * (size // len(BODY) + 1) + FORGED
    told = {"id": str(number), "userid": "412", "subject": f"Renewal {number}", "message": body}
    return {**told, "date": "2026-11-22 13:31:09", "to": f"anna{number}@corp.example", "cc": None, **more}


ROWS = [row(1), row(2, 200_000), row(3), row(4, 900_000), row(5, 3_000_000), row(6)]


def phpmyadmin(rows: list[dict[str, Any]]) -> str:
    """As phpMyAdmin's "Export to JSON" writes a table."""
    told = [json.dumps({"type": "header", "version": "5.2.1"}), json.dumps({"type": "database", "name": "whmcs"})]
    each = ",\n".join(map(json.dumps, rows))
    table = '{"type":"table","name":"tblemails","database":"whmcs","data":\n[\n' + each + "\n]\n}"
    return "[\n" + ",\n".join([*told, table]) + "\n]\n"


def table(rows: list[dict[str, Any]]) -> str:
    """As a spreadsheet or phpMyAdmin writes CSV: quotes doubled, line breaks as they are."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\r\n")
    writer.writerow(rows[0])
    writer.writerows(one.values() for one in rows)
    return made.getvalue()


WAYS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "an array on one line": json.dumps,
    "an indented array": lambda rows: json.dumps(rows, indent=4),
    "an array with a row a line": lambda rows: "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n",
    "a row a line": lambda rows: "".join(json.dumps(one) + "\n" for one in rows),
    "phpMyAdmin": phpmyadmin,
    "CSV": table,
    "WHMCS's GetEmails": lambda rows: json.dumps({"result": "success", "totalresults": 6, "emails": {"email": rows}}),
}


def told(path: Path) -> tuple[list[str], int, list[str]]:
    """The subjects of the notices, how many lines nobody could read, and what is said to be missing."""
    trace, _ = read_logs(Request(to=("*",), subject="Renewal", logs=(str(path),)))
    gaps = [gap.kind for file in trace.coverage.files for gap in file.gaps]
    return sorted(message.subject or "" for message in trace.messages), trace.coverage.unread, gaps


@pytest.mark.parametrize(
    "rows", [ROWS, ROWS[4:] + ROWS[:4], [row(n) for n in range(1, 7)]], ids=["", "long first", "short"]
)
@pytest.mark.parametrize("way", WAYS)
def test_rows_of_any_length_are_read(way: str, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "tblemails.json"
    path.write_text(WAYS[way](rows))
    subjects, unread, _ = told(path)
    assert (subjects, unread) == ([f"Renewal {n}" for n in range(1, 7)], 0)
    assert read_logs(Request(to=("victim@corp.example",), logs=(str(path),)))[0].messages == ()
    (found,) = read_logs(Request(to=("anna5@corp.example",), logs=(str(path),)))[0].messages
    assert found.subject == "Renewal 5"


def test_a_row_that_is_too_long_for_anybody_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "tblemails.json"
    path.write_text(WAYS["a row a line"]([row(1), row(2, 5 << 20), row(3)]))
    assert told(path) == (["Renewal 1", "Renewal 3"], 1, [])
    path.write_text(WAYS["CSV"]([row(1), row(2, 5 << 20), row(3)]))
    subjects, unread, _ = told(path)
    assert (subjects, unread > 0) == (["Renewal 1", "Renewal 3"], True)
    path.write_text(WAYS["an array on one line"]([row(1), row(2, 5 << 20), row(3)]))
    assert told(path) == (["Renewal 1"], 0, ["damaged"])


def made(content: str) -> list[bytes]:
    with open_log(LogFile("", "-", None, content.encode())) as stream:
        return b"".join(iter(lambda: stream.read1(1 << 20), b"")).split(b"\n")


@pytest.mark.parametrize("way", [way for way in WAYS if way != "CSV"])
def test_a_column_that_is_named_twice_is_no_row(way: str) -> None:
    short, long = ('"cc":null', '"cc":null,"to":"victim@corp.example"')
    content = WAYS[way]([row(1), row(2), row(3, 100_000), row(4)]).replace('"cc": null', '"cc":null')
    assert content.count(short) == 4
    lines = made(content.replace(short, long))
    assert not [line for line in lines if line.startswith(b"{") and b"victim" in line and len(json.loads(line)) > 7]
    assert all(len(line) <= MAX_ROW for line in lines)


def test_short_rows_that_stand_a_line_each_keep_their_octets_and_numbers() -> None:
    content = WAYS["a row a line"]([row(1), row(2, 200_000), row(3)])
    given = content.encode().split(b"\n")
    lines = made("\n" + content)
    assert (len(lines), lines[0], lines[1], lines[3], lines[4]) == (5, b"", given[0], given[2], b"")
    assert len(lines[2]) <= MAX_ROW and json.loads(lines[2])["to"] == "anna2@corp.example"


@pytest.mark.parametrize(
    "unit", ["1,", "[", '"",', "{},", '{"data":[', '"a":1,', '"data":[],', '"data":[1],', "\\", '"\\']
)
@pytest.mark.parametrize(
    "start", ["[" + json.dumps(row(1)) + ",", '{"a":"' + "x" * 70_000 + '",', '[{"a":', json.dumps(row(1)) + "\n{"]
)
def test_hostile_rows_take_bounded_memory(start: str, unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 1 << 18
    monkeypatch.setattr(json_rows, "MAX_LONG_ROW", most)
    file = LogFile("", "-", None, (start + unit * (2 * most // len(unit))).encode())
    tracemalloc.start()
    try:
        for block in blocks(file):
            assert len(block.raw) <= 2 * BLOCK
    except CannotLookError:
        pass  # a document breaks off, or a record is too long: that is said
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 20 * most


def test_a_document_is_asked_once_whether_it_holds_records(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(json_walk, "parsed", lambda text: asked.append(len(text)))
    content = b'{"a" "b",' + b'"data":[1],' * 20_000 + b'"c":1}'
    assert b"".join(json_walk.elements((content,))) == content
    assert len(asked) == 1


@pytest.mark.parametrize("content", [b'{"a":' * 2_000, b'{"a":[' * 2_000, b"[" * 2_000])
def test_brackets_far_too_deep_are_no_record(content: bytes) -> None:
    with pytest.raises(DamagedError, match="too deep"):
        list(json_walk.elements((content,)))


def test_brackets_as_deep_as_records_may_be_are_one() -> None:
    content = b'{"a":' * 900 + b"1" + b"}" * 900
    assert list(json_walk.elements((content,))) == [content]
