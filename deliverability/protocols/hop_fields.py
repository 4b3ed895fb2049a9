"""Header fields as the readers of filters get them: by name, on one line, bounded."""

from collections.abc import Iterable
from typing import Final

from deliverability.protocols.mail import Field

MAX_STAMP: Final = 65_536
"""Octets of a field that a filter's reader gets."""


def names_field(name: str, wanted: Iterable[str]) -> bool:
    """Whether a field is one of those named, where a name that ends in ``*`` stands for all that begin so."""
    lower = name.lower()
    return any(lower.startswith(one[:-1]) if one.endswith("*") else lower == one for one in wanted)


def readable(field: Field) -> str:
    """A field's body on one line, within :data:`MAX_STAMP`."""
    return field.body[:MAX_STAMP].replace(b"\r\n", b" ").decode("utf-8", "replace").strip()
