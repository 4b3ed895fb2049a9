"""Summary → an overview in one language; the only place that chooses its sentences."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from deliverability.compose.catalog import Catalog, catalog
from deliverability.compose.covered import counts
from deliverability.compose.recognise import providers
from deliverability.compose.when import zone as zone_of
from deliverability.compose.when import zone_name
from deliverability.errors import printable
from deliverability.evidence.document import Facts, Note, Paragraph, Quote, Table
from deliverability.evidence.event import LogTime
from deliverability.evidence.overview import Chart, Overview, Part, Piece, Series
from deliverability.evidence.plugin import ProviderKind
from deliverability.evidence.summary import FATES, UNSUCCESSFUL, Cause, Counts, Fate, Line, Summary, Times
from deliverability.protocols.replies import Basis, explain

SHOWN_DOMAINS = 50
SHOWN_CAUSES = 40
CHARTED = 12
CHARTED_DAYS = 62
MAX_WORDS = 600  # characters of a reply that are shown
SHARES = (0.5, 0.9, 0.99)


def overview(summary: Summary, *, lang: str) -> Overview:
    """Put a summary into words; raises :class:`~deliverability.errors.UsageError` for an unknown language."""
    say = _Words(summary, catalog(lang))
    parts = (say.result(), say.providers(), say.domains(), say.causes(), say.days(), say.times(), say.coverage())
    return Overview(lang=lang, title=say.t("summary.title"), parts=parts, summary=summary)


class _Words:
    def __init__(self, summary: Summary, t: Catalog) -> None:
        self.summary, self.t = summary, t
        self._providers = providers()
        self._where = zone_of(summary.zone)
        self._zone = zone_name(summary.zone, t.lang)
        self._fates = tuple(f for f in FATES if summary.total.attempts.get(f) or summary.total.outcomes.get(f))
        self._names = {p.id: t.pick(p.name) for p in self._providers if p.kind is not ProviderKind.GENERIC}

    # --- what became of it ---

    def result(self) -> Part:
        total, t = self.summary.total, self.t
        facts = [
            (t("summary.attempts"), _number(sum(total.attempts.values()))),
            (t("summary.outcomes"), _number(sum(total.outcomes.values()))),
            (t("summary.domains"), _number(total.domains) + ("+" if self.summary.more_domains else "")),
            (t("summary.period"), self._period()),
        ]
        if self.summary.since or self.summary.until:
            facts.append((t("summary.window"), self._window()))
        if total.smtp:
            facts.append((t("summary.tls"), t("summary.tls-of", tls=_number(total.tls), smtp=_number(total.smtp))))
        if self.summary.probes:
            facts.append((t("summary.probes"), _number(self.summary.probes)))
        if self.summary.untimed:
            facts.append((t("summary.untimed"), _number(self.summary.untimed)))
        rows = tuple(
            (
                self._fate(f),
                _number(total.attempts.get(f, 0)),
                _number(total.outcomes.get(f, 0)),
                t(f"summary.means.{f}"),
            )
            for f in self._fates
        )
        head = (t("summary.fate"), t("summary.attempts"), t("summary.outcomes"), t("summary.meaning"))
        chart = Chart("fates", t("summary.chart-fates"), ("",), self._series([total.outcomes]))
        pieces: list[Piece] = [Facts(tuple(facts))]
        if rows and self.summary.coverage.blind:
            pieces.insert(0, Note(t("summary.part-read", where=t("summary.heading-coverage"))))
        if rows:
            pieces += [chart, Table(t("summary.chart-fates"), head, rows)]
        else:
            pieces.append(Note(t("summary.nothing-read" if self.summary.coverage.blind else "summary.nothing")))
        return Part("result", t("summary.heading-result"), (*pieces, Paragraph(t("summary.counting"))))

    def _period(self) -> str:
        coverage = self.summary.coverage
        if coverage.first is None or coverage.last is None:
            return self.t("summary.unknown-period")
        return self.t("summary.from-to", first=self._moment(coverage.first), last=self._moment(coverage.last))

    def _window(self) -> str:
        since, until = (self._moment(at) if at else "…" for at in (self.summary.since, self.summary.until))
        return self.t("summary.from-to", first=since, last=until)

    def _moment(self, at: datetime) -> str:
        time = f"{at.astimezone(self._where):%Y-%m-%d %H:%M}"
        return f"{time} {self._zone}" if self._zone.isascii() else self.t.aside(time, self._zone)

    def _fate(self, fate: Fate) -> str:
        return self.t(f"summary.fate.{fate}")

    def _series(self, counts: Sequence[Counts]) -> tuple[Series, ...]:
        return tuple(Series(self._fate(f), f.value, tuple(c.get(f, 0) for c in counts)) for f in self._fates)

    # --- to whom ---

    def providers(self) -> Part:
        lines = self.summary.providers
        shown = tuple((self._names.get(line.name, self.t("summary.other-providers")), line) for line in lines)
        return self._to_whom(
            "providers", shown, self.t("summary.heading-providers"), self.t("summary.providers-by-name")
        )

    def domains(self) -> Part:
        lines = self.summary.domains[:SHOWN_DOMAINS]
        shown = tuple((line.name or self.t("summary.no-domain"), line) for line in lines)
        left = len(self.summary.domains) - len(lines)
        note = self.t("summary.more-domains", count=_number(left)) if left else ""
        return self._to_whom("domains", shown, self.t("summary.heading-domains"), note)

    def _to_whom(self, id_: str, lines: Sequence[tuple[str, Line]], heading: str, note: str) -> Part:
        t = self.t
        head = (
            t("summary.provider") if id_ == "providers" else t("summary.domain"),
            *(self._fate(f) for f in self._fates),
            *(t("summary.within", share=f"{share * 100:.0f}") for share in SHARES),
            t("summary.tls-short"),
        )
        rows = tuple(
            (
                name,
                *(_number(line.outcomes.get(f, 0)) for f in self._fates),
                *self._within(line.times),
                f"{_number(line.tls)}/{_number(line.smtp)}" if line.smtp else "–",
            )
            for name, line in lines
        )
        charted = lines[:CHARTED]
        label = t("summary.chart-to-whom")
        chart = Chart(id_, label, tuple(n for n, _ in charted), self._series([line.outcomes for _, line in charted]))
        pieces: list[Piece] = [chart, Table(label, head, rows)] if rows else []
        return Part(id_, heading, (*pieces, *([Paragraph(note)] if note else [])))

    def _within(self, times: Times) -> tuple[str, ...]:
        if not times.total:
            return ("–",) * len(SHARES)
        return tuple(self._duration(times.within(share)) for share in SHARES)

    def _duration(self, bound: int | None) -> str:
        if bound is None:
            return self.t("summary.longer")
        for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
            if bound >= size and bound % size == 0:
                return f"≤ {bound // size} {self.t(f'summary.unit.{unit}')}"
        return f"≤ {bound} {self.t('summary.unit.seconds')}"

    # --- why not ---

    def causes(self) -> Part:
        t = self.t
        shown = self.summary.causes[:SHOWN_CAUSES]
        pieces: list[Piece] = []
        for fate in UNSUCCESSFUL:
            of_fate = [cause for cause in shown if cause.fate is fate]
            if not of_fate:
                continue
            head = (t("summary.code"), t("summary.reason"), t("summary.attempts"), t("summary.domains"))
            rows = tuple(
                (self._code(c), t(f"summary.why.{c.reason}"), _number(c.attempts), self._top(c)) for c in of_fate
            )
            pieces.append(Table(self._fate(fate), head, rows))
            for cause in of_fate:
                pieces += self._example(cause) if cause.words else ()
        if not pieces:
            pieces = [Paragraph(t("summary.no-causes"))]
        left = len(self.summary.causes) - len(shown)
        if left:
            pieces.append(Paragraph(t("summary.more-causes", count=_number(left))))
        return Part("causes", t("summary.heading-causes"), tuple(pieces))

    def _code(self, cause: Cause) -> str:
        if not cause.code:
            return "–"
        return self.t("summary.own-code", code=cause.code) if cause.own_code else cause.code

    def _top(self, cause: Cause) -> str:
        return self.t("list.separator").join(self.t.aside(name or "–", _number(count)) for name, count in cause.domains)

    def _example(self, cause: Cause) -> Iterable[Piece]:
        """One of the replies, and what it means, where that is known and does not rest on its first digit alone."""
        where = str(cause.example.place) if cause.example else ""
        code = self._code(cause) if cause.code else self.t(f"summary.why.{cause.reason}").rstrip("。.")
        yield Quote(self.t("summary.example", code=code, where=where), printable(cause.words, MAX_WORDS))
        if cause.code and not cause.own_code:
            found = explain(cause.words, self._providers)
            if found.basis not in (Basis.CLASS, Basis.NONE):
                meaning, advice = self.t.pick(found.meaning), self.t.pick(found.advice)
                yield Paragraph(self.t("summary.means-reply", meaning=meaning, advice=advice))

    # --- when ---

    def days(self) -> Part:
        t, summary = self.t, self.summary
        days = summary.days[-CHARTED_DAYS:]
        fates = tuple(f for f in FATES if any(day.attempts.get(f) for day in summary.days))
        pieces: list[Piece] = []
        if days:
            label = t("summary.chart-days", zone=self._zone)
            series = self._series([day.attempts for day in days])
            pieces.append(Chart("days", label, tuple(day.day.isoformat() for day in days), series, upright=True))
            rows = tuple(
                (day.day.isoformat(), *(_number(day.attempts.get(f, 0)) for f in fates)) for day in summary.days
            )
            pieces.append(Table(label, (t("summary.day"), *(self._fate(f) for f in fates)), rows))
            hours = tuple(f"{hour:02}" for hour in range(24))
            label = t("summary.chart-hours", zone=self._zone)
            every = (Series(t("summary.attempts"), "all", summary.hours),)
            pieces.append(Chart("hours", label, hours, every, upright=True))
            pairs = tuple((hour, _number(count)) for hour, count in zip(hours, summary.hours, strict=True))
            pieces.append(Table(label, (t("summary.hour"), t("summary.attempts")), pairs))
        else:
            pieces.append(Paragraph(t("summary.no-days")))
        return Part("days", t("summary.heading-days"), tuple(pieces))

    def times(self) -> Part:
        t, total = self.t, self.summary.total.times
        pieces: list[Piece] = [Paragraph(t("summary.about-times", count=_number(total.total)))]
        if total.total:
            shares = (t("summary.within", share=f"{share * 100:.0f}") for share in SHARES)
            pieces.append(Facts(tuple(zip(shares, self._within(total), strict=True))))
        if self.summary.slowest:
            head = (t("summary.took"), t("summary.domain"), t("summary.queue-id"), t("summary.place"))
            rows = tuple(
                (_clock(s.seconds), s.domain or "–", s.queue_id, str(s.line.place)) for s in self.summary.slowest
            )
            pieces.append(Table(t("summary.slowest"), head, rows))
        return Part("times", t("summary.heading-times"), tuple(pieces))

    # --- what was looked at ---

    def coverage(self) -> Part:
        t, files = self.t, self.summary.coverage.files
        names = (
            "coverage.file",
            "summary.format",
            "coverage.first",
            "coverage.last",
            "coverage.lines",
            "coverage.unread",
        )
        rows = tuple(
            (f.file, f.format or "–", self._edge(f.first), self._edge(f.last), *counts(f, t, _number)) for f in files
        )
        table = Table(t("summary.looked-at"), tuple(t(name) for name in names), rows)
        notes = [Note(printable(note, MAX_WORDS)) for note in self.summary.notes]
        return Part("coverage", t("summary.heading-coverage"), (table, *notes, Paragraph(t("summary.limits"))))

    def _edge(self, at: LogTime | None) -> str:
        if at is None:
            return "–"
        return self._moment(at.instant) if at.instant else at.logged


def _number(value: int) -> str:
    return f"{value:,}".replace(",", "\u202f")


def _clock(seconds: float) -> str:
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}"
