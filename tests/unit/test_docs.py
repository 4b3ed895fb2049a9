"""The examples in README and docs run, and print what they show."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN_SERVER = "127.0.0.1:5300"
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
STATUSES = (0, 1, 3, 4)  # what a page may show: an answer, or a finding


def examples() -> Iterator[tuple[str, str, str]]:
    for page in PAGES:
        for number, match in enumerate(BLOCK.finditer(page.read_text("utf-8")), 1):
            yield f"{page.name}-{number}", match[1], match[2]


EXAMPLES = list(examples())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("docs") / "examples"
    shutil.copytree(ROOT / "examples", folder)
    command = [sys.executable, "responder.py", "--zone", "zone.example", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as server:
        assert server.stdout
        yield folder, f"127.0.0.1:{server.stdout.readline().strip()}"
        server.terminate()


def test_there_are_examples() -> None:
    assert {kind for _, kind, _ in EXAMPLES} == {"console", "python"}


@pytest.mark.parametrize(("kind", "text"), [e[1:] for e in EXAMPLES], ids=[e[0] for e in EXAMPLES])
def test_example(kind: str, text: str, place: tuple[Path, str]) -> None:
    folder, server = place
    text = text.replace(SHOWN_SERVER, server)
    if kind == "python":
        done = subprocess.run([sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return
    for command, expected in commands(text):
        words = shlex.split(command)
        assert words[0] == "deliverability", command
        done = subprocess.run(
            [sys.executable, "-m", "deliverability", *words[1:]],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "COLUMNS": "100"},
        )
        assert done.returncode in STATUSES, (command, done.stderr)
        assert matches(expected, done.stdout), f"{command}\n--- shown\n{expected}\n--- printed\n{done.stdout}"


def commands(text: str) -> Iterator[tuple[str, str]]:
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    for part in parts:
        command, _, expected = part.partition("\n")
        yield command, expected


def matches(expected: str, printed: str) -> bool:
    """Whether ``printed`` is what was shown, where … stands for anything."""
    if not expected.strip():
        return True
    pattern = ".*".join(re.escape(piece) for piece in expected.rstrip().split("…"))
    return re.fullmatch(pattern, printed.rstrip(), re.DOTALL) is not None


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"], ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_the_page_of_checks_is_what_the_checks_say() -> None:
    """Generated documentation that is not current is wrong: ``python docs/generate_checks.py`` writes it anew."""
    spec = importlib.util.spec_from_file_location("generate_checks", ROOT / "docs" / "generate_checks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "checks.md").read_text("utf-8") == module.page()
