"""The assessment for machines: ``schema_version`` 1, equal input gives equal bytes.

A customer's edition shows nobody else's address here either, the redacted one not the recipient's.
"""

from collections.abc import Callable
from typing import Any

from deliverability.compose.brand import Brand
from deliverability.compose.catalog import catalog
from deliverability.compose.page import redaction
from deliverability.evidence.bundle import Assessment, Claim, Evidence, Sourced
from deliverability.evidence.document import Document, Edition, Sheet
from deliverability.evidence.plugin import Renderer
from deliverability.protocols import observed, serial
from deliverability.protocols.shown_json import dumps

SCHEMA_VERSION = 1


def render(document: Document) -> bytes:
    """Indented JSON with sorted members, UTF-8, ending in LF."""
    assessment = document.assessment
    redact = redaction(assessment, Brand(), document.edition, catalog(document.lang))
    value = {
        "schema_version": SCHEMA_VERSION,
        "kind": "report",
        "report_id": assessment.report_id,
        "ruleset": assessment.ruleset,
        "made_at": observed.instant_to_json(document.made_at),
        "edition": document.edition,
        "lang": document.lang,
        "provider": assessment.provider,
        "claim": _claim(assessment.claim),
        "evidence": _evidence(assessment.evidence, redact),
        "verdicts": [serial.verdict_to_json(verdict, redact) for verdict in assessment.verdicts],
        "observations": [observed.observation_to_json(seen) for seen in assessment.evidence.observations],
        "coverage": _coverage(assessment),
    }
    if document.edition is Edition.REDACTED:
        value |= {name: _without(value[name], redact) for name in ("evidence", "verdicts")}
    text = dumps(value, indent=2, sort_keys=True)
    # A lone surrogate becomes the escape that JSON itself has for it (RFC 8259 §7).
    return (text + "\n").encode("utf-8", "backslashreplace")


def _without(value: Any, redact: Callable[[str], str]) -> Any:
    """The same value in which no text gives the recipient's address away."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_without(one, redact) for one in value]
    return {name: _without(one, redact) for name, one in value.items()} if isinstance(value, dict) else value


def _claim(claim: Claim | None) -> observed.Json | None:
    if claim is None:
        return None
    return {
        "state": claim.state,
        "level": f"L{claim.level.value}" if claim.level >= 0 else None,
        "role": claim.role,
        "basis": claim.basis,
        "strength": claim.strength,
        "observed_later": claim.observed_later,
    }


def _evidence(evidence: Evidence, redact: Callable[[str], str]) -> observed.Json:
    mail = evidence.mail
    return {
        "subject": evidence.subject,
        "assessed_at": observed.instant_to_json(evidence.assessed_at),
        "recipient": evidence.delivery.recipient if evidence.delivery else None,
        "recipient_domain": evidence.recipient_domain.name if evidence.recipient_domain else None,
        "author_domain": _sourced(evidence.author_domain),
        "reverse_path": _sourced(evidence.reverse_path),
        "client_ip": _sourced(evidence.client_ip),
        "helo": _sourced(evidence.helo),
        "signing_domain": _sourced(evidence.signing_domain),
        "selectors": [_sourced(selector) for selector in evidence.selectors],
        "mail": {"sha256": mail.sha256, "media_type": mail.media_type, "size": len(mail.content)} if mail else None,
        "message": _message(evidence, redact),
    }


def _message(evidence: Evidence, redact: Callable[[str], str]) -> observed.Json | None:
    """The message with this one delivery: what others got is no part of this report."""
    if evidence.message is None:
        return None
    value = serial.message_to_json(evidence.message, redact)
    value["deliveries"] = [serial.delivery_to_json(evidence.delivery, redact)] if evidence.delivery else []
    return value


def _sourced(fact: Sourced[Any] | None) -> observed.Json | None:
    return None if fact is None else {"value": str(fact.value), "origin": fact.origin}


def _coverage(assessment: Assessment) -> observed.Json | None:
    return serial.coverage_to_json(assessment.coverage) if assessment.coverage else None


def render_sheet(sheet: Sheet) -> bytes:
    """Verdicts before sending: ``schema_version`` 1, one member of ``subjects`` for each thing checked."""
    value = {
        "schema_version": SCHEMA_VERSION,
        "kind": "check",
        "lang": sheet.lang,
        "made_at": observed.instant_to_json(sheet.made_at),
        "subjects": [serial.subject_to_json(part) for part in sheet.parts],
    }
    text = dumps(value, indent=2, sort_keys=True)
    return (text + "\n").encode("utf-8", "backslashreplace")


RENDERER = Renderer(
    id="json", media_type="application/json", extension="json", render=render, render_sheet=render_sheet
)
