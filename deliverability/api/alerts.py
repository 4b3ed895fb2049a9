"""Whom to tell of what did not go out: each notice once, and none before its time."""

import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from deliverability.api.cohorts import Answer, answer_to_json
from deliverability.capture.alerting import Memory, key_of, memory, run
from deliverability.errors import UsageError, printable
from deliverability.evidence.story import State

FAILED = frozenset({State.REFUSED, State.FAILED, State.BOUNCED, State.EXPIRED, State.CANCELLED})
TAKEN = frozenset({State.DELIVERED, State.ACCEPTED, State.HANDED_OVER})
"""A next hop answered 2yz, be it no server that the recipient's domain names: nothing to tell."""


@dataclass(frozen=True, slots=True)
class Alerting:
    """What to run, and when."""

    command: tuple[str, ...]
    state: Path
    """The file that remembers which notices were announced."""
    after: timedelta = timedelta(minutes=60)
    timeout: float = 30.0
    """Seconds that one run may take."""


@dataclass(slots=True)
class Announced:
    """What was done."""

    run: int = 0
    failed: int = 0


def command_of(text: str) -> tuple[str, ...]:
    """The words of ``--alert``, as a shell would split them, and no shell; the first must be a program."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as problem:
        raise UsageError(f"--alert: {problem}") from None
    if not words or shutil.which(words[0]) is None:
        raise UsageError(f"--alert {printable(text)!r}: no such program; give one with its path")
    return words


def announced(
    answers: Iterable[Answer], how: Alerting, now: datetime, say: Callable[[str], None], done: Announced
) -> Iterator[Answer]:
    """Pass answers on; run the command for each that is due, once for each notice, whoever asks how often."""
    with memory(how.state) as known:
        for answer in answers:
            if _is_due(answer, how, now, known):
                problem = _announce(answer, how, now, known)
                done.run += 1
                if problem:
                    done.failed += 1
                    whom = f"line {answer.listed.line}, {printable(answer.listed.shown)}"
                    say(f"{whom}: the alert command {problem}; it is not run again")
            yield answer


def _key(answer: Answer) -> str:
    row = answer.listed
    since = row.since.isoformat() if row.since else ""
    return key_of(row.message_id or "", "" if row.message_id else (row.address or "").casefold(), since)


def _is_due(answer: Answer, how: Alerting, now: datetime, known: Memory) -> bool:
    key = _key(answer)
    if key in known.announced or answer.state in TAKEN:
        return False
    if answer.state in FAILED:
        return True
    if answer.unseen:
        return False  # it may stand where nobody could look: that is told otherwise
    began = answer.arrived or answer.listed.since or known.seen.get(key)
    if began is None:
        known.note("seen", key, now)
        return how.after <= timedelta(0)
    return now - began >= how.after


def _announce(answer: Answer, how: Alerting, now: datetime, known: Memory) -> str | None:
    """Run the command; what went wrong, or ``None``."""
    known.note("announced", _key(answer), now)
    return run(how.command, answer_to_json(answer), how.timeout)
