"""Verdicts before sending → a sheet in one language, for every form that shows them."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from deliverability.compose.because import details, sentence
from deliverability.compose.catalog import Catalog, catalog
from deliverability.evidence.bundle import Assessment, Subject
from deliverability.evidence.document import Sheet, SheetPart, SheetRow
from deliverability.evidence.verdict import Verdict


def sheet(
    assessments: Iterable[Assessment], *, lang: str, made_at: datetime, names: Sequence[str] | None = None
) -> Sheet:
    """Put the verdicts of domain, message and address checks into words; ``names`` stand for the subjects' own.

    Raises :class:`~deliverability.errors.UsageError` for an unknown language.
    """
    t = catalog(lang)
    head = (t("verdict.outcome"), t("verdict.check"), t("verdict.finding"))
    given = list(assessments)
    parts = tuple(_part(a, name, t) for a, name in zip(given, names or map(subject_of, given), strict=True))
    return Sheet(lang=lang, parts=parts, made_at=made_at, head=head)


def _part(assessment: Assessment, name: str, t: Catalog) -> SheetPart:
    rows = tuple(_row(verdict, t) for verdict in assessment.verdicts)
    return SheetPart(assessment.evidence.subject.value, name, rows, assessment)


def _row(verdict: Verdict, t: Catalog) -> SheetRow:
    outcome = t(f"outcome.{verdict.outcome}")
    return SheetRow(verdict, t.pick(verdict.title), outcome, sentence(verdict, t.lang), details(verdict, t.lang))


def subject_of(assessment: Assessment) -> str:
    """What the assessment is about, as a person would name it."""
    at_hand = assessment.evidence
    if at_hand.subject is Subject.ADDRESS and at_hand.address:
        return str(at_hand.address)
    if at_hand.subject is Subject.ADDRESS:
        return at_hand.address_given or ""
    if at_hand.subject is Subject.MESSAGE and at_hand.mail:
        return at_hand.mail.origin
    return at_hand.author_domain.value.unicode if at_hand.author_domain else ""
