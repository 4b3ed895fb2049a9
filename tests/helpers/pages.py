"""Documents for the tests of the forms: the branches of the golden reports, and one made of hostile text."""

import importlib.util
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deliverability.compose.catalog import catalog
from deliverability.compose.page import compose
from deliverability.evidence.document import (
    Answer,
    Attachment,
    Document,
    Edition,
    Facts,
    Instructions,
    Ladder,
    Link,
    Note,
    Paragraph,
    Quote,
    Relationship,
    Rung,
    Section,
    Table,
    Timeline,
    TimelineMark,
    Tone,
)

__all__ = ["LANGUAGES", "catalog", "enclosed", "factory", "hostile", "report"]
LANGUAGES = ("en", "zh-Hant-TW")


def _factory() -> Any:
    spec = importlib.util.spec_from_file_location("f", Path(__file__).parents[1] / "golden" / "_factory.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


factory = _factory()


def report(branch: str, lang: str, *, support: bool = False, **brand: Any) -> Document:
    """A branch of the golden reports."""
    return compose(
        factory.BRANCHES[branch](lang),
        lang=lang,
        timezone="Asia/Taipei",
        brand=replace(factory.BRAND, **brand),
        edition=Edition.SUPPORT if support else Edition.CUSTOMER,
        made_at=factory.MADE_AT,
    )


def hostile(text: str, lang: str = "en") -> Document:
    """Every kind of block with the same foreign text in every place that takes one."""
    blocks = (
        Answer(text, Tone.BAD, text),
        Ladder(text, (Rung(text, True, text), Rung(text, False), Rung(text, None, text))),
        Timeline(
            text,
            text,
            (TimelineMark(text, text, Tone.WAITING), TimelineMark(text, text, Tone.UNKNOWN, text, 4)),
        ),
        Paragraph(text),
        Note(text),
        Link(text, text),
        Instructions(text, (text, text), text),
        Facts(((text, text),)),
        Table(text, (text, text, text), ((text, text, text),)),
        Quote(text, text),
        Quote(text, text, literal=True),
    )
    return Document(
        lang=lang,
        title=text,
        sections=(Section("answer", text, blocks),),
        assessment=factory.assessment(),
        made_at=datetime(2026, 11, 22, 5, 1, 38, tzinfo=UTC),
        file_stem="x",
    )


def enclosed(document: Document, *contents: bytes) -> Document:
    """The document with files of these contents."""
    files = tuple(
        Attachment(f"file-{number}.bin", "application/octet-stream", content, Relationship.DATA, "a file")
        for number, content in enumerate(contents)
    )
    return replace(document, attachments=files)
