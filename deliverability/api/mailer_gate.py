"""The gate before a mailer: checks of the message and its recipients, which warn, or hold it back."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from deliverability.api.requests import Network, Request
from deliverability.errors import UsageError, printable
from deliverability.evidence.bundle import Assessment
from deliverability.evidence.verdict import Outcome
from deliverability.protocols.smtp_session_mail import Outgoing

MAX_ADDRESSES: Final = 20
"""Recipients whose addresses are checked; a message to more is checked itself, and its recipients are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """Which checks are made before a message is sent, and what a failure does."""

    checks: tuple[str, ...] = ()
    """Ids as ``deliverability check`` shows them; empty: all that apply, hints left out."""
    hold: bool = False
    """Whether a failure holds the message back; else it is told on the receipt (``advice``) and on the log."""
    bulk: bool | None = None
    """Whether it is subscribed or marketing mail."""
    request: Request = field(default_factory=Request)
    """What the message does not show: ``from_ip``, ``helo``, selectors, configuration."""


def as_preflight(given: "Preflight | str | None") -> Preflight | None:
    """``"warn"`` and ``"hold"`` stand for all checks; raises :class:`UsageError` for other words and unknown checks."""
    if given is None:
        return None
    if isinstance(given, str):
        if given not in ("warn", "hold"):
            raise UsageError(f"preflight={given!r}: there are 'warn', 'hold' and Preflight(...)")
        return Preflight(hold=given == "hold")
    if given.checks:
        from deliverability import plugins

        names = {name.replace("_", "-") for name in plugins.ids("checks")}
        unknown = [name for name in given.checks if name not in names]
        if unknown:
            raise UsageError(f"preflight: no check {printable(unknown[0])!r}")
    return given


async def failures(gate: Preflight, out: Outgoing, network: Network) -> tuple[str, ...]:
    """What fails, ``check: sentence``; that something could not be looked up holds nothing back."""
    from deliverability.api import check_address_async, check_message_async

    request = gate.request
    if request.network == Network():
        request = replace(request, network=network)
    found = [await check_message_async(out.content, replace(request, sender=out.reverse_path), bulk=gate.bulk)]
    if len(out.recipients) <= MAX_ADDRESSES:
        found += [await check_address_async(address, request) for address in out.recipients]
    return tuple(dict.fromkeys(_failed(found, gate)))


def _failed(assessments: Iterable[Assessment], gate: Preflight) -> Iterable[str]:
    for assessment in assessments:
        for verdict in assessment.verdicts:
            chosen = verdict.check in gate.checks if gate.checks else not verdict.advisory
            if chosen and verdict.outcome is Outcome.FAIL:
                yield f"{verdict.check}: {printable(verdict.sentence('en'), 300)}"
