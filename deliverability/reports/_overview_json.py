"""A summary as JSON, ``docs/schema/summary.v1.json``: codes and numbers, all domains and causes, in no language."""

from typing import Any

from deliverability.evidence.event import LogTime
from deliverability.evidence.story import FileCoverage
from deliverability.evidence.summary import BOUNDS, FATES, Cause, Counts, Line, Slow, Summary, Times
from deliverability.protocols.observed import instant_to_json
from deliverability.protocols.serial import line_to_json, log_time_to_json
from deliverability.protocols.shown_json import dumps

SCHEMA_VERSION = 1


def render_json(summary: Summary) -> bytes:
    """One object on several lines, UTF-8."""
    value = {
        "schema_version": SCHEMA_VERSION,
        "kind": "summary",
        "made_at": instant_to_json(summary.made_at),
        "since": instant_to_json(summary.since),
        "until": instant_to_json(summary.until),
        "zone": summary.zone,
        "total": _line(summary.total),
        "providers": [_line(line) for line in summary.providers],
        "domains": [_line(line) for line in summary.domains],
        "more_domains": summary.more_domains,
        "causes": [_cause(cause) for cause in summary.causes],
        "days": [{"day": day.day.isoformat(), "attempts": _counts(day.attempts)} for day in summary.days],
        "hours": list(summary.hours),
        "slowest": [_slow(slow) for slow in summary.slowest],
        "untimed": summary.untimed,
        "probes": summary.probes,
        "coverage": [_file(file) for file in summary.coverage.files],
        "notes": list(summary.notes),
    }
    return (dumps(value, indent=2) + "\n").encode("utf-8", "backslashreplace")


def _counts(counts: Counts) -> dict[str, int]:
    return {fate.value: counts.get(fate, 0) for fate in FATES}


def _line(line: Line) -> dict[str, Any]:
    return {
        "name": line.name,
        "provider": line.provider,
        "domains": line.domains,
        "attempts": _counts(line.attempts),
        "outcomes": _counts(line.outcomes),
        "smtp_accepted": line.smtp,
        "smtp_accepted_tls_shown": line.tls,
        "seconds_to_acceptance": _times(line.times),
    }


def _times(times: Times) -> dict[str, Any]:
    return {
        "known": times.total,
        "at_most": [{"seconds": bound, "count": count} for bound, count in zip(BOUNDS, times.counts, strict=False)],
        "longer": times.counts[-1],
        "p50_at_most": times.within(0.5),
        "p90_at_most": times.within(0.9),
        "p99_at_most": times.within(0.99),
    }


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "result": cause.fate.value,
        "reason": cause.reason,
        "code": cause.code,
        "own_code": cause.own_code,
        "attempts": cause.attempts,
        "domains": [{"name": name, "attempts": count} for name, count in cause.domains],
        "example": line_to_json(cause.example) if cause.example else None,
        "words": cause.words,
    }


def _slow(slow: Slow) -> dict[str, Any]:
    return {
        "seconds": slow.seconds,
        "domain": slow.domain,
        "queue_id": slow.queue_id,
        "line": line_to_json(slow.line),
    }


def _file(file: FileCoverage) -> dict[str, Any]:
    return {
        "log": file.log,
        "file": file.file,
        "format": file.format,
        "unproven": file.unproven,
        "unproven_formats": list(file.unproven_formats),
        "container": file.container,
        "size": file.size,
        "lines": file.lines,
        "unread": file.unread,
        "first": _time(file.first),
        "last": _time(file.last),
        "gaps": [
            {"kind": gap.kind, "detail": gap.detail, "line": line_to_json(gap.line) if gap.line else None}
            for gap in file.gaps
        ],
    }


def _time(at: LogTime | None) -> Any:
    return log_time_to_json(at)
