"""What a copy of a message tells about why it was filtered: whose word each stamp is, and which of them decides.

Only stamps of the receiving side are believed (``protocols.hops``); the others are named and not built on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from deliverability import plugins
from deliverability.errors import UsageError, printable
from deliverability.evidence.plugin import Actor, Filter, Judgement, Reading, Stamp
from deliverability.evidence.verdict import Finding, fill
from deliverability.protocols.authres import parse_authres
from deliverability.protocols.hops import Boundary, Delay, Origin, delays, divide, stamps
from deliverability.protocols.mail import Mail

# The judgement that answers, where filters differ: what warns the reader comes first.
_WEIGHT: Final = (
    Judgement.DANGEROUS,
    Judgement.FORGED,
    Judgement.LISTED_BAD,
    Judgement.JUNK,
    Judgement.BULK,
    Judgement.LISTED_GOOD,
    Judgement.CLEAN,
)
_BANNERS: Final[Mapping[str, Judgement]] = {
    "authentication": Judgement.FORGED,
    "phishing": Judgement.DANGEROUS,
    "blocked": Judgement.LISTED_BAD,
    "admin-rule": Judgement.LISTED_BAD,
    "many-reported": Judgement.BULK,
}
WARNINGS: Final = frozenset({Judgement.DANGEROUS, Judgement.FORGED})
"""Judgements under which nobody may be told to trust the sender by list."""
MAX_FOREIGN: Final = 20
_ARC: Final = "arc-authentication-results"


@dataclass(frozen=True, slots=True)
class Told:
    """What one filter's stamps of one origin say."""

    filter: Filter
    origin: Origin | None
    """``None``: the reader saw it on the screen."""
    believed: bool
    reading: Reading

    def sentence(self, finding: Finding, lang: str) -> str:
        """A finding in words: plain text with foreign text inside."""
        texts = self.filter.messages[finding.code]
        return fill(texts.get(lang) or texts["en"], finding.parameters)

    def advice(self, finding: Finding, lang: str) -> str:
        """What to do about it; empty where it asks nothing of anybody."""
        texts = self.filter.advice.get(finding.code, {})
        return texts.get(lang) or texts.get("en", "")

    def actor(self, finding: Finding) -> Actor | None:
        """Who acts on it."""
        return self.filter.actors.get(finding.code)


@dataclass(frozen=True, slots=True)
class Junked:
    """A message's header, read."""

    boundary: Boundary | None
    told: tuple[Told, ...]
    """Believed ones first, the one that answers before all."""
    foreign: tuple[str, ...]
    """Names of those whose ``Authentication-Results`` stand in the receiving side's part and are none of its own."""
    delays: tuple[Delay, ...]

    @property
    def answer(self) -> Told | None:
        """The reading that answers; ``None`` where nothing that is believed gives a verdict."""
        first = self.told[0] if self.told else None
        return first if first and first.believed and first.reading.judgement is not Judgement.NONE else None

    @property
    def warned(self) -> bool:
        """Whether something that is believed speaks against the sender: then nothing else advises to trust it."""
        return any(told.believed and told.reading.judgement in WARNINGS for told in self.told)

    @property
    def confirmed(self) -> bool:
        """Whether the receiving side found the message to come from its From domain (DMARC pass)."""
        codes = {
            f.code for t in self.told if t.believed and t.filter.id == "authentication" for f in t.reading.findings
        }
        return "dmarc-pass" in codes and "dmarc-fail" not in codes and not self.warned

    def advice(self, told: "Told", finding: Finding, lang: str) -> str:
        """What to do about a finding; empty where a warning stands above it."""
        if not told.believed or (self.warned and told.reading.judgement not in WARNINGS):
            return ""
        return told.advice(finding, lang)


def filters() -> tuple[Filter, ...]:
    """All filters that load; a broken file takes no other with it."""
    return tuple(loaded for _, loaded in plugins.load_all("filters") if isinstance(loaded, Filter))


def read_junked(
    mail: Mail | None, sides: Iterable[str] = (), banner: str | None = None, *, milter: bool = False
) -> Junked:
    """Read a copy of a message as its recipient has it, or the line that its reader saw on the screen, or both.

    ``sides`` are host names of the receiving side, where the caller knows them; ``milter`` says that its filter writes
    just below its own ``Received`` line.
    """
    known = filters()
    told = [_from_banner(banner, known)] if banner else []
    if mail is None:
        return Junked(None, tuple(told), (), ())
    written = [name for one in known for name in one.headers]
    boundary = divide(mail, sides, written)
    foreign: dict[str, None] = {}
    for origin in Origin:
        believed = origin is Origin.RECEIVING or (origin is Origin.BORDER and milter)
        for one in known:
            found = stamps(boundary.of(origin), one.headers)
            # What a forwarder recorded for ARC is its own affair; of the receiving side it is the same as its own field.
            found = _own(found, boundary, foreign) if believed else tuple(s for s in found if s.name.lower() != _ARC)
            reading = one.read(found) if found else None
            if reading and not any(t.filter is one and _said(reading) <= _said(t.reading) for t in told):
                told.append(Told(one, origin, believed, reading))
    return Junked(boundary, tuple(sorted(told, key=_rank)), tuple(foreign)[:MAX_FOREIGN], delays(boundary.hops))


def _said(reading: Reading) -> set[tuple[str, ...]]:
    """What a reading says, whoever says it: Gmail does so twice, above the entry for ARC and below it for all."""
    return {(f.code, *(text for name, text in sorted(f.parameters.items()) if name != "who")) for f in reading.findings}


def _rank(told: Told) -> tuple[bool, int, str]:
    judgement = told.reading.judgement
    weight = _WEIGHT.index(judgement) if judgement in _WEIGHT else len(_WEIGHT)
    return not told.believed, weight, told.filter.id


def _own(found: tuple[Stamp, ...], boundary: Boundary, foreign: dict[str, None]) -> tuple[Stamp, ...]:
    """Without Authentication-Results that name somebody else (RFC 8601 §5: only one's own are used)."""
    kept = []
    for stamp in found:
        if stamp.name.lower() in ("authentication-results", _ARC):
            who = parse_authres(stamp.text).authserv_id
            if who is not None and boundary.side and not boundary.side.has(who):
                foreign[who[:253]] = None
                continue
        kept.append(stamp)
    return tuple(kept)


def _from_banner(banner: str, known: Iterable[Filter]) -> Told:
    by_code = {code: one for one in known for code in one.banners}
    if banner not in by_code:
        shown = "; ".join(f"{code} ({one.banners[code]['en']})" for code, one in sorted(by_code.items()))
        raise UsageError(f"--banner {printable(banner)!r} is none of: {shown}")
    judgement = _BANNERS.get(banner, Judgement.JUNK)
    return Told(by_code[banner], None, believed=True, reading=Reading(judgement, (Finding.of(banner),)))
