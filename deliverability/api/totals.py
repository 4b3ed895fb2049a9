"""Tallies of all parts put together, in the order of the log: what one part leaves open a later one may settle."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import compress

from deliverability.api.tallies import (
    MAX_CAUSE_DOMAINS,
    MAX_CAUSES,
    MAX_DOMAINS,
    OPEN,
    OTHERS,
    QUARTER,
    SLOWEST,
    UNKNOWN,
    WIDTH,
    CauseTally,
    Open,
    Slowness,
    Tally,
    add_row,
    wait,
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
        self._tell_copies(part)
        self._settle(part)
        for of, count in part.lapsed.items():
            whole.lapsed[of] = whole.lapsed.get(of, 0) + count
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

    def _tell_copies(self, part: Tally) -> None:
        """What stayed here at the end of a part was a copy if a later one sends the address on."""
        copies = self.tally.copies
        if copies:
            settled = zip(part.settled, part.settled_for, strict=True)
            tried = list(compress(settled, map(copies.__contains__, part.settled)))
            tried += [(key, whom) for key, whom, _ in part.ended if key in copies]
            tried += [(key, whom) for key, waiting in part.opened.items() if key in copies for whom in waiting]
            for queue_id, whom in tried:
                stayed = (queue_id, whom) in part.unmade or whom in part.copies.get(queue_id, ())
                if queue_id in copies and not stayed:
                    self.tally.goes_on(queue_id, whom)
        for queue_id, waiting in part.copies.items():
            for whom, stayed_here in waiting.items():
                for here in stayed_here:
                    self.tally.stays(queue_id, whom, here)
        for domain, counts in part.no_outcome.items():
            add_row(self.tally.no_outcome.setdefault(domain, [0] * len(FATES)), counts)

    def _settle(self, part: Tally) -> None:
        pending = self.tally.opened
        if pending:
            self._end_what_waited(part, pending.__contains__)
            if any(before in pending for before, _ in part.moved):
                for before, now in part.moved:
                    self.tally.move(before, now)
                self.tally.moved.clear()
                self._end_what_waited(part, {now for _, now in part.moved}.__contains__)
            for queue_id, fate, counted in part.given_up:
                self.tally.lapse_later(queue_id, fate, counted)
        for queue_id, opened in part.opened.items():
            if opened:
                waiting = pending.setdefault(queue_id, {})
                for recipient, again in opened.items():
                    wait(waiting, recipient, again)

    def _end_what_waited(self, part: Tally, is_meant: Callable[[bytes], bool]) -> None:
        for queue_id, recipient, end in part.ended:
            if is_meant(queue_id):
                self._end(queue_id, recipient, end)
        settled = zip(part.settled, part.settled_for, strict=True)
        for queue_id, recipient in compress(settled, map(is_meant, part.settled)):
            self._forget(queue_id, recipient)

    def _end(self, queue_id: bytes, recipient: bytes, end: Open) -> None:
        before = self.tally.opened.get(queue_id, {}).get(recipient)
        if before and before[0] == UNKNOWN:
            self.tally.is_no_outcome(end)
        elif before:
            self._forget(queue_id, recipient)

    def _forget(self, queue_id: bytes, recipient: bytes) -> None:
        """It needs no further attempt."""
        waiting = self.tally.opened.get(queue_id)
        if waiting and waiting.pop(recipient, None) and not waiting:
            del self.tally.opened[queue_id]


def outcomes(tally: Tally) -> dict[bytes, list[int]]:
    """Messages × recipients by domain and fate: what was settled, what is still open, and what expired silently."""
    found = {
        domain: [0 if at in OPEN else count for at, count in enumerate(row[: len(FATES)])]
        for domain, row in tally.rows.items()
    }
    for domain, counts in tally.no_outcome.items():
        row = found[domain if domain in found else OTHERS]
        for at, count in enumerate(counts):
            row[at] -= count
    for waiting in tally.opened.values():
        for fate, domain in waiting.values():
            found.setdefault(domain, [0] * len(FATES))[fate] += 1
    for (fate, domain), count in tally.lapsed.items():
        found.setdefault(domain, [0] * len(FATES))[fate] += count
    return found


def instant_of(quarter: int) -> datetime:
    """When a quarter of an hour began, UTC."""
    return datetime.fromtimestamp(quarter * QUARTER, UTC)
