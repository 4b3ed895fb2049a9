"""The frame's sentences, one gettext catalogue per language; message ids are keys, not sentences.

Read from the ``.po`` file itself, once per process: there is no compiled twin that could differ from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO

from deliverability.errors import UsageError, printable
from deliverability.evidence.plugin import LANGUAGES
from deliverability.evidence.verdict import fill


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
    from babel.messages.pofile import read_po  # heavy: only who composes a report pays for it

    path = files("deliverability.compose").joinpath(
        "locales", lang.replace("-", "_"), "LC_MESSAGES", "deliverability.po"
    )
    messages = read_po(BytesIO(path.read_bytes()), abort_invalid=True)
    return Catalog(lang, {str(m.id): str(m.string) for m in messages if m.id})
