"""The recording mailer: sends as before, and every notice has its evidence (docs/mailer.md).

>>> async with Mailer(recorder="/var/lib/deliverability/ledger") as mailer:        # doctest: +SKIP
...     receipt = await mailer.send(message)

Straight to the recipients' mail exchangers, or through a ``relay``, whose word is not the recipient's.  Recording never
makes sending less reliable, and a receipt never says more than was heard.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from deliverability.api.mailer_beside import Snapshots, keep_transcript
from deliverability.api.mailer_delivery import Delivered, Delivery, Finder, Hops
from deliverability.api.mailer_gate import Preflight, as_preflight, failures
from deliverability.api.mailer_groups import Group, as_sent, grouped
from deliverability.api.mailer_policy import Policies, observer
from deliverability.api.mailer_recording import Recording
from deliverability.api.mailer_relay import Direct, ThroughRelay, parse_relay
from deliverability.api.receipts import HeldError, Receipt, raise_unless_taken, utc_now
from deliverability.api.requests import Network
from deliverability.api.sending import Ended, Envelope, OnRecordingFailure, log, policy_of, prepare, say_unrecorded
from deliverability.api.snapshots import Subject
from deliverability.capture.smtp import Ending
from deliverability.capture.smtp_terms import Terms, Timeouts, TlsPolicy
from deliverability.errors import RecordingError, UsageError, printable
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import Observation
from deliverability.evidence.recorder import Finish, Hop, Outcome, Recorder, Snapshot
from deliverability.protocols.intents import describe
from deliverability.protocols.smtp_session_commands import Body, Job, Notices
from deliverability.protocols.smtp_session_mail import AnyMessage, Outgoing

if TYPE_CHECKING:
    from deliverability.capture.dns import DnsSession


Done = tuple[tuple[Outcome, ...], bool, list[Observation]]
"""The outcomes of a group, whether they are durable, and what was looked up."""


class Mailer:
    """Sends messages and records what came of each; an asynchronous context manager."""

    def __init__(  # noqa: PLR0913 - each is named
        self,
        relay: str | None = None,
        *,
        recorder: "Recorder | str | os.PathLike[str]",
        username: str | None = None,
        password: str | None = None,
        tls: "TlsPolicy | str | None" = None,
        roots: str | None = None,
        helo: str | None = None,
        source_ip: str | None = None,
        mx_port: int = 25,
        allow_private: bool = False,
        concurrency: int | None = None,
        keep_open: float = 20.0,
        timeouts: Timeouts | None = None,
        pipelining: bool = True,
        chunking: bool = True,
        notify: Sequence[str] = ("FAILURE", "DELAY"),
        snapshot: bool = True,
        preflight: "Preflight | str | None" = None,
        network: Network | None = None,
        transcripts: "str | os.PathLike[str] | None" = None,
        on_recording_failure: OnRecordingFailure = "send",
    ) -> None:
        """Say through whom to send, and where the evidence goes.

        ``relay``: ``HOST:PORT``, ``smtps://HOST``, ``lmtp://HOST:PORT``, ``lmtp:/PATH``; ``None``: the recipients' mail
        exchangers.  ``recorder``: the ledger's folder, or anything that records.  ``tls``: a :class:`TlsPolicy`; else
        ``verified`` where credentials are sent, ``opportunistic`` where not; ``policy`` goes by what the recipients'
        domains demand through DANE or MTA-STS, and needs name servers that hand DNSSEC records on.  ``concurrency``: connections at once to a
        relay (20), or for one recipient domain (4).  ``notify``: which delivery notices to ask for where offered
        (RFC 3461), none: ``()``.  ``transcripts``: a folder that keeps every session, its octets and times, by its
        SHA-256.  ``allow_private``: also connect to exchangers inside one's own network.
        """
        self._relay = parse_relay(relay, credentials=username is not None) if relay is not None else None
        chosen = TlsPolicy(tls) if tls is not None else None
        secured = username is not None or bool(self._relay and self._relay.implicit_tls)
        self._by_policy = chosen is TlsPolicy.POLICY
        if self._by_policy and self._relay:
            raise UsageError(
                "tls='policy' goes by what recipients' domains publish, and nobody publishes it of a relay"
            )
        self._terms = Terms(
            helo=Domain.parse(helo).name if helo and not helo.startswith("[") else helo,
            tls=_of_connections(chosen, secured=secured),
            implicit_tls=bool(self._relay and self._relay.implicit_tls),
            roots=roots,
            username=username,
            password=password,
            lmtp=bool(self._relay and self._relay.lmtp),
            source_ip=source_ip,
            pipelining=pipelining,
            chunking=chunking,
            timeouts=timeouts or Timeouts(),
        )
        self._notices = Notices(tuple(word.upper() for word in notify)) if notify else None
        self._network, self._private, self._mx_port = network or Network(), allow_private, mx_port
        if concurrency is not None and (type(concurrency) is not int or concurrency < 1):
            raise UsageError(f"concurrency is how many connections there may be at once, and not {concurrency!r}")
        self._limit = concurrency or (20 if self._relay else 4)
        self._keep_open = keep_open
        self._policy = policy_of(on_recording_failure)
        self._gate = as_preflight(preflight)
        self._wants_snapshot = snapshot and not self._network.offline
        self._transcripts = Path(transcripts) if transcripts is not None else None
        self._recorder = _recorder(recorder)
        self._hops: Hops | None = None
        self._dns: DnsSession | None = None
        self._policies: Policies | None = None
        self._snapshots: Snapshots | None = None

    async def __aenter__(self) -> Self:
        from deliverability.capture.dns import DnsObserver, parse_nameserver

        if self._hops is not None:
            raise UsageError("this mailer is in use already: make another, or share this one")
        servers = tuple(parse_nameserver(s) for s in self._network.nameservers)
        if not self._network.offline:
            self._dns = DnsObserver(nameservers=servers, timeout_seconds=self._network.timeout).session()
        elif self._relay is None:
            raise UsageError("without a relay the DNS has to be asked: offline, nobody is found")
        self._recording = Recording(self._recorder)
        self._hops = Hops(self._terms, self._limit, self._keep_open)
        if self._dns is not None and self._by_policy:
            self._policies = Policies(observer(self._dns, self._terms.roots, private=self._private), utc_now)
        if self._dns is not None and self._wants_snapshot:
            self._snapshots = Snapshots(self._dns, self._recording)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._hops is None:
            return
        if self._snapshots is not None:
            await self._snapshots.close()
        await self._hops.close()
        await self._recording.close()
        if self._dns is not None:
            await self._dns.__aexit__(kind, problem, trace)
        self._hops = self._snapshots = self._dns = self._policies = None

    # --- sending ---

    async def send(
        self,
        message: AnyMessage,
        *,
        sender: str | None = None,
        to: Sequence[str] | str | None = None,
        account: str | None = None,
        check: bool = True,
    ) -> Receipt:
        """Send a message; the receipt says what became of it for each recipient.

        ``message`` is an ``EmailMessage``, or octets with ``sender`` and ``to``.  ``account`` is your own name for the
        customer.  With ``check``, a message that no server took for anybody raises the
        :class:`~deliverability.api.receipts.SendingError` that fits; what was taken for some raises nothing.  Raises
        :class:`~deliverability.errors.UsageError` for a message that cannot be sent, and
        :class:`~deliverability.errors.RecordingError`, nothing sent, under ``on_recording_failure="hold"``.

        Send again only to ``receipt.retryable``: never after a 250, never to whom it is uncertain.
        """
        if self._hops is None:
            raise UsageError("use the mailer in 'async with Mailer(...) as mailer:'")
        out = as_sent(message, sender, to)
        advice = await failures(self._gate, out, self._network) if self._gate else ()
        if advice and self._gate and self._gate.hold:
            raise await self._held(out, account, advice)
        for line in advice:
            log.warning("preflight: %s", line.partition(":")[0])
        self._recording.under_way += 1
        try:
            receipt = await self._sent(out, account, advice)
        finally:
            self._recording.under_way -= 1
        if check:
            raise_unless_taken(receipt)
        return receipt

    async def snapshot(self, receipt: Receipt) -> Snapshot | None:
        """What the DNS said beside the sending, for the receipt's first recipient, as soon as it is known.

        ``None`` where none was taken: switched off, too many were waiting, or it is long ago.
        """
        return await self._snapshots.of(receipt) if self._snapshots else None

    def _session(self) -> "DnsSession":
        if self._dns is None:
            raise UsageError("the mailer is not in use, or offline")
        return self._dns

    async def _sent(self, out: Outgoing, account: str | None, advice: tuple[str, ...]) -> Receipt:
        description = describe(out.content)
        groups = await grouped(out, description, account, self._relay, self._dns)
        kept = self._recording.put([intent for group in groups for intent in group.begun.intents])
        body = Body.of(out.content, description.digest)  # while the disk is at work
        recorded = await self._intents_kept(kept, groups)
        # The usual case is one next hop, and needs no further task.
        work = [self._deliver(group, out, body) for group in groups]
        done = [await work[0]] if len(work) == 1 else await asyncio.gather(*work)
        return _receipt(out, groups, done, recorded=recorded, advice=advice)

    async def _intents_kept(self, kept: "asyncio.Future[None]", groups: list[Group]) -> bool:
        try:
            await self._recording.durable(kept)
        except RecordingError as problem:
            say_unrecorded("intents", problem, [intent for group in groups for intent in group.begun.intents])
            if self._policy == "hold":
                raise
            return False
        except BaseException:
            # Nobody was asked to take it, and the record shall not say that this is unknown.
            self._put_interrupted(groups)
            raise
        return True

    def _put_interrupted(self, groups: list[Group]) -> None:
        ending = Ending(Finish.DEFERRED, "connect", detail="the sending was cancelled")
        for group in groups:
            self._recording.leave(group.begun.outcomes([ending] * len(group.recipients), None))

    async def _deliver(self, group: Group, out: Outgoing, body: Body) -> "Done":
        """Deliver to one next hop, and record how it ended: also when this is cancelled."""
        if group.ending is not None or self._hops is None:
            ending = group.ending or Ending(Finish.DEFERRED, "connect", detail="the mailer was closed")
            delivered = Delivered((ending,) * len(group.recipients), None)
        else:
            delivery = Delivery(self._hops, self._job(group, out, body), group.hosts, self._port, self._finder(group))
            try:
                delivered = await self._hops.turn(group.gate, delivery.run)
            except BaseException:
                # Nobody waits any more, and the record is made all the same.
                interrupted = delivery.interrupted()
                self._recording.leave(group.begun.outcomes(interrupted.endings, interrupted.session))
                raise
        outcomes = group.begun.outcomes(_with_policy(delivered), delivered.session)
        observations = [*group.observations, *delivered.observations]
        kept = self._recording.put(outcomes)
        if self._snapshots is not None:
            self._snapshots.begin(Subject(out.content, group.begun.intents, outcomes, tuple(observations)))
        recorded = await self._outcomes_kept(kept, group)
        await keep_transcript(self._transcripts, delivered.session)
        return outcomes, recorded, observations

    @property
    def _port(self) -> int:
        return self._relay.port if self._relay else self._mx_port

    def _finder(self, group: Group) -> Finder:
        if self._relay:
            return ThroughRelay(self._relay)
        return Direct(self._session(), private=self._private, policies=self._policies, domain=group.gate)

    def _job(self, group: Group, out: Outgoing, body: Body) -> Job:
        notices = self._notices
        if notices and group.begun.intents:
            notices = replace(notices, envelope_id=group.begun.intents[0].sending)
        return Job(out.content, out.reverse_path, group.recipients, out.eight_bit, out.utf8, notices, body)

    async def _outcomes_kept(self, kept: "asyncio.Future[None]", group: Group) -> bool:
        try:
            await self._recording.durable(kept)
        except RecordingError as problem:
            # Never raised from here: a caller would take it for a failure to send, and send again.
            say_unrecorded("outcomes", problem, group.begun.intents)
            return False
        return True

    async def _held(self, out: Outgoing, account: str | None, advice: tuple[str, ...]) -> HeldError:
        envelope = Envelope(
            reverse_path=out.reverse_path,
            recipients=out.recipients,
            next_hop="",
            hop=Hop.RELAY if self._relay else Hop.RECIPIENT_MX,
            account=account,
        )
        begun = prepare(out.content, envelope, None, clock=utc_now)
        begun.advice = advice
        names = ", ".join(line.partition(":")[0] for line in advice)
        ending = Ended(finish=Finish.FAILED, detail=f"held back before sending: {names}")
        outcomes = begun.outcomes([ending] * len(out.recipients), None)
        try:
            await self._recording.record([*begun.intents, *outcomes])
        except RecordingError as problem:
            begun.recorded = False
            say_unrecorded("intents", problem, begun.intents)
        return HeldError(f"held back: {advice[0]}", begun.receipt(outcomes))


def _of_connections(chosen: TlsPolicy | None, *, secured: bool) -> TlsPolicy:
    """How much TLS a connection needs of which no domain demands anything."""
    if chosen is None:
        return TlsPolicy.VERIFIED if secured else TlsPolicy.OPPORTUNISTIC
    return TlsPolicy.OPPORTUNISTIC if chosen is TlsPolicy.POLICY else chosen


def _with_policy(delivered: Delivered) -> tuple[Ending, ...]:
    """The endings, each with what was demanded of the connection."""
    if not delivered.policy:
        return delivered.endings
    return tuple(
        replace(one, detail=printable("; ".join(filter(None, (one.detail, delivered.policy))), 1000))
        for one in delivered.endings
    )


def _receipt(
    out: Outgoing,
    groups: list[Group],
    done: "Sequence[Done]",
    *,
    recorded: bool,
    advice: tuple[str, ...],
) -> Receipt:
    pairs = [(i, o) for group, (outcomes, _, _) in zip(groups, done, strict=True)
             for i, o in zip(group.begun.intents, outcomes, strict=True)]  # fmt: skip
    if len(groups) > 1:
        place = {recipient: number for number, recipient in enumerate(out.recipients)}
        pairs.sort(key=lambda pair: place[pair[0].forward_path])
    return Receipt(
        intents=tuple(intent for intent, _ in pairs),
        outcomes=tuple(outcome for _, outcome in pairs),
        recorded=recorded and all(kept for _, kept, _ in done),
        observations=tuple(o for _, _, seen in done for o in seen),
        advice=advice,
        sha256=pairs[0][0].sha256,
    )


def _recorder(given: "Recorder | str | os.PathLike[str]") -> Recorder:
    if isinstance(given, str | os.PathLike):
        return _spool(Path(given).absolute())
    if not callable(getattr(given, "record", None)):
        raise UsageError(f"recorder is the ledger's folder, or something that records, and not {type(given).__name__}")
    return given


@cache  # a process has one spool for a ledger, however many mailers it makes
def _spool(folder: Path) -> Recorder:
    from deliverability.ledger.spool import Spool

    return Spool(folder / "spool")
