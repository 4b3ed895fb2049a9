"""``ingest``, ``archive`` and ``trace --archive`` on the command line."""

import json
import sqlite3
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
    assert "1 log files" in answer(capfd, "archive", "status", "--config", str(config))[1]


def test_looked_over_verified_erased_pruned(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert answer(capfd, "ingest", "--log", "mainlog", "--archive", "a.db")[0] == 0
    assert answer(capfd, "archive", "verify", "--archive", "a.db")[:2] == (
        0,
        f"a.db: 1 segments, {len(EXIM)} octets: all as they were kept\n",
    )
    assert "were made blank" in answer(capfd, "archive", "erase", "--archive", "a.db", "--to", WHO)[2]
    assert WHO.encode() not in (place / "a.db").read_bytes()
    assert answer(capfd, "trace", "--archive", "a.db", "--to", WHO, "--offline")[0] == 4
    status, out, _ = answer(capfd, "archive", "status", "--archive", "a.db", "--format", "json")
    assert (status, json.loads(out)["files"][0]["erased_lines"] > 0) == (0, True)
    assert answer(capfd, "archive", "reindex", "--archive", "a.db")[0] == 0
    with sqlite3.connect(place / "a.db") as database:
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
        (("archive", "erase", "--archive", "a.db", "--to", "@corp.example"), 2, "own addresses"),
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
