"""DKIM selectors that well-known services give their customers: what to try, never what must be there.

RFC 6376 §3.1: a selector is named by the signer alone, so a domain's selectors cannot be listed from outside.
"""

from dataclasses import dataclass
from typing import Final

from deliverability.evidence.names import Domain
from deliverability.evidence.observation import DnsAnswer, Observations
from deliverability.protocols.spf_lint import Survey


@dataclass(frozen=True, slots=True)
class Habit:
    """What one service does."""

    service: str
    selectors: tuple[str, ...]
    spf: tuple[str, ...]
    """Suffixes of the names that its customers include in SPF."""
    mx: tuple[str, ...]
    """Suffixes of its mail exchangers."""
    source: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A habit, and what in the domain's DNS points to it."""

    habit: Habit
    seen: str


HABITS: Final = (
    Habit(
        "Google Workspace",
        ("google",),
        ("_spf.google.com",),
        ("google.com", "googlemail.com"),
        "https://support.google.com/a/answer/180504",
    ),
    Habit(
        "Microsoft 365",
        ("selector1", "selector2"),
        ("spf.protection.outlook.com",),
        ("mail.protection.outlook.com", "mx.microsoft"),
        "https://learn.microsoft.com/defender-office-365/email-authentication-dkim-configure",
    ),
    Habit(
        "Mailchimp",
        ("k1", "k2", "k3"),
        ("servers.mcsv.net",),
        (),
        "https://mailchimp.com/help/set-up-email-domain-authentication/",
    ),
    Habit(
        "SendGrid",
        ("s1", "s2"),
        ("sendgrid.net",),
        ("sendgrid.net",),
        "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/how-to-set-up-domain-authentication",
    ),
    Habit(
        "Fastmail",
        ("fm1", "fm2", "fm3"),
        ("spf.messagingengine.com",),
        ("messagingengine.com",),
        "https://www.fastmail.help/hc/en-us/articles/360060591153",
    ),
    Habit(
        "Proton Mail",
        ("protonmail", "protonmail2", "protonmail3"),
        ("_spf.protonmail.ch",),
        ("protonmail.ch",),
        "https://proton.me/support/custom-domain",
    ),
    Habit(
        "iCloud Mail",
        ("sig1",),
        ("icloud.com",),
        ("mail.icloud.com",),
        "https://support.apple.com/en-us/102374",
    ),
    Habit(
        "Zendesk",
        ("zendesk1", "zendesk2"),
        ("mail.zendesk.com",),
        (),
        "https://support.zendesk.com/hc/en-us/articles/4408822303386",
    ),
)


def suggested(domain: Domain, surveyed: Survey, observations: Observations) -> tuple[Suggestion, ...]:
    """Services that the domain's SPF records or its MX name; raises ``Unobserved`` for the MX."""
    includes = [branch.domain for branch in surveyed.branches[1:]]
    answer = observations.ask(domain.name, "MX")
    hosts = [record.value for record in answer.records] if isinstance(answer, DnsAnswer) else []
    found: list[Suggestion] = []
    for habit in HABITS:
        seen = [f"SPF {name}" for name in includes if _below(name, habit.spf)]
        seen += [f"MX {host}" for host in hosts if _below(host, habit.mx)]
        if seen:
            found.append(Suggestion(habit, seen[0]))
    return tuple(found)


def _below(name: str, suffixes: tuple[str, ...]) -> bool:
    return any(name == suffix or name.endswith("." + suffix) for suffix in suffixes)
