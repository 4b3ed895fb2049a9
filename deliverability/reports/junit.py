"""JUnit XML of verdicts before sending: what CI servers read (the ``testsuites`` form that Ant introduced).

A failure is a test that failed, an undecided check one that was skipped, a defect of ours an error: a build breaks
on a finding, never on a name server that did not answer.
"""

import re
from xml.sax.saxutils import escape, quoteattr

from deliverability.evidence.document import Sheet, SheetPart, SheetRow
from deliverability.evidence.plugin import Renderer
from deliverability.evidence.verdict import Outcome

# XML 1.0 §2.2 has no form at all for these, escaped or not.
_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def render_sheet(sheet: Sheet) -> bytes:
    """The sheet as JUnit XML, UTF-8."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    for part in sheet.parts:
        lines += _suite(part)
    lines.append("</testsuites>")
    return ("\n".join(lines) + "\n").encode("utf-8")


def _suite(part: SheetPart) -> list[str]:
    outcomes = [_counted(row) for row in part.rows]
    counts = " ".join(f'{name}="{outcomes.count(name)}"' for name in ("failures", "errors", "skipped"))
    lines = [f'<testsuite name={_attribute(f"{part.kind} {part.subject}")} tests="{len(outcomes)}" {counts}>']
    for row in part.rows:
        head = f"<testcase classname={_attribute(part.subject)} name={_attribute(row.verdict.check)}"
        body = _body(row)
        lines.append(f"{head}>{body}</testcase>" if body else f"{head}/>")
    if part.facts:
        lines.append(f"<system-out>{escape(_xml(chr(10).join(part.facts)))}</system-out>")
    return [*lines, "</testsuite>"]


def _counted(row: SheetRow) -> str:
    if row.verdict.outcome is Outcome.ERROR:
        return "errors"
    if row.verdict.outcome is Outcome.FAIL and not row.verdict.advisory:
        return "failures"
    return "passed" if row.verdict.outcome is Outcome.PASS else "skipped"


def _body(row: SheetRow) -> str:
    text = "\n".join((row.sentence, *row.details, row.verdict.citation))
    match _counted(row):
        case "failures":
            return f"<failure message={_attribute(row.sentence)}>{escape(_xml(text))}</failure>"
        case "errors":
            return f"<error message={_attribute(row.sentence)}/>"
        case "skipped":
            return f"<skipped message={_attribute(row.sentence)}/>"
        case _:
            return ""


def _attribute(text: str) -> str:
    return quoteattr(_xml(text))


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


RENDERER = Renderer(id="junit", media_type="application/xml", extension="xml", render_sheet=render_sheet)
