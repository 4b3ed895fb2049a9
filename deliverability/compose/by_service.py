"""Words for a story that a service's record tells: Microsoft 365 or Google did it, and wrote it down, not our server.

Of a message that our own server gave to the service, the service tells the later steps only; of one that the service
alone has on record, no server of ours is known to have taken part at all.
"""

from collections.abc import Iterable

from deliverability.compose.catalog import Catalog
from deliverability.evidence.story import Attempt, Message, Role

_DID_IT = (
    "act.deferred-full",
    "answer.cancelled",
    "answer.deferred",
    "answer.expired",
    "answer.failed",
    "answer.handed-over.intermediary",
    "answer.handed-over.own-relay",
    "answer.handed-over.unconfirmed",
    "answer.refused-on-the-way",
    "basis.mail-store",
    "detail.accepted-own",
    "detail.delivered-folder",
    "detail.handed-over.unconfirmed",
    "fact.note",
    "failed.other",
    "doubt.assumed-year",
    "doubt.assumed-zone",
    "doubt.assumed-zone-year",
    "relay.unnamed",
    "when.unresolved",
)
"""Keys of sentences about the attempt on which the answer rests."""
_TOLD_ALL = (
    "answer.bounced.passed-on",
    "answer.held",
    "answer.queued",
    "answer.unknown",
    "fact.arrived",
    "fact.queue-ids",
    "genuine.domain.envelope",
    "keep.envelope",
    "limits.other",
    "rung.handed-on",
    "rung.taken-in",
    "state.cancelled",
    "state.queued",
    "timeline.arrived",
    "timeline.offered",
)
"""Keys of sentences about where the message was before, and where it stands now."""
_NAMELESS = {
    "act.handed-over": "to-nobody-act",
    "answer.handed-over.unconfirmed": "to-nobody",
    "detail.handed-over.unconfirmed": "to-nobody-detail",
}
"""Where the record names no server that took it: it need not be one, but a mailbox of the service's own."""


def fitting(words: Catalog, message: Message | None, attempt: Attempt | None, role: Role) -> Catalog:
    """The catalogue as it fits what a service did and told; ``words`` themselves where all was our own server's."""
    told_all = message.witness if message else None
    did_it = attempt.witness if attempt else told_all
    if did_it is None:
        return words
    instead = dict(_said(_DID_IT, words, did_it))
    instead["answer.deferred.untried"] = instead["answer.deferred"]
    instead["act.failed"] = words.sentences["mailer.act-failed"]  # whether the address is to blame, neither knows
    if message is not None and told_all:
        instead |= _said(_TOLD_ALL, words, told_all)
    if role is Role.UNCONFIRMED and attempt is not None and attempt.relay is None:
        for key, other in _NAMELESS.items():
            instead[key] = _named(words.sentences[f"service.{other}"], did_it)
    return Catalog(words.lang, {**words.sentences, **instead})


def _said(keys: Iterable[str], words: Catalog, service: str) -> Iterable[tuple[str, str]]:
    for key in keys:
        yield key, _named(words.sentences[f"service.{key.replace('.', '-')}"], service)


def _named(sentence: str, service: str) -> str:
    """The sentence with the service's name; a name may hold nothing that would be filled in later."""
    return sentence.replace("{service}", service.replace("{", "(").replace("}", ")"))
