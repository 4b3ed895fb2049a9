"""Starts each real mail server once a session, and runs ``deliverability`` beside it, in the same private world."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
MTAS = ("postfix", "exim")
START_SECONDS = 150


def _beside(name: str) -> Any:
    """A module of this folder, which is no package (the driver runs it as scripts)."""
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(HERE))


packages, stories = _beside("packages"), _beside("stories")


@dataclass
class World:
    """A mail server's logs, what was really sent and answered, and a way to ask the program about them."""

    mta: str
    process: "subprocess.Popen[bytes]"
    work: Path
    truth: dict[str, Any]

    def log(self, name: str) -> str:
        return str(self.truth["logs"][name])

    @property
    def main_log(self) -> str:
        return self.log("iso8601" if self.mta == "postfix" else "mainlog")

    def sent(self, key: str) -> dict[str, Any]:
        return next(m for m in self.truth["sent"] if m["key"] == key)

    def records(self, recipient: str, *kinds: str) -> list[dict[str, Any]]:
        """What the receiving server answered for this recipient, in order."""
        kinds = kinds or ("rcpt", "end", "dropped")
        return [r for r in self.truth["records"] if r["rcpt"] == recipient and r["kind"] in kinds]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        """``python -m deliverability`` inside the namespace, where its name server is."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        enter = ["nsenter", "-t", children[0], "--mount", "--net", "--pid"]
        home = self.work / "home"
        home.mkdir(exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [*enter, sys.executable, "-m", "deliverability", *arguments]
        return subprocess.run(command, capture_output=True, env=environment, cwd=home, timeout=60, check=False)

    def trace(self, *arguments: str, log: tuple[str, ...] = (), dns: bool = True) -> tuple[int, dict[str, Any]]:
        """Exit status and answer of ``deliverability trace --format json``."""
        logs = [word for path in (log or (self.main_log,)) for word in ("--log", path)]
        names = ["--nameserver", self.truth["nameserver"]] if dns else ["--offline"]
        done = self.run("trace", *logs, *names, "--format", "json", *arguments)
        assert done.returncode in {0, 1, 3, 4}, done.stderr.decode(errors="replace")
        answer: dict[str, Any] = json.loads(done.stdout)
        return done.returncode, answer


def _lacking(reason: str) -> None:
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(f"REQUIRE_SERVERS=1, but {reason}")
    pytest.skip(reason)


def _start(mta: str, work: Path) -> World:
    try:
        packages.require(mta)
        root = packages.exim_root() if mta == "exim" else None
    except packages.Missing as missing:
        _lacking(str(missing))
    environment = {**os.environ, "TZ": "Asia/Taipei", "PYTHONDONTWRITEBYTECODE": "1", "EXIM_PACKAGE_ROOT": str(root)}
    errors = (work.parent / f"{mta}.stderr").open("w+b")
    process = subprocess.Popen(
        [*packages.NAMESPACE, sys.executable, str(HERE / "driver.py"), mta, str(work)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=environment,
    )
    assert process.stdout is not None
    ready = process.stdout.readline()
    if not ready:
        process.wait(START_SECONDS)
        errors.seek(0)
        pytest.fail(f"the {mta} rig did not come up:\n{errors.read().decode(errors='replace')[-3000:]}")
    errors.close()
    truth = json.loads((work / "sent.json").read_text(encoding="utf-8"))
    return World(mta, process, work, truth)


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], World]]:
    """The worlds made so far; each is made at its first use and ended with the session."""
    made: dict[str, World] = {}
    lacking: dict[str, str] = {}

    def world(mta: str) -> World:
        if mta in lacking:
            pytest.skip(lacking[mta])
        if mta not in made:
            try:
                made[mta] = _start(mta, tmp_path_factory.mktemp(mta))
            except pytest.skip.Exception as skipped:
                lacking[mta] = str(skipped)
                raise
        return made[mta]

    yield world
    for one in made.values():
        assert one.process.stdin is not None
        assert one.process.stdout is not None
        one.process.stdin.close()  # the driver ends, and with it everything in its process table
        one.process.wait(20)
        one.process.stdout.close()


@pytest.fixture
def world(request: pytest.FixtureRequest, worlds: Callable[[str], World]) -> World:
    """The world of the mail server that the test was parametrised with."""
    return worlds(request.param)


def _stories(mta: str) -> list[Any]:
    short = stories.SHORT_ID_STORIES if mta == "postfix" else []
    return [s for s in [*stories.STORIES, *short] if s.only in (None, mta)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``world`` alone: once for each server; ``world`` and ``key``: once for each story of each server."""
    names = metafunc.fixturenames
    if "world" not in names:
        return
    marker = metafunc.definition.get_closest_marker("parametrize")
    mtas = [m for m in MTAS if f"_on_{m}" in metafunc.function.__name__] or list(MTAS)
    if "key" in names and (marker is None or "key" not in str(marker.args[0])):
        pairs = [(mta, story.key) for mta in mtas for story in _stories(mta)]
        metafunc.parametrize(("world", "key"), pairs, ids=[f"{m}-{k}" for m, k in pairs], indirect=["world"])
    else:
        metafunc.parametrize("world", mtas, indirect=True)
