"""What every domain of a list is asked first, asked before its checks run: they need not run only to say what they lack."""

from collections.abc import Sequence
from datetime import UTC, datetime

from deliverability.api import facts
from deliverability.api.observe import Observe
from deliverability.api.requests import Request
from deliverability.api.rounds import Peek, Rounds
from deliverability.evidence.bundle import Evidence
from deliverability.evidence.observation import DnsQuestion, Observation, Observations, Question
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Verdict


def first_questions(request: Request, checks: Sequence[Check | Verdict]) -> tuple[tuple[str, str], ...]:
    """What every domain is asked first, by what stands before its name and by type: found out with a name of no matter.

    It follows from the request alone, before any answer.  With these answers at hand a domain's checks need not run once
    only to say what they lack.
    """
    probe = "name.invalid"
    reached = Rounds(facts.of_domain(request, probe, datetime.now(UTC)), checks)(Observations())
    if not isinstance(reached, frozenset):
        return ()
    names = (q for q in reached if isinstance(q, DnsQuestion) and not q.signed)
    return tuple(
        sorted((q.name.removesuffix(probe), q.rdtype) for q in names if q.name == probe or q.name.endswith("." + probe))
    )


async def ahead(
    first: tuple[tuple[str, str], ...], base: Evidence, request: Request, look: Observe
) -> dict[Question, Observation]:
    """The answers to what a domain is asked first, but for those that are on record."""
    if base.signing_domain is None:
        return {}
    name = base.signing_domain.value.name
    questions = (DnsQuestion(before + name, rdtype) for before, rdtype in first)
    got = await look([question for question in questions if question not in request.observations.answers])
    return {observation.question: observation for observation in got}


def either(known: dict[Question, Observation], peek: Peek | None) -> Peek:
    """What is known, else what others have asked."""

    def look(question: Question) -> Observation | None:
        found = known.get(question)
        return found if found is not None or peek is None else peek(question)

    return look
