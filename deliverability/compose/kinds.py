"""The branches of a report: which answer an assessment gives, never a stronger one than its level allows."""

from enum import StrEnum

from deliverability.errors import UsageError
from deliverability.evidence.bundle import Assessment
from deliverability.evidence.story import Delivery, Level, Role, State


class Kind(StrEnum):
    """The branches of a report: which answer it gives."""

    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    ACCEPTED_OWN = "accepted-own"
    HANDED_OVER = "handed-over"
    DEFERRED = "deferred"
    QUEUED = "queued"
    HELD = "held"
    REFUSED = "refused"
    REFUSED_OWN_MX = "refused-own-mx"
    REFUSED_BY_US = "refused-by-us"
    PUT_OFF_BY_US = "put-off-by-us"
    """Never taken into our queue: who brought it is to try again."""
    REFUSED_ON_THE_WAY = "refused-on-the-way"
    """By a relay or a service of ours."""
    FAILED = "failed"
    EXPIRED = "expired"
    BOUNCED = "bounced"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    RECORDED = "recorded"
    """On the mailer's own list alone: no mail server's log speaks of it."""
    NOT_FOUND = "not-found"


ARRIVED = frozenset({Kind.DELIVERED, Kind.ACCEPTED, Kind.ACCEPTED_OWN})
"""The receiving side has it: looking for it makes sense."""
PERHAPS_ARRIVED = ARRIVED | {Kind.HANDED_OVER, Kind.UNKNOWN}
OUR_FAULT = frozenset({Kind.HELD, Kind.REFUSED_BY_US, Kind.REFUSED_ON_THE_WAY, Kind.CANCELLED})
"""We stopped it: the page says so first, and apologises."""
REFUSED = frozenset({Kind.REFUSED, Kind.REFUSED_OWN_MX})

_PLAIN = {
    State.FAILED: Kind.FAILED,
    State.EXPIRED: Kind.EXPIRED,
    State.BOUNCED: Kind.BOUNCED,
    State.CANCELLED: Kind.CANCELLED,
    State.DEFERRED: Kind.DEFERRED,
    State.RECORDED: Kind.RECORDED,
    State.NOT_FOUND: Kind.NOT_FOUND,
}
NO_PAGE = frozenset({Kind.NOT_FOUND, Kind.RECORDED})
"""What we cannot show to have left makes no customer's page."""


def kind_of(assessment: Assessment) -> Kind:
    """Which answer an assessment gives, never a stronger one than its level allows.

    Raises :class:`~deliverability.errors.UsageError` where there is no dispatch to report on.
    """
    claim, delivery = assessment.claim, assessment.evidence.delivery
    if claim is None or (delivery is None and claim.state is not State.NOT_FOUND):
        msg = "this assessment is not about a message to a recipient: there is nothing to report"
        raise UsageError(msg)
    if claim.state is State.DEFERRED and delivery and delivery.refused_by_us:
        return Kind.PUT_OFF_BY_US
    if claim.state in _PLAIN:
        return _PLAIN[claim.state]
    if claim.state is State.QUEUED:
        return Kind.HELD if delivery and delivery.held else Kind.QUEUED
    if claim.state is State.REFUSED:
        return _refused(claim.role, delivery)
    return _arrived(claim.state, claim.level, claim.role)


def state_key(state: State, delivery: Delivery | None) -> str:
    """The key of a state's words: what our own server put off at its door is not tried again by it."""
    return f"state.{Kind.PUT_OFF_BY_US if state is State.DEFERRED and delivery and delivery.refused_by_us else state}"


def _refused(role: Role, delivery: Delivery | None) -> Kind:
    if delivery and delivery.refused_by_us:
        return Kind.REFUSED_BY_US
    if role in (Role.OWN_RELAY, Role.INTERMEDIARY):
        return Kind.REFUSED_ON_THE_WAY
    return Kind.REFUSED_OWN_MX if role is Role.OWN_MX else Kind.REFUSED


def _arrived(state: State, level: Level, role: Role) -> Kind:
    if state is State.UNKNOWN:
        return Kind.UNKNOWN
    if state is State.DELIVERED and level >= Level.DELIVERED:
        return Kind.DELIVERED
    if state in (State.DELIVERED, State.ACCEPTED) and level >= Level.ACCEPTED:
        if role is Role.RECIPIENT_MX:
            return Kind.ACCEPTED
        if role is Role.OWN_MX:
            return Kind.ACCEPTED_OWN
    return Kind.HANDED_OVER if level >= Level.HANDED_OVER else Kind.UNKNOWN
