"""The errors this package raises on purpose; anything else that escapes is a bug of ours.

An error says what was wrong, where, and what to do next, in one line that can be printed
to a terminal as it is: :func:`printable` has already made hostile characters visible.
"""

import unicodedata

_ESCAPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
MAX_SHOWN = 500  # characters of foreign text that one error line may carry


def printable(text: str, limit: int = MAX_SHOWN) -> str:
    r"""Show foreign text on one line: control and bidi characters become ``\xNN`` or ``\uNNNN``."""
    if len(text) <= limit and text.isprintable():
        return text
    shown = "".join(_visible(c) for c in text[: limit + 1])
    return shown if len(text) <= limit else shown[:limit] + "…"


def _visible(char: str) -> str:
    if unicodedata.category(char) not in _ESCAPED_CATEGORIES:
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class DeliverabilityError(Exception):
    """Base of every error that this package raises on purpose."""


class ParseError(DeliverabilityError, ValueError):
    """Bytes or text are not of the form that their format requires."""


class UsageError(DeliverabilityError):
    """The caller asked for something contradictory or malformed (exit status 2)."""


class AmbiguousError(DeliverabilityError):
    """Several messages match and the caller has to choose one (exit status 2)."""

    def __init__(self, message: str, candidates: object = None) -> None:
        super().__init__(message)
        self.candidates = candidates
        """What matches: a ``TraceResult``."""


class CannotLookError(DeliverabilityError):
    """A log, a file or a configuration could not be read (exit status 6): never 'not found'."""


class RecordingError(DeliverabilityError):
    """Evidence could not be made durable; the mailer's policy decides whether it sends all the same."""


class TamperedError(DeliverabilityError):
    """Evidence is not what it was when it was sealed, or never was (exit status 5)."""
