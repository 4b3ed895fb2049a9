"""Cohorts: lists as spreadsheets write them, one answer a row, alerts once and only once."""

import csv
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from deliverability.api.alerts import command_of
from deliverability.api.cohorts import Answer, csv_row
from deliverability.capture.alerting import key_of, memory, run
from deliverability.compose.catalog import catalog
from deliverability.errors import CannotLookError, UsageError
from deliverability.evidence.story import State
from deliverability.protocols.cohort_file import AFTER, BEFORE, Listed, read_cohort_file
from deliverability.reports.text import width
from deliverability.terminal import cohort_table
from deliverability.terminal.asking import request_from
from deliverability.terminal.cohort import trace_cohort
from deliverability.terminal.options import Lang

ROOT = Path(__file__).parents[2]
LOG = ROOT / "tests" / "cases" / "logs" / "postfix" / "postfix-3.10.iso8601.log"
DAY = datetime(2026, 11, 22, tzinfo=UTC)


def rows(text, **given):
    return read_cohort_file(text if isinstance(text, bytes) else text.encode(), **given)


@pytest.mark.parametrize(
    "text",
    [
        "Email,Date\na@x.example,2026-11-22\n",
        '\ufeffE-Mail;Sent at\r\n"a@x.example";2026/11/22\r\n',
        "sep=;\nname;recipient;time\nx;<a@x.example>;20261122\n",
        "\u6536\u4ef6\u4eba\t日期\na@x.example\t2026-11-22\n",
        'To,Name,Date\na@x.example,"two\nlines, and a comma",2026.11.22\n',
        "Email,Date\n\n,,\na@x.example,2026-11-22",
    ],
)
def test_lists_as_spreadsheets_write_them(text):
    found = rows(text)
    assert [(row.address, row.since, row.until) for row in found.rows] == [
        ("a@x.example", DAY, DAY + timedelta(days=1))
    ]
    assert found.problems == ()


def test_other_encodings():
    text = "\u6536\u4ef6\u4eba,日期\na@x.example,2026-11-22\n"
    assert len(rows(text.encode("utf-16")).rows) == len(rows(text.encode("cp950")).rows) == 1


def test_times_and_zones():
    (row,) = rows("To,Time\na@x.example,2026-11-22 13:05 +0800\n").rows
    at = datetime(2026, 11, 22, 5, 5, tzinfo=UTC)
    assert (row.since, row.until) == (at - BEFORE, at + AFTER)


def test_bad_rows_are_named_by_their_lines_and_the_rest_counts():
    found = rows(
        'Message-ID,Email,Date\nx@y,,\n,nobody,2026-11-22\n,a@x.example,22.11.26\n,a@x.example,\n,,2026-11-22\n"a b",,\n'
    )
    assert [row.message_id for row in found.rows] == ["x@y"]
    assert [problem.line for problem in found.problems] == [3, 4, 5, 6, 7]
    assert found.bad == 5


@pytest.mark.parametrize("text", ["", "Name,Phone\nx,1\n", 'Email,Date\n"never closed' + "x" * 200_000])
def test_what_is_no_list(text):
    with pytest.raises(UsageError):
        rows(text)


def given(tmp_path, text, **options):
    path = tmp_path / "notices.csv"
    path.write_text(text, encoding="utf-8")
    usual = {"form": "csv", "output": tmp_path / "out", "alert": None, "after": 60.0, "alert_state": None}
    return {
        **usual,
        "alert_timeout": 20.0,
        "log": [str(LOG)],
        "cohort": path,
        "offline": True,
        "now": "2026-11-23",
        **options,
    }


def status(options):
    return trace_cohort(options, request_from(options))


LIST = """Email,Date
rate@gmail.example,2026-11-22
nouser1@gmail.example,2026-11-22
nobody@corp.example,2026-11-22
"""


def test_one_answer_a_row_and_the_worst_row_decides(tmp_path):
    options = given(tmp_path, LIST)
    assert status(options) == 4
    told = list(csv.DictReader(io.StringIO((tmp_path / "out").read_text("utf-8-sig"))))
    assert [(row["line"], row["state"]) for row in told] == [("2", "handed-over"), ("3", "refused"), ("4", "not-found")]
    assert status(given(tmp_path, "Email,Date\nrate@gmail.example,2026-11-22\n")) == 3
    assert status(given(tmp_path, "Email,Date\nnouser1@gmail.example,2026-11-22\n")) == 1
    assert status(given(tmp_path, "Email,Date\nrate@gmail.example,2026-11-22\nbad,2026-11-22\n")) == 6


def test_another_day_is_another_notice(tmp_path):
    assert status(given(tmp_path, "Email,Date\nrate@gmail.example,2026-10-01\n")) == 4


def test_json_fits_its_closed_schema(tmp_path):
    status(given(tmp_path, LIST + "bad,2026-11-22\n", form="json"))
    value = json.loads((tmp_path / "out").read_text())
    schema = json.loads((ROOT / "docs" / "schema" / "cohort.v1.json").read_text())
    assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(value)] == []
    assert [problem["line"] for problem in value["problems"]] == [5]


def test_the_table_shows_what_lacks_acceptance(tmp_path):
    status(given(tmp_path, LIST, form="text"))
    shown = (tmp_path / "out").read_text().splitlines()
    assert [line.split()[0] for line in shown if line[:6].strip(" -")] == ["line", "3", "4"]
    refused = next(n for n, line in enumerate(shown) if line.split()[0] == "3")
    assert shown[refused].split()[1:] == ["nouser1@gmail.example", "refused", "2026-11-22", "05:01:38Z"]
    assert "550" in shown[refused + 1]
    assert {line.find("refused") for line in shown if "refused" in line[:56]} == {shown[0].find("state")}


def test_the_table_fits_into_80_columns_whatever_is_in_it(tmp_path):
    wide = "用戶" * 30
    status(
        given(tmp_path, f"Email,Date\n{wide}@utf8.example,2026-11-22\nnouser1@gmail.example,2026-11-22\n", form="text")
    )
    shown = (tmp_path / "out").read_text().splitlines()
    assert f"     2  {wide}@utf8.example" in shown
    assert all(width(line) < 80 for line in shown if wide not in line)
    states = [line for line in shown if line.rstrip().endswith("-") and "not-found" in line]
    assert [line.index("not-found") for line in states] == [shown[0].index("state")]
    hostile = Listed(7, address="=\x1b[31m測試\u202e@x.example")
    text = cohort_table.shown(Answer(hostile, State.NOT_FOUND, None, 0, blind=True), catalog("en"))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "could not look" in text


@pytest.mark.parametrize(
    ("written", "hour", "minute"),
    [
        ("2026/11/22 下午 01:31", 13, 31),  # as Excel shows it in Taiwan
        ("2026/11/22 01:31 下午", 13, 31),
        ("2026/11/22 下午 01:31:05", 13, 31),
        ("2026/11/22 上午 12:31", 0, 31),
        ("2026/11/22 下午 12:31", 12, 31),
        ("2026/11/22 1:31 PM", 13, 31),
        ("2026年11月22日 13:31", 13, 31),
        ("2026 年 11 月 22 日 下午1時31分", 13, 31),
        ("115/11/22 13:31", 13, 31),
        ("民國115年11月22日 13:31", 13, 31),
    ],
)
def test_times_as_they_are_written_in_taiwan(written, hour, minute):
    (row,) = rows(f"收件地址,寄送日期\na@b.example,{written}\n").rows
    assert row.since.replace(second=0) == DAY.replace(hour=hour, minute=minute) - BEFORE


@pytest.mark.parametrize(
    "written",
    [
        "2026/11/22 下午 13:31",
        "上午 2026/11/22",
        "11/22/2026",
        "26/11/22",
        "26年11月22日",
        "115/2/30",
        "2026年13月1日",
        "1151122",
    ],
)
def test_what_can_be_several_days_is_no_date(written):
    found = rows(f"Email,Date\na@b.example,{written}\n")
    assert (found.rows, found.bad) == ((), 1)


def test_the_heads_of_a_list_are_asked_for_in_both_languages():
    with pytest.raises(UsageError, match=r"Recipient, 收件者.* 寄送時間.* says: 甲, 乙"):
        rows("甲,乙\n1,2\n")


@pytest.mark.parametrize(
    ("given_", "ending"),
    [({}, "Z"), ({"zone": "Asia/Taipei"}, "+08"), ({"zone": "+05:45"}, "+0545"), ({"lang": Lang.ZH}, "+08")],
)
def test_times_of_the_table_are_the_readers(tmp_path, given_, ending):
    rows_ = "Email,Date\njo32@corp.example,2026-11-22\n"
    status(given(tmp_path, rows_, form="text", every=True, **given_))
    line = (tmp_path / "out").read_text().splitlines()[2]
    assert line.endswith(ending)
    assert width(line) < 82


def test_the_table_speaks_chinese_and_fits_too(tmp_path):
    wide = "用戶" * 30
    rows = f"Email,Date\n{wide}@utf8.example,2026-11-22\nnouser1@gmail.example,2026-11-22\n"
    status(given(tmp_path, rows, form="text", lang=Lang.ZH))
    shown = (tmp_path / "out").read_text().splitlines()
    assert shown[0].split() == ["行", "通知", "狀況", "時間"]
    assert all(width(line) < 80 for line in shown if wide not in line)
    assert any(line.split()[1:3] == ["nouser1@gmail.example", "拒收"] for line in shown)
    assert any(line.endswith("查過的紀錄裡沒有  -") for line in shown)
    assert max(width(catalog("zh-Hant-TW")(f"state.{state}")) for state in State) <= 16


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-x", "@sum", "\t=1", " =1", "\r=1"])
def test_no_cell_is_a_formula(cell):
    listed = Listed(2, message_id=None, address=cell)
    line = csv_row(Answer(listed, State.NOT_FOUND, None, 0, blind=False))
    (row,) = csv.reader(io.StringIO(line.decode()))
    assert not row[1].lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
    assert row[1].lstrip("'").replace("\\x09", "\t").replace("\\x0d", "\r") == cell


@pytest.mark.parametrize(
    "cell", ["＝1+1", "＋1", "－x", "＠sum", "\u3000=1", "\xa0＝1", "\ufeff=1", "a;=1+1", 'a"; @x', "a;;-1;+2"]
)
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_no_cell_is_a_formula_however_the_spreadsheet_splits_the_line(cell, delimiter):
    """Where commas are decimal points, a spreadsheet splits at semicolons; wide signs are formulas in East Asia."""
    listed = Listed(2, message_id=None, address=cell)
    line = csv_row(Answer(listed, State.NOT_FOUND, None, 0, blind=False))
    for row in csv.reader(io.StringIO(line.decode()), delimiter=delimiter, quoting=csv.QUOTE_MINIMAL):
        for seen in (one for one in row if one != "-1"):  # the level of what was not found
            assert not seen.strip('" \u3000\xa0\ufeff').startswith(tuple("=+-@＝＋－＠\t\r"))


# --- alerts ---

TELL = "import json,sys; open(sys.argv[1], 'a').write(json.load(sys.stdin)['address'] + chr(10))"


def alerting(tmp_path, text=LIST, **options):
    script = tmp_path / "tell.py"
    script.write_text(TELL)
    command = f"{sys.executable} {script} {tmp_path / 'told'}"
    return given(tmp_path, text, alert=command, **options)


def told(tmp_path):
    path = tmp_path / "told"
    return path.read_text().split() if path.exists() else []


def test_each_notice_is_announced_once(tmp_path):
    for _ in range(2):
        assert status(alerting(tmp_path)) == 4
        assert told(tmp_path) == ["nouser1@gmail.example", "nobody@corp.example"]


def test_what_is_not_due_waits_and_what_failed_does_not(tmp_path):
    status(alerting(tmp_path, now="2026-11-22T00:30:00+00:00"))
    assert told(tmp_path) == ["nouser1@gmail.example"]
    status(alerting(tmp_path, now="2026-11-22T01:30:00+00:00"))
    assert told(tmp_path) == ["nouser1@gmail.example", "nobody@corp.example"]


def test_without_a_date_the_first_look_begins_the_wait(tmp_path):
    text = "Message-ID\nnone@x.example\n"
    for now, count in (
        ("2026-11-23T00:00:00", 0),
        ("2026-11-23T00:59:00", 0),
        ("2026-11-23T01:00:00", 1),
        ("2026-11-24", 1),
    ):
        options = given(tmp_path, text, alert=f"tee -a {tmp_path / 'told'}", now=now)
        status(options)
        assert len((tmp_path / "told").read_text().splitlines() if (tmp_path / "told").exists() else []) == count


def test_no_shell_reads_the_command(tmp_path):
    options = alerting(tmp_path)
    status({**options, "alert": f"{options['alert']} ; touch {tmp_path / 'b'} $(touch {tmp_path / 'c'})"})
    assert len(told(tmp_path)) == 2
    assert not (tmp_path / "b").exists()
    assert not (tmp_path / "c").exists()


def test_a_failing_command_is_told_and_not_run_again(tmp_path, capsys):
    for expected in ("ended with status 3: no\\x1b[31m", ""):
        options = given(
            tmp_path, LIST, alert=f"{sys.executable} -c \"import sys; sys.stderr.write('no\\x1b[31m'); sys.exit(3)\""
        )
        assert status(options) == 4
        said = capsys.readouterr().err
        assert expected in said
        assert ("2 times in vain" in said) is bool(expected)


def test_a_command_that_hangs_is_ended():
    assert "took longer" in (run(("sleep", "60"), {}, 0.2) or "")


def test_a_command_that_is_none_is_refused_before_anything_runs():
    for text in ("", "no-such-program-here", "'unclosed"):
        with pytest.raises(UsageError):
            command_of(text)


def test_the_memory_survives_a_torn_line_and_refuses_another_file(tmp_path):
    path = tmp_path / "memory"
    with memory(path) as known:
        known.note("announced", key_of("a"), DAY)
    with path.open("ab") as file:
        file.write(b'{"kind": "announced", "noti')
    with memory(path) as known:
        assert known.announced == {key_of("a")}
    assert path.read_bytes().endswith(b"\n")
    path.write_text("a,list\nof,mine\n")
    with pytest.raises(CannotLookError), memory(path):
        pass


def test_two_runs_at_once_do_not_share_a_memory(tmp_path):
    with memory(tmp_path / "memory"), pytest.raises(CannotLookError), memory(tmp_path / "memory"):
        pass


def test_options_that_contradict_the_list(tmp_path):
    with pytest.raises(UsageError):
        status(given(tmp_path, LIST, to=["a@x.example"]))
    with pytest.raises(UsageError):
        status(given(tmp_path, LIST, after=5.0))
