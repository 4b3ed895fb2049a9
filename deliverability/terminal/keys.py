"""The ``--key`` of commands that verify: a published key, or the file of one."""

from pathlib import Path
from typing import TYPE_CHECKING

from deliverability.errors import CannotLookError, ParseError, UsageError, printable

if TYPE_CHECKING:
    from deliverability.ledger.notes import VerifierKey

MAX_KEY_FILE = 4096  # octets; a key takes some 100


def verifier_key(text: str) -> "VerifierKey":
    """The key that an option names: ``NAME+ID+BASE64``, or a file that holds that.

    Raises :class:`CannotLookError` where there is no such file, and :class:`UsageError` for what is no key.
    """
    from deliverability.ledger.notes import VerifierKey

    if "+" not in text:
        try:
            with Path(text).open("rb") as file:
                text = file.read(MAX_KEY_FILE).decode().strip()
        except (OSError, ValueError):
            raise CannotLookError(f"--key {printable(text)!r}: neither a key nor the file of one") from None
    try:
        return VerifierKey.parse(text)
    except ParseError as problem:
        raise UsageError(f"--key: {problem}") from None
