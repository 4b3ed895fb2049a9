"""Nothing found where not all could be read: told as that, in each form, and never as "nothing is there"."""

import csv
import gzip
import io
import json
from pathlib import Path

import pytest

from deliverability.__main__ import run
from deliverability.compose.catalog import LANGUAGES, catalog
from deliverability.terminal.status import COULD_NOT_LOOK, UNKNOWN

LOG = Path(__file__).parents[1] / "cases" / "logs" / "exim" / "4.98-cpanel" / "mainlog"
ABSENT = "absent@nowhere.example"


@pytest.fixture
def cut_short(tmp_path: Path) -> Path:
    """The first lines of a log, compressed, and then nothing more."""
    path = tmp_path / "mainlog.gz"
    path.write_bytes(gzip.compress(b"".join(LOG.read_bytes().splitlines(keepends=True)[:200]))[:-200])
    return path


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_trace_says_that_not_all_could_be_read(
    cut_short: Path, lang: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["trace", "--to", ABSENT, "--offline", "--lang", lang]
    t = catalog(lang)
    whole, part = t("timeline.nothing", recipient=ABSENT), t("timeline.nothing-read", recipient=ABSENT)
    assert run([*words, "--log", str(cut_short)]) == COULD_NOT_LOOK
    shown = capsys.readouterr().out
    assert (part in shown, whole in shown) == (True, False)
    assert run([*words, "--log", str(LOG)]) == UNKNOWN
    shown = capsys.readouterr().out
    assert (part in shown, whole in shown) == (False, True)


def test_a_cohort_says_so_in_each_row(cut_short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notices = tmp_path / "notices.csv"
    notices.write_text(f"Email,Date\n{ABSENT},2026-11-22\n")
    for log, state, status in ((cut_short, "could-not-look", COULD_NOT_LOOK), (LOG, "not-found", UNKNOWN)):
        words = ["trace", "--log", str(log), "--cohort", str(notices), "--offline"]
        assert run([*words, "--format", "csv"]) == status
        told = capsys.readouterr()
        (row,) = csv.DictReader(io.StringIO(told.out.removeprefix("\ufeff")))
        assert row["state"] == state
        assert f"1 {state} of 1 notice" in told.err
        assert run([*words, "--format", "json"]) == status
        (answer,) = json.loads(capsys.readouterr().out)["rows"]
        assert answer["could_not_look"] == (log == cut_short)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_summary_of_nothing_says_so(tmp_path: Path, lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    head = "2025-11-22 07:13:38 exim 4.98 daemon started: pid=1, -q1h\n"
    whole, cut = tmp_path / "a" / "mainlog", tmp_path / "b" / "mainlog.gz"
    for path, content in ((whole, head.encode()), (cut, gzip.compress((head * 9).encode())[:-6])):
        path.parent.mkdir()
        path.write_bytes(content)
    told = []
    for path in (whole, cut):
        told.append(run(["summary", "--log", str(path), "--lang", lang]))
        told.append("".join(capsys.readouterr().out.split()))
    t = catalog(lang)
    said = ["".join(t(f"summary.nothing{of}").split()) for of in ("", "-read")]
    assert (told[0], said[0] in told[1], said[1] in told[1]) == (0, True, False)
    assert (told[2], said[0] in told[3], said[1] in told[3]) == (COULD_NOT_LOOK, False, True)


def test_a_report_of_nothing_found_is_named_by_what_was_looked_through(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = LOG.read_bytes().splitlines(keepends=True)
    (tmp_path / "part").write_bytes(b"".join(lines[:200]))
    for name in ("whole", "copy"):
        (tmp_path / name).write_bytes(b"".join(lines))

    def named(*words: str) -> str:
        run(["report", *words, "--to", ABSENT, "--offline", "--format", "json"])
        return str(json.loads(capsys.readouterr().out)["report_id"])

    whole, copy, part = (named("--log", str(tmp_path / name)) for name in ("whole", "copy", "part"))
    assert whole == copy != part
    run(["ingest", "--log", str(tmp_path / "whole"), "--archive", str(tmp_path / "kept")])
    capsys.readouterr()
    assert named("--archive", str(tmp_path / "kept")) == whole
