"""The recipients of a message by next hop: one relay for all, or the mail exchangers of each domain."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING, Final

from deliverability.api.mailer_relay import Relay
from deliverability.api.receipts import utc_now
from deliverability.api.sending import Begun, Envelope, prepare
from deliverability.capture.smtp import Ending
from deliverability.capture.smtp_route import route
from deliverability.errors import ParseError, UsageError
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import Observation
from deliverability.evidence.recorder import Finish, Hop
from deliverability.protocols.intents import Description
from deliverability.protocols.smtp_session_mail import AnyMessage, Outgoing, outgoing

if TYPE_CHECKING:
    from deliverability.capture._connect import AsksDns

MAX_RECIPIENTS: Final = 100
"""Of one transaction; every server takes so many (RFC 5321 §4.5.3.1.8)."""


Told = tuple[Outgoing, Description, str | None]
"""A message, what intents say of it, and the mailer's own name for the customer."""


@dataclass(slots=True)
class Group:
    """The recipients that share a next hop."""

    recipients: tuple[str, ...]
    hosts: tuple[str, ...]
    gate: str
    begun: Begun
    ending: Ending | None = None
    """Where it is known before anybody is connected to."""
    observations: tuple[Observation, ...] = ()


def as_sent(message: AnyMessage, sender: str | None, to: Sequence[str] | str | None) -> Outgoing:
    """The message as it will be sent; raises :class:`UsageError`, also for values of another type than was asked for."""
    if not isinstance(message, Message | bytes | bytearray):
        raise UsageError(f"a message is an email.message.EmailMessage, or octets, and not {type(message).__name__}")
    if not isinstance(sender, str | None):
        raise UsageError(f"sender is an address, and not {type(sender).__name__}")
    if to is not None and not isinstance(to, str):
        said: object = to  # a caller without a type checker may have said anything
        given: Sequence[object] = tuple(said) if isinstance(said, Iterable) else (said,)
        odd = [one for one in given if not isinstance(one, str)]
        if odd:
            raise UsageError(f"to is an address, or several, each a str, and not {type(odd[0]).__name__}")
        to = tuple(str(one) for one in given)
    return outgoing(message, sender, to)


async def grouped(
    out: Outgoing, description: Description, account: str | None, relay: Relay | None, dns: "AsksDns | None"
) -> "list[Group]":
    """The groups of a message, each with its intents made and the hosts to try."""
    told = out, description, account
    if relay is not None:
        whole = [out.recipients]
    else:
        by_domain: dict[str, list[str]] = {}
        for recipient in out.recipients:
            by_domain.setdefault(_domain(recipient), []).append(recipient)
        whole = [tuple(recipients) for recipients in by_domain.values()]
    parts = [w[i : i + MAX_RECIPIENTS] for w in whole for i in range(0, len(w), MAX_RECIPIENTS)]
    if len(parts) == 1:  # the usual case needs no further task
        return [await _group(parts[0], told, relay, dns)]
    return list(await asyncio.gather(*(_group(part, told, relay, dns) for part in parts)))


def _domain(recipient: str) -> str:
    return recipient.rpartition("@")[2].lower()


async def _group(recipients: tuple[str, ...], told: Told, relay: Relay | None, dns: "AsksDns | None") -> Group:
    out, description, account = told
    domain = _domain(recipients[0])
    hosts, ending, observations = ((relay.host,), None, ()) if relay else await _route(domain, dns)
    envelope = Envelope(
        reverse_path=out.reverse_path,
        recipients=recipients,
        next_hop=next(iter(hosts), domain),
        hop=Hop.RELAY if relay else Hop.RECIPIENT_MX,
        account=account,
    )
    begun = prepare(out.content, envelope, None, clock=utc_now, description=description)
    return Group(recipients, hosts, relay.host if relay else domain, begun, ending, observations)


async def _route(domain: str, dns: "AsksDns | None") -> tuple[tuple[str, ...], Ending | None, tuple[Observation, ...]]:
    if domain.startswith("["):  # an address literal stands for itself (RFC 5321 §4.1.3)
        return (domain.strip("[]").removeprefix("ipv6:"),), None, ()
    if dns is None:
        raise UsageError("without a relay the DNS has to be asked")
    try:
        found = await route(Domain.parse(domain), dns)
    except ParseError as problem:
        return (), Ending(Finish.FAILED, "connect", detail=str(problem)), ()
    ending = Ending(found.finish, "connect", detail=found.detail) if found.finish else None
    return found.hosts, ending, found.observations
