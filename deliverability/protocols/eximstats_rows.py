"""What cPanel's delivery records say: rows of the eximstats database, and WHM's Mail Delivery Reports made of them.

Sources: "Track Delivery" (https://docs.cpanel.net/cpanel/email/track-delivery/) and "Mail Delivery Reports"
(https://docs.cpanel.net/whm/email/mail-delivery-reports/) for columns and events, ``EmailTrack::search``
(https://api.docs.cpanel.net/cpanel-api-2/cpanel-api-2-modules-emailtrack/cpanel-api-2-functions-emailtrack-search) for
the records' fields, "View Mail Statistics Summary" (https://docs.cpanel.net/whm/email/view-mail-statistics-summary/)
for the names of transports.

cPanel fills the database from Exim's main log, so the message's id is Exim's, and one story comes from both.  Not
confirmed: the tables' full schema, which is not published; that the time in a row of ``smtp``, ``failures`` and
``defers`` is that of the attempt; whether ``message`` holds a receiver's reply to a success.
"""

import re

from deliverability.evidence.event import Action, Result, Session, Transport
from deliverability.evidence.smtp import Host
from deliverability.protocols import idclock
from deliverability.protocols.exim_attempts import Facts, failure
from deliverability.protocols.exim_fields import MESSAGE_ID
from deliverability.protocols.export_rows import Row
from deliverability.protocols.mx import parse_ip
from deliverability.protocols.smtp import parse_reply, remote_queue_id

_ID = re.compile(rf"(?:{MESSAGE_ID})\Z", re.ASCII)
_REMOTE = ("remote_smtp", "dkim_remote_smtp", "remote_forwarded_smtp", "dkim_remote_forwarded_smtp")
_STORES = ("local_delivery", "virtual_userdelivery", "dovecot_delivery", "dovecot_virtual_delivery")
_PIPES = ("address_pipe", "virtual_address_pipe", "jailed_virtual_address_pipe")
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def exim_id(text: str) -> str | None:
    """A message id of Exim's, in either of its forms; anything else is none."""
    return text if _ID.match(text) and idclock.exim(text) else None


def by_transport(name: str, remote: bool | None) -> Transport | None:
    """What a transport's name says; ``None`` where it says nothing, for then a success is no delivery yet."""
    bare = name.strip().lower()
    if bare in _REMOTE:
        return None if remote is False else Transport.SMTP
    if remote is True:
        return None if bare in _STORES else Transport.SMTP
    if bare in _STORES:
        return Transport.MAILBOX
    return Transport.PIPE if bare in _PIPES or bare.endswith("_pipe") else None


def host_of(name: str, ip: str) -> Host | None:
    """The receiving host, with an address only where it is one."""
    known = parse_ip(ip)
    shown = name if name and name.lower() not in _LOCAL_HOSTS else None
    return Host(shown, str(known) if known else None) if shown or known else None


def arrival(row: Row, client: tuple[str, str], user: str) -> Facts:
    """That Exim took the message in; from whom, as cPanel tells it.

    No reverse-path: what cPanel calls sender and from address is not documented to be the envelope's.
    """
    ip = parse_ip(client[1])
    name = client[0] or None
    session = Session(
        client=Host(None, str(ip)) if ip else None,
        helo=name,
        authenticated=None if user.startswith("-") else user or None,
    )
    return {
        "action": Action.ARRIVED,
        "size": row.number("size"),
        "session": session if session != Session() else None,
        "text": row.text("spamscore", "Spam Score") and f"spam score {row.text('spamscore', 'Spam Score')}",
    }


def success(transport: Transport | None, relay: Host | None, route: str | None, said: str) -> Facts:
    """A delivery; the words are the receiver's only if a reply of its stands in them."""
    reply = parse_reply(said)
    positive = reply if reply.positive and transport is Transport.SMTP else None
    return {
        "action": Action.ATTEMPTED,
        "result": Result.SENT,
        "transport": transport,
        "relay": relay if transport is Transport.SMTP else None,
        "route": route,
        "reply": positive,
        "stage": "end-of-data" if positive else None,
        "remote_queue_id": remote_queue_id(positive.text) if positive else None,
        "text": "" if positive else said,
    }


def trouble(result: Result, transport: Transport | None, relay: Host | None, route: str | None, said: str) -> Facts:
    """A failure or a deferral in Exim's words, which tell a remote server's reply apart from Exim's own."""
    told = failure(said.encode("utf-8", "replace").decode("latin-1"))
    bare = parse_reply(said) if told.reply is None else None
    # Words that begin with a code are a reply only where a remote host took part.
    theirs = told.reply or (bare if bare and bare.code and relay and transport is Transport.SMTP else None)
    agrees = theirs is None or not theirs.positive
    return {
        "action": Action.ATTEMPTED,
        "result": Result.UNCERTAIN if told.lost else result,
        "transport": transport or Transport.NONE,
        "relay": told.host or relay,
        "route": route,
        "reply": theirs if agrees else None,
        "stage": told.stage,
        "text": told.text,
    }


def route_of(router: str, transport: str) -> str | None:
    """Router and transport, spelled as in Exim's log."""
    return " ".join(f"{key}={value}" for key, value in (("R", router), ("T", transport)) if value) or None
