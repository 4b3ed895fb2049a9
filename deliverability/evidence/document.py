"""The report before it has a form: blocks of plain text, in reading order.

Every string here is plain text that may hold foreign text (SMTP replies, subjects): a renderer escapes
all of it for its own medium, and no block carries markup.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from deliverability.evidence.bundle import Assessment
from deliverability.evidence.spam import Scored
from deliverability.evidence.verdict import Verdict


class Tone(StrEnum):
    """How a block is meant; shown in words as well, never by colour alone."""

    GOOD = "good"
    WAITING = "waiting"
    BAD = "bad"
    UNKNOWN = "unknown"


class Edition(StrEnum):
    """For whom a report is."""

    CUSTOMER = "customer"
    """Shows nobody else's address."""
    REDACTED = "redacted"
    """The customer's, with the recipient's own address masked: for a reader who is not shown to be the customer."""
    SUPPORT = "support"
    """Everything: each attempt and each log line, as they were recorded."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A rung of the ladder."""

    label: str
    reached: bool | None
    """``None``: cannot be known from here."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The first sentence."""

    text: str
    tone: Tone
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Ladder:
    """How far the mail is known to have come."""

    label: str
    rungs: tuple[Rung, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """A paragraph that must not be missed."""

    text: str


@dataclass(frozen=True, slots=True)
class Instructions:
    """Numbered steps."""

    label: str
    steps: tuple[str, ...]
    small_print: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a head."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """Text to copy as it is: a search, a paragraph for the provider, log lines."""

    label: str
    text: str
    literal: bool = False
    """Log lines and the like: fixed width, line breaks kept."""


@dataclass(frozen=True, slots=True)
class TimelineMark:
    """One attempt in the picture of the timeline."""

    when: str
    label: str
    """What became of it, in words: the mark's shape and colour only repeat it."""
    tone: Tone
    after: str = ""
    """How long after the one before, in words; empty for the first."""
    room: int = 0
    """0 to 4: how much room the picture leaves for that time, on a logarithmic scale."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A picture of several attempts; the table beside it says the same in words, and more."""

    label: str
    description: str
    """What the picture shows, in a sentence, for those who do not see it."""
    marks: tuple[TimelineMark, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """Where to go next: a page of the sender's, from the sender's own configuration."""

    label: str
    url: str


Block = Link | Answer | Ladder | Paragraph | Note | Instructions | Facts | Table | Quote | Timeline


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    id: str
    """Stable, for anchors and tests: ``answer``, ``find``, ``keep``, ``evidence`` …"""
    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """The sender's logo: a PNG or JPEG file that was looked into."""

    media_type: str
    content: bytes
    width: int
    """Pixels."""
    height: int


@dataclass(frozen=True, slots=True)
class Accent:
    """The sender's colour, ``#rrggbb``, as far apart from what lies beside it as WCAG 2.2 §1.4.3 wants."""

    light: str
    on_light: str
    """Of the text upon it."""
    dark: str
    """The same for a dark page."""
    on_dark: str


@dataclass(frozen=True, slots=True)
class Look:
    """How the sender's pages look."""

    name: str = ""
    logo: Picture | None = None
    accent: Accent | None = None


class Paper(StrEnum):
    """The size of a printed page."""

    A4 = "a4"
    LETTER = "us-letter"


class Relationship(StrEnum):
    """What an enclosed file is to the page (``AFRelationship``, ISO 32000-2 §7.11.3)."""

    SOURCE = "source"
    DATA = "data"
    ALTERNATIVE = "alternative"
    SUPPLEMENT = "supplement"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a form which can hold files encloses."""

    name: str
    media_type: str
    content: bytes
    relationship: Relationship
    description: str = ""
    """What it is, in the document's language."""
    steps: tuple[str, ...] = ()
    """How it is put to use, likewise; empty where nothing is to be done with it."""
    remarks: str = ""
    """What to know before that, likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole report in one language."""

    lang: str
    title: str
    sections: tuple[Section, ...]
    assessment: Assessment
    made_at: datetime
    file_stem: str
    """A safe file name without extension: date and subject."""
    edition: Edition = Edition.CUSTOMER
    look: Look = Look()
    paper: Paper = Paper.A4
    attachments: tuple[Attachment, ...] = ()
    short: tuple[str, ...] = ()
    """The answer in one line for a telephone, the most telling first."""
    link: str = ""
    """Where such a line sends its reader."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One verdict, in words and for machines."""

    verdict: Verdict
    title: str
    outcome: str
    """The outcome's word in the sheet's language."""
    sentence: str
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SheetPart:
    """The verdicts on one subject."""

    kind: str
    """``domain``, ``message``, ``address``."""
    subject: str
    """A domain, a file, an address."""
    rows: tuple[SheetRow, ...]
    assessment: Assessment
    spam_scores: tuple[Scored, ...] = ()
    """What spam filters of the caller's own said of a message: facts beside the verdicts."""
    facts: tuple[str, ...] = ()
    """The same, and whatever else is no verdict, in the sheet's language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Verdicts before sending, on one or many subjects, in one language."""

    lang: str
    parts: tuple[SheetPart, ...]
    made_at: datetime
    head: tuple[str, str, str]
    """Column heads: outcome, check, finding."""
