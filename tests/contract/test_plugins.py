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


@pytest.mark.parametrize(
    "plugin",
    [
        *("amavis", "dovecot", "kumomta", "mailscanner", "opendkim", "opendmarc", "opensmtpd", "postfix", "proxmox"),
        *("rspamd", "sendmail"),
    ],
)
def test_a_line_without_the_word_of_a_format_is_none_of_its_lines(plugin: str, request: pytest.FixtureRequest) -> None:
    """These formats look for their name before they look at the head: the answer is the head's all the same."""
    cases = request.config.rootpath / "tests" / "cases" / "ingest"
    lines = {line for path in cases.glob("*/*.log") for line in path.read_bytes().splitlines()}
    fmt: LogFormat = plugins.load("ingest", plugin)
    theirs = {line for line in lines if fmt.is_line(line)}
    assert theirs
    assert theirs == {line for line in lines if re.match(fmt.head, line)}


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


# What a timeline as text needs nothing of: pages, the shapes of other plug-ins, rules for refusals, unusual logs.
BEYOND_A_TABLE = (
    *("deliverability.api.rendering", "deliverability.compose.page", "deliverability.compose.reason"),
    *("deliverability.evidence.document", "deliverability.evidence.plugin", "deliverability.protocols.replies"),
    *("deliverability.capture.commands", "deliverability.capture.decoders.pasted", "hashlib", "zoneinfo"),
)


@pytest.mark.parametrize(
    ("log", "recipient", "unwanted"),
    [
        (
            "tests/cases/logs/postfix/postfix-3.10.iso8601.log",
            "jo32@corp.example",
            "deliverability.protocols.exim_lines",
        ),
        ("examples/exim/mainlog", "mei.lin@gmail.com", "deliverability.protocols.postfix_reading"),
    ],
)
def test_a_trace_without_network_imports_what_it_uses(
    log: str, recipient: str, unwanted: str, request: pytest.FixtureRequest
) -> None:
    """What a short log waits for is imports: those that only others need stay out."""
    arguments = ["trace", "--offline", "--log", str(request.config.rootpath / log), "--to", recipient]
    names = (*WITHOUT_NETWORK, *BEYOND_A_TABLE, unwanted)
    probe = (
        f"import sys\nfrom deliverability.__main__ import run\nstatus = run({arguments!r})\n"
        f"print(status, [name for name in {names!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, encoding="utf-8", check=True)
    assert done.stderr.splitlines()[-1] == "3 []"
    assert recipient in done.stdout


def test_a_check_without_network_reads_no_logs_and_draws_no_page() -> None:
    names = ("deliverability.api.tracing", "deliverability.correlate", "deliverability.compose.page")
    probe = (
        "import sys\nfrom deliverability.__main__ import run\nrun(['check', 'example.com', '--offline'])\n"
        f"print([name for name in {names!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, encoding="utf-8", check=True)
    assert done.stderr.splitlines()[-1] == "[]"
    assert "example.com" in done.stdout


# What an evaluator rests on: a report has all checks, but most of them say at once that they do not apply.
EVALUATORS = {
    f"deliverability.protocols.{name}"
    for name in (
        *("address", "arc", "certificate", "dane", "dkim", "dkim_key", "dkim_remarks", "dkim_signature", "dmarc"),
        *("dmarc_7489", "dmarc_remarks", "dmarc_reports", "dnssec", "mail", "mime", "selectors", "spf", "spf_lint"),
        *("spf_reading", "spf_terms", "typo", "unsubscribe"),
    )
}
# What reads the lines of one log format: no log is of all.
READERS = {
    f"deliverability.protocols.{name}"
    for name in (
        *("amavis_lines", "dovecot_lines", "exchange_rows", "exim_fast", "eximstats_rows", "export_times"),
        *("google_log_rows", "m365_rows", "opensmtpd_lines", "postfix_attempts", "postfix_fast", "postfix_lines"),
        *("postfix_queue", "postfix_reading", "rspamd_lines", "sendmail_attempts", "sendmail_lines", "sendmail_words"),
        "whmcs_rows",
    )
}
# What only other answers need: rules for refusals, tables, what a page of another form is drawn with.
OTHER_ANSWERS = {
    "deliverability.api.spam",
    "deliverability.api.tables",
    "deliverability.capture.decoders.archive_files",
    "deliverability.compose.sheet",
    "deliverability.protocols.replies_general",
    "deliverability.protocols.replies_registry",
    "pickle",
    "tomllib",
}


@pytest.mark.parametrize(("folder", "unwanted"), [("checks", EVALUATORS), ("ingest", READERS)])
def test_loading_all_of_a_kind_leaves_their_work_for_later(folder: str, unwanted: set[str]) -> None:
    probe = (
        "import sys\nfrom deliverability import plugins\n"
        f"loaded = dict(plugins.load_all({folder!r}))\n"
        f"print(len(loaded), sorted({unwanted!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{len(plugins.ids(folder))} []"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("form", ["text", "html"])
def test_a_report_without_network_imports_what_it_uses(lang: str, form: str, request: pytest.FixtureRequest) -> None:
    """A page of a mail that was taken, from a short log: of all providers its own, of all evaluators none."""
    root = request.config.rootpath
    log = root / "examples" / "exim" / "mainlog"
    arguments = ["report", "--offline", "--log", str(log), "--to", "mei.lin@gmail.com", "--latest"]
    arguments += ["--now", "2026-11-25T00:00:00Z", "--lang", lang, "--format", form]
    unwanted = {*WITHOUT_NETWORK, *EVALUATORS, *READERS, *OTHER_ANSWERS}
    if form == "html":
        unwanted -= {"jinja2", "pickle"}  # Jinja draws that form, and brings the other
    probe = (
        f"import sys\nfrom deliverability.__main__ import run\nstatus = run({arguments!r})\n"
        "providers = [m for m in sys.modules if m.startswith('deliverability.providers.')]\n"
        f"print(status, providers, sorted({unwanted!r} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, encoding="utf-8", check=True)
    assert done.stderr.splitlines()[-1] == "3 ['deliverability.providers.gmail'] []"
    assert "mei.lin@gmail.com" in done.stdout


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
