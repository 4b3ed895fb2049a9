"""What there is to say of each DKIM signature beside its result: the key, the clock, what is left open.

RFC 6376 §3.5, §3.6.1, §5.4, §8.2 (``l=``), §8.15 (a second From), RFC 8301 §3.2 (key sizes), RFC 8463 §6 (a second
signature beside Ed25519), RFC 8058 §4 (what one-click unsubscription needs signed).
"""

from collections.abc import Iterator, Sequence
from typing import Final

from deliverability.errors import printable
from deliverability.evidence.verdict import Finding
from deliverability.protocols.dkim import DkimResult, DkimSignature
from deliverability.protocols.dkim_key import ADVISED_RSA_BITS, DkimKey, KeyState
from deliverability.protocols.mail import Mail

SHOULD_SIGN: Final = ("subject", "date", "to", "cc", "reply-to", "mime-version", "content-type", "message-id")
"""Fields that a reader acts on (RFC 6376 §5.4.1), said only where the message has them."""
UNSUBSCRIBE: Final = ("list-unsubscribe", "list-unsubscribe-post")


def remarks(mail: Mail, found: Sequence[DkimSignature]) -> Iterator[Finding]:
    """For each signature in order: what it is, its key, its times, what it covers."""
    for number, signature in enumerate(found, 1):
        if signature.domain is None:
            yield Finding.of("signature-unreadable", number=number, problem=printable(signature.problem or "", 200))
            continue
        named = {"number": number, "domain": signature.domain, "selector": signature.selector}
        yield Finding.of(
            "signature", **named, algorithm=signature.algorithm, result=signature.result, reason=signature.reason
        )
        if signature.key:
            yield from key_remarks(signature.key)
        yield from _objections(signature)
        yield from _times(signature, number)
        yield from _coverage(mail, signature, number)
    passed = [signature for signature in found if signature.result is DkimResult.PASS]
    if passed and all(signature.algorithm == "ed25519-sha256" for signature in passed):
        yield Finding.of("ed25519-alone")


def key_remarks(key: DkimKey) -> Iterator[Finding]:
    """What the published key says of itself."""
    told = {"name": key.name, "type": key.type or "", "bits": key.bits or ""}
    if key.records > 1:
        yield Finding.of("several-records", name=key.name, count=key.records)
    if key.alias:
        yield Finding.of("alias-without-key", name=key.name, target=key.alias)
    if key.state is not KeyState.FOUND:
        return
    yield Finding.of("key", **told)
    if key.type == "rsa" and key.bits is not None and not key.weak and key.bits < ADVISED_RSA_BITS:
        yield Finding.of("key-below-advice", **told, advised=ADVISED_RSA_BITS)
    if key.testing:
        yield Finding.of("key-testing", name=key.name)
    if key.strict_identity:
        yield Finding.of("key-strict", name=key.name)


def _objections(signature: DkimSignature) -> Iterator[Finding]:
    key = signature.key
    for objection in signature.objections if key else ():
        yield Finding.of(
            f"key-forbids-{objection}",
            name=key.name if key else "",
            algorithm=signature.algorithm,
            identity=printable(signature.identity or "", 200),
            domain=signature.domain,
        )


def _times(signature: DkimSignature, number: int) -> Iterator[Finding]:
    told = {"number": number}
    if signature.signed_at:
        yield Finding.of("signed-at", **told, when=signature.signed_at.isoformat(timespec="seconds"))
    if signature.expires_at:
        yield Finding.of("expires-at", **told, when=signature.expires_at.isoformat(timespec="seconds"))


def _coverage(mail: Mail, signature: DkimSignature, number: int) -> Iterator[Finding]:
    signed, told = signature.signed_fields, {"number": number}
    yield Finding.of("signed-fields", **told, fields=printable(", ".join(signed), 400))
    if signature.identity and signature.identity != f"@{signature.domain}":
        yield Finding.of("identity", **told, identity=printable(signature.identity, 200))
    if signature.length is not None:
        yield Finding.of("length-tag", **told, length=signature.length, octets=signature.unsigned_octets)
    if "from" in signed:
        over = signed.count("from") > len(mail.all("from"))
        yield Finding.of("from-over-signed" if over else "from-signed-once", **told)
    left = [name for name in SHOULD_SIGN if mail.all(name) and name not in signed]
    if left:
        yield Finding.of("fields-left-open", **told, fields=", ".join(left))
    if any(mail.all(name) for name in UNSUBSCRIBE):
        absent = [name for name in UNSUBSCRIBE if not mail.all(name) or name not in signed]
        code = "unsubscribe-not-signed" if absent else "unsubscribe-signed"
        yield Finding.of(code, **told, fields=", ".join(absent))
