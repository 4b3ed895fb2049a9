"""The answers of ``trace --cohort`` for a person: one notice a line, what was answered below it, in 80 columns.

Rows are shown as they come, so the columns have fixed widths; CSV is for programs.
"""

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from deliverability.errors import printable

if TYPE_CHECKING:
    from deliverability.api.cohorts import Answer
    from deliverability.compose.catalog import Catalog

WIDTH = 80
_LINE, _NOTICE_AND_STATE = 6, 45
_STATE = {"en": 14, "zh-Hant-TW": 16}
_INDENT = " " * (_LINE + 2)
_UNTIL_SECONDS = "%Y-%m-%d %H:%M:%S"


def heading(t: "Catalog") -> str:
    """The names of the columns, and a rule below them."""
    names = _row(t, *(t(f"cohort.{name}") for name in ("line", "notice", "state", "answered")))
    return f"{names}{'-' * (WIDTH - 1)}\n"


def shown(one: "Answer", t: "Catalog", where: tzinfo = UTC) -> str:
    """One notice: what was asked about, what became of it, when in the reader's zone, and in whose words."""
    told = one.told
    attempt = told.brief.delivery.decisive if told else None
    when = attempt.instant if attempt else None
    notice = _visible(one.listed.shown)
    answered = _when(when, where) if when else "-"
    # in English by the words of the other forms, by which it can be searched
    word = one.state.value if t.lang == "en" else t(f"state.{one.state}")
    state = t("cohort.could-not-look") if one.unseen else word
    lines = _row(t, str(one.listed.line), notice, state, answered)
    recipient = told.brief.delivery.recipient if told and not one.listed.address else None
    words = (attempt.reply.text if attempt.reply else attempt.text) if attempt else ""
    server = str(attempt.relay) if attempt and attempt.relay else ""
    details = [t("cohort.to", recipient=recipient) if recipient else "", ": ".join(filter(None, (server, words)))]
    details.append(t("cohort.several", count=one.messages) if one.messages > 1 else "")
    details.append(t("cohort.partial") if one.partial else "")
    below = "".join(f"{_INDENT}{_cut(_visible(text), WIDTH - len(_INDENT) - 1)}\n" for text in details if text)
    return lines + below


def _when(instant: datetime, where: tzinfo) -> str:
    """A time with its offset from UTC, whole hours in two digits: the column is narrow."""
    local = instant.astimezone(where)
    offset = local.strftime("%z")
    return f"{local:{_UNTIL_SECONDS}}" + ("Z" if offset == "+0000" else offset.removesuffix("00"))


def _row(t: "Catalog", line: str, notice: str, state: str, answered: str) -> str:
    """One line of the table; a notice that is too wide has a line of its own, and is never cut."""
    wide = _NOTICE_AND_STATE - _STATE[t.lang]
    end = f"{_padded(state, _STATE[t.lang])}  {answered}".rstrip()
    if _width(notice) > wide:
        return f"{_led(line)}  {notice}\n{_INDENT}{' ' * wide}  {end}\n"
    return f"{_led(line)}  {_padded(notice, wide)}  {end}\n"


def _led(text: str) -> str:
    return " " * (_LINE - _width(text)) + text


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - _width(text))


def _cut(text: str, columns: int) -> str:
    """As much as fits, in whole characters."""
    if _width(text) <= columns:
        return text
    kept = text[: columns - 1]
    while _width(kept) > columns - 1:
        kept = kept[:-1]
    return f"{kept}…"


def _visible(text: str) -> str:
    return printable(text, limit=max(len(text), 1))


def _width(text: str) -> int:
    from deliverability.reports.text import width

    return width(text)
