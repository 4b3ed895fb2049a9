"""The form of an answer, by the name of the file that it is to be written to."""

from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from deliverability.errors import UsageError, printable

_Form = TypeVar("_Form", bound=StrEnum)
_BY_SUFFIX = {
    ".csv": "csv",
    ".htm": "html",
    ".html": "html",
    ".json": "json",
    ".jsonl": "ndjson",
    ".markdown": "markdown",
    ".md": "markdown",
    ".ndjson": "ndjson",
    ".pdf": "pdf",
    ".png": "png",
    ".sarif": "sarif",
    ".xml": "junit",
}
_OTHERS = (
    *(".bmp", ".doc", ".docx", ".eml", ".epub", ".gif", ".jpeg", ".jpg", ".msg", ".ods", ".odt", ".pages", ".ps"),
    *(".rtf", ".svg", ".tiff", ".tsv", ".webp", ".xls", ".xlsx", ".zip"),
)
"""Kinds of files that programs open by their name, and that no answer here is."""


def named_form(form: _Form | None, forms: type[_Form], output: Path | str | None) -> _Form | None:
    """The form that was asked for; else the one that the file's name tells; ``None`` where neither says one.

    Raises :class:`UsageError` where the name promises what cannot be made: text in ``notice.docx`` would not open.
    """
    if form is not None or output is None or str(output).endswith("/") or Path(output).is_dir():
        return form
    suffix = Path(output).suffix.lower()
    named = _BY_SUFFIX.get(suffix, "")
    if named in {each.value for each in forms}:
        return forms(named)
    if named or suffix in _OTHERS:
        raise UsageError(
            f"-o {printable(str(output))}: no answer of this command is a {suffix} file; "
            f"name it otherwise, or choose with --format: {', '.join(forms)}"
        )
    return None
