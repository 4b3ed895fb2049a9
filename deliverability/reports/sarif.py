"""SARIF 2.1.0 of message checks: where a file is at fault, code hosts show the finding beside it (OASIS standard).

Only findings on a file are results; a domain or an address has no place in a repository and is left to the other
forms.
"""

from typing import Any
from urllib.parse import quote

from deliverability.evidence.document import Sheet, SheetRow
from deliverability.evidence.plugin import Renderer
from deliverability.evidence.verdict import Outcome
from deliverability.protocols.shown_json import dumps

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Outcome.FAIL: "error", Outcome.INDETERMINATE: "note", Outcome.ERROR: "warning"}


def render_sheet(sheet: Sheet) -> bytes:
    """The findings on files as SARIF, UTF-8."""
    parts = [part for part in sheet.parts if part.kind == "message"]
    rows = [(part.subject, row) for part in parts for row in part.rows if row.verdict.outcome in _LEVELS]
    rules = {row.verdict.check: row for _, row in rows}
    driver = {"name": "deliverability", "rules": [_rule(rules[check]) for check in sorted(rules)]}
    run: dict[str, Any] = {"tool": {"driver": driver}, "results": [_result(subject, row) for subject, row in rows]}
    facts = [{"subject": part.subject, "text": fact} for part in parts for fact in part.facts]
    if facts:
        run["properties"] = {"facts": facts}  # a property bag (§3.8): no finding of ours
    whole = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return dumps(whole, indent=2).encode("utf-8", "backslashreplace") + b"\n"


def _rule(row: SheetRow) -> dict[str, Any]:
    return {"id": row.verdict.check, "shortDescription": {"text": row.title}, "help": {"text": row.verdict.citation}}


def _result(subject: str, row: SheetRow) -> dict[str, Any]:
    level = "note" if row.verdict.advisory else _LEVELS[row.verdict.outcome]
    place = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(subject, safe="/:", errors="surrogateescape")},
            "region": {"startLine": 1},
        }
    }
    return {
        "ruleId": row.verdict.check,
        "level": level,
        "message": {"text": "\n".join((row.sentence, *row.details))},
        "locations": [place],
    }


RENDERER = Renderer(id="sarif", media_type="application/sarif+json", extension="sarif", render_sheet=render_sheet)
