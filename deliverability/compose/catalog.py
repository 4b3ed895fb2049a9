"""The frame's sentences, one gettext catalogue per language; message ids are keys, not sentences.

Read from the ``.po`` file itself, once per process: there is no compiled twin that could differ from it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pkgutil import get_data

from deliverability.errors import UsageError, printable
from deliverability.evidence.languages import LANGUAGES
from deliverability.evidence.verdict import fill

_NOUNS = {
    **{f"{noun}s": noun for noun in ("attempt", "bit", "byte", "check", "day", "field", "message", "octet", "part")},
    **{f"{noun}s": noun for noun in ("look-up", "notice", "record", "second", "server", "step")},
    "addresses": "address",
    "entries": "entry",
}
_VERBS = {"are": "is", "were": "was", "have": "has", "contact": "contacts", "wait": "waits"}
_COUNTED = re.compile(rf"\{{(\w+)\}} (more )?({'|'.join(_NOUNS)})\b(?: ({'|'.join(_VERBS)})\b)?")
_WIDE = (("\u2e80", "\u9fff"), ("\uf900", "\ufaff"), ("\uff00", "\uffef"))
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Catalog:
    """The sentences of one language."""

    lang: str
    sentences: Mapping[str, str]

    def __call__(self, key: str, /, **parameters: object) -> str:
        """The sentence under ``key`` with its placeholders filled; foreign text in them stays text."""
        filled = {name: str(value) for name, value in parameters.items()}
        template = self.sentences[key]
        return fill(counted(template, filled) if self.lang == "en" else _closed_up(template, filled), filled)

    def aside(self, text: str, note: str) -> str:
        """A text with a note in brackets behind it."""
        return self("list.aside", text=text, note=note)

    def has(self, key: str) -> bool:
        """Whether there is a sentence under ``key``."""
        return key in self.sentences

    def pick(self, localized: Mapping[str, str]) -> str:
        """A plug-in's own prose in this language; English where it has none."""
        return localized.get(self.lang) or localized.get("en", "")


def counted(template: str, parameters: Mapping[str, str]) -> str:
    """An English template in which a noun, and a verb at its side, agree with a number that is one."""
    if "1" not in parameters.values():
        return template
    return _COUNTED.sub(lambda match: _one(match) if parameters.get(match[1]) == "1" else match[0], template)


def _one(match: re.Match[str]) -> str:
    verb = match[4]
    return f"{{{match[1]}}} {match[2] or ''}{_NOUNS[match[3]]}" + (f" {_VERBS[verb]}" if verb else "")


def _is_wide(letter: str) -> bool:
    """Whether a letter is as wide as a Chinese one; to compile a pattern of these ranges takes longer than all comparisons."""
    return any(first <= letter <= last for first, last in _WIDE)


def _closed_up(template: str, parameters: Mapping[str, str]) -> str:
    """The template without the blank that sets Latin letters off from Chinese, where the value begins or ends in Chinese."""
    for name, value in parameters.items():
        if value and _is_wide(value[0]):
            template = template.replace(f" {{{name}}}", f"{{{name}}}")
        if value and _is_wide(value[-1]):
            template = template.replace(f"{{{name}}} ", f"{{{name}}}")
    return template


@cache
def catalog(lang: str) -> Catalog:
    """The catalogue of a language.

    Raises :class:`~deliverability.errors.UsageError` for one that there is none of.
    """
    if lang not in LANGUAGES:
        msg = f"no language {printable(lang)!r}; there are: {', '.join(LANGUAGES)}"
        raise UsageError(msg)
    octets = get_data("deliverability.compose", f"locales/{lang.replace('-', '_')}/LC_MESSAGES/deliverability.po")
    return Catalog(lang, messages((octets or b"").replace(b"\r\n", b"\n").decode()))


def messages(text: str) -> dict[str, str]:
    """The messages of a ``.po`` file as ours are: no plurals, no contexts, nothing fuzzy (a test holds it to Babel).

    Babel's reader takes longer to import and to run than all the rest of a short answer.
    """
    found: dict[str, str] = {}
    for entry in text.split("\n\n"):
        parts: dict[str, list[str]] = {}
        into: list[str] = []
        for line in entry.splitlines():
            keyword, quote, rest = line.partition('"')
            if quote and not keyword.startswith("#"):
                into = parts.setdefault(keyword.strip(), []) if keyword else into
                into.append(rest[: rest.rindex('"')])
        key = _unescaped(parts.get("msgid", []))
        if key:
            found[key] = _unescaped(parts["msgstr"])
    return found


def _unescaped(pieces: list[str]) -> str:
    text = "".join(pieces)
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text) if "\\" in text else text
