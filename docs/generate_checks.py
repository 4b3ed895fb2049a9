"""Write ``docs/checks.md`` from the checks themselves: what each proves, its source, and everything it can say.

Run as ``python docs/generate_checks.py``; a test fails when the page is not what this writes.
"""

import sys
from importlib import import_module
from pathlib import Path

from deliverability import plugins
from deliverability.evidence.plugin import Check

PAGE = Path(__file__).with_name("checks.md")
HEAD = """# Checks

Each check is one claim that is proved or not. Its outcome is *pass*, *fail*, *indeterminate* (it could not be decided from
what is at hand; the sentence says what would settle it), *not-applicable*, or *error* (a defect of this program). This page
is written from the checks by `docs/generate_checks.py`.
"""


def page() -> str:
    """The whole page."""
    checks: list[Check] = [plugins.load("checks", name) for name in plugins.ids("checks")]
    index = "\n".join(f"- [`{c.id}`](#{c.id}): {c.title['en']}" for c in checks)
    return "\n".join([HEAD, index, "", *(section(c) for c in checks)])


def section(check: Check) -> str:
    """One check: title, claim, facts, sentences."""
    module = import_module(f"deliverability.checks.{check.id.replace('-', '_')}")
    claim = (module.__doc__ or "").strip().replace("``", "`")
    subjects = ", ".join(sorted(s.value for s in check.subjects))
    rows = [f"| about | {subjects} |", f"| source | {check.citation} |"]
    if check.opt_in:
        rows.append(f"| only when asked for | `--with {'dnsbl:LIST' if check.opt_in == 'dnsbl' else check.opt_in}` |")
    if check.advisory:
        rows.append("| a hint | it decides no exit status by itself |")
    said = [f"- `{code}`: {cell(texts['en'])}" for code, texts in sorted(check.messages.items())]
    head = [f"## {check.id}", "", f"**{check.title['en']}** · {check.title['zh-Hant-TW']}", "", claim, ""]
    return "\n".join([*head, "| | |", "|---|---|", *rows, "", "What it can say:", "", *said, ""])


def cell(text: str) -> str:
    """A sentence with its placeholders as code."""
    return text.replace("{", "`{").replace("}", "}`").replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")
