"""What ``explain --format json`` prints is what its published, closed schema says."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from deliverability.api import Network
from deliverability.api.explaining import (
    Question,
    explain_message,
    explain_reply,
    message_answer,
    reply_answer,
)
from deliverability.api.requests import Reader, Request

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "cases"
COPIES = sorted((FOLDER / "explain").glob("*.eml"))
REPLIES = tomllib.loads((FOLDER / "replies" / "cases.toml").read_text("utf-8"))["case"]
SCHEMA = json.loads((ROOT / "docs" / "schema" / "explain.v1.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def problems(content):
    return [f"{list(e.path)}: {e.message}" for e in VALIDATOR.iter_errors(json.loads(content))]


def test_the_schema_is_one_and_closed():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert list(VALIDATOR.iter_errors({"schema_version": 1, "kind": "explain"}))
    assert all(one.get("additionalProperties") is False for one in SCHEMA["$defs"].values())


@pytest.mark.parametrize("lang", ["en", "zh-Hant-TW"])
@pytest.mark.parametrize("path", COPIES, ids=lambda p: p.stem)
def test_an_explained_copy_fits(path, lang):
    found = explain_message(path.read_bytes(), Question(), Request())
    assert problems(message_answer(found, Reader(lang=lang), "json")) == []


def test_a_copy_that_was_checked_again_and_a_banner_fit():
    offline = Request(network=Network(offline=True))
    found = explain_message(COPIES[0].read_bytes(), Question(verify=True, banner="similar"), offline)
    assert problems(message_answer(found, Reader(), "json")) == []
    alone = explain_message(None, Question(banner="similar"), Request())
    assert problems(message_answer(alone, Reader(), "json")) == []


def test_every_explained_reply_fits():
    for case in REPLIES:
        assert problems(reply_answer(explain_reply(case["text"], case.get("told")), Reader(), "json")) == [], case
