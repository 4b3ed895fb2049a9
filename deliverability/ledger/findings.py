"""What a verification comes to: steps, how each came out, and what the records tell where they were not changed.

Every step is one of four: *shown*; *failed*, which means that something was changed; *absent*, which means that the
bundle does not bring it; *undecided*, which means that the verifier lacks what it takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from deliverability.evidence.recorder import Finish, Intent, Later, Outcome


class Step(StrEnum):
    """What is looked at, in this order."""

    FORM = "form"
    """The file is a bundle, whole and in its one spelling."""
    RECORDS = "records"
    """Each record is the one that its leaf commits to."""
    INCLUSION = "inclusion"
    """Each leaf is in the log that the head was signed over."""
    SIGNATURE = "signature"
    """The head is signed by a key that the verifier named."""
    TIME = "time"
    """An authority that the verifier trusts saw the head."""
    PAIRS = "pairs"
    """Each outcome belongs to an intent that is shown."""
    SEQUENCE = "sequence"
    """Nothing is missing between the customer's first and last entry shown."""
    FILES = "files"
    """The copies are of what the records name."""
    LATER = "later"
    """Another head that the verifier holds is of the same log, unchanged."""


class Held(StrEnum):
    """How a step came out."""

    SHOWN = "shown"
    FAILED = "failed"
    ABSENT = "absent"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Finding:
    """One step's result, as a code with parameters; parameters may be foreign text."""

    step: Step
    held: Held
    code: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyShown:
    """What the DNSSEC chain in a record shows of a DKIM key, at the time of the intent."""

    signing_domain: str
    selector: str
    status: str
    """``secure``, ``insecure``, ``bogus`` or ``indeterminate`` (RFC 4035 §4.3)."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One message to one recipient, as the records shown tell it."""

    intent: Intent
    outcomes: tuple[Outcome, ...]
    later: tuple[Later, ...]
    keys: tuple[KeyShown, ...] = ()

    @property
    def finish(self) -> Finish | None:
        """How it stands: the last outcome, lowered by a later failure; ``None`` when no outcome is shown."""
        failed = [event.finish for event in self.later if event.finish in (Finish.REFUSED, Finish.FAILED)]
        return failed[-1] if failed else self.outcomes[-1].finish if self.outcomes else None


@dataclass(frozen=True, slots=True)
class Verification:
    """All steps, and what the records say where they are shown to be unchanged."""

    findings: tuple[Finding, ...]
    origin: str = ""
    size: int = 0
    stamped: tuple[tuple[str, datetime], ...] = ()
    """Authority and time of each token that holds."""
    signed_by: tuple[str, ...] = ()
    dispatches: tuple[Dispatch, ...] = ()
    erased: int = 0

    @property
    def tampered(self) -> bool:
        """Whether anything failed."""
        return any(finding.held is Held.FAILED for finding in self.findings)

    @property
    def complete(self) -> bool:
        """Whether everything that makes the seal is shown: form, records, inclusion, signature."""
        needed = {Step.FORM, Step.RECORDS, Step.INCLUSION, Step.SIGNATURE}
        return not self.tampered and needed <= {f.step for f in self.findings if f.held is Held.SHOWN}
