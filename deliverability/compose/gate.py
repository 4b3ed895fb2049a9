"""Whether the reader may be told to trust the sender by list (DESIGN §6: allowlisting depends on evidence)."""

from collections.abc import Iterable
from enum import StrEnum

from deliverability.evidence.verdict import Outcome, Verdict

_MESSAGE_CHECKS = ("dkim-pass", "dmarc-pass")


class Gate(StrEnum):
    """What may be advised."""

    OPEN = "open"
    CAUTION = "caution"
    """Nothing speaks against it, but it could not all be checked: first see whether the message is genuine."""
    NOT_YET = "not-yet"
    """A list that looks at the From line alone would let forgers in."""
    NEVER = "never"
    """This message did not pass its own check: it may not be ours."""


def gate(verdicts: Iterable[Verdict]) -> Gate:
    """Read the four verdicts that decide; one that is missing counts as not decided, never as passed."""
    outcomes = {verdict.check: verdict.outcome for verdict in verdicts}
    if any(outcomes.get(check) is Outcome.FAIL for check in _MESSAGE_CHECKS):
        return Gate.NEVER
    if outcomes.get("dmarc-enforced") is Outcome.FAIL:
        return Gate.NOT_YET
    # A signature of another domain is no fault where the message is aligned all the same.
    if outcomes.get("dkim-aligned") is Outcome.FAIL and outcomes.get("dmarc-pass") is not Outcome.PASS:
        return Gate.NOT_YET
    aligned = Outcome.PASS in (outcomes.get("dmarc-pass"), outcomes.get("dkim-aligned"))
    decided = aligned and outcomes.get("dmarc-enforced") is Outcome.PASS
    return Gate.OPEN if decided else Gate.CAUTION


def authenticated(verdicts: Iterable[Verdict]) -> bool:
    """Whether it was shown that the message came from the domain in its From line, and nothing at hand denies it."""
    outcomes = {verdict.check: verdict.outcome for verdict in verdicts}
    return outcomes.get("dmarc-pass") is Outcome.PASS and outcomes.get("dkim-pass") is not Outcome.FAIL


def signed(verdicts: Iterable[Verdict]) -> bool:
    """Whether a signature of the From line's own domain verifies: the From line is then as it was sent."""
    outcomes = {verdict.check: verdict.outcome for verdict in verdicts}
    return all(outcomes.get(check) is Outcome.PASS for check in ("dkim-pass", "dkim-aligned"))
