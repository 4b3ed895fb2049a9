"""The shapes of plug-ins: one file each, one constant each (``docs/adding.md``)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from deliverability.evidence.attempted import Lean
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.document import Document, Sheet
from deliverability.evidence.event import DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.verdict import Finding, Messages, Ruling

Localized = Mapping[str, str]
"""``text[language]``; ``en`` and ``zh-Hant-TW`` are required."""

LANGUAGES = ("en", "zh-Hant-TW")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One claim that is proved or not.  Module constant ``CHECK`` in ``checks/``."""

    id: str
    """The claim, as in "pass spf-aligned"; the file's name with hyphens."""
    subjects: frozenset[Subject]
    citation: str
    title: Localized
    messages: Messages
    """Every code that :attr:`evaluate` and :attr:`applies` can give, in each language."""
    evaluate: Callable[[Evidence], Ruling]
    """Pure; may raise :class:`~deliverability.evidence.observation.Unobserved`."""
    applies: Callable[[Evidence], Finding | None] = lambda _evidence: None
    """``None`` when it applies, else the finding that says why not."""
    effective: date | None = None
    """The day from which the rule binds, held against the dispatch date."""
    advisory: bool = False
    """A hint rather than a rule: shown, but an exit status does not rest on it."""
    opt_in: str | None = None
    """The name under which the caller has to ask for it (``Evidence.asked_for``), because it opens connections to
    third parties or depends on their terms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFormat:
    """How one mail server writes.  Module constant ``FORMAT`` in ``ingest/``."""

    id: str
    title: str
    sniff: Callable[[bytes], float]
    """Share, 0 to 1, of the complete lines in a sample that are of this format."""
    parse: Callable[[Iterable[LogLine]], Iterator[DeliveryEvent]]
    """Lines in order to events; a line that says nothing about a message gives none.  Never raises."""
    is_line: Callable[[bytes], bool]
    """Whether a line is of this format at all (its own prologue), told from its head alone."""
    queue_ids: Callable[[bytes], Iterable[str]]
    """Ids by which a line belongs to a message, in fields that the writer fills itself, the line's own id first; cheap,
    may be too many."""
    needles: Callable[[str], Iterable[bytes]]
    """An address as this format may spell it: byte strings, lower-case, one of which stands in each of its lines."""
    head: bytes = b""
    """Regular expression (bytes, multi-line) that matches the head of every line of the format."""
    unproven: bool = False
    """Built from the documented fields alone: no such server ran in the tests.  Shown wherever its lines count."""
    deliveries: Callable[[bytes], Callable[[bytes], Iterator[Lean]] | None] | None = None
    """Given a file's head: a reader that turns its blocks of whole lines, in order, into the attempts that they report,
    without a model object each; ``None`` where only :attr:`parse` can read this file.  It says what ``parse`` says."""
    delivery_marks: tuple[bytes, ...] | None = None
    """Octets of which one stands in every line that reports an attempt, for a format that reads each line by itself;
    empty: none ever does; ``None``: not known, all lines have to be read."""


class ProviderKind(StrEnum):
    """What sort of mailbox, or what stands before it."""

    CONSUMER = "consumer"
    ISP = "isp"
    BUSINESS = "business"
    GATEWAY = "gateway"
    OWN = "own"
    GENERIC = "generic"


class Surface(StrEnum):
    """Where the customer reads mail; phone first."""

    PHONE_APP = "phone-app"
    PHONE_BROWSER = "phone-browser"
    COMPUTER = "computer"


class Certainty(StrEnum):
    """How sure the steps are."""

    OFFICIAL = "official"
    """Worded as the provider's own help page in that language."""
    SECONDARY = "secondary"
    """From another public description of it."""
    GENERAL = "general"
    """No source: the usual way, worded so that it cannot mislead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What to press, on one surface."""

    surface: Surface
    steps: Mapping[str, tuple[str, ...]]
    """By language; ``{address}``, ``{domain}``, ``{subject}`` and ``{message_id}`` stand for the sender's."""
    certainty: Certainty
    source: str
    """URL, or what it was taken from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderRule:
    """What a mailbox provider demands of senders; data, judged from the checks that it names."""

    id: str
    """Unique within the provider: ``spf-and-dkim``, ``one-click``."""
    text: Localized
    """The rule in one sentence."""
    all_of: tuple[str, ...] = ()
    """Checks that must all pass."""
    any_of: tuple[str, ...] = ()
    """Checks of which one must pass."""
    broken_by: frozenset[str] = frozenset()
    """Codes of findings that break it, where a check that it names can fail for other reasons; empty: every failure."""
    author_domains: frozenset[str] = frozenset()
    """Binds only mail whose From is at one of these domains; empty: all mail."""
    bulk_only: bool = False
    """Binds only senders of bulk mail, as the provider counts them."""
    visible: bool = True
    """Whether it can be judged from outside; complaint rates and volumes cannot."""
    effective: date
    """The day from which the provider enforces it."""
    smtp_codes: tuple[str, ...] = ()
    """Enhanced status codes with which mail that breaks it is refused."""
    source: str
    """URL of the provider's page, or of who quotes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A mailbox provider: how to recognise it, and what its customer can do.  Module constant ``PROVIDER``."""

    id: str
    name: Localized
    kind: ProviderKind
    domains: frozenset[str] = frozenset()
    """Recipient domains, matched exactly or, with a leading dot, below."""
    mx_suffixes: tuple[str, ...] = ()
    """Suffixes of MX host names, on a label boundary."""
    junk_folder: Localized
    """What the junk folder is called."""
    search: Localized = field(default_factory=dict)
    """What to type into the search box; placeholders as in :class:`Steps`."""
    find: tuple[Steps, ...] = ()
    """How to find the mail and take it out of junk."""
    keep: tuple[Steps, ...] = ()
    """How to keep the next one."""
    junk_days: int | None = None
    """After how many days junk is deleted; ``None``: not known."""
    list_checks_authentication: bool | None = None
    """Whether its allowlist is held against SPF, DKIM or DMARC; ``None``: not known."""
    caveats: tuple[Localized, ...] = ()
    steps_date: date
    """When the steps were last held against a source."""
    webmail: str | None = None
    rules: tuple[SenderRule, ...] = ()
    """What it demands of those who write to its customers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """One output form.  Module constant ``RENDERER`` in ``reports/``."""

    id: str
    media_type: str
    extension: str
    render: Callable[[Document], bytes] | None = None
    """A report; ``None`` where the form has no use for one."""
    render_sheet: Callable[[Sheet], bytes] | None = None
    """Verdicts before sending; ``None`` where the form has no use for them."""
