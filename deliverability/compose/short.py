"""The answer in one line for a telephone: where to look, and no more than the level reached."""

from datetime import timedelta

from deliverability.compose.case import Case
from deliverability.compose.gate import Gate, gate
from deliverability.compose.kinds import ARRIVED, NO_PAGE, OUR_FAULT, PERHAPS_ARRIVED, Kind
from deliverability.compose.when import short_day
from deliverability.evidence.plugin import ProviderKind

_UNDER_WAY = frozenset({Kind.DEFERRED, Kind.QUEUED})
_NAMED = frozenset({ProviderKind.CONSUMER, ProviderKind.ISP, ProviderKind.BUSINESS})


def short(case: Case) -> tuple[str, ...]:
    """What to say, the most telling first, the shortest last; nothing where there is no page."""
    if case.kind in NO_PAGE:
        return ()
    t = case.t
    dispatched = case.assessment.evidence.dispatched_at or case.made_at
    words = {
        "day": short_day(dispatched.astimezone(case.where).date(), case.lang),
        "folder": t.pick(case.provider.junk_folder),
        "provider": case.provider_name,
    }
    return tuple(t(key, **words) for key in _keys(case))


def _keys(case: Case) -> tuple[str, ...]:
    if case.kind in PERHAPS_ARRIVED:
        if gate(case.assessment.verdicts) is Gate.NEVER or _purged(case):
            return ("sms.see", "sms.see-short")  # nobody is sent to a folder for what may be forged, or is gone
        looking = ("sms.look", "sms.look-short", "sms.folder")
        named = case.kind in (Kind.ACCEPTED, Kind.DELIVERED) and case.provider.kind in _NAMED
        return ("sms.accepted", *looking) if named else looking
    if case.kind in _UNDER_WAY:
        return ("sms.under-way", "sms.see-short")
    if case.kind is Kind.PUT_OFF_BY_US or (case.kind in OUR_FAULT and case.message and case.message.witness):
        return ("sms.see", "sms.see-short")  # whether it was brought again, or by whom it was stopped, is not on record
    if case.kind in OUR_FAULT:
        return ("sms.ours", "sms.ours-short")
    return ("sms.not-delivered", "sms.see-short")


def _purged(case: Case) -> bool:
    """Whether the provider has probably emptied the folder since."""
    days, arrived = case.provider.junk_days, case.attempt.instant if case.attempt else None
    if case.kind not in ARRIVED or days is None or arrived is None:
        return False
    return case.made_at > arrived + timedelta(days=days)
