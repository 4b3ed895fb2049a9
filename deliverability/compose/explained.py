"""Explanations in words: of a reply, and of a copy of a message out of the junk folder."""

from datetime import tzinfo

from deliverability.compose.because import sentence
from deliverability.compose.catalog import Catalog
from deliverability.compose.junked import Junked, Told
from deliverability.compose.when import exact
from deliverability.evidence.document import Block, Facts, Note, Paragraph, Quote, Section, Table
from deliverability.evidence.plugin import Actor
from deliverability.evidence.verdict import Verdict
from deliverability.protocols.hops import Delay, Origin
from deliverability.protocols.replies import Basis, Explanation
from deliverability.protocols.replies_registry import REGISTRY_DATE


def reply_sections(found: Explanation, t: Catalog) -> tuple[Section, ...]:
    """A reply: what it means, who acts, what to do; then its words and what the answer rests on."""
    first: list[Block] = [
        Paragraph(t.pick(found.meaning)),
        Paragraph(t(f"explain.who.{found.actor}")),
        Paragraph(t("explain.do", advice=t.pick(found.advice))),
    ]
    rows = [(t("explain.reply.cause"), found.cause), (t("explain.reply.basis"), t(f"explain.basis.{found.basis}"))]
    if found.provider:
        rows.append((t("explain.reply.rule"), f"{found.provider}: {found.rule}"))
    elif found.rule:
        rows.append((t("explain.reply.rule"), found.rule))
    if found.source:
        rows.append((t("explain.reply.source"), found.source))
    code = found.reply.enhanced_status_code
    if found.registered and code:
        text = t("explain.reply.registered", text=t.pick(found.registered.text), day=REGISTRY_DATE.isoformat())
        rows.append((code, text))
    words: list[Block] = [Quote(t("explain.reply.words"), found.reply.text or "–"), Facts(tuple(rows))]
    if found.basis is Basis.NONE:
        words.append(Note(t("explain.reply.unknown")))
    return (
        Section("answer", t("explain.heading.reply"), tuple(first)),
        Section("words", t("explain.heading.words"), tuple(words)),
    )


def junked_sections(
    found: Junked, t: Catalog, where: tzinfo, verified: tuple[Verdict, ...] | None = None, *, cut: bool = False
) -> tuple[Section, ...]:
    """A message: why it was filtered and what to do; what each stamp says and whose it is; the way it took."""
    sections = [_answer(found, t, cut=cut), _believed(found, t), _not_believed(found, t), _way(found, t, where)]
    if verified is not None:
        sections.append(_verified(verified, t))
    limits = ("explain.limits.rules", "explain.limits.offline" if verified is None else "explain.limits.asked")
    sections.append(Section("limits", t("explain.heading.limits"), tuple(Paragraph(t(key)) for key in limits)))
    return tuple(section for section in sections if section.blocks)


def _answer(found: Junked, t: Catalog, *, cut: bool) -> Section:
    told = found.answer
    blocks: list[Block] = []
    if told is None:
        blocks.append(Paragraph(t("explain.answer.none")))
    else:
        finding = told.reading.findings[0]
        blocks.append(Paragraph(t(f"explain.answer.{told.reading.judgement}", filter=t.pick(told.filter.name))))
        blocks.append(Paragraph(told.sentence(finding, t.lang)))
        actor = told.actor(finding)
        if actor:
            blocks.append(Paragraph(t(f"explain.who.{actor}")))
            blocks.append(Paragraph(t("explain.do", advice=told.advice(finding, t.lang))))
        if found.warned:
            blocks.append(Note(t("explain.never")))
        elif actor is Actor.RECIPIENT and not found.confirmed:
            blocks.append(Note(t("explain.unconfirmed")))
    if cut:
        blocks.append(Note(t("explain.cut")))
    return Section("answer", t("explain.heading.answer"), tuple(blocks))


def _believed(found: Junked, t: Catalog) -> Section:
    blocks: list[Block] = []
    boundary = found.boundary
    if boundary and boundary.side is None:
        blocks.append(Note(t("explain.side.none")))
    elif boundary and boundary.side:
        entry = boundary.entry
        names = t("list.separator").join(boundary.side.names[:8])
        blocks.append(Paragraph(t("explain.side", names=names)))
        if entry:
            client = entry.client_name or entry.client_ip or t("explain.nobody")
            blocks.append(Paragraph(t("explain.entry", by=entry.by or t("explain.nobody"), client=client)))
    for told in found.told:
        if told.believed:
            blocks.extend(_sentences(found, told, t))
    blocks.extend(Note(t("explain.foreign", who=who)) for who in found.foreign)
    return Section("believed", t("explain.heading.believed"), tuple(blocks))


def _sentences(found: Junked, told: Told, t: Catalog) -> list[Block]:
    name = t.pick(told.filter.name)
    seen = "explain.seen" if told.origin is None else "explain.wrote"
    rows: list[Block] = [Paragraph(t(seen, filter=name))]
    said = []
    for finding in told.reading.findings:
        actor, advice = told.actor(finding), found.advice(told, finding, t.lang)
        said.append((t("explain.says"), told.sentence(finding, t.lang)))
        if actor and advice:
            said.append((t(f"explain.actor.{actor}"), advice))
    rows.append(Facts(tuple(said)))
    return rows


def _not_believed(found: Junked, t: Catalog) -> Section:
    blocks: list[Block] = []
    for told in found.told:
        if told.believed:
            continue
        finding = told.reading.findings[0]
        name, said = t.pick(told.filter.name), told.sentence(finding, t.lang)
        key = "explain.border" if told.origin is Origin.BORDER else "explain.outside"
        blocks.append(Paragraph(t(key, filter=name, said=said)))
        if told.filter.hosts and told.origin is Origin.OUTSIDE:
            blocks.append(Paragraph(t("explain.outside.service", filter=name, host=told.filter.hosts[0])))
    return Section("not-believed", t("explain.heading.not-believed"), tuple(blocks))


def _way(found: Junked, t: Catalog, where: tzinfo) -> Section:
    if not found.delays:
        return Section("way", t("explain.heading.way"), ())
    head = (t("explain.hop.by"), t("explain.hop.from"), t("explain.hop.time"), t("explain.hop.delay"))
    rows = tuple(
        (
            delay.hop.by or "–",
            " ".join(
                filter(None, (delay.hop.client_name or "", f"[{delay.hop.client_ip}]" if delay.hop.client_ip else ""))
            )
            or "–",
            exact(delay.hop.at, where) if delay.hop.at else "–",
            _delay(delay, t),
        )
        for delay in found.delays
    )
    blocks: list[Block] = [Table(t("explain.hop.caption"), head, rows)]
    if any(delay.skewed for delay in found.delays):
        blocks.append(Paragraph(t("explain.hop.skew-note")))
    return Section("way", t("explain.heading.way"), tuple(blocks))


def _delay(delay: Delay, t: Catalog) -> str:
    if delay.seconds is None:
        return "–"
    seconds = f"{abs(delay.seconds):.0f}"
    return (
        t("explain.hop.skewed", seconds=seconds)
        if delay.skewed
        else t("explain.hop.seconds", seconds=seconds if delay.seconds > 0 else "0")
    )


def _verified(verified: tuple[Verdict, ...], t: Catalog) -> Section:
    rows = tuple((f"{t.pick(v.title)} – {t(f'outcome.{v.outcome}')}", sentence(v, t.lang)) for v in verified)
    return Section("verified", t("explain.heading.verified"), (Facts(rows),) if rows else ())
