"""Tallies of all parts put together, in the order of the log: what one part leaves open a later one may settle."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import compress

from deliverability.api.tallies import (
    EXPIRED,
    MAX_CAUSE_DOMAINS,
    MAX_CAUSES,
    MAX_DOMAINS,
    OPEN,
    OTHERS,
    QUARTER,
    SLOWEST,
    WIDTH,
    CauseTally,
    Slowness,
    Tally,
    add_row,
)
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.summary import BOUNDS, FATES


@dataclass(slots=True)
class Reason:
    """A cause over all parts."""

    attempts: int
    example: LogLine
    domains: dict[bytes, int]


@dataclass(slots=True)
class Whole:
    """Tallies of all parts, put together in the order of the log."""

    tally: Tally = field(default_factory=Tally)
    reasons: dict[tuple[int, str, str, bool], Reason] = field(default_factory=dict)
    slowest: list[tuple[Slowness, LogLine]] = field(default_factory=list)

    def add(self, part: Tally, log: str, file: str, lines: int) -> None:
        """Take the next part, which ``lines`` lines of its file stand before.

        What it settles may have been opened by a part before it.
        """
        whole = self.tally
        for domain, counts in part.rows.items():
            name = domain if domain in whole.rows or len(whole.rows) < MAX_DOMAINS else OTHERS
            add_row(whole.rows.setdefault(name, [0] * WIDTH), counts)
        for domain, counts in part.delays.items():
            name = domain if domain in whole.rows else OTHERS
            add_row(whole.delays.setdefault(name, [0] * (len(BOUNDS) + 1)), counts)
        for quarter, counts in part.quarters.items():
            add_row(whole.quarters.setdefault(quarter, [0] * len(FATES)), counts)
        self._settle(part)
        for domain, count in part.lapsed.items():
            whole.lapsed[domain] = whole.lapsed.get(domain, 0) + count
        whole.untimed += part.untimed
        whole.probes += part.probes
        whole.attempts += part.attempts
        for key, cause in part.causes.items():
            self._explain(key, cause, LogLine(Place(log, file, lines + cause.line, cause.start), cause.raw))
        for slow in part.slowest:
            self.slowest.append((slow, LogLine(Place(log, file, lines + slow[2], -slow[1]), slow[5])))
        self.slowest.sort(key=lambda entry: entry[0][0], reverse=True)  # stable: of equals the first comes first
        del self.slowest[SLOWEST:]

    def _explain(self, key: tuple[int, str, str, bool], cause: CauseTally, example: LogLine) -> None:
        if key not in self.reasons and len(self.reasons) >= MAX_CAUSES:
            key = (key[0], "other", "", False)
        reason = self.reasons.setdefault(key, Reason(0, example, {}))
        reason.attempts += cause.attempts
        for domain, count in cause.domains.items():
            if domain in reason.domains or len(reason.domains) < MAX_CAUSE_DOMAINS:
                reason.domains[domain] = reason.domains.get(domain, 0) + count

    def _settle(self, part: Tally) -> None:
        pending = self.tally.opened
        if pending:
            settled = zip(part.settled, part.settled_for, strict=True)
            for queue_id, recipient in compress(settled, map(pending.__contains__, part.settled)):
                waiting = pending.get(queue_id)
                if waiting and waiting.pop(recipient, None) and not waiting:
                    del pending[queue_id]
            for queue_id in part.given_up:
                for _, domain in pending.pop(queue_id, {}).values():
                    self.tally.lapsed[domain] = self.tally.lapsed.get(domain, 0) + 1
        for queue_id, waiting in part.opened.items():
            if waiting:
                pending.setdefault(queue_id, {}).update(waiting)


def outcomes(tally: Tally) -> dict[bytes, list[int]]:
    """Messages × recipients by domain and fate: what was settled, what is still open, and what expired silently."""
    found = {
        domain: [0 if at in OPEN else count for at, count in enumerate(row[: len(FATES)])]
        for domain, row in tally.rows.items()
    }
    for waiting in tally.opened.values():
        for fate, domain in waiting.values():
            found.setdefault(domain, [0] * len(FATES))[fate] += 1
    for domain, count in tally.lapsed.items():
        found.setdefault(domain, [0] * len(FATES))[EXPIRED] += count
    return found


def instant_of(quarter: int) -> datetime:
    """When a quarter of an hour began, UTC."""
    return datetime.fromtimestamp(quarter * QUARTER, UTC)
