"""The timeline on a terminal: its edge cuts no word, and nothing is lost by wrapping."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from deliverability.api import Network, Request, trace
from deliverability.api.tables import candidates_table, fold, timeline_table
from deliverability.api.tracing import TraceResult
from deliverability.compose.catalog import LANGUAGES
from deliverability.protocols.columns import width

LOG = Path(__file__).parents[1] / "cases" / "logs" / "exim" / "4.98-cpanel" / "mainlog"
SCREENS = (60, 80, 100, 132)
ASKED = ("hi@hinet.example", "overquota@gmail.example", "x@dropdata.example", "absent@nowhere.example")


@pytest.fixture(scope="module")
def traced() -> dict[str, TraceResult]:
    offline = Network(offline=True)
    return {to: trace(Request(logs=(str(LOG),), to=(to,), network=offline)) for to in (*ASKED, "@hinet.example")}


def lines_of(traced: dict[str, TraceResult], to: str, lang: str, screen: int | None) -> list[str]:
    table = candidates_table if to.startswith("@") else timeline_table
    return table(traced[to], lang=lang, zone="Asia/Taipei", screen=screen).decode().splitlines()


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("to", [*ASKED, "@hinet.example"])
def test_a_terminal_cuts_no_word(traced: dict[str, TraceResult], to: str, screen: int, lang: str) -> None:
    lines = lines_of(traced, to, lang, screen)
    # one word that is wider by itself (a path, a URL) stays whole
    assert [line for line in lines if width(line) > screen and len(line.split()) > 1] == []
    assert [line for line in lines if line.strip()[:1] in set("。，、；：？！）」")] == []
    whole = lines_of(traced, to, lang, None)
    assert sorted("".join(lines).replace(" ", "")) == sorted("".join(whole).replace(" ", ""))


@pytest.mark.parametrize("screen", [60, 80])
def test_what_has_no_room_beside_the_others_stands_below_them(traced: dict[str, TraceResult], screen: int) -> None:
    lines = lines_of(traced, "hi@hinet.example", "en", screen)
    at = lines.index("2026-11-22 13:31:42  taken by the other side")
    assert lines[at + 1 : at + 3] == [
        "    msa-mx1.hinet.example [127.0.2.9]",
        "    250 2.0.0 4AM546149587 Message accepted for delivery",
    ]


def test_short_columns_stay_in_one_row(traced: dict[str, TraceResult]) -> None:
    """A narrow last column needs no more room than it takes."""
    offline = Network(offline=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(LOG.parent)
        nothing = trace(Request(logs=(LOG.name,), to=("absent@nowhere.example",), network=offline))
    lines = timeline_table(nothing, lang="en", zone="UTC", screen=80).decode().splitlines()
    assert lines[-2].split() == ["File", "First", "entry", "Last", "entry", "Lines", "Not", "readable"]
    assert lines[-1].startswith("mainlog  2026-11-22")


@pytest.mark.parametrize(
    ("text", "columns", "wanted"),
    [
        ("一二三四。五", 8, ["一二三", "四。五"]),
        ("一二三（四）", 8, ["一二三", "（四）"]),
        ("450  4.2.0  hm", 20, ["450  4.2.0  hm"]),
    ],
)
def test_chinese_punctuation_begins_no_line(text: str, columns: int, wanted: list[str]) -> None:
    assert fold(text, columns) == wanted


@pytest.mark.parametrize(
    "words",
    [
        ["trace", "--log", str(LOG), "--to", "hi@hinet.example", "--offline"],
        ["allowlist", "--list"],
        ["check", "hosting.example", "--offline"],
    ],
    ids=lambda words: words[0],
)
def test_a_file_is_not_wrapped_by_the_terminal(words: list[str], tmp_path: Path) -> None:
    """What stands in it is what a pipe gets, however narrow the terminal was in which the command ran."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 60, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "deliverability", *words]
    path = tmp_path / "told.txt"
    with os.fdopen(theirs, "wb") as terminal:
        subprocess.run(
            [*command, "-o", str(path)], stdout=terminal, stderr=subprocess.PIPE, env=environment, check=False
        )
    os.close(ours)
    piped = subprocess.run(command, capture_output=True, env=environment, check=False).stdout
    assert path.read_bytes() == piped
    assert any(width(line) > 60 for line in piped.decode().splitlines())
