"""Out of the ledger: a bundle for one dispatch, one customer, or one message."""

import re
from collections.abc import Iterable, Sequence

from deliverability.errors import CannotLookError, UsageError
from deliverability.ledger.bundle import MAX_ENTRIES, Bundle, Continuation, File, SealedEntry
from deliverability.ledger.checkpoint import parse_checkpoint
from deliverability.ledger.indexing import canonical_address
from deliverability.ledger.leaves import parse_body, parse_leaf
from deliverability.ledger.log import Ledger

_ADDRESS = r"""[^\s<>"\\,;:()\[\]@]{1,64}@[^\s<>"\\,;:()\[\]@]{1,255}"""


def numbers_for(
    ledger: Ledger, *, account: str | None = None, address: str | None = None, dispatch: str | None = None
) -> tuple[int, ...]:
    """The entries to show: a customer's whole sequence, all dispatches to an address, or one dispatch.

    For an address, and for a dispatch, the entries that refer to its intents come along.
    """
    store = ledger.store
    if account is not None:
        return store.numbers_of(account=account)
    if dispatch is not None:
        intent = store.intent_of(_dispatch(dispatch))
        if intent is None:
            raise UsageError(f"the ledger has no dispatch {dispatch}")
        intents = {intent}
    else:
        intents = set(store.numbers_of(address=canonical_address(address or "")))
    return tuple(sorted(intents | set(_about(ledger, intents))))


def unannounced_for(ledger: Ledger, address: str) -> tuple[int, ...]:
    """Entries about dispatches that the log has no intent of, and that name an address: in a server's reply, say."""
    asked = canonical_address(address)
    return tuple(e.number for e in ledger.store.unannounced() if asked in _addresses(e.body or b""))


def _addresses(body: bytes) -> set[str]:
    """What may be an address in a record's texts, as the index compares it; with quotes around it, or not."""
    found = re.findall(_ADDRESS, body.decode("utf-8", "replace"))
    return {canonical_address(spelled) for text in found for spelled in (text, text.strip("'").rstrip("."))}


def _dispatch(text: str) -> bytes:
    if not re.fullmatch(r"[0-9a-f]{32}", text):
        raise UsageError("a dispatch is named by 32 hexadecimal digits")
    return bytes.fromhex(text)


def _about(ledger: Ledger, intents: set[int]) -> Iterable[int]:
    """Entries that refer to one of these intents: among the same accounts' entries, so that not all have to be read."""
    accounts = {parse_body(e.body).account for n in intents if (e := ledger.store.entry(n)).body is not None}
    for account in accounts - {None}:
        for number in ledger.store.numbers_of(account=account):
            if parse_leaf(ledger.store.entry(number).leaf).reference in intents:
                yield number


def bundle_of(ledger: Ledger, numbers: Sequence[int], files: Sequence[File] = ()) -> Bundle:
    """The entries with their proofs under the newest signed head, its time-stamps, and copies of what they name.

    Raises :class:`UsageError` when there is nothing to show, and :class:`CannotLookError` for entries that no head has
    been signed over yet.
    """
    if not numbers:
        raise UsageError("the ledger holds nothing of that")
    if len(numbers) > MAX_ENTRIES:
        raise UsageError(
            f"more than {MAX_ENTRIES} entries, the most that a bundle holds: ask for one customer, or one dispatch"
        )
    note = _head_over(ledger, max(numbers) + 1)
    size = parse_checkpoint(note)[0].size
    store = ledger.store
    return Bundle(
        origin=store.origin,
        keys=tuple(key.to_text() for key in ledger.verifier_keys()),
        checkpoint=note,
        entries=tuple(_sealed(ledger, number, size) for number in sorted(numbers)),
        tokens=tuple(token.response for token in store.tokens(size)),
        files=tuple(files),
    )


def continued(ledger: Ledger, bundle: Bundle, heads: Sequence[bytes]) -> Bundle:
    """The bundle with proofs that its head and these signed heads are of one log, unchanged in between."""
    from dataclasses import replace

    size = parse_checkpoint(bundle.checkpoint)[0].size
    proofs = []
    for head in heads:
        other = parse_checkpoint(head)[0]
        if other.origin != bundle.origin or max(other.size, size) > ledger.store.size:
            raise UsageError("a head of another log, or of one that had more entries than this")
        if other.size != size:
            proofs.append(Continuation(head, ledger.store.consistency(*sorted((other.size, size)))))
    return replace(bundle, continuations=(*bundle.continuations, *proofs))


def _head_over(ledger: Ledger, size: int) -> bytes:
    """The newest signed head over the entries, which bears the newest key; one with a time-stamp, where there is one."""
    known = ledger.store.size  # another process may have signed since over entries that this one does not know of
    stamped = max((token.size for token in ledger.store.tokens() if size <= token.size <= known), default=None)
    note = ledger.store.checkpoint(stamped, within=known)
    if note is None or parse_checkpoint(note)[0].size < size:
        raise CannotLookError("no head has been signed over these entries yet: deliverability ledger checkpoint")
    return note


def _sealed(ledger: Ledger, number: int, size: int) -> SealedEntry:
    entry = ledger.store.checked_entry(number)  # or what is handed out would be called changed elsewhere
    return SealedEntry(number, entry.leaf, entry.salt, entry.body, ledger.store.inclusion(number, size))
