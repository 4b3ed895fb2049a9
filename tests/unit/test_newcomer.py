"""What a stranger tries first, as the command line answers it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from ledger_records import intent
from names import names

from deliverability import plugins
from deliverability.__main__ import run as run_here
from deliverability.cli import COMMANDS
from deliverability.compose.catalog import catalog
from deliverability.evidence.event import Action, Result
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ledger.log import recorder
from deliverability.reports.text import width
from deliverability.terminal.follow import as_text
from deliverability.terminal.options import Lang, language

ROOT = Path(__file__).parents[2]
LOG = ROOT / "examples" / "exim" / "mainlog"


def run(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deliverability", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, check=False, text=True, timeout=120)


def answer(*words: object) -> int:
    return run_here([str(word) for word in words])


def test_pages_go_into_a_folder_that_the_slash_names_and_that_is_not_there_yet(tmp_path):
    done = run("report", "--log", LOG, "--to", "@gmail.example", "--all", "--offline", "-o", "pages/", cwd=tmp_path)
    assert sorted(page.suffix for page in (tmp_path / "pages").iterdir()) == [".txt", ".txt"], done.stderr


def test_one_page_goes_into_such_a_folder_too(tmp_path):
    run("report", "--log", LOG, "--to", "chen@hinet.net", "--offline", "-o", "pages/", cwd=tmp_path)
    (page,) = (tmp_path / "pages").iterdir()
    assert "INV-20413" in page.name
    assert "chen@hinet.net" in page.read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "pages").write_text("a file\n")
    done = run("report", "--log", LOG, "--to", "chen@hinet.net", "--offline", "-o", "pages/", cwd=tmp_path)
    assert done.returncode == 6
    assert "pages: cannot be made: " in done.stderr
    assert (tmp_path / "pages").read_text() == "a file\n"


# --- "My Mail" --------------------------------------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path):
    assert answer("ledger", "init", "hosting.example/dispatch", "--ledger", tmp_path / "ledger") == 0
    return tmp_path / "ledger"


@pytest.mark.parametrize(("lang", "waits"), [("en", "wait to be sealed"), ("zh-Hant-TW", "等待封存")])
@pytest.mark.parametrize("form", ["text", "html"])
def test_a_notice_that_waits_to_be_sealed_is_not_said_to_be_missing(ledger, capfd, lang, waits, form):
    spool = recorder(ledger)
    spool.record([intent(1), intent(2, account="4712", forward_path="lin@hinet.example")])
    command = ["history", "--ledger", ledger, "--lang", lang, "--format", form]
    capfd.readouterr()
    assert answer(*command, "--customer", "4711") == 4
    shown = capfd.readouterr().out
    assert waits in shown
    assert "chen@hinet.example" not in shown
    assert answer(*command, "--customer", "nobody") == 4
    assert waits not in capfd.readouterr().out
    assert answer("ledger", "checkpoint", "--no-stamp", "--ledger", ledger) == 0
    spool.record([intent(3)])
    capfd.readouterr()
    assert answer(*command, "--to", "chen@hinet.example") == 0
    assert waits in capfd.readouterr().out
    assert answer("ledger", "checkpoint", "--no-stamp", "--ledger", ledger) == 0
    capfd.readouterr()
    assert answer(*command, "--customer", "4711") == 0
    assert waits not in capfd.readouterr().out
    spool.close()


def test_programs_see_how_many_wait(ledger, capfd):
    spool = recorder(ledger)
    spool.record([intent(1), intent(2)])
    capfd.readouterr()
    assert answer("history", "--ledger", ledger, "--customer", "4711", "--format", "json") == 4
    assert json.loads(capfd.readouterr().out)["waiting"] == 2
    spool.close()


@pytest.mark.parametrize("lang", ["en", "zh-Hant-TW"])
def test_a_fragment_without_a_notice_has_no_empty_table_and_says_nothing_of_records(ledger, capfd, lang):
    capfd.readouterr()
    assert answer("history", "--ledger", ledger, "--customer", "4711", "--format", "html", "--lang", lang) == 4
    shown = capfd.readouterr().out
    assert "<table" not in shown
    assert catalog(lang)("history.none", customer="4711") in shown
    assert catalog(lang)("seal.limits.truth") not in shown


@pytest.mark.parametrize(("lang", "colon"), [("en", "chen@hinet.example: "), ("zh-Hant-TW", "chen@hinet.example：")])
def test_what_a_bundle_holds_is_written_with_the_colon_of_the_language(ledger, capfd, lang, colon):
    spool = recorder(ledger)
    spool.record([intent(1)])
    spool.close()
    answer("ledger", "checkpoint", "--no-stamp", "--ledger", ledger)
    bundle = ledger.parent / "bundle.json"
    answer("ledger", "prove", "--account", "4711", "--ledger", ledger, "-o", bundle)
    capfd.readouterr()
    answer("verify", bundle, "--lang", lang)
    assert colon in capfd.readouterr().out


def test_a_ledger_that_was_never_stamped_says_so_in_words(ledger, capfd):
    capfd.readouterr()
    assert answer("ledger", "status", "--ledger", ledger) == 0
    shown = capfd.readouterr().out
    assert "None" not in shown
    assert "last time stamp: never" in shown


@pytest.mark.parametrize(
    ("lang", "claim"), [("en", "It shows that these records"), ("zh-Hant-TW", "這表示這些紀錄存在")]
)
def test_of_what_was_changed_it_is_not_said_that_it_did_not_change(ledger, capfd, lang, claim):
    spool = recorder(ledger)
    spool.record([intent(1)])
    spool.close()
    answer("ledger", "checkpoint", "--no-stamp", "--ledger", ledger)
    bundle = ledger.parent / "bundle.json"
    answer("ledger", "prove", "--account", "4711", "--ledger", ledger, "-o", bundle)
    bundle.write_bytes(bundle.read_bytes().replace(b"chen@hinet", b"chan@hinet"))
    capfd.readouterr()
    assert answer("verify", bundle, "--lang", lang) == 5
    assert claim not in capfd.readouterr().out


@pytest.mark.parametrize("lang", ["en", "zh-Hant-TW"])
@pytest.mark.parametrize("asked", [("--reply", "550 5.1.1 no such user"), (ROOT / "examples" / "from-junk.eml",)])
def test_an_explanation_s_headings_are_underlined_as_wide_as_they_are(capfd, lang, asked):
    assert answer("explain", *asked, "--lang", lang) == 0
    lines = capfd.readouterr().out.splitlines()
    rules = [n for n, line in enumerate(lines) if line and not line.strip("-=")]
    assert len(rules) >= 3
    assert [width(lines[n - 1]) for n in rules] == [len(lines[n]) for n in rules]


# --- times and columns ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [("trace", "--to", "chen@hinet.net", "--offline"), ("report", "--to", "@gmail.example"), ("summary",)]
)
def test_a_chinese_table_names_the_zone_in_chinese(capfd, command):
    answer(*command, "--log", LOG, "--lang", "zh-Hant-TW", "--zone", "Asia/Taipei")
    shown = "".join(capfd.readouterr())
    assert "（台北時間）" in shown
    assert "Asia/Taipei" not in shown


@pytest.mark.parametrize("lang", ["en", "zh-Hant-TW"])
def test_the_prose_of_a_summary_fits_a_terminal_and_its_facts_stand_beside_their_names(capfd, lang):
    assert answer("summary", "--log", LOG, "--lang", lang) == 0
    lines = capfd.readouterr().out.splitlines()
    first_table = next(n for n, line in enumerate(lines[5:], 5) if not line)
    assert all(width(line) <= 80 for line in lines[:first_table])
    assert re.fullmatch(r"\S.*\S[:：] {2,24}12", lines[5])
    (prose,) = (line for line in lines if line.startswith(("An attempt is", "「嘗試」")))
    assert 60 <= width(prose) <= 72
    assert not any(re.match(r"–( 的例子|, for example)", line) for line in lines)


def test_the_steps_of_a_file_are_punctuated_as_chinese_is(capfd):
    records = '_dmarc.h.example. 300 IN TXT "v=DMARC1; p=reject"\nh.example. 300 IN A 192.0.2.1'
    with names(records) as server:
        asked = ("allowlist", "--for", "sieve", "--sender", "a@h.example", "--authserv-id", "mx.example")
        assert answer(*asked, "--lang", "zh-Hant-TW", "--nameserver", server) == 0
    said = capfd.readouterr().err
    assert "復原方式：" in said
    assert not re.search(r"[\u4e00-\u9fff][:,;]", said)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example_and_its_exit_status(capfd, command):
    assert answer(command, "--help") == 0
    shown = capfd.readouterr().out
    assert f"\n    deliverability {command} " in shown
    assert "xit status" in " ".join(shown.split())


def test_each_event_of_a_log_that_is_followed_is_told_in_the_reader_s_language():
    line = LOG.read_bytes().splitlines(keepends=True)[36]  # deferred: the mailbox is full
    place = Place("", "mainlog", 37, 0)
    (event,) = plugins.load("ingest", "exim").parse([LogLine(place, line.rstrip(b"\n"))])
    english, chinese = (as_text(event, None, catalog(lang)) for lang in ("en", "zh-Hant-TW"))
    assert english == as_text(event)
    assert " attempted deferred to=wei.tsai@gmail.example relay=" in english
    assert " 嘗試寄送 尚未，會再試 收件者=wei.tsai@gmail.example 伺服器=" in chinese
    assert english.rpartition(": ")[2] == chinese.rpartition("：")[2]


@pytest.mark.parametrize("lang", ["en", "zh-Hant-TW"])
def test_every_kind_of_event_has_its_word(lang):
    words = [catalog(lang)(f"event.{kind}") for kind in Action]
    assert len(set(words)) == len(words)
    assert [catalog(lang)(f"event.result-{result}") for result in Result]
    if lang == "en":
        assert words == [kind.value for kind in Action]


@pytest.mark.parametrize("written", ["zh-TW", "zh_TW.UTF-8", "zh-Hant", "ZH-HANT-TW"])
def test_a_language_is_taken_as_people_write_it(written):
    assert language(written) is Lang.ZH


@pytest.mark.parametrize("written", ["zh-CN", "zh-Hans", "zh", "de", "", "\x1b[31m"])
def test_another_language_is_refused_with_those_that_there_are(written):
    with pytest.raises(typer.BadParameter, match="there are en, zh-Hant-TW") as refused:
        language(written)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("trace", "--archive", LOG, "--to", "a@b.example"), 6, "is not a database: --archive takes what"),
        (("ingest", "--log", LOG, "--archive", "notes"), 6, "is not a database: --archive takes what"),
        (("trace", "--archive", "none.db", "--to", "a@b.example"), 6, "no such file; `deliverability ingest"),
        (("trace", "--log", LOG, "--to", "a@b.example", "--observations", LOG), 2, "this is not JSON; what report"),
        (
            ("trace", "--log", LOG, "--to", "chen@hinet.net", "-o", "no/x.txt"),
            6,
            "there is no folder no; make it first",
        ),
        (("trace", "--log", LOG, "--cohort", "list.csv", "-o", "no/x.csv"), 6, "there is no folder no; make it first"),
    ],
)
def test_a_refusal_says_what_belongs_there(tmp_path, words, status, said):
    (tmp_path / "notes").write_text("nothing that a database begins with\n" * 40)
    (tmp_path / "list.csv").write_text("address,date\nchen@hinet.net,2026-11-22\n")
    done = run(*words, *([] if words[0] == "ingest" else ["--offline"]), cwd=tmp_path)
    assert (done.returncode, said in done.stderr) == (status, True), done.stderr
    assert (tmp_path / "notes").read_text().startswith("nothing")
