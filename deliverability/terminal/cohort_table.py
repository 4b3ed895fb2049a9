"""The answers of ``trace --cohort`` for a person: one notice a line, what was answered below it, in 80 columns.

Rows are shown as they come, so the columns have fixed widths; CSV is for programs.
"""

from typing import TYPE_CHECKING

from deliverability.errors import printable

if TYPE_CHECKING:
    from deliverability.api.cohorts import Answer

WIDTH = 80
_LINE, _NOTICE, _STATE = 6, 33, 14
_INDENT = " " * (_LINE + 2)
_UNTIL_SECONDS = "%Y-%m-%d %H:%M:%SZ"


def heading() -> str:
    """The names of the columns, and a rule below them."""
    names = _row("line", "notice", "state", "answered")
    return f"{names}{'-' * (WIDTH - 1)}\n"


def shown(one: "Answer") -> str:
    """One notice: what was asked about, what became of it, when, and in whose words."""
    told = one.told
    attempt = told.brief.delivery.decisive if told else None
    when = attempt.instant if attempt else None
    notice = _visible(one.listed.shown)
    answered = f"{when:{_UNTIL_SECONDS}}" if when else "-"
    state = "could not look" if one.blind and not told else one.state.value
    lines = _row(str(one.listed.line), notice, state, answered)
    recipient = told.brief.delivery.recipient if told and not one.listed.address else None
    words = (attempt.reply.text if attempt.reply else attempt.text) if attempt else ""
    server = str(attempt.relay) if attempt and attempt.relay else ""
    details = [f"to {recipient}" if recipient else "", ": ".join(filter(None, (server, words)))]
    details.append(f"{one.messages} messages fit; the worst is shown" if one.messages > 1 else "")
    details.append("more lines spoke of it than are kept" if one.partial else "")
    below = "".join(f"{_INDENT}{_cut(_visible(text), WIDTH - len(_INDENT) - 1)}\n" for text in details if text)
    return lines + below


def _row(line: str, notice: str, state: str, answered: str) -> str:
    """One line of the table; a notice that is too wide has a line of its own, and is never cut."""
    end = f"{_padded(state, _STATE)}  {answered}".rstrip()
    if _width(notice) > _NOTICE:
        return f"{line:>{_LINE}}  {notice}\n{_INDENT}{' ' * _NOTICE}  {end}\n"
    return f"{line:>{_LINE}}  {_padded(notice, _NOTICE)}  {end}\n"


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
