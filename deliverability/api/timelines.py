"""What was traced, as a table or as JSON: for whoever reads logs, without a page."""

from typing import Any

from deliverability.api.readers import language_of, zone_of
from deliverability.api.requests import Reader, Request
from deliverability.api.tracing import TraceResult
from deliverability.evidence.bundle import Claim

SCHEMA_VERSION = 1


def timeline(result: TraceResult, reader: Reader, form: str, request: Request) -> bytes:
    """The timeline of everything that matches, as text or JSON."""
    if form == "json":
        from deliverability.protocols.shown_json import dumps

        return dumps(trace_to_json(result, request), indent=2).encode("utf-8", "backslashreplace") + b"\n"
    from deliverability.api.tables import candidates_table, timeline_table

    lang = language_of(reader, request)
    table = timeline_table if result.picked_one else candidates_table
    return table(result, lang=lang, zone=zone_of(reader, request), screen=reader.screen)


def trace_to_json(result: TraceResult, request: Request) -> dict[str, Any]:
    """``schema_version`` 1: what was asked, what the logs cover, each message with its deliveries and their claims."""
    from deliverability.protocols import observed, serial

    claims = {id(t.delivery): t.claim for t in result.told}
    messages = []
    for message in dict.fromkeys(t.message for t in result.told if t.message):
        value = serial.message_to_json(message)
        for told, delivery in zip(value["deliveries"], message.deliveries, strict=True):
            claim = claims.get(id(delivery))
            if claim:
                told |= {"state": claim.state, **_claim(claim)}
        messages.append(value)
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "trace",
        "query": {
            "to": list(request.to),
            "message_id": request.message_id,
            "queue_id": request.queue_id,
            "remote_id": request.remote_id,
            "subject": request.subject,
            "from": request.sender,
            "since": observed.instant_to_json(request.since),
            "until": observed.instant_to_json(request.until),
        },
        "made_at": observed.instant_to_json(result.made_at),
        "state": _overall(result),
        "coverage": serial.coverage_to_json(result.trace.coverage),
        "messages": messages,
        "notes": list(result.trace.notes),
        "observations": [observed.observation_to_json(o) for o in result.observations],
    }


def _claim(claim: Claim) -> dict[str, Any]:
    level = claim.level
    return {
        "level": f"L{level.value}" if level >= 0 else None,
        "role": claim.role,
        "basis": claim.basis,
        "strength": claim.strength,
        "observed_later": claim.observed_later,
    }


def _overall(result: TraceResult) -> str | None:
    """The state, where there is just one to tell."""
    states = {t.claim.state for t in result.told}
    return states.pop().value if len(states) == 1 else None
