"""typst, the typesetter, as a function: a template of ours and data in, a file's octets out.

It may read the font's folder; the template imports and reads nothing.  Times come from the data, so equal input gives
equal octets.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from deliverability.errors import DeliverabilityError, printable
from deliverability.protocols.typst_font import ExtraMissingError, Font

if TYPE_CHECKING:
    from types import ModuleType

STANDARDS = ("a-3u", "ua-1")
"""ISO 19005-3 with Unicode text, and ISO 14289-1 (tagged for those who have it read to them)."""


def engine() -> "ModuleType":
    """The typst package; raises :class:`ExtraMissingError` where it is missing."""
    try:
        import typst
    except ImportError:
        raise ExtraMissingError("PDF and PNG need an extra: pip install 'deliverability[pdf]'") from None
    return typst


def typeset(template: str, page: str, font: Font, *, made_at: int) -> bytes:
    """A PDF/A-3u; ``made_at`` is the creation time in seconds since 1970, UTC."""
    made = _compile(template, page, font, "pdf", made_at=made_at, standards=STANDARDS)
    return made[0]


def picture(template: str, page: str, font: Font, *, pixels_per_inch: float) -> bytes:
    """The first page as a PNG."""
    return _compile(template, page, font, "png", pixels_per_inch=pixels_per_inch)[0]


def _compile(  # noqa: PLR0913 - what, with which font, in which form
    template: str,
    page: str,
    font: Font,
    form: Literal["pdf", "png"],
    *,
    made_at: int | None = None,
    standards: Sequence[str] = (),
    pixels_per_inch: float | None = None,
) -> list[bytes]:
    typst = engine()
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[font.folder])
    try:
        made = typst.compile(
            template.encode(),
            font_paths=fonts,
            format=form,
            ppi=pixels_per_inch,
            sys_inputs={"page": page},
            pdf_standards=list(standards),
            timestamp=made_at,
        )
    except typst.TypstError as problem:
        # Data cannot break the template: a newer typst may.
        raise DeliverabilityError(f"typst could not set the page: {printable(str(problem.message))}") from problem
    return [bytes(one) for one in made] if isinstance(made, list) else [bytes(made)]
