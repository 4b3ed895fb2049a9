"""Formats that were read by their documentation alone are named, and no other format of the same file is."""

from pathlib import Path

from deliverability import plugins
from deliverability.api.cohort import Wanted, read_cohort
from deliverability.api.covering import notes
from deliverability.api.requests import Request
from deliverability.api.summary import summarise
from deliverability.api.tracing import read_logs
from deliverability.correlate import Query
from deliverability.evidence.plugin import LogFormat

POSTFIX = (
    "Nov 22 05:01:38 mx1 postfix/smtp[4]: 8DC3BBDEAF: to=<anna@corp.example>, relay=mx.corp.example[198.51.100.10]:25, "
    "delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)\n"
)
MAILSCANNER = "Nov 22 05:01:36 mx1 MailScanner[91]: Requeue: 8DC3BBDEAF.A29D3 to 5AD9ABDEB5\n"


def written(folder: Path, text: str) -> Request:
    log = folder / "mail.log"
    log.write_text(text, "utf-8")
    return Request(logs=(str(log),), to=("anna@corp.example",))


def test_of_a_file_with_several_formats_the_one_without_a_run_is_named(tmp_path: Path) -> None:
    coverage = read_logs(written(tmp_path, 3 * POSTFIX + MAILSCANNER))[0].coverage
    (file,) = coverage.files
    assert file.format == "postfix"
    assert file.unproven_formats == ("mailscanner",)
    (note,) = [note for note in notes(coverage, Query(), ()) if "documentation" in note]
    assert "mailscanner" in note
    assert "postfix" not in note


def test_a_format_that_ran_leaves_no_such_note(tmp_path: Path) -> None:
    coverage = read_logs(written(tmp_path, POSTFIX))[0].coverage
    assert coverage.files[0].unproven_formats == ()
    assert not coverage.files[0].unproven
    assert not [note for note in notes(coverage, Query(), ()) if "documentation" in note]


def test_a_summary_says_that_nothing_states_the_zone(tmp_path: Path) -> None:
    assert [note for note in summarise(written(tmp_path, POSTFIX), jobs=1).notes if "taken as UTC" in note]


def test_a_cohort_says_that_nothing_states_the_zone(tmp_path: Path) -> None:
    wanted = (Wanted(address="anna@corp.example"),)
    assert [note for note in read_cohort(written(tmp_path, POSTFIX), wanted).notes if "taken as UTC" in note]


def test_what_states_its_zone_leaves_no_such_note(tmp_path: Path) -> None:
    stated = POSTFIX.replace("Nov 22 05:01:38", "2026-11-22T05:01:38+08:00")
    assert not [note for note in summarise(written(tmp_path, stated), jobs=1).notes if "taken as" in note]


def test_the_docs_mark_as_many_formats_as_never_ran() -> None:
    """Each name in the table of formats that has the ring is of one format marked as unproven."""
    page = (Path(__file__).parents[2] / "docs" / "log-sources.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("|")]
    loaded = [fmt for _, fmt in plugins.load_all("ingest") if isinstance(fmt, LogFormat)]
    assert sum(row.count("°") for row in rows) == sum(fmt.unproven for fmt in loaded)
