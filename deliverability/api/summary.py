"""``summary``: what the logs say in numbers, by recipient domain, provider, cause and day; no network."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo

from deliverability.api.attempts import Job
from deliverability.api.counting import count_logs
from deliverability.api.covering import coverage_of, notes, require_mail_log
from deliverability.api.requests import Request
from deliverability.api.search import load_formats
from deliverability.api.seeking import TimeWindow, parts_of
from deliverability.api.tallies import OTHERS, SMTP, TLS, Tally
from deliverability.api.totals import Reason, Whole, instant_of, outcomes
from deliverability.api.twins import twins
from deliverability.api.whole_logs import WholeLogs, whole_logs
from deliverability.compose.reason import words
from deliverability.compose.recognise import providers, recognise
from deliverability.compose.when import zone as zone_of
from deliverability.correlate import Query
from deliverability.errors import ParseError
from deliverability.evidence.bundle import Own
from deliverability.evidence.event import Action
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.evidence.names import Domain
from deliverability.evidence.summary import BOUNDS, FATES, Cause, Counts, Day, Line, Slow, Summary, Times

LARGE = 64 << 20  # octets from which several processes are worth their start
MAX_JOBS = 4
TOP_DOMAINS = 5  # of each cause

OTHER_DOMAINS = "(other)"
"""Name of what stands for the domains past the limit."""


class _Sums:
    """Counts of one or several domains."""

    __slots__ = ("attempts", "delays", "names", "outcomes")

    def __init__(self) -> None:
        self.attempts, self.outcomes, self.delays = [0] * (len(FATES) + 2), [0] * len(FATES), [0] * (len(BOUNDS) + 1)
        self.names = 0

    def add(self, attempts: Sequence[int], outcomes_: Sequence[int], delays: Sequence[int], names: int = 0) -> None:
        """Add the counts of some domains."""
        for mine, theirs in ((self.attempts, attempts), (self.outcomes, outcomes_), (self.delays, delays)):
            for at, count in enumerate(theirs):
                mine[at] += count
        self.names += names

    def line(self, name: str, provider: str = "") -> Line:
        """The same, named."""
        return Line(
            name=name,
            provider=provider,
            attempts=_counts(self.attempts),
            outcomes=_counts(self.outcomes),
            smtp=self.attempts[SMTP],
            tls=self.attempts[TLS],
            times=Times(tuple(self.delays)),
            domains=self.names,
        )


def _counts(numbers: Sequence[int]) -> Counts:
    return {fate: count for fate, count in zip(FATES, numbers, strict=False) if count}


def summarise(request: Request, *, zone: str | None = None, jobs: int | None = None) -> Summary:
    """Count all attempts that the logs of a request report, in its time window.

    Domains are put to providers by their names alone; nothing is looked up.  ``zone`` is the zone of days and hours,
    else the report's in the configuration, else UTC.  ``jobs`` is the number of processes, else as many as the logs
    are worth; the result does not depend on it.  Raises :class:`~deliverability.errors.CannotLookError` when nothing
    at all could be read.
    """
    every = load_formats()
    with whole_logs(request) as logs:
        job = Job(own=request.own(), hints=logs.hints, since=request.since, until=request.until)
        size = sum(_size(file.path) for file in logs.files)
        parts = parts_of(logs.files, TimeWindow(request.since, request.until), logs.hints, every)
        counted = count_logs(logs.files, every, job, jobs=jobs or _jobs(size), parts=parts)
        scans = logs.described(counted.scans)
        given_twice = () if logs.kept else tuple(twins(logs.files))
    require_mail_log(scans)
    coverage = coverage_of(scans, logs.hints)
    name = zone or request.configuration.report.timezone or "UTC"
    tally = counted.whole.tally
    domains, by_provider, total = _lines(tally, request.own())
    days, hours = _times(tally.quarters, zone_of(name))
    return Summary(
        coverage=coverage,
        notes=(*logs.notes, *given_twice, *notes(coverage, Query(), ())),
        since=request.since,
        until=request.until,
        zone=name,
        made_at=request.now or datetime.now(UTC),
        total=total,
        domains=domains,
        more_domains=OTHERS in tally.rows,
        providers=by_provider,
        days=days,
        hours=hours,
        untimed=tally.untimed,
        probes=tally.probes,
        causes=tuple(_causes(counted.whole, every, logs)),
        slowest=tuple(_slow(counted.whole, logs)),
    )


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - a path may be "-" or stand in an archive
    except (OSError, ValueError):
        return 0


def _jobs(size: int) -> int:
    return min(os.cpu_count() or 1, MAX_JOBS) if size >= LARGE else 1


def _lines(tally: Tally, own: Own) -> tuple[tuple[Line, ...], tuple[Line, ...], Line]:
    """Rows by domain and by provider, most attempts first, and the total."""
    by_name: dict[str, _Sums] = {}
    ended = outcomes(tally)
    none = [0] * len(FATES)
    for raw in tally.rows.keys() | ended.keys():
        sums = by_name.setdefault(_domain(raw), _Sums())
        sums.add(tally.rows.get(raw, ()), ended.get(raw, none), tally.delays.get(raw, ()))
    known, total = providers(), _Sums()
    by_provider: dict[str, _Sums] = {}
    lines = []
    for name, sums in by_name.items():
        sums.names = 1
        provider = recognise(Domain(name), (), own, known).id if name not in ("", OTHER_DOMAINS) else "generic"
        for larger in (total, by_provider.setdefault(provider, _Sums())):
            larger.add(sums.attempts, sums.outcomes, sums.delays, 1)
        lines.append(sums.line(name, provider))
    return _ordered(lines), _ordered(sums.line(name, name) for name, sums in by_provider.items()), total.line("")


def _ordered(lines: Iterable[Line]) -> tuple[Line, ...]:
    return tuple(sorted(lines, key=lambda line: (-sum(line.attempts.values()), line.name)))


def _domain(raw: bytes) -> str:
    """The domain in A-labels; what is none of the DNS stays as the log has it."""
    if raw == OTHERS:
        return OTHER_DOMAINS
    text = raw.decode("utf-8", "backslashreplace")
    try:
        return Domain.parse(text).name if text else ""
    except ParseError:
        return text.lower()


def _times(quarters: Mapping[int, Sequence[int]], where: tzinfo) -> tuple[tuple[Day, ...], tuple[int, ...]]:
    """Attempts by calendar day and by hour of the day, in the reader's zone."""
    days: dict[date, list[int]] = {}
    hours = [0] * 24
    for quarter, counts in quarters.items():
        local = instant_of(quarter).astimezone(where)
        day = days.setdefault(local.date(), [0] * len(FATES))
        for at, count in enumerate(counts):
            day[at] += count
        hours[local.hour] += sum(counts)
    return tuple(Day(day, _counts(days[day])) for day in sorted(days) if any(days[day])), tuple(hours)


def _causes(whole: Whole, every: Sequence[LogFormat], logs: WholeLogs) -> Iterable[Cause]:
    """Causes by fate, most attempts first."""
    found = sorted(whole.reasons.items(), key=lambda entry: (-entry[1].attempts, entry[0]))
    for (fate, reason, code, own_code), why in found:
        yield Cause(
            fate=FATES[fate],
            reason=reason,
            code=code,
            own_code=own_code,
            attempts=why.attempts,
            domains=_top(why),
            example=logs.moved(why.example),
            words=_words(why.example, every),
        )


def _top(why: Reason) -> tuple[tuple[str, int], ...]:
    merged: dict[str, int] = {}
    for raw, count in why.domains.items():
        name = _domain(raw)
        merged[name] = merged.get(name, 0) + count
    return tuple(sorted(merged.items(), key=lambda pair: (-pair[1], pair[0]))[:TOP_DOMAINS])


def _words(line: LogLine, every: Sequence[LogFormat]) -> str:
    """The reply that a line holds, or what our own server noted; read by the full parser."""
    for fmt in every:
        for event in fmt.parse([line]):
            if event.action is Action.ATTEMPTED:
                return words(event.reply) if event.reply else event.text
    return line.raw.decode("utf-8", "backslashreplace")


def _slow(whole: Whole, logs: WholeLogs) -> Iterable[Slow]:
    for (seconds, _, _, domain, queue_id, _), line in whole.slowest:
        shown = queue_id.decode("utf-8", "backslashreplace")
        yield Slow(seconds=seconds, domain=_domain(domain), queue_id=shown, line=logs.moved(line))
