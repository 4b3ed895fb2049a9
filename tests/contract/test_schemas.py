"""What the command prints as JSON is what the published schemas say."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "docs" / "schema"
EXIM = ROOT / "examples" / "exim" / "mainlog"
POSTFIX = ROOT / "tests" / "cases" / "logs" / "postfix" / "postfix-3.10.iso8601.log"

ASKED = {
    "trace": [
        ("--log", EXIM, "--to", "mei.lin@gmail.com"),
        ("--log", POSTFIX, "--to", "all@alias.example"),
        ("--log", POSTFIX, "--to", "rate@gmail.example"),
        ("--log", POSTFIX, "--to", "blocked@corp.example"),
        ("--log", POSTFIX, "--to", "dup@corp.example"),
        ("--log", POSTFIX, "--to", "nobody@corp.example"),
    ],
    "report": [
        ("--log", EXIM, "--to", "mei.lin@gmail.com", "--message", ROOT / "examples" / "notice.eml"),
        ("--log", POSTFIX, "--to", "nouser1@gmail.example", "--edition", "support"),
        ("--log", POSTFIX, "--to", "nobody@corp.example"),
    ],
    "check": [
        ("hosting.example", "--for", "gmail"),
        ("--message", ROOT / "examples" / "notice.eml", "--transactional"),
        ("--address", "chen@hinet.com", "--about", "hinet.com"),
        ("--address", "no address at all"),
    ],
}


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{name}.v1.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(("name", "arguments"), [(n, a) for n, many in ASKED.items() for a in many])
def test_output_fits_the_schema(name: str, arguments: tuple[Any, ...]) -> None:
    command = [sys.executable, "-m", "deliverability", name, "--offline", "--format", "json", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    value = json.loads(done.stdout)
    problems = [f"{list(e.path)}: {e.message}" for e in validator(name).iter_errors(value)]
    assert problems == []


@pytest.mark.parametrize("name", ASKED)
def test_a_schema_refuses_what_is_not_its_own(name: str) -> None:
    assert list(validator(name).iter_errors({"schema_version": 2, "kind": name}))
