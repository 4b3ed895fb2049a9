"""What stands inside a finding's sentence, in the reader's language: reasons, lists and times.

Readers of records and the libraries behind them say in English what was wrong, and findings carry those words as they are:
machines get the same in every language.  For a sentence in another language the catalogue ``reasons.po`` knows their forms
of words.  What it does not know is quoted as what it is, the words of a program.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

from deliverability.compose.catalog import counted, messages
from deliverability.compose.when import exact
from deliverability.evidence.verdict import Finding, Verdict, fill

_REASONS = frozenset({"problem", "why", "detail"})
"""Parameters that say what was wrong."""
_OBSERVED = frozenset({"what", "said", "reason", "basis"})
"""Parameters that say what was seen: facts, and the code or the reason why there are none."""
_LISTS = frozenset(
    {"addresses", "checks", "codes", "domains", "fields", "hosts", "names", "patterns", "selectors", "targets", "uris"}
)
MAX_REASON = 2000
"""Characters of a reason that is looked up."""
_MORE = re.compile(r" \(\+(\d{1,9})\)\Z")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_COMMA = ", "  # as English lists are joined where findings are made


def sentence(verdict: Verdict, lang: str) -> str:
    """A verdict's finding in words: plain text, with foreign text inside, not escaped for any medium."""
    return _told(verdict.ruling.finding, verdict.templates, lang)


def details(verdict: Verdict, lang: str) -> tuple[str, ...]:
    """The remarks beside a verdict in words, in order."""
    found = verdict.ruling.details
    return tuple(_told(finding, verdict.detail_templates.get(finding.code, {}), lang) for finding in found)


def _told(finding: Finding, texts: Mapping[str, str], lang: str) -> str:
    template = texts.get(lang) or texts.get("en") or finding.code
    if lang == "en":
        template = counted(template, finding.parameters)
    return fill(template, worded(finding.parameters, lang))


def worded(parameters: Mapping[str, str], lang: str) -> dict[str, str]:
    """A finding's parameters as they stand in a sentence of that language."""
    return {name: _worded(name, value, lang) for name, value in parameters.items()}


def because(text: str, lang: str) -> str:
    """A reason in that language; the words of a program that nobody has put into it are quoted."""
    if lang == "en" or not any(char.isalpha() for char in text):
        return text
    return _looked_up(text, lang) or f"「{text}」"


def known(text: str, lang: str) -> str:
    """A text in that language where the catalogue has it, else as it is."""
    return text if lang == "en" else _looked_up(text, lang) or text


def _worded(name: str, value: str, lang: str) -> str:
    if name == "when":
        return _moment(value)
    if lang == "en":
        return value
    if name in _REASONS:
        return because(value, lang)
    if name in _OBSERVED:
        return _observed(value, lang)
    if name in _LISTS:
        return _MORE.sub("（另有 \\1 個）", value).replace(_COMMA, "、")
    return value


def _moment(value: str) -> str:
    """A time as the report's tables write it; anything else as it is."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return value
    return exact(found.astimezone(UTC)) if found.tzinfo else value


def _observed(text: str, lang: str) -> str:
    """Facts one after the other, and what is known to be a reason among them."""
    facts = [fact for part in text.split(_COMMA) for fact in part.split("; ")]
    if len(facts) > 1:
        said = [_looked_up(fact, lang) for fact in facts]
        if any(said):
            return "，".join(one or fact for one, fact in zip(said, facts, strict=True))
    return _looked_up(text, lang) or text


def _looked_up(text: str, lang: str) -> str | None:
    """The catalogue's words for a reason; of several forms of words that fit the one with the most words of its own."""
    whole, forms = _reasons(lang)
    if text in whole:
        return whole[text]
    if len(text) > MAX_REASON:
        return None
    for pieces, told in forms:
        values = _values(pieces, text)
        if values is not None:
            return fill(told, {name: _unquoted(value) for name, value in values.items()})
    return None


@cache
def _reasons(lang: str) -> tuple[dict[str, str], tuple[tuple[tuple[str, ...], str], ...]]:
    """Reasons without a value, and the others: fixed text and names of values in turn, the longest fixed text first."""
    folder = files("deliverability.compose").joinpath("locales", lang.replace("-", "_"), "LC_MESSAGES")
    known = messages(folder.joinpath("reasons.po").read_text("utf-8"))
    forms = [(tuple(_PLACEHOLDER.split(said)), told) for said, told in known.items() if "{" in said]
    forms.sort(key=lambda form: -sum(map(len, form[0][::2])))
    return {said: told for said, told in known.items() if "{" not in said}, tuple(forms)


def _values(pieces: tuple[str, ...], text: str) -> dict[str, str] | None:
    """What stands where the form of words leaves room; ``None`` where it does not fit.  Linear, without a pattern."""
    *between, last = pieces[2::2]
    if not text.startswith(pieces[0]) or not text.endswith(last):
        return None
    at, end, found = len(pieces[0]), len(text) - len(last), dict.fromkeys(pieces[1::2], "")
    for name, fixed in zip(pieces[1::2], (*between, ""), strict=True):
        upto = text.find(fixed, at, end) if fixed else end
        if upto <= at:
            return None
        found[name], at = text[at:upto], upto + len(fixed)
    return found


def _unquoted(value: str) -> str:
    """Text that Python put into its quotation marks, in those of the language."""
    if len(value) < 3 or value[0] != "'" or value[-1] != "'":
        return value
    return "、".join(f"「{one}」" for one in value[1:-1].split("', '"))
