"""To open a session with a host of which more is demanded than the mailer's own settings do: DANE, MTA-STS.

RFC 7672 §2.2 (STARTTLS, and a certificate that the TLSA records name; names and roots do not count), RFC 8461 §4.2.
"""

import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from deliverability.capture.smtp_connect import open_session
from deliverability.capture.smtp_opening import CannotOpenError, Connection
from deliverability.capture.smtp_terms import Peer, Terms, TlsPolicy
from deliverability.evidence.observation import SmtpAnswer, SmtpProbe
from deliverability.protocols.dane import Match, match
from deliverability.protocols.tls_policy import Demand

_BY_RECORDS = "held against TLSA records in place of the public roots (RFC 7672)"
_BY_NOTHING = "held against nothing: no TLSA record can be used, and TLS alone was demanded (RFC 7672)"


async def open_as_demanded(
    peer: Peer, terms: Terms, context: Callable[[], ssl.SSLContext], demand: Demand
) -> Connection:
    """A session that is ready for MAIL and meets the demand; raises :class:`CannotOpenError`."""
    if demand.verified:
        return await open_session(peer, replace(terms, tls=TlsPolicy.VERIFIED), context)
    told = _BY_RECORDS if demand.records else _BY_NOTHING
    connection = await open_session(peer, replace(terms, tls=TlsPolicy.REQUIRED), context, skip=told)
    if not demand.records:
        return connection
    found = match(demand.records, _shown(peer, connection), demand.names)
    if found is not Match.MATCHES:
        facts = replace(connection.facts, certificate_error=_MISSED[found])
        connection.drop()
        raise CannotOpenError("starttls", None, f"{peer.host}: {_MISSED[found]}", facts)
    tls = connection.facts.tls
    connection.facts = replace(connection.facts, tls=replace(tls, verified=True) if tls else None, certificate_error="")
    return connection


_MISSED = {
    Match.MISMATCH: "its certificate matches none of its TLSA records",
    Match.UNUSABLE: "none of its TLSA records can be used",
    Match.CHAIN_NOT_SEEN: "its TLSA records name an authority, whose certificate Python does not show before 3.13",
}


def _shown(peer: Peer, connection: Connection) -> SmtpAnswer:
    facts = connection.facts
    return SmtpAnswer(
        question=SmtpProbe(peer.host, peer.port),
        ip=peer.address,
        greeting=facts.greeting,
        capabilities=(),
        starttls=True,
        tls_version=facts.tls.version if facts.tls else None,
        certificate=facts.chain[0] if facts.chain else b"",
        chain=facts.chain[1:],
        certificate_error=facts.certificate_error or None,
        observed_at=datetime.now(UTC),
    )
