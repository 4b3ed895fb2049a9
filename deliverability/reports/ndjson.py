"""NDJSON of verdicts before sending: one JSON object a line for each thing checked, as soon as it is known.

For long lists and for programs that read as they go; a line is written whole or not at all, so a list that was
interrupted is taken up where it stopped.
"""

from deliverability.evidence.document import Sheet
from deliverability.evidence.plugin import Renderer
from deliverability.protocols import serial
from deliverability.protocols.shown_json import dumps


def render_sheet(sheet: Sheet) -> bytes:
    """Each part of the sheet on a line, UTF-8, members sorted."""
    values = ({"schema_version": 1, **serial.subject_to_json(part)} for part in sheet.parts)
    lines = (dumps(v, sort_keys=True) + "\n" for v in values)
    return "".join(lines).encode("utf-8", "backslashreplace")


RENDERER = Renderer(id="ndjson", media_type="application/x-ndjson", extension="ndjson", render_sheet=render_sheet)
