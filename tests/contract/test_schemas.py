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


def lines_of(*arguments: object) -> list[Any]:
    command = [sys.executable, "-m", "deliverability", "check", "--offline", "--format", "ndjson", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_line_fits_the_schema_of_lines(tmp_path: Path) -> None:
    """Rows of what could not be checked as well: a program reads them all alike."""
    names = tmp_path / "names"
    names.write_text("hosting.example\nno domain!\n\x1b[31m\n")
    lines = lines_of("--file", names) + lines_of(
        "--message", ROOT / "examples" / "notice.eml", "--spamd", "127.0.0.1:1"
    )
    assert len(lines) == 4
    assert [bool(line["problem"]) for line in sorted(lines, key=lambda line: line["subject"])].count(True) == 2
    assert [score["obstacle"] for line in lines for score in line["spam_scores"]] == ["network"]
    problems = [f"{list(e.path)}: {e.message}" for line in lines for e in validator("check-line").iter_errors(line)]
    assert problems == []


def test_a_line_is_a_subject_of_the_whole() -> None:
    line, whole = (json.loads((SCHEMAS / f"{name}.v1.json").read_text()) for name in ("check-line", "check"))
    subject = whole["$defs"].pop("subject")
    assert line["properties"] == {"schema_version": {"const": 1}, **subject["properties"]}
    assert set(line["required"]) == {"schema_version", *subject["required"]}
    assert line["$defs"] == whole["$defs"]


@pytest.mark.parametrize("name", [*ASKED, "check-line"])
def test_a_schema_refuses_what_is_not_its_own(name: str) -> None:
    assert list(validator(name).iter_errors({"schema_version": 2, "kind": name}))
