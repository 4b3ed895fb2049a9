"""What a bundle shows, step by step, to someone who trusts nothing but the keys that he names.

Every step is one of four: *shown*; *failed*, which means that something was changed; *absent*, which means that the
bundle does not bring it; *undecided*, which means that the verifier lacks what it takes.  Nothing that is absent or
undecided counts as shown (DESIGN §5: a verifier fails closed).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING

from deliverability.errors import ParseError
from deliverability.evidence.observation import DnsAnswer, Observations, Unobserved
from deliverability.evidence.recorder import Intent, Later, Outcome, Record, Snapshot
from deliverability.ledger.bundle import Bundle, NotABundleError, SealedEntry, parse_bundle
from deliverability.ledger.checkpoint import Checkpoint, parse_checkpoint
from deliverability.ledger.findings import Dispatch, Finding, Held, KeyShown, Step, Verification
from deliverability.ledger.leaves import Body, Leaf, LeafKind, commitment, parse_body, parse_leaf
from deliverability.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from deliverability.ledger.notes import Note, VerifierKey
from deliverability.ledger.timestamps import UnvouchedError, is_over, stamped_at, unchecked_method, verify_response
from deliverability.protocols.records import record_from_bytes

if TYPE_CHECKING:
    from cryptography import x509

    from deliverability.protocols.dnssec import TrustAnchor

__all__ = ["Dispatch", "Finding", "Held", "KeyShown", "Step", "Verification", "verify_bundle"]


def verify_bundle(
    content: bytes,
    *,
    keys: Sequence[VerifierKey] = (),
    roots: Sequence["x509.Certificate"] = (),
    held_heads: Sequence[bytes] = (),
    anchors: Sequence["TrustAnchor"] = (),
) -> Verification:
    """Verify a bundle against keys, roots of time-stamping authorities, and heads that the verifier holds already.

    DNSSEC chains in it are held against ``anchors``, without any IANA's.
    """
    try:
        bundle = parse_bundle(content)
        checkpoint, note = parse_checkpoint(bundle.checkpoint)
    except NotABundleError as problem:
        return Verification((Finding(Step.FORM, Held.UNDECIDED, "form-other", {"problem": str(problem)[:300]}),))
    except ParseError as problem:
        return Verification((Finding(Step.FORM, Held.FAILED, "form-bad", {"problem": str(problem)[:300]}),))
    work = _Work(bundle, checkpoint, note)
    findings = [
        Finding(Step.FORM, Held.SHOWN, "form-good", {"origin": bundle.origin, "size": str(checkpoint.size)}),
        *work.records(),
        *work.inclusion(),
        *work.signature(keys),
        *work.time(roots),
        *work.pairs(),
        *work.sequence(),
        *work.files(),
        *(finding for head in held_heads for finding in work.later(head, keys)),
    ]
    failed = any(finding.held is Held.FAILED for finding in findings)
    return Verification(
        tuple(findings),
        origin=checkpoint.origin,
        size=checkpoint.size,
        stamped=tuple(work.stamped),
        signed_by=tuple(work.signed_by),
        dispatches=() if failed else tuple(work.dispatches(anchors)),
        erased=sum(entry.record is None for entry in bundle.entries),
    )


class _Work:
    """One verification under way."""

    def __init__(self, bundle: Bundle, checkpoint: Checkpoint, note: Note) -> None:
        self._bundle, self._checkpoint, self._note = bundle, checkpoint, note
        self._read: dict[int, tuple[Leaf, Body]] = {}
        self._told: dict[int, Record] = {}
        self.stamped: list[tuple[str, datetime]] = []
        self.signed_by: list[str] = []

    def records(self) -> Iterator[Finding]:
        """Records against leaves."""
        if not self._bundle.entries:
            yield Finding(Step.RECORDS, Held.ABSENT, "records-none")
            return
        numbers = [entry.number for entry in self._bundle.entries]
        if numbers != sorted(set(numbers)):
            yield Finding(Step.RECORDS, Held.FAILED, "records-order")
        problems = [(entry.number, problem) for entry in self._bundle.entries if (problem := self._read_one(entry))]
        for number, problem in problems[:3]:
            yield Finding(Step.RECORDS, Held.FAILED, "record-bad", {"number": str(number), "problem": problem})
        erased = sum(entry.record is None for entry in self._bundle.entries)
        if erased == len(numbers):
            yield Finding(Step.RECORDS, Held.ABSENT, "records-erased", {"erased": str(erased)})
        elif not problems:
            shown = {"count": str(len(numbers) - erased), "erased": str(erased)}
            yield Finding(Step.RECORDS, Held.SHOWN, "records-good", shown)

    def _read_one(self, entry: SealedEntry) -> str:
        """Why a record is not what its leaf commits to; empty when it is, or was erased."""
        try:
            leaf = parse_leaf(entry.leaf)
            if entry.record is None or entry.salt is None:
                return ""
            if commitment(entry.salt, entry.record) != leaf.commitment:
                return "the record is not the one that was sealed"
            body = parse_body(entry.record)
            if body.origin != self._checkpoint.origin:
                return "a record of another log"
            if body.kind is not leaf.kind:
                return "a leaf of another kind than its record"
            self._read[entry.number] = leaf, body
            if leaf.kind in (LeafKind.INTENT, LeafKind.OUTCOME, LeafKind.SNAPSHOT, LeafKind.LATER):
                self._told[entry.number] = record_from_bytes(body.event)
        except ParseError as problem:
            return str(problem)[:200]
        return ""

    def inclusion(self) -> Iterator[Finding]:
        """Leaves against the head."""
        if not self._bundle.entries:
            return
        size, root = self._checkpoint.size, self._checkpoint.root
        bad = [
            str(e.number)
            for e in self._bundle.entries
            if not verify_inclusion(leaf_hash(e.leaf), e.number, size, e.proof, root)
        ]
        if self._bundle.origin != self._checkpoint.origin:
            yield Finding(Step.INCLUSION, Held.FAILED, "origin-differs")
        elif bad:
            yield Finding(Step.INCLUSION, Held.FAILED, "inclusion-bad", {"numbers": ", ".join(bad[:10])})
        else:
            shown = {"count": str(len(self._bundle.entries)), "size": str(size)}
            yield Finding(Step.INCLUSION, Held.SHOWN, "inclusion-good", shown)

    def signature(self, keys: Sequence[VerifierKey]) -> Iterator[Finding]:
        """The head against the keys that the verifier named, else against those that the bundle names itself."""
        trusted = [key for key in keys if key.name == self._checkpoint.origin and key.verify(self._note)]
        self.signed_by = [key.to_text() for key in trusted]
        if trusted:
            yield Finding(Step.SIGNATURE, Held.SHOWN, "signature-good", {"key": trusted[0].to_text()})
            return
        if keys:
            yield Finding(Step.SIGNATURE, Held.FAILED, "signature-bad", {"key": keys[0].to_text()})
            return
        try:
            own = [VerifierKey.parse(text) for text in self._bundle.keys]
        except ParseError as problem:
            yield Finding(Step.SIGNATURE, Held.FAILED, "keys-bad", {"problem": str(problem)[:200]})
            return
        good = [key for key in own if key.name == self._checkpoint.origin and key.verify(self._note)]
        if good:
            yield Finding(Step.SIGNATURE, Held.UNDECIDED, "signature-own-key", {"key": good[0].to_text()})
        else:
            yield Finding(Step.SIGNATURE, Held.FAILED, "signature-none")

    def time(self, roots: Sequence["x509.Certificate"]) -> Iterator[Finding]:
        """Tokens over the head."""
        if not self._bundle.tokens:
            yield Finding(Step.TIME, Held.ABSENT, "time-none")
        for token in self._bundle.tokens:
            try:
                yield self._one_time(token, roots)
            except ParseError as problem:
                yield Finding(Step.TIME, Held.FAILED, "time-bad", {"problem": str(problem)[:200]})

    def _one_time(self, token: bytes, roots: Sequence["x509.Certificate"]) -> Finding:
        if not is_over(token, self._bundle.checkpoint):
            raise ParseError("it is over something else")
        claimed = {"when": stamped_at(token).isoformat()}
        if method := unchecked_method(token):
            return Finding(Step.TIME, Held.UNDECIDED, "time-method", {**claimed, "method": method})
        if not roots:
            return Finding(Step.TIME, Held.UNDECIDED, "time-no-root", claimed)
        try:
            stamped = verify_response(token, self._bundle.checkpoint, roots)
        except UnvouchedError:
            # A bundle brings tokens of several authorities, and a reader the root of one that he trusts.
            return Finding(Step.TIME, Held.UNDECIDED, "time-no-root", claimed)
        self.stamped.append((stamped.authority, stamped.at))
        said = {"authority": stamped.authority, "when": stamped.at.isoformat()}
        return Finding(Step.TIME, Held.SHOWN, "time-good", said)

    def pairs(self) -> Iterator[Finding]:
        """Outcomes against intents."""
        intents = {n: r for n, r in self._told.items() if isinstance(r, Intent)}
        bad: list[str] = []
        for number, record in self._told.items():
            reference = self._read[number][0].reference
            if isinstance(record, Intent):
                continue
            if (
                reference is None
                or reference >= number
                or (reference in intents and intents[reference].dispatch != record.dispatch)
            ):
                bad.append(str(number))
        if bad:
            yield Finding(Step.PAIRS, Held.FAILED, "pairs-bad", {"numbers": ", ".join(bad[:10])})
        elif intents:
            settled = {r.dispatch for r in self._told.values() if isinstance(r, Outcome)}
            open_ = sum(intent.dispatch not in settled for intent in intents.values())
            code = "pairs-open" if open_ else "pairs-good"
            yield Finding(Step.PAIRS, Held.SHOWN, code, {"count": str(len(intents)), "open": str(open_)})
        else:
            yield Finding(Step.PAIRS, Held.ABSENT, "pairs-none")

    def sequence(self) -> Iterator[Finding]:
        """The customer's entries, one after the other, each naming the one before."""
        by_account: dict[str, list[int]] = {}
        for number, (_, body) in self._read.items():
            if body.account is not None:
                by_account.setdefault(body.account, []).append(number)
        leaves = {entry.number: leaf_hash(entry.leaf) for entry in self._bundle.entries}
        for numbers in by_account.values():
            bodies = [self._read[number][1] for number in numbers]
            steps = [b.sequence or 0 for b in bodies]
            # An erased record leaves its leaf: the link over it holds, though nobody can read it any more.
            gap = any(b - a != 1 for a, b in pairwise(steps))
            broken = any(
                b.sequence == (a.sequence or 0) + 1 and b.previous != leaves[n]
                for n, (a, b) in zip(numbers, pairwise(bodies), strict=False)
            )
            said = {"first": str(steps[0]), "last": str(steps[-1]), "count": str(len(steps))}
            if broken or steps != sorted(set(steps)):
                yield Finding(Step.SEQUENCE, Held.FAILED, "sequence-bad", said)
            else:
                held = Held.ABSENT if gap else Held.SHOWN
                yield Finding(Step.SEQUENCE, held, "sequence-gap" if gap else "sequence-good", said)

    def files(self) -> Iterator[Finding]:
        """Copies against the digests in the records."""
        named = {r.sha256 for r in self._told.values() if isinstance(r, Intent)}
        named |= {r.transcript_sha256 for r in self._told.values() if isinstance(r, Outcome) and r.transcript_sha256}
        named |= {r.exhibit_sha256 for r in self._told.values() if isinstance(r, Later) and r.exhibit_sha256}
        for file in self._bundle.files:
            good = sha256(file.content).hexdigest() in named
            held, code = (Held.SHOWN, "file-good") if good else (Held.FAILED, "file-bad")
            yield Finding(Step.FILES, held, code, {"name": file.name})
        if not self._bundle.files:
            yield Finding(Step.FILES, Held.ABSENT, "files-none")

    def later(self, head: bytes, keys: Sequence[VerifierKey]) -> Iterator[Finding]:
        """A head that the verifier holds, such as one out of a mail: of the same log, unchanged between the two."""
        try:
            other, note = parse_checkpoint(head)
        except ParseError as problem:
            yield Finding(Step.LATER, Held.UNDECIDED, "later-unreadable", {"problem": str(problem)[:200]})
            return
        said = {"size": str(other.size)}
        if other.origin != self._checkpoint.origin:
            yield Finding(Step.LATER, Held.UNDECIDED, "later-other-log", {"origin": other.origin})
        elif not any(key.verify(note) for key in (*keys, *self._own_keys())):
            yield Finding(Step.LATER, Held.UNDECIDED, "later-unsigned", said)
        elif other.size == self._checkpoint.size:
            same = other.root == self._checkpoint.root
            yield Finding(Step.LATER, Held.SHOWN if same else Held.FAILED, "later-same" if same else "later-fork", said)
        else:
            yield self._continued(other, said)

    def _own_keys(self) -> Iterator[VerifierKey]:
        for text in self._bundle.keys:
            try:
                yield VerifierKey.parse(text)
            except ParseError:
                continue

    def _continued(self, other: Checkpoint, said: dict[str, str]) -> Finding:
        proofs = []
        for one in self._bundle.continuations:
            try:
                at = parse_checkpoint(one.note)[0]
            except ParseError:
                continue
            if (at.origin, at.size, at.root) == (other.origin, other.size, other.root):
                proofs.append(one.proof)
        if not proofs:
            return Finding(Step.LATER, Held.UNDECIDED, "later-no-proof", said)
        old, new = sorted((other, self._checkpoint), key=lambda c: c.size)
        good = any(verify_consistency(old.size, new.size, old.root, new.root, proof) for proof in proofs)
        return Finding(Step.LATER, Held.SHOWN if good else Held.FAILED, "later-good" if good else "later-fork", said)

    def dispatches(self, anchors: Sequence["TrustAnchor"]) -> Iterator[Dispatch]:
        """What the records say, by dispatch."""
        records = [self._told[number] for number in sorted(self._told)]
        by_dispatch: dict[str, list[Record]] = {}
        for record in records:
            by_dispatch.setdefault(record.dispatch, []).append(record)
        for intent in records:
            if isinstance(intent, Intent):
                mine = by_dispatch[intent.dispatch]
                yield Dispatch(
                    intent,
                    tuple(r for r in mine if isinstance(r, Outcome)),
                    tuple(r for r in mine if isinstance(r, Later)),
                    tuple(_keys_shown(intent, [r for r in mine if isinstance(r, Snapshot)], anchors)),
                )


def _keys_shown(intent: Intent, snapshots: Sequence[Snapshot], anchors: Sequence["TrustAnchor"]) -> Iterator[KeyShown]:
    """The keys of the message's signatures whose DNSSEC chain is on record, validated as of the intent's time."""
    seen = [o for s in snapshots for o in s.observations if isinstance(o, DnsAnswer)]
    if not any(o.question.signed for o in seen):
        return
    from deliverability.protocols.dnssec import IANA_ANCHORS, signed, validate

    observations = Observations.of(seen)
    for domain, selector in intent.signatures:
        question = signed(f"{selector}._domainkey.{domain}", "TXT")
        if question in observations.answers:
            try:
                at = int(intent.at.timestamp())
                status = validate(question, observations, at, anchors or IANA_ANCHORS).status.value
            except Unobserved:
                status = "indeterminate"
            yield KeyShown(domain, selector, status)
