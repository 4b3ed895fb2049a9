"""Every branch of the report, in each language, as its reader sees it.

``UPDATE_GOLDEN=1 pytest tests/golden`` writes them anew; the difference is then read as prose, by a person.
"""

import importlib.util
import os
from pathlib import Path

import pytest

from deliverability.compose import Edition, compose
from deliverability.reports import html, text

HERE = Path(__file__).parent
LANGUAGES = ("en", "zh-Hant-TW")


def _load():
    spec = importlib.util.spec_from_file_location("golden_factory", HERE / "_factory.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FACTORY = _load()


def document(branch, lang):
    if branch == "not-found":
        assessment, edition = FACTORY.not_found(), Edition.SUPPORT
    elif branch == "accepted-support":
        assessment, edition = FACTORY.BRANCHES["accepted"](lang), Edition.SUPPORT
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
@pytest.mark.parametrize("branch", [*FACTORY.BRANCHES, "not-found", "accepted-support"])
def test_text(branch, lang):
    compare(f"{branch}.{lang}.txt", text.render(document(branch, lang)))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_html(lang):
    compare(f"accepted.{lang}.html", html.render(document("accepted", lang)))


def test_no_golden_file_is_left_over():
    wanted = {f"{b}.{lang}.txt" for b in [*FACTORY.BRANCHES, "not-found", "accepted-support"] for lang in LANGUAGES}
    wanted |= {f"accepted.{lang}.html" for lang in LANGUAGES}
    assert {path.name for path in (HERE / "reports").iterdir()} == wanted
