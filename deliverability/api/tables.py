"""Terminal tables: the timeline of a notice, the messages to choose from, the verdicts on a domain.

Words come from the catalogues and the checks; foreign text is made visible, and columns are counted as a terminal
shows them.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import tzinfo
from functools import cache
from typing import TYPE_CHECKING

from deliverability.compose import by_service
from deliverability.compose.catalog import Catalog, catalog
from deliverability.compose.covered import counts
from deliverability.compose.kinds import state_key
from deliverability.compose.results import result_of
from deliverability.compose.when import zone as zone_named
from deliverability.compose.when import zone_name
from deliverability.evidence.event import LogTime, Result
from deliverability.evidence.story import Attempt, Message, Signing, Tie
from deliverability.protocols.columns import visible, width

if TYPE_CHECKING:
    from deliverability.api.tracing import Told, TraceResult
    from deliverability.evidence.document import Sheet

MAX_CELL = 44  # columns; without a screen only the last cell of a row may be wider
MIN_LAST = 40  # columns that the last cell needs beside the others; with fewer it goes below them
GAP = "  "


def timeline_table(result: "TraceResult", *, lang: str, zone: str, screen: int | None = None) -> bytes:
    """Every message that matches: its way through our queues, every attempt, and what may be claimed.

    ``screen`` is the terminal's width in columns; without one (a file, a pipe) no line is wrapped.
    """
    t, where = catalog(lang), zone_named(zone)
    if not result.trace.messages:
        return _bytes(_not_found(result, t, where, screen))
    lines: list[str] = []
    for told in result.told:
        if lines:
            lines.append("")
        lines += _story(told, t, where, screen)
    return _bytes(lines)


def candidates_table(result: "TraceResult", *, lang: str, zone: str, screen: int | None = None) -> bytes:
    """One line for each message: time, queue id, recipient, outcome, subject, Message-ID."""
    t, where = catalog(lang), zone_named(zone)
    rows = [
        (
            _time(told.message.arrived, where) if told.message else "",
            told.message.queue_ids[0] if told.message and told.message.queue_ids else "-",
            told.delivery.recipient,
            t(f"state.{told.claim.state}"),
            (told.message.subject if told.message else None) or "-",
            f"<{told.message.message_id}>" if told.message and told.message.message_id else "-",
        )
        for told in result.told
    ]
    elsewhere = any(told.message and told.message.witness for told in result.told)
    first = ("timeline.first-time", "timeline.ids") if elsewhere else ("fact.arrived", "fact.queue-ids")
    head = (*first, "fact.recipient", "fact.claim", "fact.subject", "fact.message-id")
    heads = [t(h) for h in head]
    heads[0] = t.aside(heads[0], zone_name(where, lang))
    return _bytes(_columns([tuple(heads), *rows], screen))


def verdict_table(page: "Sheet", *, details: bool = False, screen: int | None = None) -> bytes:
    """One row for each check: outcome, claim, finding; with ``details`` what it rests on below."""
    lines: list[str] = []
    for part in page.parts:
        lines += ["", visible(part.subject)] if lines else [visible(part.subject)]
        rows: list[tuple[str, ...]] = [page.head]
        asked = [row for row in part.rows if details or row.verdict.ruling.finding.code != "not-asked"]
        for row in asked:
            rows.append((row.outcome, row.title, row.sentence))
            rows += [("", "", f"· {said}") for said in (row.details if details else ())]
        lines += _columns(rows, screen)
        if len(asked) < len(part.rows):
            lines.append(catalog(page.lang)("check.not-asked", count=len(part.rows) - len(asked)))
        lines += [line for fact in part.facts for line in _folded(visible(fact), screen)]
    return _bytes(lines)


def plain_table(rows: Sequence[tuple[str, ...]], *, screen: int | None = None) -> bytes:
    """Rows of words of our own, the first of them the head."""
    return _bytes(_columns(rows, screen))


def _story(told: "Told", t: Catalog, where: tzinfo, screen: int | None) -> list[str]:
    message, delivery, claim = told.message, told.delivery, told.claim
    t = by_service.fitting(t, message, delivery.decisive, claim.role)
    lines = []
    if message:
        lines += _folded(visible(message.subject or t("timeline.no-subject")), screen)
        sender = message.reverse_path if message.reverse_path != "" else t("fact.null-path")
        said = t("timeline.from-to", sender=sender or "?", recipient=delivery.recipient)
        lines += _folded(visible(f"<{message.message_id}>  {said}" if message.message_id else said), screen)
        head = (
            t.aside(t("attempt.time"), zone_name(where, t.lang)),
            t("attempt.result"),
            t("attempt.server"),
            t("attempt.reply"),
        )
        lines += _columns([head, *_rows(message, delivery.attempts, t, where)], screen)
        lines += [
            part for one in _meanings(delivery.attempts, t) for part in _folded(visible(t("colon").join(one)), screen)
        ]
        lines += [visible(f"{t('fact.signings')}{t('colon')}{_signed(s)}") for s in message.signings]
    basis = t(f"basis.{claim.basis}") if t.has(f"basis.{claim.basis}") else claim.basis
    state = t(state_key(claim.state, delivery))
    reached = t.aside(state, f"L{claim.level.value}") if claim.level >= 0 else state
    lines += _folded(f"=> {reached} · {t(f'role.{claim.role}')} · {basis}", screen)
    for part in delivery.parts:
        lines.append(visible(f"   {part.recipient}{t('colon')}{t(f'state.{part.state}')}"))
    return lines


def _meanings(attempts: Sequence[Attempt], t: Catalog) -> tuple[tuple[str, str], ...]:
    """What replies that took nothing mean; a message that was taken at once waits for no rules."""
    if all(attempt.result is Result.SENT for attempt in attempts):
        return ()
    from deliverability.compose.reason import meanings

    return meanings(attempts, t)


def _signed(signing: Signing) -> str:
    return f"{signing.signing_domain} (s={signing.selector})" if signing.selector else signing.signing_domain


def _rows(message: Message, attempts: Iterable[Attempt], t: Catalog, where: tzinfo) -> list[tuple[str, ...]]:
    attempts = list(attempts)
    led_to = {attempt.followed_to: f"{_order(attempt.at)}~" for attempt in attempts if attempt.followed_to}
    rows: list[tuple[str, tuple[str, ...]]] = []
    for stay in message.stays:
        key = "requeued" if stay.tie is Tie.REQUEUED else "arrived"
        if stay.queue_id is None:  # it never had a place in a queue of ours
            key = "listed" if message.recorded else "offered"
        what = t(f"timeline.{key}")
        client = str(stay.session.client) if stay.session and stay.session.client else "-"
        queue = t("timeline.queue", id=stay.queue_id) if stay.queue_id else "-"
        # What our own server forwarded has no line of arrival: it came to be by the attempt that led there.
        order = _order(stay.arrived) or led_to.get(stay.queue_id or "", "")
        rows.append((order, (_time(stay.arrived, where), what, client, queue)))
    for attempt in attempts:
        said = attempt.reply.text if attempt.reply else attempt.text
        if attempt.folder:
            said = f"{t('fact.folder')}{t('colon')}{attempt.folder}" + (f"  {said}" if said else "")
        server = str(attempt.relay) if attempt.relay else "-"
        rows.append(
            (_order(attempt.at), (_time(attempt.at, where), t(f"result.{result_of(attempt)}"), server, said or "-"))
        )
    return [row for _, row in sorted(rows, key=lambda r: r[0])]


def _order(at: LogTime | None) -> str:
    return at.instant.isoformat() if at and at.instant else ""


def _time(at: LogTime | None, where: tzinfo) -> str:
    if at is None:
        return "-"
    if at.instant is None:
        return "-" if at.of_earlier else at.logged
    return f"{at.instant.astimezone(where):%Y-%m-%d %H:%M:%S}"


def _not_found(result: "TraceResult", t: Catalog, where: tzinfo, screen: int | None) -> list[str]:
    asked = ", ".join(told.delivery.recipient for told in result.told if told.delivery.recipient) or t("timeline.it")
    lines = _folded(
        visible(t("timeline.nothing-read" if result.blind else "timeline.nothing", recipient=asked)), screen
    )
    head = (t("coverage.file"), t("coverage.first"), t("coverage.last"), t("coverage.lines"), t("coverage.unread"))
    files = result.trace.coverage.files
    rows = [(f.file, _time(f.first, where), _time(f.last, where), *counts(f, t, none="-")) for f in files]
    return lines + _columns([head, *rows], screen)


def _columns(rows: Sequence[tuple[str, ...]], screen: int | None) -> list[str]:
    """Aligned columns; a cell that is too wide pushes its row apart, the last one is wrapped to the screen.

    Where there is no room for it beside the others it goes below them, with those that do not fit before it.
    """
    shown = [tuple(visible(cell) for cell in row) for row in rows]
    most = screen or MAX_CELL
    widths = [min(most, max(width(row[i]) for row in shown)) for i in range(len(shown[0]) - 1)]
    before = sum(widths) + len(GAP) * len(widths)
    last = max(width(row[-1]) for row in shown)
    if screen is not None and screen - before < min(last, MIN_LAST):
        return [line for row in shown for line in _below(row, [*widths, last], screen)]
    lines: list[str] = []
    for row in shown:
        head = _beside(row[:-1], widths)
        if screen is None:
            lines.append(f"{head}{GAP}{row[-1]}".rstrip())
        else:
            folded = fold(row[-1], screen - before)
            lines += [f"{head}{GAP}{folded[0]}".rstrip(), *(" " * before + part for part in folded[1:])]
    return lines


def _beside(cells: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(cell + " " * max(0, most - width(cell)) for cell, most in zip(cells, widths, strict=True))


def _below(row: Sequence[str], widths: Sequence[int], screen: int) -> list[str]:
    """As many cells as fit beside each other in every row, and the next ones in the same way below them."""
    lines: list[str] = []
    at = 0
    while at < len(row):
        indent = "    " if lines else ""
        end = at + 1
        while end < len(row) and len(indent) + sum(widths[at : end + 1]) + len(GAP) * (end - at) <= screen:
            end += 1
        text = _beside(row[at:end], widths[at:end]).rstrip()
        lines += [indent + part for part in fold(text, max(MIN_LAST, screen - len(indent)))]
        at = end
    return lines


@cache
def _pieces() -> re.Pattern[str]:
    """A wide letter or a word, with the blanks after it; compiled where a text is wrapped, for it takes long.

    Chinese punctuation begins no line, and its opening brackets end none.
    """
    wide, opening, closing = (
        r"\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef",
        "（「『《〈【〔",
        "。，、；：？！）」』》〉】〕",
    )
    return re.compile(rf"[{opening}]*(?:[{wide}]|[^\s{wide}]+)[{closing}]*\s*|\s+")


def fold(text: str, columns: int) -> list[str]:
    """``text`` in lines of at most ``columns``; words stay whole where they fit, Chinese breaks anywhere."""
    lines, line = [], ""
    for piece in _pieces().findall(text):
        if line and width(line + piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return [*lines, line.rstrip()]


def _folded(text: str, screen: int | None) -> list[str]:
    return [text] if screen is None else fold(text, max(MIN_LAST, screen))


def _bytes(lines: Iterable[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")
