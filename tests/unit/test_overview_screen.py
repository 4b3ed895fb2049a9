"""A summary on a terminal: nothing is cut by its edge, whatever its width, and a file stays one line a row."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from deliverability.api.requests import Reader, Request
from deliverability.api.summary import summarise
from deliverability.api.summary_rendering import rendered
from deliverability.compose.catalog import LANGUAGES, catalog
from deliverability.evidence.summary import Summary
from deliverability.protocols.columns import width

LOG = Path(__file__).parents[1] / "cases" / "logs" / "exim" / "4.98-cpanel" / "mainlog"
SCREENS = (60, 80, 100, 132, 200)


@pytest.fixture(scope="module")
def counted() -> Iterator[Summary]:
    """Of a log with a short name: a path is one word, and is never broken."""
    with contextlib.chdir(LOG.parent):
        yield summarise(Request(logs=(LOG.name,)), jobs=1)


def lines_of(counted: Summary, lang: str, screen: int | None) -> list[str]:
    return rendered(counted, Reader(lang=lang, screen=screen), "text", Request()).decode().splitlines()


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("screen", SCREENS)
def test_no_line_is_wider_than_the_screen(counted: Summary, lang: str, screen: int) -> None:
    lines = lines_of(counted, lang, screen)
    # a word that is wider by itself (a path, a host's name) stays whole
    assert [line for line in lines if width(line) > screen and len(line.split()) > 1] == []


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("screen", SCREENS)
def test_every_word_and_number_is_still_there(counted: Summary, lang: str, screen: int) -> None:
    words = re.compile(r"[A-Za-z0-9.@:/_-]+")
    wanted = set(words.findall(" ".join(lines_of(counted, lang, None))))
    assert wanted - set(words.findall(" ".join(lines_of(counted, lang, screen)))) == set()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_group_of_columns_begins_with_the_name(counted: Summary, lang: str) -> None:
    name = catalog(lang)("summary.domain")
    lines = lines_of(counted, lang, 80)
    heads = [line for line in lines if line.startswith(f"{name} ")]
    assert len(heads) > 1
    assert len([line for line in lines if line.startswith("nosuchdomain.example ")]) == len(heads)
    whole = [line for line in lines_of(counted, lang, None) if line.startswith(f"{name} ")]
    assert [word for head in heads for word in head.split()[1:]] == whole[0].split()[1:]


@pytest.mark.parametrize("to_file", [False, True])
def test_the_command_asks_the_terminal(to_file: bool, tmp_path: Path) -> None:
    """In a real terminal of 70 columns; what goes into a file is not wrapped by it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 70, 0, 0))
    path = tmp_path / "summary.txt"
    words = [sys.executable, "-m", "deliverability", "summary", "--log", LOG.name]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [*words, *(["-o", str(path)] if to_file else [])],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=LOG.parent,
    ) as running:
        os.close(theirs)
        told = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux: the other end was closed
                break
            if not part:
                break
            told += part
        running.wait()
    os.close(ours)
    shown = path.read_text() if to_file else told.decode()
    lines = [line for line in shown.replace("\r\n", "\n").splitlines() if len(line.split()) > 1]
    assert lines
    assert any(width(line) > 70 for line in lines) == to_file
