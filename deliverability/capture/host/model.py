"""What a look at this machine found, and where."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from deliverability.config import IPNetwork, Sender

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A fact and the file (and setting) it was found in."""

    value: T
    found_in: str


@dataclass(frozen=True, slots=True)
class Mta:
    """A mail server whose configuration was found; whether it runs is not looked at."""

    name: str
    version: str | None
    """``None``: not known, because its program was not asked."""
    found_in: str


@dataclass(frozen=True, slots=True)
class LogSet:
    """A log with its rotations."""

    name: str
    path: str
    files: int
    first: datetime | None
    """Wall-clock time of the first dated line of the oldest file, as logged; ``None``: no date was found."""
    first_from: str | None
    """How the year of :attr:`first` is known: ``"logged"`` or ``"file date"``."""
    days: int | None
    """Days from :attr:`first` to the look."""
    found_in: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSurvey:
    """Everything that was found; nothing here is a guess."""

    mtas: tuple[Mta, ...] = ()
    panel: Found[str] | None = None
    """A control panel that writes the mail server's configuration."""
    logs: tuple[LogSet, ...] = ()
    timezone: Found[str] | None = None
    """The system's zone, in which logs are written that state none."""
    own_hosts: tuple[Found[str], ...] = ()
    own_networks: tuple[Found[IPNetwork], ...] = ()
    routed_by_mx: Found[bool] = field(default_factory=lambda: Found(False, "no mail server's configuration was read"))
    """Whether mail for other domains goes straight to their MX; ``found_in`` says why (not)."""
    senders: tuple[Found[Sender], ...] = ()
    notes: tuple[str, ...] = ()
    """What the operator should know or set; plain text, safe to print."""


@dataclass(slots=True)
class Facts:
    """What one mail server's configuration gave; put together by the survey."""

    mta: Mta
    routed_by_mx: Found[bool]
    hosts: list[Found[str]] = field(default_factory=list)
    egress_ips: list[Found[str]] = field(default_factory=list)
    """Addresses that the configuration binds outgoing connections to."""
    own_ips: list[Found[str]] = field(default_factory=list)
    """Further addresses that the server listens on."""
    helo: Found[str] | None = None
    logs: list[Found[str]] = field(default_factory=list)
    signing: list[Found[tuple[str, str]]] = field(default_factory=list)
    """DKIM: domain and selector."""
    timezone: Found[str] | None = None
