r"""The model as JSON values: one shape for ``trace``, for the report and for bundles.

Only plain ``dict``, ``list``, ``str``, ``int``, ``float``, ``bool`` and ``None`` come out; times are RFC 3339 in UTC with
``Z``; bytes of log lines are shown as UTF-8 with what is not UTF-8 written ``\xNN``, bytes of the DNS as base64.
"""

from collections.abc import Callable

from deliverability.evidence.document import SheetPart
from deliverability.evidence.event import LogTime, Session
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.smtp import Host, Reply, Tls
from deliverability.evidence.spam import NoScore, Scored
from deliverability.evidence.story import (
    Attempt,
    Coverage,
    Delivery,
    FileCoverage,
    Gap,
    Looked,
    Message,
    Signing,
    SourceCoverage,
    Stay,
)
from deliverability.evidence.verdict import Finding, Verdict
from deliverability.protocols.observed import Json, instant_to_json, observation_to_json

Redact = Callable[[str], str]
"""Applied to every text that may name somebody: log lines, replies, addresses after aliases."""


def log_time_to_json(time: LogTime | None) -> Json | None:
    """A log time: the instant, what the line said, and whence year and zone were taken."""
    if time is None:
        return None
    return {
        "at": instant_to_json(time.instant),
        "logged": time.logged,
        "year_from": time.year_from,
        "zone_from": time.zone_from,
        "contradicted": time.contradicted,
    }


def line_to_json(line: LogLine, redact: Redact = str) -> Json:
    """A log line and the place where anyone finds it again."""
    return {
        "log": line.place.log,
        "file": line.place.file,
        "line": line.place.line,
        "offset": line.place.offset,
        "text": redact(line.raw.decode("utf-8", "backslashreplace")),
    }


def message_to_json(message: Message, redact: Redact = str) -> Json:
    """A message with the story of each of its recipients that was asked about."""
    return {
        "message_id": message.message_id,
        "subject": message.subject,
        "reverse_path": message.reverse_path,
        "size": message.size,
        "arrived_at": instant_to_json(message.arrived.instant if message.arrived else None),
        "queue_ids": list(message.queue_ids),
        "stays": [_stay(stay) for stay in message.stays],
        "other_recipients": message.other_recipients,
        "signings": [_signing(signing) for signing in message.signings],
        "recorded": [line_to_json(line, redact) for line in message.recorded],
        "account": message.account,
        "deliveries": [delivery_to_json(delivery, redact) for delivery in message.deliveries],
    }


def _signing(signing: Signing) -> Json:
    return {"signing_domain": signing.signing_domain, "selector": signing.selector, "line": line_to_json(signing.line)}


def delivery_to_json(delivery: Delivery, redact: Redact = str) -> Json:
    """The story of one recipient; ``decisive`` is an index into ``attempts``."""
    return {
        "recipient": delivery.recipient,
        "forward_paths": [redact(path) for path in delivery.forward_paths],
        "state": delivery.state,
        "refused_by_us": delivery.refused_by_us,
        "held": delivery.held,
        "notices": list(delivery.notices),
        "decisive": _index(delivery),
        "attempts": [attempt_to_json(attempt, redact) for attempt in delivery.attempts],
        "parts": [_redacted_part(part, redact) for part in delivery.parts],
    }


def attempt_to_json(attempt: Attempt, redact: Redact = str) -> Json:
    """One attempt, with the log lines that it rests on."""
    return {
        **(log_time_to_json(attempt.at) or {}),
        "queue_id": attempt.queue_id,
        "log": attempt.log,
        "recipient": redact(attempt.recipient),
        "result": attempt.result,
        "transport": attempt.transport,
        "relay": _host(attempt.relay),
        "reply": _reply(attempt.reply, redact),
        "tls": _tls(attempt.tls),
        "local_ip": attempt.local_ip,
        "remote_queue_id": attempt.remote_queue_id,
        "stage": attempt.stage,
        "route": attempt.route,
        "text": redact(attempt.text),
        "folder": attempt.folder,
        "witness": attempt.witness,
        "followed_to": attempt.followed_to,
        "lines": [line_to_json(line, redact) for line in attempt.lines],
    }


def coverage_to_json(coverage: Coverage) -> Json:
    """What was looked through, and where it shows that something is missing."""
    return {
        "first": instant_to_json(coverage.first),
        "last": instant_to_json(coverage.last),
        "unread": coverage.unread,
        "files": [_file(file) for file in coverage.files],
        "sources": [_source(source) for source in coverage.sources],
    }


def verdict_to_json(verdict: Verdict, redact: Redact = str) -> Json:
    """A verdict as code and parameters; its prose is for renderers."""
    finding = verdict.ruling.finding
    return {
        "check": verdict.check,
        "citation": verdict.citation,
        "outcome": verdict.outcome,
        "protocol_result": verdict.ruling.protocol_result,
        "advisory": verdict.advisory,
        **_finding(finding, redact),
        "details": [_finding(detail, redact) for detail in verdict.ruling.details],
    }


def subject_to_json(part: SheetPart) -> Json:
    """One thing that was checked: its verdicts, and the observations that they rest on."""
    assessment = part.assessment
    return {
        "kind": part.kind,
        "subject": part.subject,
        "ruleset": assessment.ruleset,
        "assessed_at": instant_to_json(assessment.evidence.assessed_at),
        "verdicts": [{**verdict_to_json(row.verdict), "sentence": row.sentence} for row in part.rows],
        "observations": [observation_to_json(seen) for seen in assessment.evidence.observations],
        "spam_scores": [_score(found) for found in part.spam_scores],
        "problem": None,
    }


def unchecked_to_json(kind: str, subject: str, problem: str) -> Json:
    """What could not be checked at all, in the shape of :func:`subject_to_json`: ``problem`` says why."""
    nothing: Json = {"ruleset": None, "assessed_at": None, "verdicts": [], "observations": [], "spam_scores": []}
    return {"kind": kind, "subject": subject, "problem": problem, **nothing}


def _score(found: Scored) -> Json:
    told: Json = {
        "engine": found.engine,
        "endpoint": found.endpoint,
        "observed_at": instant_to_json(found.observed_at),
        "score": None,
        "threshold": None,
        "spam": None,
        "action": None,
        "tests": [],
        "obstacle": None,
        "detail": None,
    }
    if isinstance(found, NoScore):
        return told | {"obstacle": found.obstacle, "detail": found.detail}
    said = {"score": found.score, "threshold": found.threshold, "spam": found.spam, "action": found.action or None}
    return told | said | {"tests": list(found.symbols)}


def _finding(finding: Finding, redact: Redact) -> Json:
    parameters = {name: redact(value) for name, value in finding.parameters.items()}
    return {"code": finding.code, "parameters": parameters}


def _index(delivery: Delivery) -> int | None:
    for index, attempt in enumerate(delivery.attempts):
        if attempt is delivery.decisive:
            return index
    # An equal attempt will do: stories that went through a copy keep their values, not their identity.
    return delivery.attempts.index(delivery.decisive) if delivery.decisive in delivery.attempts else None


def _redacted_part(part: Delivery, redact: Redact) -> Json:
    return {**delivery_to_json(part, redact), "recipient": redact(part.recipient)}


def _stay(stay: Stay) -> Json:
    return {
        "queue_id": stay.queue_id,
        "log": stay.log,
        "tie": stay.tie,
        "arrived": log_time_to_json(stay.arrived),
        "session": _session(stay.session),
        "ended": stay.ended,
        "held": stay.held,
    }


def _session(session: Session | None) -> Json | None:
    if session is None:
        return None
    return {
        "client": _host(session.client),
        "helo": session.helo,
        "protocol": session.protocol,
        "authenticated": session.authenticated,
    }


def _host(host: Host | None) -> Json | None:
    return None if host is None else {"name": host.name, "ip": host.ip, "port": host.port}


def _reply(reply: Reply | None, redact: Redact) -> Json | None:
    if reply is None:
        return None
    return {"code": reply.code, "enhanced_status_code": reply.enhanced_status_code, "text": redact(reply.text)}


def _tls(tls: Tls | None) -> Json | None:
    return None if tls is None else {"version": tls.version, "cipher": tls.cipher, "verified": tls.verified}


def _file(file: FileCoverage) -> Json:
    return {
        "log": file.log,
        "file": file.file,
        "format": file.format,
        "size": file.size,
        "lines": file.lines,
        "unread": file.unread,
        "first": log_time_to_json(file.first),
        "last": log_time_to_json(file.last),
        "unproven": file.unproven,
        "unproven_formats": list(file.unproven_formats),
        "container": file.container,
        "looked": _looked(file.looked),
        "records_subjects": file.records_subjects,
        "gaps": [_gap(gap) for gap in file.gaps],
    }


def _looked(looked: Looked | None) -> Json | None:
    if looked is None:
        return None
    return {
        "begin": looked.begin,
        "stop": looked.stop,
        "before": log_time_to_json(looked.before),
        "after": log_time_to_json(looked.after),
    }


def _source(source: SourceCoverage) -> Json:
    return {
        "log": source.log,
        "file": source.file,
        "covered": [{"from": instant_to_json(a), "to": instant_to_json(b)} for a, b in source.covered],
        "missing": [
            {
                "kind": hole.kind,
                "after": instant_to_json(hole.after),
                "before": instant_to_json(hole.before),
                "detail": hole.detail,
            }
            for hole in source.missing
        ],
    }


def _gap(gap: Gap) -> Json:
    # Only the place: the line belongs to some other message, which nobody asked about.
    line = None if gap.line is None else {"line": gap.line.place.line, "offset": gap.line.place.offset}
    return {"kind": gap.kind, "place": line, "detail": gap.detail}
