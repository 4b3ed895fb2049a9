"""The shapes of plug-ins: one file each, one constant each (``docs/adding.md``)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.languages import LANGUAGES, Localized
from deliverability.evidence.log_format import LogFormat
from deliverability.evidence.verdict import Finding, Messages, Ruling

if TYPE_CHECKING:
    from deliverability.evidence.document import Document, Sheet
    from deliverability.evidence.sender_facts import SenderFacts

__all__ = [
    "LANGUAGES",
    "Actor",
    "Certainty",
    "Check",
    "Filter",
    "Form",
    "FormKind",
    "Judgement",
    "Localized",
    "LogFormat",
    "Need",
    "Provider",
    "ProviderKind",
    "Reading",
    "Renderer",
    "ReplyRule",
    "SenderRule",
    "Stamp",
    "Steps",
    "Surface",
]


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


class ProviderKind(StrEnum):
    """What sort of mailbox, or what stands before it."""

    CONSUMER = "consumer"
    ISP = "isp"
    BUSINESS = "business"
    GATEWAY = "gateway"
    OWN = "own"
    PANEL = "panel"
    """A control panel's mail on whatever host: no MX tells it."""
    CLIENT = "client"
    """A program that collects mail, with a junk filter of its own."""
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


class Actor(StrEnum):
    """Who has to do something about a refusal or a verdict."""

    SENDER = "sender"
    RECIPIENT = "recipient"
    """The customer, or the administrator of the customer's mail."""
    PROVIDER = "provider"
    """Whoever runs the receiving side."""
    NOBODY = "nobody"
    """It passes by itself: wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRule:
    """What a provider means by one of its replies."""

    id: str
    """Unique within the provider: ``rate-limited-ip``."""
    pattern: str
    """Regular expression that finds this reply among everybody's, whatever its case; a contract test holds it to constructs that
    take linear time."""
    cause: str
    """One of ``protocols.replies.CAUSES``."""
    actor: Actor
    advice: Localized | None = None
    """What to do; ``None``: what is said of the cause in general holds."""
    codes: frozenset[str] = frozenset()
    """Enhanced status codes that alone mean the same, where the reply is known to be this provider's."""
    source: str
    """URL, or what it was taken from."""


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
    replies: tuple[ReplyRule, ...] = ()
    """What its refusals mean, the most telling first."""


class Judgement(StrEnum):
    """What a spam filter made of a message."""

    CLEAN = "clean"
    JUNK = "junk"
    BULK = "bulk"
    FORGED = "forged"
    """It takes the sender for somebody else."""
    DANGEROUS = "dangerous"
    """Phishing or malware."""
    LISTED_GOOD = "listed-good"
    """A list or a rule let it through unjudged."""
    LISTED_BAD = "listed-bad"
    """A list or a rule of the receiving side condemned it."""
    NONE = "none"
    """What it says is no verdict."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """One header field, as its reader gets it: foreign text, unfolded and bounded."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What one filter's header fields say together."""

    judgement: Judgement
    findings: tuple[Finding, ...]
    """The first decided; codes of :attr:`Filter.messages`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """How one spam filter writes its verdict into a header.  Module constant ``FILTER`` in ``filters/``."""

    id: str
    name: Localized
    headers: frozenset[str]
    """Names of its fields, lower-case; one that ends in ``*`` stands for all that begin so."""
    read: Callable[[tuple[Stamp, ...]], Reading | None]
    """Its fields in order to what they say; ``None`` where they hold no word of it.  Total: any text is somebody's."""
    messages: Messages
    """What each code means, in each language."""
    actors: Mapping[str, Actor]
    """Who acts, by code; a code that is missing asks nothing of anybody."""
    advice: Messages
    """What that one does or clicks, by code; as many codes as :attr:`actors`."""
    hosts: tuple[str, ...] = ()
    """Suffixes of the host names under which it runs as a service, on a label boundary."""
    banners: Messages = field(default_factory=dict)
    """Reasons that it shows on the screen and in no header: what the reader sees, by the code that it means."""
    source: str
    """Where the fields are described."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """One output form.  Module constant ``RENDERER`` in ``reports/``."""

    id: str
    media_type: str
    extension: str
    render: "Callable[[Document], bytes] | None" = None
    """A report; ``None`` where the form has no use for one."""
    render_sheet: "Callable[[Sheet], bytes] | None" = None
    """Verdicts before sending; ``None`` where the form has no use for them."""


class FormKind(StrEnum):
    """Who can put an allowlist file to use."""

    END_USER = "end-user"
    ADMINISTRATOR = "administrator"


class Need(StrEnum):
    """A fact without which a form would be unsafe or without effect; it is asked for, never guessed."""

    AUTHSERV_ID = "authserv-id"
    """The recipient's own mail system's name in ``Authentication-Results`` (RFC 8601 §2.5)."""
    SIGNER = "signer"
    """An aligned DKIM signing domain."""
    EGRESS_IPS = "egress-ips"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A file that makes a mail system trust one sender.  Module constant ``FORM`` in ``allowlists/``."""

    id: str
    title: Localized
    kind: FormKind
    authenticated: bool
    """Whether it lets in only what passed authentication; otherwise it looks at From alone, and rests on the sender's
    DMARC policy and on whoever enforces it."""
    run_here: bool
    """Whether the engine itself ran it in our tests, on genuine and on forged mail."""
    media_type: str
    extension: str
    render: "Callable[[SenderFacts], bytes]"
    """Pure.  Raises :class:`~deliverability.errors.ParseError` for a sender that its medium cannot hold safely."""
    effect: Localized
    """What it does, in one or two sentences."""
    limits: Localized
    """What it does not do."""
    blast_radius: Localized
    """Whose mail it changes."""
    undo: Localized
    instructions: Mapping[str, tuple[str, ...]]
    """Steps by language."""
    ends_by_itself: bool = False
    """Whether the engine stops applying it after its last day."""
    needs: frozenset[Need] = frozenset()
    providers: frozenset[str] = frozenset()
    """Ids of the mailbox providers whose customers can use it."""
    source: str
    """From where its syntax is known."""
