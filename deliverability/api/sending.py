"""Recording around a transaction, for any mailer: intents before DATA, outcomes after (DESIGN §4.7).  No network.

>>> begun = begin(message, Envelope(...), recorder)     # durable when this returns
>>> ...                                                 # the mailer sends ``begun.content``
>>> receipt = begun.conclude(endings, session)          # one ending for each recipient

Recording never breaks sending: where it fails this says so on the log, at level CRITICAL, and by default goes on.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex
from typing import Literal, Protocol

from deliverability.api.receipts import Receipt, utc_now
from deliverability.errors import RecordingError, UsageError, printable
from deliverability.evidence.observation import Observation
from deliverability.evidence.recorder import Finish, Hop, Intent, Outcome, Recorder
from deliverability.evidence.smtp import Host, Reply, Tls
from deliverability.protocols.intents import Description, intents_for
from deliverability.protocols.smtp import remote_queue_id

log = logging.getLogger("deliverability.mailer")
log.addHandler(logging.NullHandler())

OnRecordingFailure = Literal["send", "hold"]
"""What a mailer does that cannot record: send all the same, or raise and send nothing."""


def policy_of(word: OnRecordingFailure) -> OnRecordingFailure:
    """The policy, as it was given; raises :class:`UsageError` for any other word: a slip must not mean *send*."""
    if word not in ("send", "hold"):
        raise UsageError(f"on_recording_failure is 'send' or 'hold', and not {printable(repr(word), 40)}")
    return word


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who writes to whom, and through whom."""

    reverse_path: str
    recipients: tuple[str, ...]
    next_hop: str
    """Host name or address, as chosen."""
    hop: Hop
    account: str | None = None
    """The mailer's own name for the customer."""


class Ending(Protocol):
    """How a transaction ended for one recipient."""

    @property
    def finish(self) -> Finish: ...  # noqa: D102
    @property
    def stage(self) -> str | None: ...  # noqa: D102
    @property
    def reply(self) -> Reply | None: ...  # noqa: D102
    @property
    def rcpt_reply(self) -> Reply | None: ...  # noqa: D102
    @property
    def detail(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An :class:`Ending` for mailers that know no more than this."""

    finish: Finish
    stage: str | None = None
    reply: Reply | None = None
    rcpt_reply: Reply | None = None
    detail: str = ""


class Session(Protocol):
    """What is known of the session that a message went through."""

    @property
    def relay(self) -> Host: ...  # noqa: D102
    @property
    def local_ip(self) -> str | None: ...  # noqa: D102
    @property
    def helo(self) -> str | None: ...  # noqa: D102
    @property
    def tls(self) -> Tls | None: ...  # noqa: D102
    @property
    def certificate_sha256(self) -> str | None: ...  # noqa: D102
    @property
    def transcript_sha256(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """A :class:`Session` for mailers that know no more than this."""

    relay: Host
    local_ip: str | None = None
    helo: str | None = None
    tls: Tls | None = None
    certificate_sha256: str | None = None
    transcript_sha256: str | None = None


@dataclass(slots=True)
class Begun:
    """A message whose intents are recorded, and that is about to be sent."""

    content: bytes
    intents: tuple[Intent, ...]
    recorder: Recorder | None
    recorded: bool = True
    advice: tuple[str, ...] = ()
    clock: Callable[[], datetime] = field(default=utc_now)

    def outcomes(self, endings: Sequence[Ending], session: Session | None) -> tuple[Outcome, ...]:
        """One outcome for each recipient, in the order of the intents; made, not yet recorded."""
        at = self.clock()
        return tuple(outcome(i, e, session, at) for i, e in zip(self.intents, endings, strict=True))

    def conclude(
        self,
        endings: Sequence[Ending],
        session: Session | None = None,
        observations: tuple[Observation, ...] = (),
    ) -> Receipt:
        """Record how it ended, one ending for each recipient in order; the receipt.

        Raises nothing when recording fails: an error after DATA would make callers send again.
        """
        outcomes = self.outcomes(endings, session)
        try:
            if self.recorder is not None:
                self.recorder.record(outcomes)
        except RecordingError as problem:
            self.recorded = False
            say_unrecorded("outcomes", problem, self.intents)
        return self.receipt(outcomes, observations)

    def receipt(self, outcomes: tuple[Outcome, ...], observations: tuple[Observation, ...] = ()) -> Receipt:
        """The receipt with these outcomes."""
        return Receipt(
            intents=self.intents,
            outcomes=outcomes,
            recorded=self.recorded,
            observations=observations,
            advice=self.advice,
            sha256=self.intents[0].sha256 if self.intents else hashlib.sha256(self.content).hexdigest(),
        )


def begin(
    content: bytes,
    envelope: Envelope,
    recorder: Recorder,
    *,
    on_recording_failure: OnRecordingFailure = "send",
    clock: Callable[[], datetime] = utc_now,
) -> Begun:
    """Record that a message is about to be sent; durable when this returns.

    ``content`` is what goes to DATA, as :func:`deliverability.protocols.smtp_session_mail.outgoing` makes it.  With
    ``on_recording_failure="hold"`` raises :class:`~deliverability.errors.RecordingError`, and nothing may be sent.
    """
    begun = prepare(content, envelope, recorder, clock=clock)
    try:
        recorder.record(begun.intents)
    except RecordingError as problem:
        begun.recorded = False
        say_unrecorded("intents", problem, begun.intents)
        if on_recording_failure == "hold":
            raise
    return begun


def prepare(
    content: bytes,
    envelope: Envelope,
    recorder: Recorder | None,
    *,
    clock: Callable[[], datetime] = utc_now,
    description: Description | None = None,
) -> Begun:
    """The intents of a message, made but not yet recorded."""
    ids = token_hex(16 * (len(envelope.recipients) + 1))  # from the system at once
    intents = intents_for(
        content,
        reverse_path=envelope.reverse_path,
        recipients=envelope.recipients,
        next_hop=envelope.next_hop,
        hop=envelope.hop,
        at=clock(),
        account=_named(envelope.account),
        make_id=iter([ids[at : at + 32] for at in range(0, len(ids), 32)]).__next__,
        description=description,
    )
    return Begun(content, intents, recorder, clock=clock)


def outcome(intent: Intent, ending: Ending, session: Session | None, at: datetime) -> Outcome:
    """The record of how an attempt ended for one recipient."""
    taken = ending.finish is Finish.ACCEPTED and ending.reply is not None
    return Outcome(
        dispatch=intent.dispatch,
        at=at,
        finish=ending.finish,
        stage=ending.stage,
        reply=ending.reply,
        rcpt_reply=ending.rcpt_reply,
        relay=session.relay if session else None,
        local_ip=session.local_ip if session else None,
        helo=session.helo if session else None,
        tls=session.tls if session else None,
        certificate_sha256=session.certificate_sha256 if session else None,
        remote_queue_id=remote_queue_id(ending.reply.text) if taken and ending.reply else None,
        transcript_sha256=session.transcript_sha256 if session else None,
        detail=ending.detail,
    )


def _named(account: object) -> str | None:
    """The name of a customer as a record can hold it: applications have numbers for names, whatever they were told."""
    return None if account is None else str(account).encode("utf-8", "replace").decode()


def say_unrecorded(what: str, problem: Exception, intents: Sequence[Intent]) -> None:
    """Say loudly that evidence is missing; no addresses (DESIGN §4.12)."""
    ids = ", ".join(intent.dispatch for intent in intents[:10])
    log.critical("%s could not be recorded: %s (dispatches %s)", what, problem, ids)
