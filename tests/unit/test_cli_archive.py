"""``ingest``, ``archive`` and ``trace --archive`` on the command line."""

import contextlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from deliverability.__main__ import run

LOGS = Path(__file__).parents[1] / "cases" / "logs"
EXIM = (LOGS / "exim" / "4.98-cpanel" / "mainlog").read_bytes()
WHO = "jo32@corp.example"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "mainlog").write_bytes(EXIM)
    return tmp_path


def answer(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capfd.readouterr()
    status = run(list(words))
    return (status, *capfd.readouterr())


def told(out: str) -> object:
    """What was answered, but for the notes: one of them says that the archive did."""
    return {**json.loads(out), "notes": None} if out.startswith("{") else out


def test_the_answer_from_the_archive_is_that_of_the_log(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    status, out, _ = answer(capfd, "ingest", "--log", "mainlog", "--archive", "kept/a.db", "--format", "json")
    assert status == 0
    assert json.loads(out)["files"][0]["octets"] == len(EXIM)
    assert (place / "kept" / "a.db").stat().st_mode & 0o777 == 0o600
    question = ("--to", WHO, "--offline", "--now", "2026-11-25")
    for command in (("trace",), ("trace", "--format", "json"), ("report", "--latest", "--edition", "support")):
        given = answer(capfd, *command, "--log", "mainlog", *question)
        (place / "mainlog").rename(place / "hidden")
        kept = answer(capfd, *command, "--archive", "kept/a.db", *question)
        (place / "hidden").rename(place / "mainlog")
        assert kept[0] == given[0]
        assert told(kept[1]) == told(given[1])
        assert "as the archive holds them" in kept[2]


def test_the_configuration_names_the_archive(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = place / "d.toml"
    config.write_text('[archive]\npath = "a.db"\nkeep_days = 400\n[[log]]\nname = "mail1"\npath = "mainlog"\n')
    config.chmod(0o600)
    question = ("--config", str(config), "--to", WHO, "--offline", "--now", "2026-11-25")
    status, alone, said = answer(capfd, "trace", *question)
    assert "is not there yet" in said
    assert answer(capfd, "ingest", "--config", str(config), "--now", "2026-11-25")[0] == 0
    again = answer(capfd, "trace", *question)
    assert again[:2] == (status, alone)
    (place / "mainlog").write_bytes(b"")  # rotated away
    found = answer(capfd, "trace", *question)
    assert found[:2] == (status, alone)
    assert "searched 1 log file as" in found[2]
    assert "1 log file," in answer(capfd, "archive", "status", "--config", str(config))[1]


def test_looked_over_verified_erased_pruned(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert answer(capfd, "ingest", "--log", "mainlog", "--archive", "a.db")[0] == 0
    assert answer(capfd, "archive", "verify", "--archive", "a.db")[:2] == (
        0,
        f"a.db: 1 segment, {len(EXIM)} octets: all as they were kept\n",
    )
    assert "made blank; the address" in answer(capfd, "archive", "erase", "--archive", "a.db", "--to", WHO, "--yes")[2]
    assert WHO.encode() not in (place / "a.db").read_bytes()
    assert answer(capfd, "trace", "--archive", "a.db", "--to", WHO, "--offline")[0] == 4
    status, out, _ = answer(capfd, "archive", "status", "--archive", "a.db", "--format", "json")
    assert (status, json.loads(out)["files"][0]["erased_lines"] > 0) == (0, True)
    assert answer(capfd, "archive", "reindex", "--archive", "a.db")[0] == 0
    with closing(sqlite3.connect(place / "a.db")) as database, database:
        database.execute("UPDATE segment SET present = x'00'")
    database.close()
    assert answer(capfd, "archive", "verify", "--archive", "a.db")[0] == 5
    assert answer(capfd, "archive", "prune", "--archive", "a.db", "--before", "2027-01-01")[0] == 0
    assert (
        json.loads(answer(capfd, "archive", "status", "--archive", "a.db", "--format", "json")[1])["kept_octets"] == 0
    )


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("ingest", "--log", "mainlog"), 2, "name the archive"),
        (("ingest", "--log", "none", "--archive", "a.db"), 6, "No such file"),
        (("ingest", "--log", "mainlog", "--archive", "a.db", "--keep", "soon"), 2, "400d"),
        (("ingest", "--log", "mainlog", "--archive", "mainlog"), 6, "not a database"),
        (("ingest", "--log", "mainlog", "--archive", "/proc/a.db"), 6, "/proc"),
        (("archive", "status", "--archive", "none.db"), 6, "no such file"),
        (("archive", "verify", "--archive", "mainlog"), 6, "not a database"),
        (("archive", "prune", "--archive", "none.db", "--before", "2026-01-01"), 6, "no such archive"),
        (("archive", "prune", "--archive", "none.db", "--before", "soon"), 2, "--before"),
        (("archive", "erase", "--archive", "a.db", "--to", "@corp.example", "--yes"), 2, "own addresses"),
        (("archive", "erase", "--archive", "a.db", "--to", WHO), 2, "add --yes"),
        (("trace", "--archive", "none.db", "--to", WHO), 6, "no such file"),
        (("trace", "--log", "mainlog", "--to", WHO, "--for", "5m"), 2, "--follow"),
        (("trace", "--log", "mainlog", "--to", WHO, "--follow", "--format", "json"), 2, "ndjson"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    words: tuple[str, ...], status: int, said: str, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    found, out, err = answer(capfd, *words)
    assert (found, out) == (status, "")
    assert said in err
    assert err.count("\n") == 1
    left = {p.name: p.read_bytes() for p in place.iterdir() if p.is_file() and not p.name.endswith((".lock", "a.db"))}
    assert left == before


NOT_LOGS = {
    "random": bytes(range(256)) * 80,
    "random.txt": b"\xff\x00\n\x80" * 5000,
    "README": b"# A project\n\nIt sends mail to a@b.example, and says so.\n" * 200,
    "table.csv": b"name,address\nMei,mei@corp.example\n",
    "large": b"neither a date nor a name at its head\n" * 500_000,
}


@pytest.mark.parametrize("name", NOT_LOGS)
def test_what_is_no_mail_log_is_not_kept_and_said(name: str, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / name).write_bytes(NOT_LOGS[name])
    status, out, err = answer(capfd, "ingest", "--log", name, "--archive", "a.db")
    assert status == 6
    assert out == f"{name}: not kept\n"
    assert err == (f"deliverability: {name}: no mail log in a format that this version knows; nothing of it was kept\n")
    with contextlib.closing(sqlite3.connect(place / "a.db")) as base:
        assert base.execute("SELECT count(*) FROM source").fetchone() == (0,)
    again = answer(capfd, "ingest", "--log", name, "--archive", "a.db", "--format", "json")
    assert again[0] == 6
    assert [json.loads(again[1])["files"][0][key] for key in ("unknown", "failed", "octets")] == [True, False, 0]


def test_a_good_log_beside_what_is_none_is_kept(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "README").write_bytes(NOT_LOGS["README"])
    status, out, err = answer(capfd, "ingest", "--log", "README", "--log", "mainlog", "--archive", "a.db")
    assert status == 0
    assert "README: not kept\n" in out
    assert "mainlog: " in out
    assert err.count("\n") == 1
    assert "README: no mail log" in err


def test_a_syslog_that_holds_no_mail_yet_is_kept_until_it_does(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = place / "syslog"
    log.write_text("Nov 22 05:01:38 mx cron[9]: (root) CMD (true)\n")
    status, out, err = answer(capfd, "ingest", "--log", "syslog", "--archive", "a.db")
    assert (status, err.count("\n")) == (0, 1)
    assert "only lines of other programs so far" in err
    assert "1 new line," in out
    with log.open("ab") as more:
        more.write((LOGS / "postfix" / "postfix-3.10.rfc3164.log").read_bytes())
    status, out, err = answer(capfd, "ingest", "--log", "syslog", "--archive", "a.db")
    assert (status, err) == (0, "")
    found = answer(capfd, "trace", "--archive", "a.db", "--to", WHO, "--offline", "--now", "2026-11-25")
    assert WHO in found[1]
    log.unlink()


def test_an_empty_log_is_no_mistake(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "maillog").write_bytes(b"")
    (place / "blank").write_bytes(b"\n\n")
    for name in ("maillog", "blank"):
        assert answer(capfd, "ingest", "--log", name, "--archive", "a.db")[0::2] == (0, "")
