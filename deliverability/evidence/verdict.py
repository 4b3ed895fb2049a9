"""Outcomes, findings, verdicts (DESIGN §2, §4.4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Self


class Outcome(StrEnum):
    """What a check concluded.  A protocol's own result (RFC 8601) is another type."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    INDETERMINATE = "indeterminate"
    """Could not be decided from what is at hand; the finding says what would settle it."""
    NOT_APPLICABLE = "not-applicable"
    ERROR = "error"
    """A defect of ours."""


Messages = Mapping[str, Mapping[str, str]]
"""``messages[code][language]``: a template with ``{name}`` for each parameter of the finding."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A stable code and its parameters, which may be foreign text: whoever shows them escapes them."""

    code: str
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, code: str, **parameters: object) -> Self:
        """Build a finding; parameters are shown as ``str`` would."""
        return cls(code, MappingProxyType({k: str(v) for k, v in parameters.items()}))


@dataclass(frozen=True, slots=True)
class Ruling:
    """What ``Check.evaluate`` returns."""

    outcome: Outcome
    finding: Finding
    protocol_result: str | None = None
    """The protocol's own word, RFC 8601 §2.7, where there is one: ``softfail``, ``temperror`` …"""
    details: tuple[Finding, ...] = ()
    """What else there is to say, in order: steps of an evaluation, remarks on a record, advice."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A check's ruling, with all that a renderer needs to put it into words."""

    check: str
    citation: str
    title: Mapping[str, str]
    ruling: Ruling
    templates: Mapping[str, str]
    """The sentence for the finding's code in each language."""
    detail_templates: Messages = field(default_factory=lambda: MappingProxyType({}))
    """The same for the codes of the ruling's details."""
    advisory: bool = False
    """A hint: it never decides an exit status by itself."""

    @property
    def outcome(self) -> Outcome:
        """Short for the ruling's outcome."""
        return self.ruling.outcome

    def sentence(self, lang: str) -> str:
        """The finding in words: plain text, with foreign text inside, not escaped for any medium.

        What a parser or a resolver said was wrong stands in it in its own words, English ones, in every language: this is
        the model, and knows no catalogue.  ``deliverability.compose.because.sentence`` puts those into words as well.
        """
        template = self.templates.get(lang) or self.templates.get("en") or self.ruling.finding.code
        return fill(template, self.ruling.finding.parameters)

    def details(self, lang: str) -> tuple[str, ...]:
        """The ruling's details in words, in order; reasons in them as in :meth:`sentence`."""
        said = []
        for finding in self.ruling.details:
            texts = self.detail_templates.get(finding.code, {})
            said.append(fill(texts.get(lang) or texts.get("en") or finding.code, finding.parameters))
        return tuple(said)


def fill(template: str, parameters: Mapping[str, str]) -> str:
    """Put ``parameters`` into ``template``, once: braces inside a parameter stay as they are."""
    out: list[str] = []
    rest = template
    while rest:
        before, brace, after = rest.partition("{")
        out.append(before)
        if not brace:
            break
        name, close, rest = after.partition("}")
        out.append(parameters.get(name, "") if close else brace + name)
    return "".join(out)
