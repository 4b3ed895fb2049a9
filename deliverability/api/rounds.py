"""One assessment in rounds, in which each check runs again only when something that it waits for has come.

:func:`~deliverability.assess.assess` runs every check in every round.  A check is a pure function of the evidence, and
between two rounds observations are only added: what a check concluded without missing anything it would conclude again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from deliverability import assess as assessing
from deliverability.evidence.bundle import Assessment, Evidence
from deliverability.evidence.observation import Observation, Observations, Question, Unobserved
from deliverability.evidence.plugin import Check
from deliverability.evidence.story import Coverage
from deliverability.evidence.verdict import Verdict

MAX_PASSES: Final = 100
"""Of one round: what one check has seen may be all that an earlier one waits for."""

Peek = Callable[[Question], Observation | None]


class Rounds:
    """A step for :func:`~deliverability.api.observe.settle`; concludes what ``assess`` does from the same evidence.

    Each call must bring the observations of the last one, and more.  ``peek`` gives what others have asked already, so
    that a chain of look-ups of which every link is known takes no round at all; what a check has seen that way becomes
    part of the evidence like any other observation.  ``shared`` is for all that is assessed in one run
    (:attr:`Observations.shared <deliverability.evidence.observation.Observations.shared>`).
    """

    def __init__(
        self,
        base: Evidence,
        checks: Sequence[Check | Verdict],
        coverage: Coverage | None = None,
        peek: Peek | None = None,
        shared: dict[object, Any] | None = None,
    ) -> None:
        self._known = _Known(peek)
        # one bundle for all rounds: answers are only added, so that what was worked out from some of them still holds
        self._evidence = replace(base, observations=Observations(self._known, shared={} if shared is None else shared))
        self._coverage = coverage
        self._rows: list[Check | Verdict] = [
            check for check in checks if isinstance(check, Verdict) or base.subject in check.subjects
        ]
        self._waiting: dict[int, tuple[Question, ...]] = {
            index: () for index, check in enumerate(self._rows) if isinstance(check, Check)
        }
        self._claim: tuple[Question, ...] | None = ()

    def __call__(self, observations: Observations) -> Assessment | frozenset[Question]:
        """Everything that can be concluded by now, or every question that is still open."""
        self._known.update(observations.answers)
        for _pass in range(MAX_PASSES):
            open_questions = self._run()
            if open_questions is None:
                evidence = replace(self._evidence, observations=self._known.frozen())
                return assessing.assess(evidence, self._rows, self._coverage)
            missing = frozenset(question for question in open_questions if question not in self._known)
            if missing:
                return missing
        raise RuntimeError("a check waits for what is there")

    def _run(self) -> frozenset[Question] | None:
        """Run what is due; what is waited for now, ``None`` when nothing waits."""
        evidence, known = self._evidence, self._known
        if self._claim is not None and _due(self._claim, known):
            self._claim = _open_questions(evidence)
        for index, waiting in list(self._waiting.items()):
            check = self._rows[index]
            if isinstance(check, Verdict) or not _due(waiting, known):
                continue
            try:
                self._rows[index] = assessing.run(check, evidence)
                del self._waiting[index]
            except Unobserved as wanted:
                self._waiting[index] = wanted.questions
        if self._claim is None and not self._waiting:
            return None
        return frozenset(self._claim or ()).union(*self._waiting.values())


class _Known(dict[Question, Observation]):
    """What is on record for this subject; what others have asked is taken over when it is looked at."""

    def __init__(self, peek: Peek | None) -> None:
        super().__init__()
        self._peek = peek

    def __contains__(self, question: object) -> bool:
        return super().__contains__(question) or self.get(question) is not None

    def __missing__(self, question: Question) -> Observation:
        found = self._peek(question) if self._peek else None
        if found is None:
            raise KeyError(question)
        self[question] = found
        return found

    def get(self, question: Any, default: Any = None) -> Any:
        """As of any mapping, which :class:`dict` does without ``__missing__``."""
        try:
            return self[question]
        except KeyError:
            return default

    def frozen(self) -> Observations:
        """What has been looked at, on its own."""
        plain: Mapping[Question, Observation] = MappingProxyType(dict(self))
        return Observations(plain)


def _due(waiting: tuple[Question, ...], known: _Known) -> bool:
    """Whether something has come that is waited for, or nothing is yet."""
    return not waiting or any(question in known for question in waiting)


def _open_questions(evidence: Evidence) -> tuple[Question, ...] | None:
    """What the claim still waits for; ``None`` when nothing."""
    try:
        assessing.claim_of(evidence)
    except Unobserved as wanted:
        return wanted.questions
    return None
