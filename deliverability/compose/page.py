"""A page: an assessment and what is known of the recipient's provider, to a document in one language."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from deliverability.compose import by_mailer, by_service
from deliverability.compose.brand import Brand
from deliverability.compose.case import Case, provider_for, sender_known
from deliverability.compose.catalog import Catalog, catalog
from deliverability.compose.first import address, answer, do_now
from deliverability.compose.kinds import NO_PAGE, Kind, kind_of
from deliverability.compose.mailbox import find, keep
from deliverability.compose.plain import forward, genuine, limits, why_filtered
from deliverability.compose.record import evidence, verify
from deliverability.compose.redact import redactor, tells
from deliverability.compose.sender import Known
from deliverability.compose.short import short
from deliverability.compose.when import day, zone
from deliverability.errors import UsageError
from deliverability.evidence.bundle import Assessment
from deliverability.evidence.document import Document, Edition
from deliverability.evidence.story import Role

_NO_BRAND = Brand()
MAX_STEM = 60  # characters of a file name, extension not included


def compose(  # noqa: PLR0913 - each is named, and each belongs to the reader
    assessment: Assessment,
    *,
    lang: str,
    timezone: str,
    brand: Brand = _NO_BRAND,
    edition: Edition = Edition.CUSTOMER,
    made_at: datetime,
) -> Document:
    """Put an assessment into words for one reader.

    ``timezone`` is an IANA name, ``made_at`` the aware time at which the report is made.  Raises
    :class:`~deliverability.errors.UsageError` for an unknown language or zone, for an assessment without a
    dispatch, and for a customer's page about a message that was not found.
    """
    t, where, kind = _words(assessment, lang), zone(timezone), kind_of(assessment)
    if kind in NO_PAGE and edition is not Edition.SUPPORT:
        msg = "a message that was not found makes no customer's page; the support edition shows what was looked through"
        raise UsageError(msg)
    case = Case(
        assessment=assessment,
        kind=kind,
        t=t,
        where=where,
        brand=brand,
        edition=edition,
        made_at=made_at,
        provider=provider_for(assessment, kind),
        sender=_sender_shown(assessment, brand, edition),
        hide=redaction(assessment, brand, edition, t),
    )
    return _document(case)


def _words(assessment: Assessment, lang: str) -> Catalog:
    """The language's sentences, as far as they are true of whose record it is."""
    at_hand, claim = assessment.evidence, assessment.claim
    words = by_mailer.fitting(catalog(lang), at_hand.message)
    return by_service.fitting(words, at_hand.message, at_hand.attempt, claim.role if claim else Role.NONE)


def redaction(assessment: Assessment, brand: Brand, edition: Edition, t: Catalog) -> Callable[[str], str]:
    """How texts are shown in an edition: to a customer without anybody else's address, redacted without any."""
    if edition is Edition.SUPPORT:
        return str
    at_hand = assessment.evidence
    message = at_hand.message
    recipient = at_hand.delivery.recipient if at_hand.delivery else ""
    kept = [
        recipient,
        (message.reverse_path or "") if message else "",
        (message.message_id or "") if message else "",
        sender_known(assessment, brand).address,
        brand.sender,
    ]
    return redactor(kept, t("address.hidden"), recipient if edition is Edition.REDACTED else "")


def _sender_shown(assessment: Assessment, brand: Brand, edition: Edition) -> Known:
    """The sender's address; not where it is a return address that holds the recipient's, which is to be masked."""
    known, delivery = sender_known(assessment, brand), assessment.evidence.delivery
    if edition is Edition.REDACTED and delivery and tells(known.address, delivery.recipient):
        return replace(known, address="")
    return known


def _document(case: Case) -> Document:
    found = case.kind not in NO_PAGE
    sections = (
        answer(case),
        do_now(case),
        find(case),
        address(case) if found else None,
        keep(case),
        limits(case),
        forward(case),
        genuine(case),
        why_filtered(case),
        evidence(case),
        verify(case),
    )
    return Document(
        lang=case.lang,
        title=_title(case),
        sections=tuple(section for section in sections if section is not None),
        assessment=case.assessment,
        made_at=case.made_at,
        file_stem=_stem(case),
        edition=case.edition,
        look=case.brand.look,
        short=short(case),
        link=case.brand.link or case.brand.action_url,
    )


def _title(case: Case) -> str:
    if case.kind is Kind.NOT_FOUND:
        return case.t("title.not-found", recipient=case.recipient) if case.recipient else case.t("title.plain")
    if case.subject:
        return case.t("title.subject", subject=case.subject)
    dispatched = case.assessment.evidence.dispatched_at
    if dispatched:
        return case.t("title.day", day=day(dispatched.astimezone(case.where).date(), case.lang))
    return case.t("title.plain")


def _stem(case: Case) -> str:
    """Letters and digits of any script, hyphens, no more: safe on every file system, and nothing accuses."""
    when = case.assessment.evidence.dispatched_at or case.made_at
    subject = case.subject or case.t("stem.plain")
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", subject[: 4 * MAX_STEM]))
    for_whom = [case.t("stem.internal")] if case.support else []
    return "-".join([f"{when.astimezone(case.where):%Y-%m-%d}", *for_whom, *words])[:MAX_STEM].rstrip("-")
