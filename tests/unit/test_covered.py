"""Lines that could not be read are never counted as if they had been looked through."""

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from deliverability.__main__ import run
from deliverability.compose.catalog import LANGUAGES, catalog
from deliverability.terminal.status import COULD_NOT_LOOK

LOG = Path(__file__).parents[1] / "cases" / "logs" / "exim" / "4.98-cpanel" / "mainlog"
ASKED = ["--subject", "no such subject", "--offline"]


@pytest.fixture
def cut_short(tmp_path: Path) -> Path:
    path = tmp_path / "mainlog.gz"
    path.write_bytes(gzip.compress(LOG.read_bytes())[:-2000])
    return path


@pytest.fixture
def shut(tmp_path: Path) -> Path:
    """Nothing of it can be unpacked."""
    path = tmp_path / "older.gz"
    path.write_bytes(gzip.compress(LOG.read_bytes())[:12])
    return path


@pytest.fixture
def damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """An archive that knows how many lines it keeps, and cannot unpack the first of them."""
    path = tmp_path / "archive.db"
    assert run(["ingest", "--log", str(LOG), "--archive", str(path), "--tz", "UTC"]) == 0
    with closing(sqlite3.connect(path)) as kept, kept:
        number, content = kept.execute("SELECT id, content FROM segment ORDER BY id").fetchone()
        middle = len(content) // 2
        content = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
        kept.execute("UPDATE segment SET content = ? WHERE id = ?", (content, number))
    kept.close()
    capsys.readouterr()
    return path


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_file_that_was_read_in_part_says_so(cut_short: Path, lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    part = catalog(lang)("coverage.unread.part")
    for command in (["trace", *ASKED], ["summary"], ["report", *ASKED]):
        assert run([*command, "--log", str(cut_short), "--lang", lang]) == COULD_NOT_LOOK
        assert part in capsys.readouterr().out
    for command in (["trace", *ASKED], ["summary"], ["report", *ASKED]):
        run([*command, "--log", str(LOG), "--lang", lang])
        assert part not in capsys.readouterr().out


@pytest.mark.parametrize("lang", LANGUAGES)
def test_so_does_an_archive_that_is_damaged(damaged: Path, lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    t = catalog(lang)
    for command in (["trace", *ASKED], ["summary"]):
        assert run([*command, "--archive", str(damaged), "--lang", lang]) == COULD_NOT_LOOK
        told = capsys.readouterr().out
        assert t("coverage.unread.part") in told or t("coverage.unread.all") in told


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_file_of_which_nothing_could_be_read_has_no_number_of_lines(
    shut: Path, lang: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["trace", *ASKED, "--log", str(LOG), "--log", str(shut), "--lang", lang]) == COULD_NOT_LOOK
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith(str(shut))]
    whole = catalog(lang)("coverage.unread.all")
    assert row.endswith(whole)
    assert row.removeprefix(str(shut)).removesuffix(whole).split() == ["-", "-", "-"]


def test_a_question_with_a_window_says_nothing_of_the_address_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    """The logs do speak of it, outside of the window."""
    words = ["trace", "--log", str(LOG), "--to", "hi@hinet.example", "--offline"]
    run([*words, "--format", "json"])
    assert json.loads(capsys.readouterr().out)["messages"]
    run([*words, "--since", "2027-01-01"])
    told = capsys.readouterr().out
    assert "fits what was asked" in told
    assert "speaks of" not in told


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("form", ["text", "html"])
def test_numbers_of_a_part_are_called_so_before_the_first_of_them(
    cut_short: Path, form: str, lang: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who reads the first lines alone would take them for the whole."""
    t = catalog(lang)
    words = "".join(t("summary.part-read", where=t("summary.heading-coverage")).split())
    words = words[:20]  # in text the rest may be on the next line, behind an indent
    number = "".join(t("summary.attempts").split())
    for log, wanted in ((cut_short, True), (LOG, False)):
        run(["summary", "--log", str(log), "--lang", lang, "--format", form])
        told = "".join(capsys.readouterr().out.split())
        assert (words in told) == wanted
        assert not wanted or told.index(words) < told.index(number)
