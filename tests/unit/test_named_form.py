"""What a file is called says what is in it, or nothing is written."""

import json
from pathlib import Path

import pytest

from deliverability.__main__ import run as run_here

LOG = (
    "2026-11-22T13:05:07+08:00 out1 postfix/smtp[4]: 7C1A02B3F4: to=<mei@gmail.com>, relay=mx.gmail.example"
    "[198.51.100.7]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 OK)\n"
)


def run(folder: Path, *words: str) -> int:
    (folder / "mail.log").write_text(LOG)
    return run_here([w if w != "LOG" else str(folder / "mail.log") for w in words])


TRACE = ("trace", "--log", "LOG", "--to", "mei@gmail.com", "--offline")
REPORT = ("report", "--log", "LOG", "--to", "mei@gmail.com", "--offline")
SUMMARY = ("summary", "--log", "LOG")


@pytest.mark.parametrize("command", [TRACE, REPORT, SUMMARY])
def test_json_by_its_name(tmp_path: Path, command: tuple[str, ...]) -> None:
    status = run(tmp_path, *command, "-o", str(tmp_path / "a.JSON"))
    assert status in (0, 3) and json.loads((tmp_path / "a.JSON").read_text())["schema_version"]


@pytest.mark.parametrize(("name", "start"), [("a.csv", "line,"), ("a.json", "{"), ("a.txt", "  line  notice")])
def test_the_answers_of_a_cohort(tmp_path: Path, name: str, start: str) -> None:
    (tmp_path / "list.csv").write_text("address,date\nmei@gmail.com,2026-11-22\n")
    cohort = ("trace", "--log", "LOG", "--cohort", str(tmp_path / "list.csv"), "--offline")
    status = run(tmp_path, *cohort, "-o", str(tmp_path / name))
    assert status == 3 and (tmp_path / name).read_text("utf-8-sig").startswith(start)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (REPORT, "a.docx"),
        (REPORT, "a.csv"),
        (TRACE, "a.pdf"),
        (TRACE, "a.csv"),
        (SUMMARY, "a.csv"),
        (SUMMARY, "a.xlsx"),
    ],
)
def test_what_cannot_be_made_is_not_promised(
    tmp_path: Path, command: tuple[str, ...], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run(tmp_path, *command, "-o", str(tmp_path / name))
    assert status == 2 and "--format" in capsys.readouterr().err and not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["a.txt", "a", "a.2026", "notice.mei"])
def test_other_names_are_text(tmp_path: Path, name: str) -> None:
    status = run(tmp_path, *TRACE, "-o", str(tmp_path / name))
    assert status in (0, 3) and "mei@gmail.com" in (tmp_path / name).read_text()


def test_what_is_asked_for_goes_before_the_name(tmp_path: Path) -> None:
    status = run(tmp_path, *REPORT, "--format", "text", "-o", str(tmp_path / "a.docx"))
    assert status in (0, 3) and "mei@gmail.com" in (tmp_path / "a.docx").read_text()


def test_a_folder_names_no_form(tmp_path: Path) -> None:
    (tmp_path / "notices.zip").mkdir()
    status = run(tmp_path, *REPORT, "-o", str(tmp_path / "notices.zip"))
    assert status in (0, 3) and [p.suffix for p in (tmp_path / "notices.zip").iterdir()] == [".txt"]


def test_what_follows_a_log_is_not_written_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, *TRACE, "--follow", "--for", "1s", "-o", str(tmp_path / "a.txt")) == 2
    assert "> FILE" in capsys.readouterr().err
