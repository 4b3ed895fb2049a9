"""What runs ``ingest`` again and again: units and a cron line, which name what is there."""

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from deliverability.__main__ import run
from deliverability.capture.host.units import NAME, Job, cron_line, files, job, offer
from deliverability.errors import UsageError

JOB = Job(("/opt/a b/deliverability",), Path('/etc/100% "sure"/$HOME/d.toml'))


def test_the_service_runs_the_program_with_its_words() -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string(files(JOB)[f"{NAME}.service"])
    words = [w.replace("%%", "%").replace("$$", "$") for w in shlex.split(parser["Service"]["ExecStart"])]
    assert tuple(words) == JOB.words
    assert parser["Service"]["Type"] == "oneshot"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    for name, content in files(Job(("/bin/true",), Path("/etc/d.toml"))).items():
        (tmp_path / name).write_text(content)
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, tmp_path.iterdir())], capture_output=True, text=True, check=False
    )
    assert NAME not in done.stderr


def test_the_cron_line_survives_cron_and_the_shell() -> None:
    schedule, _, command = cron_line(JOB).partition(" root ")
    assert len(schedule.split()) == 5
    words = shlex.split(command.replace("\\%", "%").removeprefix("umask 077; "))
    assert tuple(words[:-1]) == JOB.words


def test_it_offers_and_installs_nothing(tmp_path: Path) -> None:
    said = offer(job(tmp_path / "d.toml"), systemd=tmp_path)
    assert any("--units" in line for line in said)
    assert not any("--units" in line for line in offer(job(tmp_path / "d.toml"), systemd=tmp_path / "none"))
    assert not list(tmp_path.iterdir())


def test_a_path_with_a_line_end_is_refused() -> None:
    with pytest.raises(UsageError):
        job(Path("/tmp/a\nb/d.toml"))


def test_a_folder_that_is_not_there_is_told_before_anything_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "d.toml"
    assert run(["init", "-o", str(made), "--units", str(tmp_path / "none")]) == 2
    assert "make it first" in capfd.readouterr().err
    assert not made.exists()
    (tmp_path / "none").mkdir()
    assert run(["init", "-o", str(made), "--units", str(tmp_path / "none")]) == 0
    assert made.exists()
    assert len(list((tmp_path / "none").iterdir())) == 2
