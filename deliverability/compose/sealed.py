"""What a verification showed, and a customer's history, as lines of text; no stronger than their findings.

The findings come as plain values: who verified, and how, is decided elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from deliverability.compose.because import worded
from deliverability.compose.catalog import Catalog
from deliverability.compose.when import exact
from deliverability.evidence.recorder import Finish, Hop, Intent, Later, Outcome


@dataclass(frozen=True, slots=True)
class Told:
    """One message to one recipient, as records tell it."""

    intent: Intent
    outcomes: Sequence[Outcome]
    later: Sequence[Later]
    keys: Sequence[tuple[str, str, str]] = ()
    """Signing domain, selector and DNSSEC status of keys whose chain is on record."""

    @property
    def finish(self) -> Finish | None:
        """How it stands: the last outcome, lowered by a later failure; ``None`` without an outcome."""
        failed = [event.finish for event in self.later if event.finish in (Finish.REFUSED, Finish.FAILED)]
        return failed[-1] if failed else self.outcomes[-1].finish if self.outcomes else None

    @property
    def level(self) -> int:
        """0 recorded, 1 handed over, 2 accepted by the server that the sender found as the recipient's MX, 3, 4 (DESIGN §2)."""
        later = {"accepted": 2, "delivered": 3, "displayed": 4}
        if self.finish in (Finish.REFUSED, Finish.FAILED):
            return -1
        reached = max((later[e.level] for e in self.later if e.level in later), default=0)
        accepted = any(outcome.finish is Finish.ACCEPTED for outcome in self.outcomes)
        return max(reached, (2 if self.intent.hop is Hop.RECIPIENT_MX else 1) if accepted else 0)


def finding_lines(t: Catalog, findings: Iterable[tuple[str, str, Mapping[str, str]]]) -> list[tuple[str, str]]:
    """Each finding's word (shown, FAILED, absent, undecided) and sentence; a finding is held, code, parameters."""
    return [
        (t(f"seal.held.{held}"), t(f"seal.{code}", **worded(parameters, t.lang))) for held, code, parameters in findings
    ]


def told_lines(t: Catalog, told: Iterable[Told], where: tzinfo) -> list[str]:
    """What the records say, a message after the other."""
    lines: list[str] = []
    for one in told:
        intent = one.intent
        lines.append(f"{exact(intent.at, where)}  {intent.subject or '-'}")
        lines.append(f"  {t('seal.row.to', recipient=intent.forward_path)}{t('colon')}{finish_sentence(t, one)}")
        for outcome in one.outcomes:
            said = outcome.reply.text if outcome.reply else outcome.detail
            if said:
                lines.append(f"  {exact(outcome.at, where)}  {said}")
        lines += [f"  {exact(e.at, where)}  {e.reply.text}" for e in one.later if e.reply and e.reply.text]
        for domain, selector, status in one.keys:
            if t.has(f"seal.key.{status}"):
                lines.append(f"  {t(f'seal.key.{status}', domain=domain, selector=selector)}")
    return lines


def finish_sentence(t: Catalog, told: Told) -> str:
    """How a message stands; what was reported later is not put on the server that took it before."""
    last = told.outcomes[-1].finish if told.outcomes else None
    said = _ended(t, told, last)
    returned = last not in _NOT_TAKEN and told.finish in _NOT_TAKEN
    return t("seal.finish.returned", before=said) if returned else said


_NOT_TAKEN = (Finish.REFUSED, Finish.FAILED)


def _ended(t: Catalog, told: Told, finish: Finish | None) -> str:
    relay = str(told.outcomes[-1].relay or told.intent.next_hop) if told.outcomes else told.intent.next_hop
    if finish is None:
        return t("seal.finish.open")
    if finish is Finish.ACCEPTED:
        return t(
            "seal.finish.accepted-mx" if told.intent.hop is Hop.RECIPIENT_MX else "seal.finish.accepted-relay",
            relay=relay,
        )
    return t(f"seal.finish.{finish.value}", relay=relay)


def limits(t: Catalog, *, stamped: bool) -> list[str]:
    """What no such verification proves; printed with every one."""
    keys = [
        "seal.limits.truth",
        "seal.limits.complete",
        *([] if stamped else ["seal.limits.time"]),
        "seal.limits.reading",
    ]
    return [t(key) for key in keys]


def history_rows(t: Catalog, told: Iterable[Told], where: tzinfo) -> list[tuple[str, ...]]:
    """Time, channel, subject, recipient, result, level, proof; the head first."""
    names = ("time", "channel", "subject", "recipient", "result", "level", "proof")
    rows = [tuple(t(f"history.{name}") for name in names)]
    for one in told:
        intent = one.intent
        channel = f"history.channel.{intent.channel}"
        level = f"L{one.level}" if one.level >= 0 else "-"
        rows.append(
            (
                exact(intent.at, where),
                t(channel) if t.has(channel) else intent.channel,
                intent.subject or "-",
                intent.forward_path,
                finish_sentence(t, one),
                level,
                intent.dispatch,
            )
        )
    return rows
