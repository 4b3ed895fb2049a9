"""What a mailer gets back: a small value that says how far a message came, for each recipient, and can be kept.

A receipt says no more than its records: *accepted* rests on a 2yz reply to the end of DATA from a host that the
recipient's domain names as MX; from a relay the same reply means *handed over*.
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from deliverability.errors import DeliverabilityError, ParseError
from deliverability.evidence.observation import Observation, Observations
from deliverability.evidence.recorder import Finish, Intent, Later, Outcome, Snapshot
from deliverability.evidence.story import Level, State
from deliverability.protocols import canonical
from deliverability.protocols.observed import observation_from_json, observation_to_json
from deliverability.protocols.records import record_from_json, record_to_json

if TYPE_CHECKING:
    from deliverability.api.requests import Request
    from deliverability.evidence.bundle import Claim

SCHEMA_VERSION: Final = 1
MAX_RECEIPT: Final = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One message, as handed to a mailer once, and what became of it for each recipient."""

    intents: tuple[Intent, ...]
    outcomes: tuple[Outcome, ...] = ()
    """In the order of :attr:`intents`; one that is missing leaves its recipient *unknown*."""
    recorded: bool = True
    """Whether intents and outcomes are durable; if not, nothing but this value tells of the message."""
    observations: tuple[Observation, ...] = ()
    """What the DNS said on the way: the MX records that led to the server."""
    advice: tuple[str, ...] = ()
    """Checks that failed before sending, where the mailer was told to warn (``check: sentence``)."""
    sha256: str = ""
    """Of the message as it was sent."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The dispatches, one for each recipient, as ``deliverability report --receipt`` takes them."""
        return tuple(intent.dispatch for intent in self.intents)

    @property
    def message_id(self) -> str | None:
        """Without angle brackets."""
        return self.intents[0].message_id if self.intents else None

    def __iter__(self) -> "Any":
        """A receipt of its own for each recipient."""
        return iter(self.only(intent.forward_path) for intent in self.intents)

    def only(self, recipient: str) -> "Receipt":
        """The part about one recipient; raises :class:`KeyError` for one who is not in it."""
        intents = tuple(i for i in self.intents if i.forward_path == recipient)
        if not intents:
            raise KeyError(recipient)
        kept = {i.dispatch for i in intents}
        return replace(self, intents=intents, outcomes=tuple(o for o in self.outcomes if o.dispatch in kept))

    def finish_of(self, intent: Intent) -> Finish:
        """How the last attempt for a recipient ended; ``unknown`` where nothing was recorded."""
        return next((o.finish for o in reversed(self.outcomes) if o.dispatch == intent.dispatch), Finish.UNKNOWN)

    @property
    def finishes(self) -> dict[str, Finish]:
        """Recipients, each with how the attempt ended."""
        return {intent.forward_path: self.finish_of(intent) for intent in self.intents}

    @property
    def retryable(self) -> tuple[str, ...]:
        """The recipients to whom the same message may be sent again without making a duplicate.

        Never one of whom a server said 2yz, nor one where the connection broke after the end of DATA: the message may
        have been accepted (RFC 1047).  Of refused and failed ones a retry gets the same answer.
        """
        return tuple(r for r, finish in self.finishes.items() if finish is Finish.DEFERRED)

    def claims(self, request: "Request | None" = None) -> "tuple[Claim, ...]":
        """What may be claimed of each recipient's copy from what this value holds; asks nobody."""
        from deliverability.api.receipt_story import claims

        return claims(self, request)

    @property
    def state(self) -> State:
        """How the story stands; of several recipients the one that needs attention most."""
        from deliverability.correlate.states import worst

        return worst([claim.state for claim in self.claims()])

    @property
    def level(self) -> Level:
        """What may be claimed; of several recipients the least."""
        return min((claim.level for claim in self.claims()), default=Level.NONE)

    def report(  # noqa: PLR0913 - each is named
        self,
        lang: str | None = None,
        *,
        form: str = "text",
        recipient: str | None = None,
        message: bytes | None = None,
        snapshot: Snapshot | None = None,
        later: tuple[Later, ...] = (),
        edition: str = "customer",
        request: "Request | None" = None,
    ) -> bytes:
        """The page for one recipient (``recipient`` is needed where there are several), as the logs would make it.

        ``message`` is the message as it was sent, for DKIM and DMARC; ``snapshot`` what the DNS said then;
        ``request`` brings configuration, network and logs.  What is not on record is looked up now, and shown as such.
        Blocks; :func:`deliverability.api.receipt_pages.report_async` is its twin.
        """
        from deliverability.api.observe import blocking
        from deliverability.api.receipt_pages import Asked, report_async

        asked = Asked(lang, form, recipient, message, snapshot, later, edition)
        return blocking(lambda: report_async(self, asked, request), "report")

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; :meth:`from_dict` reads it again."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "receipt",
            "recorded": self.recorded,
            "sha256": self.sha256,
            "intents": [record_to_json(intent) for intent in self.intents],
            "outcomes": [record_to_json(outcome) for outcome in self.outcomes],
            "observations": [observation_to_json(o) for o in self.observations],
            "advice": list(self.advice),
        }

    def to_json(self) -> str:
        """:meth:`to_dict` as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_dict(cls, value: object) -> "Receipt":
        """Read what :meth:`to_dict` gave; raises :class:`~deliverability.errors.ParseError` for anything else."""
        fields = canonical.members(value, _SHAPE, "a receipt")
        if fields["schema_version"] != SCHEMA_VERSION or fields["kind"] != "receipt":
            raise ParseError("not a receipt that this version reads")
        intents = tuple(record_from_json(v) for v in fields["intents"])
        outcomes = tuple(record_from_json(v) for v in fields["outcomes"])
        if not all(isinstance(i, Intent) for i in intents) or not all(isinstance(o, Outcome) for o in outcomes):
            raise ParseError("a receipt's records are not of their kinds")
        if not all(isinstance(text, str) for text in fields["advice"]):
            raise ParseError("a receipt's advice is no list of texts")
        return cls(
            intents=intents,  # type: ignore[arg-type]  # as just looked at
            outcomes=outcomes,  # type: ignore[arg-type]
            recorded=fields["recorded"],
            observations=tuple(observation_from_json(v) for v in fields["observations"]),
            advice=tuple(fields["advice"]),
            sha256=fields["sha256"],
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> "Receipt":
        """Read :meth:`to_json`; raises :class:`~deliverability.errors.ParseError`."""
        if len(text) > MAX_RECEIPT:
            raise ParseError(f"a receipt of more than {MAX_RECEIPT} octets")
        try:
            return cls.from_dict(json.loads(text))
        except (ValueError, RecursionError) as problem:
            if isinstance(problem, ParseError):
                raise
            raise ParseError("a receipt is JSON") from None

    def observed(self, more: tuple[Observation, ...] = ()) -> Observations:
        """All answers on record."""
        return Observations.of((*self.observations, *more))


_SHAPE: Final = {
    "schema_version": int,
    "kind": str,
    "recorded": bool,
    "sha256": str,
    "intents": list,
    "outcomes": list,
    "observations": list,
    "advice": list,
}


class SendingError(DeliverabilityError):
    """No server took the message for any of its recipients; :attr:`receipt` says why for each."""

    def __init__(self, message: str, receipt: Receipt) -> None:
        super().__init__(message)
        self.receipt = receipt


class DeferredError(SendingError):
    """Nobody took it, and trying again later makes no duplicate."""


class RefusedError(SendingError):
    """It was refused, or cannot be sent: trying again gets the same answer."""


class UncertainError(SendingError):
    """The connection broke after the end of DATA: it may have been accepted, and trying again may make a duplicate."""


class HeldError(SendingError):
    """The mailer's own gate held the message back, and nobody was asked to take it; ``receipt.advice`` says why."""


_WORST_FIRST: Final = (
    (UncertainError, (Finish.UNCERTAIN, Finish.UNKNOWN), "the connection broke after the end of the message"),
    (DeferredError, (Finish.DEFERRED,), "no server took the message yet"),
    (RefusedError, (Finish.REFUSED, Finish.FAILED), "the message was refused"),
)


def raise_unless_taken(receipt: Receipt) -> None:
    """Raise the :class:`SendingError` that fits, unless a server took the message for one recipient at least."""
    finishes = set(receipt.finishes.values())
    if Finish.ACCEPTED in finishes:
        return
    for kind, fitting, sentence in _WORST_FIRST:
        if finishes & set(fitting):
            raise kind(f"{sentence}{_said(receipt)}", receipt)


def _said(receipt: Receipt) -> str:
    from deliverability.errors import printable

    outcome = next(iter(receipt.outcomes), None)
    if outcome is None:
        return ""
    told = outcome.reply.text if outcome.reply else outcome.detail
    return f": {printable(told, 300)}" if told else ""


def utc_now() -> datetime:
    """The clock of receipts."""
    return datetime.now(UTC)
