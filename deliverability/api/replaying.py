"""The observations of a record, for a replay without a network."""

import json
from typing import Any

from deliverability.errors import ParseError, UsageError, printable
from deliverability.evidence.observation import Observations
from deliverability.protocols import observed


def observations_of(content: bytes, origin: str) -> Observations:
    """The observations that a trace, check or report in JSON, or a check in NDJSON, carries: a replay needs no network.

    All that the file holds are joined; of two for one question the later in the file stands.
    """
    try:
        found = [one for record in _records(content) for one in _carried(record)]
        return Observations.of(observed.observation_from_json(o) for o in found)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise UsageError(
            f"--observations {printable(origin)}: this is not JSON; what report, trace or check wrote with --format json"
            " goes here"
        ) from None
    except (ValueError, RecursionError) as problem:
        raise UsageError(f"--observations {printable(origin)}: {printable(str(problem))}") from None


def _records(content: bytes) -> list[Any]:
    """The records of a file: one JSON document, which may be a list of them, or one for each line."""
    try:
        value = json.loads(content)
    except ValueError:
        lines = [line for line in content.splitlines() if line.strip()]
        if len(lines) < 2 or not lines[0].rstrip().endswith(b"}"):
            raise
        return [json.loads(line) for line in lines]
    return value if isinstance(value, list) else [value]


def _carried(record: Any) -> list[Any]:
    """The observations of one record: its own (a report, a trace, a line), or those of its subjects (a check)."""
    if not isinstance(record, dict):
        raise ParseError("it carries no observations")
    found = record.get("observations")
    if isinstance(found, list):
        return found
    subjects = record.get("subjects")
    if record.get("kind") != "check" or not isinstance(subjects, list):
        raise ParseError("it carries no observations")
    return [one for subject in subjects for one in _carried(subject)]
