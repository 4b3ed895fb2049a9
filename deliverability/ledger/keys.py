"""Who signs heads: a key in a file of mode 0600, or a program that holds it elsewhere.

A file holds the Ed25519 seed as PKCS #8 PEM (RFC 8410), so that ``openssl`` reads it too.  It is never logged, and a
file that others can read is refused.
"""

import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from deliverability.errors import CannotLookError, ParseError, UsageError, printable
from deliverability.ledger.notes import MAX_NOTE, Note, Signature, VerifierKey, parse_note

SIGNER_SECONDS = 30


class Signer(Protocol):
    """Whatever can sign a text under one key."""

    @property
    def key(self) -> VerifierKey:
        """The public half."""

    def sign(self, text: str) -> Signature:
        """Sign a note's text; raises :class:`CannotLookError`."""


class FileSigner:
    """A key in a file."""

    def __init__(self, path: Path, name: str) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                if stat.S_IMODE(mode) & 0o077:
                    raise CannotLookError(
                        f"{printable(str(path))}: others may read this key; chmod 600 it, or rotate it"
                    )
                private = load_pem_private_key(file.read(4096), password=None)
        except OSError as problem:
            raise CannotLookError(f"{printable(str(path))}: {problem.strerror}") from problem
        except (ValueError, TypeError):
            raise CannotLookError(f"{printable(str(path))}: not an unencrypted private key in PEM form") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise CannotLookError(f"{printable(str(path))}: not an Ed25519 key")
        self._private = private
        self._key = VerifierKey(name, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @property
    def key(self) -> VerifierKey:
        """The public half."""
        return self._key

    def sign(self, text: str) -> Signature:
        """Sign a note's text."""
        return Signature(self._key.name, self._key.key_id, self._private.sign(text.encode()))


class CommandSigner:
    """A program that reads the text on standard input and prints the signed note: the key can be another user's."""

    def __init__(self, command: Sequence[str], key: VerifierKey) -> None:
        if not command:
            raise UsageError("a signer command needs a program")
        self._command, self._key = tuple(command), key

    @property
    def key(self) -> VerifierKey:
        """The public half."""
        return self._key

    def sign(self, text: str) -> Signature:
        """Have the text signed; what comes back must be the same text, with a signature of the key that holds."""
        program = printable(self._command[0])
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own command, never through a shell
                self._command, input=text.encode(), capture_output=True, timeout=SIGNER_SECONDS, check=False
            )
            if done.returncode:
                raise CannotLookError(f"{program}: exit status {done.returncode}; nothing was signed")
            note = parse_note(done.stdout[: MAX_NOTE + 1])
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise CannotLookError(f"{program}: {type(problem).__name__}; nothing was signed") from problem
        except ParseError as problem:
            raise CannotLookError(f"{program}: printed no signed note: {problem}") from problem
        if note.text != text or not self._key.verify(note):
            raise CannotLookError(f"{program}: signed another text, or with another key")
        return next(s for s in note.signatures if (s.name, s.key_id) == (self._key.name, self._key.key_id))


def make_key(path: Path) -> None:
    """Write a new private key, mode 0600; raises :class:`UsageError` where a file stands already."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise UsageError(f"{printable(str(path))}: there is a key already; it was not replaced") from None
    except OSError as problem:
        raise CannotLookError(f"{printable(str(path))}: {problem.strerror}") from problem
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    except OSError as problem:
        path.unlink(missing_ok=True)
        raise CannotLookError(f"{printable(str(path))}: {problem.strerror}") from problem


def signed(text: str, signers: Sequence[Signer]) -> Note:
    """The text with a signature of each signer."""
    return Note(text, tuple(signer.sign(text) for signer in signers))
