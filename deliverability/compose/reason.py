"""Why a message was refused, in classes that tell who has to act (RFC 3463, RFC 7372, RFC 7505)."""

import re
from collections.abc import Iterable
from functools import cache, lru_cache

from deliverability.compose.catalog import Catalog
from deliverability.compose.own_words import why_own
from deliverability.compose.recognise import at_host, providers
from deliverability.evidence.event import Result
from deliverability.evidence.plugin import Provider
from deliverability.evidence.smtp import Host, Reply
from deliverability.evidence.story import Attempt
from deliverability.protocols.replies import Explanation, explain, find_reply
from deliverability.protocols.smtp import MAX_REPLY, on_one_line

# How much of a cause a customer is told: what lies on our side needs no names of techniques.
_TOLD = {
    "no-mail": "no-domain",
    "not-served": "no-domain",
    "listed": "reputation",
    "recipient-busy": "rate-limited",
    "greylisted": "rate-limited",
    "malware": "content",
    "reverse-dns": "technical",
    "tls": "technical",
    "protocol": "technical",
    "message-form": "technical",
    "unsupported": "technical",
    "temporary": "trouble",
    "server-trouble": "trouble",
    "no-answer": "trouble",
    "expired": "other",
}
REASONS = (
    "no-mailbox",
    "no-domain",
    "mailbox-disabled",
    "mailbox-full",
    "too-large",
    "unauthenticated",
    "policy",
    "reputation",
    "rate-limited",
    "content",
    "blocked-by-recipient",
    "sender-rejected",
    "address-form",
    "technical",
    "loop",
    "trouble",
)
_OWN_TOLD = ("no-domain", "no-mail")
"""Which of our own server's reasons a customer is told."""
MAX_CODES = 40
"""Characters of a reply without codes that stand for it."""


# What differs between recipients and means nothing: local parts, addresses of hosts, queue ids and times.  127.0.0.0/8 is kept:
# block lists answer from there.
_MAILBOX = re.compile(r"<[^<>@\s]{1,100}@")
_ADDRESS = re.compile(r"(?<![\w.])(?!127\.)\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_ID = re.compile(r"(?![245][0-5]\d-)[0-9A-Za-z._-]{9,120}\Z")  # not 550-5.7.1


def words(reply: Reply) -> str:
    """A reply to be read: of several lines the codes once, not at the head of each; log lines keep them all."""
    return on_one_line(reply.text)


def explained(attempt: Attempt | None) -> Explanation | None:
    """What the other side's reply means, by the rules of the provider whose host gave it; ``None`` without a reply."""
    reply, relay = (attempt.reply, attempt.relay) if attempt else (None, None)
    if reply is None:
        return None
    return _explained(_said(reply), relay.name if relay else None)


def meaning(attempt: Attempt | None, t: Catalog) -> str:
    """One plain sentence on a reply that took nothing; empty where there is none, or where it took the message."""
    if attempt is None or attempt.reply is None or attempt.result is Result.SENT:
        return ""
    if find_reply(_said(attempt.reply)).positive:
        return ""  # what took the message needs no look at everybody's rules
    found = explained(attempt)
    return "" if found is None else t.pick(found.meaning)


def meanings(attempts: Iterable[Attempt], t: Catalog) -> tuple[tuple[str, str], ...]:
    """The codes of each reply that took nothing, with its sentence; of replies that are alike the first alone."""
    told: dict[tuple[str, str], None] = {}
    for attempt in attempts:
        said = meaning(attempt, t)
        if said and attempt.reply:
            found = find_reply(_said(attempt.reply))
            codes = " ".join(filter(None, (str(found.code or ""), found.enhanced_status_code)))
            told[codes or found.text[:MAX_CODES], said] = None
    return tuple(told)


def _said(reply: Reply) -> str:
    """The reply with its codes before it, where a record keeps them apart from the words."""
    if reply.code is None or reply.text.lstrip().startswith(str(reply.code)):
        return reply.text
    return " ".join(filter(None, (str(reply.code), reply.enhanced_status_code, reply.text)))


def _explained(text: str, host: str | None) -> Explanation:
    return explain(text, _known(), _provider_at(host) if host else None)


@lru_cache(maxsize=4096)
def _reason(alike: str, host: str | None) -> str:
    found = _explained(alike, host)
    return "other" if found.reply.positive else _TOLD.get(found.cause, found.cause)


@lru_cache(maxsize=4096)
def _provider_at(host: str) -> str | None:
    return at_host(host, _known())


def _alike(text: str) -> str:
    """A reply without what differs from one recipient to the next: thousands then share one look at the rules."""
    plain = _ADDRESS.sub("#", _MAILBOX.sub("<#@", text[:MAX_REPLY]))
    return " ".join("#" if _ID.match(word) and sum(map(str.isdigit, word)) > 3 else word for word in plain.split())


@cache
def _known() -> tuple[Provider, ...]:
    return providers()


def why_refused(attempt: Attempt | None) -> str:
    """One of :data:`REASONS`, from the words and the code that the server itself gave, or ``other``."""
    return why_answered(attempt.reply, attempt.relay) if attempt and attempt.reply else "other"


def why_answered(reply: Reply, relay: Host | None) -> str:
    """As :func:`why_refused`, of a reply and the host that gave it."""
    return _reason(_alike(_said(reply)), relay.name if relay else None)


def why_failed(attempt: Attempt | None) -> str:
    """``no-domain``, ``no-mail`` or ``other``, from what our own server noted."""
    if attempt is None:
        return "other"
    words = " ".join(filter(None, (attempt.text, attempt.reply.text if attempt.reply else "")))
    found = why_own(words.strip())
    return found if found in _OWN_TOLD else "other"
