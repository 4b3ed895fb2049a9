"""What every plug-in must keep: type, id, a docstring with its source, texts in both languages, a cheap import."""

import re
import subprocess
import sys
from importlib import import_module
from string import Formatter
from typing import Any

import pytest

from deliverability import plugins
from deliverability.evidence.plugin import LANGUAGES, Check, Filter, Form, LogFormat, Provider, Renderer

TYPES = {
    "allowlists": Form,
    "checks": Check,
    "ingest": LogFormat,
    "providers": Provider,
    "reports": Renderer,
    "filters": Filter,
}
ALL = [(folder, plugin) for folder in TYPES for plugin in plugins.ids(folder)]
CHECKS = plugins.ids("checks")
LIGHT = ("asyncio", "dns", "spf", "dkim", "cryptography", "jinja2", "babel", "rich")
HEAVY = ("asyncio", "dns", "spf", "dkim", "cryptography", "nacl", "jinja2", "babel", "rich", "typer", "ssl", "socket")


def docstring(folder: str, plugin: str) -> str:
    return import_module(f"deliverability.{folder}.{plugin.replace('-', '_')}").__doc__ or ""


@pytest.mark.parametrize(("folder", "plugin"), ALL)
def test_type_and_id(folder: str, plugin: str) -> None:
    loaded = plugins.load(folder, plugin)
    assert isinstance(loaded, TYPES[folder])
    assert loaded.id == plugin


@pytest.mark.parametrize(("folder", "plugin"), ALL)
def test_docstring_says_what_it_is(folder: str, plugin: str) -> None:
    assert len(docstring(folder, plugin).strip()) >= 30


@pytest.mark.parametrize("plugin", CHECKS)
def test_a_check_cites_its_source(plugin: str) -> None:
    check: Check = plugins.load("checks", plugin)
    assert re.search(r"RFC \d{3,5}", check.citation)
    assert re.search(r"RFC \d{3,5}", docstring("checks", plugin))


@pytest.mark.parametrize("plugin", CHECKS)
def test_a_check_speaks_both_languages_alike(plugin: str) -> None:
    check: Check = plugins.load("checks", plugin)
    assert all(check.title.get(lang) for lang in LANGUAGES)
    assert check.messages
    for code, texts in check.messages.items():
        fields = [placeholders(texts[lang]) for lang in LANGUAGES]
        assert fields[0] == fields[1], (code, fields)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("plugin", CHECKS)
def test_a_check_has_cases_that_pass_and_cases_that_do_not(plugin: str, request: pytest.FixtureRequest) -> None:
    folder = request.config.rootpath / "tests" / "cases" / "checks" / plugin
    names = sorted(path.stem for path in folder.glob("*.toml"))
    assert [n for n in names if n.startswith("pass")], names
    assert [n for n in names if not n.startswith("pass")], names


@pytest.mark.parametrize("plugin", plugins.ids("ingest"))
def test_a_format_has_a_head_that_compiles(plugin: str) -> None:
    fmt: LogFormat = plugins.load("ingest", plugin)
    assert re.compile(fmt.head, re.MULTILINE).groups >= 0
    assert fmt.sniff(b"") == 0
    assert fmt.sniff(b"\x00\xff" * 2000) == 0


def test_plugins_import_cheaply() -> None:
    """Listing an error row must not drag in a resolver; what is heavy is imported on first use."""
    modules = [f"deliverability.{folder}.{plugin.replace('-', '_')}" for folder, plugin in ALL if folder != "reports"]
    probe = f"import sys\nfor m in {modules!r}: __import__(m)\nprint([h for h in {HEAVY!r} if h in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_line_imports_little() -> None:
    probe = f"import sys, deliverability.cli; print([h for h in {LIGHT!r} if h in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


WITHOUT_NETWORK = ("asyncio", "ssl", "dns", "cryptography", "pydantic", "rich", "jinja2", "babel", "typst", "sqlite3")


def test_a_trace_without_network_imports_what_it_uses(request: pytest.FixtureRequest) -> None:
    """What a short log waits for is imports: those that only others need stay out."""
    log = request.config.rootpath / "tests" / "cases" / "logs" / "postfix" / "postfix-3.10.iso8601.log"
    arguments = ["trace", "--offline", "--log", str(log), "--to", "jo32@corp.example"]
    probe = (
        f"import sys\nfrom deliverability.__main__ import run\nstatus = run({arguments!r})\n"
        f"print(status, [name for name in {WITHOUT_NETWORK!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "3 []"
    assert "jo32@corp.example" in done.stdout


def test_one_command_imports_no_other() -> None:
    probe = (
        "import sys\nfrom deliverability.cli import application\napplication('explain')\n"
        "print([m for m in ('trace', 'report', 'ledger', 'send') if f'deliverability.terminal.{m}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_broken_file_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    real = plugins.load

    def load(folder: str, plugin: str) -> Any:
        if plugin == CHECKS[0]:
            raise RuntimeError("broken file")
        return real(folder, plugin)

    monkeypatch.setattr(plugins, "load", load)
    loaded = dict(plugins.load_all("checks"))
    assert isinstance(loaded[CHECKS[0]], RuntimeError)
    assert all(isinstance(loaded[name], Check) for name in CHECKS[1:])


def test_an_unknown_plugin_is_named() -> None:
    with pytest.raises(LookupError, match="no 'nothing' in checks; there are:"):
        plugins.load("checks", "nothing")
    with pytest.raises(LookupError):
        plugins.load("checks", "../cli")
