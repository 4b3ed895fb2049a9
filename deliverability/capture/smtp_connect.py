"""To open an SMTP or LMTP session with as much TLS as the policy wants, and no less.

RFC 3207 (STARTTLS), RFC 7435 (opportunistic security).
"""

import ssl
from collections.abc import Callable
from functools import lru_cache

from deliverability.capture._connect import trust
from deliverability.capture.smtp_opening import CannotOpenError, Connection, Opening
from deliverability.capture.smtp_terms import Facts, Peer, Terms, TlsPolicy
from deliverability.errors import printable

__all__ = ["CannotOpenError", "Connection", "open_session", "verifying"]


async def open_session(
    peer: Peer, terms: Terms, context: Callable[[], ssl.SSLContext], *, skip: str = ""
) -> Connection:
    """A session that is ready for MAIL; raises :class:`CannotOpenError`.

    ``context`` gives the context that verifies.  Where the policy is opportunistic, a certificate that does not hold
    is met by a second connection that takes any, and TLS that fails by one without; ``skip`` tells why the first of
    them need not be tried (it failed before).
    """
    if terms.tls is TlsPolicy.NONE or terms.lmtp or peer.is_path:
        return await Opening(peer, terms, None).run()
    why, lax = skip, terms.tls is not TlsPolicy.VERIFIED
    if not (why and lax):
        try:
            return await Opening(peer, terms, context).run()
        except ssl.SSLCertVerificationError as problem:
            why = printable(problem.verify_message or str(problem), 200)
            if not lax:
                raise _not_verified(peer, why) from None
        except ssl.SSLError as problem:
            return await _without_tls(peer, terms, problem)
    try:
        return await Opening(peer, terms, _trusting, why).run()
    except ssl.SSLError as problem:
        return await _without_tls(peer, terms, problem)


async def _without_tls(peer: Peer, terms: Terms, problem: ssl.SSLError) -> Connection:
    why = printable(f"TLS was not established: {problem.reason or problem.strerror or type(problem).__name__}", 200)
    if terms.tls is not TlsPolicy.OPPORTUNISTIC or terms.implicit_tls or terms.username:
        raise CannotOpenError("starttls", None, why, Facts(relay=peer.named)) from problem
    return await Opening(peer, terms, None, why).run()


def _not_verified(peer: Peer, why: str) -> CannotOpenError:
    facts = Facts(relay=peer.named, certificate_error=why)
    return CannotOpenError("starttls", None, f"the certificate does not hold for {peer.host}: {why}", facts)


def verifying(terms: Terms) -> ssl.SSLContext:
    """The context that verifies by the roots of ``terms``."""
    return terms.roots if isinstance(terms.roots, ssl.SSLContext) else _verifying(terms.roots)


@lru_cache(maxsize=8)  # reading the system's roots takes tens of milliseconds
def _verifying(roots: str | None) -> ssl.SSLContext:
    return trust(roots)


def _trusting() -> ssl.SSLContext:
    """For a server whose certificate does not hold: better than plain text (RFC 7435), and recorded as unverified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
