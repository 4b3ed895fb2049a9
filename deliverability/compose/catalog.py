"""The frame's sentences, one gettext catalogue per language; message ids are keys, not sentences.

Read from the ``.po`` file itself, once per process: there is no compiled twin that could differ from it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from deliverability.errors import UsageError, printable
from deliverability.evidence.plugin import LANGUAGES
from deliverability.evidence.verdict import fill

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Catalog:
    """The sentences of one language."""

    lang: str
    sentences: Mapping[str, str]

    def __call__(self, key: str, /, **parameters: object) -> str:
        """The sentence under ``key`` with its placeholders filled; foreign text in them stays text."""
        return fill(self.sentences[key], {name: str(value) for name, value in parameters.items()})

    def has(self, key: str) -> bool:
        """Whether there is a sentence under ``key``."""
        return key in self.sentences

    def pick(self, localized: Mapping[str, str]) -> str:
        """A plug-in's own prose in this language; English where it has none."""
        return localized.get(self.lang) or localized.get("en", "")


@cache
def catalog(lang: str) -> Catalog:
    """The catalogue of a language.

    Raises :class:`~deliverability.errors.UsageError` for one that there is none of.
    """
    if lang not in LANGUAGES:
        msg = f"no language {printable(lang)!r}; there are: {', '.join(LANGUAGES)}"
        raise UsageError(msg)
    path = files("deliverability.compose").joinpath(
        "locales", lang.replace("-", "_"), "LC_MESSAGES", "deliverability.po"
    )
    return Catalog(lang, messages(path.read_text("utf-8")))


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
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), "".join(pieces))
