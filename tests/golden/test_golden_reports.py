"""Every branch of the report, in each language, as its reader sees it.

``UPDATE_GOLDEN=1 pytest tests/golden`` writes them anew; the difference is then read as prose, by a person.
"""

import importlib.util
import os
from pathlib import Path

import pytest

from deliverability.api.rendering import render
from deliverability.api.requests import Reader, Request
from deliverability.api.summary import summarise
from deliverability.api.summary_rendering import rendered
from deliverability.compose.page import compose
from deliverability.config import Configuration, ReportSettings
from deliverability.evidence.document import Edition
from deliverability.reports import html, text

HERE = Path(__file__).parent
LANGUAGES = ("en", "zh-Hant-TW")
AS_HTML = ("accepted", "accepted-after-waiting", "refused-policy")
LOGS = HERE.parent / "cases" / "logs"
EDITIONS = {"accepted-support": Edition.SUPPORT, "accepted-redacted": Edition.REDACTED}


def _load():
    spec = importlib.util.spec_from_file_location("golden_factory", HERE / "_factory.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FACTORY = _load()
EVERY = [*FACTORY.BRANCHES, "not-found", *EDITIONS]


def document(branch, lang):
    if branch == "not-found":
        assessment, edition = FACTORY.not_found(), Edition.SUPPORT
    elif branch in EDITIONS:
        assessment, edition = FACTORY.BRANCHES["accepted"](lang), EDITIONS[branch]
    else:
        assessment, edition = FACTORY.BRANCHES[branch](lang), Edition.CUSTOMER
    return compose(
        assessment,
        lang=lang,
        timezone="Asia/Taipei",
        brand=FACTORY.BRAND,
        edition=edition,
        made_at=FACTORY.MADE_AT,
    )


def compare(name, content):
    path = HERE / "reports" / name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    assert path.exists(), f"{name} is missing: run with UPDATE_GOLDEN=1 and read what it writes"
    assert content.decode() == path.read_bytes().decode()


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("branch", EVERY)
def test_text(branch, lang):
    compare(f"{branch}.{lang}.txt", text.render(document(branch, lang)))


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("branch", AS_HTML)
def test_html(branch, lang):
    compare(f"{branch}.{lang}.html", html.render(document(branch, lang)))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_html_with_files_to_import(lang):
    request = Request(configuration=Configuration(report=ReportSettings(sender=FACTORY.SENDER)))
    page = render(FACTORY.BRANCHES["accepted"](lang), Reader(lang=lang, zone="Asia/Taipei"), "html", request)
    compare(f"accepted-files.{lang}.html", page)


@pytest.mark.parametrize("form", ["html", "text"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_summary(lang, form, monkeypatch):
    monkeypatch.chdir(LOGS)
    request = Request(logs=("postfix/postfix-3.10.iso8601.log",), now=FACTORY.MADE_AT)
    told = rendered(summarise(request, jobs=1), Reader(lang=lang), form, request)
    compare(f"summary.{lang}.{'txt' if form == 'text' else form}", told)


def test_no_golden_file_is_left_over():
    wanted = {f"{b}.{lang}.txt" for b in EVERY for lang in LANGUAGES}
    wanted |= {f"{b}.{lang}.html" for b in (*AS_HTML, "accepted-files", "summary") for lang in LANGUAGES}
    wanted |= {f"summary.{lang}.txt" for lang in LANGUAGES}
    assert {path.name for path in (HERE / "reports").iterdir()} == wanted
