"""The only file that knows dkimpy 1.1.8: the arithmetic of one signature, with key and fields handed in.

dkimpy reads the clock, asks the DNS, accepts what RFC 8301 forbids and answers with a bare yes or no; all of that is
decided in ``dkim.py``, and only the hash over the header and the signature itself are left to it.
"""

from collections.abc import Mapping, Sequence

import dkim
from dkim.crypto import UnparsableKeyError, parse_public_key


class _Verifier(dkim.DKIM):
    """One signature whose fields have been checked."""

    def __init__(
        self, headers: Sequence[tuple[bytes, bytes]], signature: tuple[bytes, bytes], tags: Mapping[str, bytes]
    ) -> None:
        super().__init__(None, minkey=0)
        self.headers = [list(header) for header in headers]
        self._signature = list(signature)
        # Without bh= and l= dkimpy leaves the body alone: its hash has been compared already.
        self._tags = {name.encode("ascii"): tags[name] for name in ("a", "b", "c", "d", "s") if name in tags}
        self._signed = [name.strip().lower() for name in tags["h"].split(b":")]

    def verify_headerprep(self, idx: int = 0) -> tuple[dict[bytes, bytes], list[bytes], list[list[bytes]]]:
        """Hand over what is known; dkimpy's own reading would consult the clock."""
        del idx
        return self._tags, list(self._signed), [self._signature]


def signature_holds(
    headers: Sequence[tuple[bytes, bytes]],
    signature: tuple[bytes, bytes],
    tags: Mapping[str, bytes],
    key_type: str,
    key_data: bytes,
) -> bool:
    """Whether the signature over the header fields was made with the key (RFC 6376 §3.7, RFC 8463 §3)."""
    record = b"k=" + key_type.encode("ascii") + b"; p=" + key_data
    try:
        return bool(_Verifier(headers, signature, tags).verify(dnsfunc=lambda _name, **_options: record))
    except (dkim.DKIMException, ValueError):  # ValueError: a signature of impossible length
        return False


def rsa_numbers(der: bytes) -> tuple[int, int] | None:
    """Modulus and public exponent of a SubjectPublicKeyInfo or bare RSAPublicKey; ``None`` if it is neither."""
    try:
        numbers = parse_public_key(der)
    except (UnparsableKeyError, IndexError, AssertionError):
        return None
    return numbers["modulus"], numbers["publicExponent"]
