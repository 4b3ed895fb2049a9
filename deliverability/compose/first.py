"""The first page: the answer, the ladder, what to do now, and the address."""

from deliverability.compose.case import Case
from deliverability.compose.kinds import NO_PAGE, OUR_FAULT, REFUSED, Kind
from deliverability.compose.reason import why_failed, why_refused
from deliverability.evidence.document import (
    Answer,
    Block,
    Facts,
    Ladder,
    Link,
    Note,
    Paragraph,
    Rung,
    Section,
    Tone,
)
from deliverability.evidence.event import TimeBasis
from deliverability.evidence.story import Role

_TONES = {
    Kind.DELIVERED: Tone.GOOD,
    Kind.ACCEPTED: Tone.GOOD,
    Kind.ACCEPTED_OWN: Tone.GOOD,
    Kind.HANDED_OVER: Tone.WAITING,
    Kind.DEFERRED: Tone.WAITING,
    Kind.QUEUED: Tone.WAITING,
    Kind.PUT_OFF_BY_US: Tone.WAITING,
    Kind.UNKNOWN: Tone.UNKNOWN,
    Kind.RECORDED: Tone.UNKNOWN,
    Kind.NOT_FOUND: Tone.UNKNOWN,
}
_YES, _NO, _OPEN = True, False, None
# Taken in by our server, handed on, accepted by the mailbox's server, in the mailbox; whether it was opened
# nobody can see from here.
_REACHED: dict[Kind, tuple[bool | None, ...]] = {
    Kind.DELIVERED: (_YES, _YES, _YES, _YES),
    Kind.ACCEPTED: (_YES, _YES, _YES, _OPEN),
    Kind.ACCEPTED_OWN: (_YES, _YES, _YES, _OPEN),
    Kind.HANDED_OVER: (_YES, _YES, _OPEN, _OPEN),
    Kind.DEFERRED: (_YES, _NO, _NO, _NO),
    Kind.QUEUED: (_YES, _NO, _NO, _NO),
    Kind.HELD: (_YES, _NO, _NO, _NO),
    Kind.REFUSED: (_YES, _NO, _NO, _NO),
    Kind.REFUSED_OWN_MX: (_YES, _NO, _NO, _NO),
    Kind.REFUSED_BY_US: (_NO, _NO, _NO, _NO),
    Kind.PUT_OFF_BY_US: (_NO, _NO, _NO, _NO),
    Kind.REFUSED_ON_THE_WAY: (_YES, _NO, _NO, _NO),
    Kind.FAILED: (_YES, _NO, _NO, _NO),
    Kind.EXPIRED: (_YES, _NO, _NO, _NO),
    Kind.BOUNCED: (_YES, _YES, _YES, _NO),
    Kind.CANCELLED: (_YES, _NO, _NO, _NO),
    Kind.UNKNOWN: (_YES, _OPEN, _OPEN, _OPEN),
    Kind.RECORDED: (_OPEN, _OPEN, _OPEN, _OPEN),
    Kind.NOT_FOUND: (_OPEN, _OPEN, _OPEN, _OPEN),
}
_RUNGS = ("taken-in", "handed-on", "accepted", "mailbox")
_OURS = frozenset({Role.NONE, Role.OWN_MX})
_WAITING = frozenset({Kind.DEFERRED, Kind.QUEUED, Kind.PUT_OFF_BY_US})


def answer(case: Case) -> Section:
    """One sentence with its time, the ladder that stops at what is known, and what message it is about."""
    text, detail = _sentences(case)
    details = case.together(detail, _apart(case), _doubt(case))
    blocks: list[Block] = []
    if case.support:
        key = "internal.not-found" if case.kind in NO_PAGE else "internal.note"
        blocks.append(Note(case.t(key)))
    blocks.append(Answer(text, _TONES.get(case.kind, Tone.BAD), details))
    if case.kind is not Kind.NOT_FOUND:
        blocks.append(_ladder(case))
    rows = [
        (case.t("fact.subject"), case.subject),
        (case.t("fact.sender"), case.sender.address),
        (case.t("fact.recipient"), case.recipient),
    ]
    blocks.append(Facts(tuple((name, value) for name, value in rows if value)))
    return Section("answer", case.t("heading.answer"), tuple(block for block in blocks if block != Facts(())))


def _sentences(case: Case) -> tuple[str, str]:
    t = case.t
    words = {
        "provider": case.provider_name,
        "when": case.when,
        "relay": case.relay or t("relay.unnamed"),
        "filter": t.pick(case.provider.name),
        "domain": case.domain,
        "recipient": case.tried,
        "folder": case.hide((case.attempt.folder if case.attempt else None) or ""),
    }
    said, detail = (_in_part(case, key) for key in _keys(case))
    return t(said, **words), t(detail, **words)


def _in_part(case: Case, key: str) -> str:
    """What is not true of each address behind an alias is said of the one that the answer rests on."""
    if not case.parts or case.attempt is None or case.attempt.witness:
        return key
    for part in (f"{key}.in-part", f"answer.{case.kind}.in-part" if key.startswith("answer.") else ""):
        if case.t.has(part):
            return part
    return key


def _keys(case: Case) -> tuple[str, str]:
    """The sentence that answers, and the one that stands below it."""
    kind = case.kind
    said, detail = f"answer.{kind}", f"detail.{kind}"
    if kind is Kind.HANDED_OVER:
        role: str = case.role if case.role in (Role.OWN_RELAY, Role.INTERMEDIARY) else Role.UNCONFIRMED
        role = "own-program" if case.to_program else role
        said, detail = f"answer.handed-over.{role}", f"detail.handed-over.{role}"
    elif kind in REFUSED:
        if kind is Kind.REFUSED:
            said = "answer.refused.mx" if case.role is Role.RECIPIENT_MX else "answer.refused.host"
        detail = "reason.unrecorded" if case.unrecorded else f"reason.{why_refused(case.attempt)}"
    elif _varied(case):
        said, varied = f"answer.{kind}.{_varied(case)}", f"detail.{kind}.{_varied(case)}"
        detail = varied if case.t.has(varied) else detail
    elif kind is Kind.DELIVERED and case.attempt and case.attempt.folder:
        detail = "detail.delivered-folder"
    elif kind is Kind.DEFERRED and why_refused(case.attempt) == "mailbox-full":
        detail = "detail.deferred-full"
    elif kind is Kind.EXPIRED and _full_at_last(case):
        detail = "detail.expired-full"
    elif kind is Kind.FAILED:
        detail = f"failed.{why_failed(case.attempt)}"
    elif case.uncertain:
        said, detail = "answer.uncertain", "detail.uncertain-later" if _tried_later(case) else "detail.uncertain"
    return said, detail


def _varied(case: Case) -> str:
    """What sets a case apart from others of its kind: ``gateway``, ``passed-on``, ``untried``, mostly nothing."""
    if case.kind is Kind.ACCEPTED and case.gateway:
        return "gateway"
    if case.kind is Kind.DEFERRED and case.untried:
        return "untried"
    return "passed-on" if case.kind is Kind.BOUNCED and not case.taken_by_mx else ""


def _whose(case: Case) -> str:
    """Of what is asked of the reader: where the message went, or whether the address is shown to be at fault."""
    if case.kind is Kind.FAILED:
        return why_failed(case.attempt)
    return case.role if case.kind is Kind.HANDED_OVER else ""


def _tried_later(case: Case) -> bool:
    attempts = case.delivery.attempts if case.delivery else ()
    since = case.attempt.instant if case.attempt else None
    return any(a.instant and since and a.instant > since for a in attempts)


def _full_at_last(case: Case) -> bool:
    """Whether the mailbox was full when another server last answered, before our own gave up."""
    return why_refused(case.answered) == "mailbox-full"


def _apart(case: Case) -> str:
    """One answer stands for several addresses: said where it does not hold for each of them."""
    if not case.parts:
        return ""
    return case.t("detail.parts", recipient=case.recipient, count=len(case.parts))


def _doubt(case: Case) -> str:
    """The caveat of a time that was not simply read: it belongs beside the time, not pages below."""
    time = case.attempt.at if case.attempt else None
    if time is None or time.instant is None:
        return ""
    if time.contradicted:
        return case.t("doubt.contradicted")
    unknown = [
        name for name, basis in (("zone", time.zone_from), ("year", time.year_from)) if basis is TimeBasis.ASSUMED
    ]
    return case.t(f"doubt.assumed-{'-'.join(unknown)}") if unknown else ""


def _ladder(case: Case) -> Ladder:
    known = _REACHED[case.kind]
    if _varied(case) == "passed-on":
        known = (*known[:2], _OPEN, known[3])  # passed on by a relay or a service; how far it came is not shown
    if case.assessment.claim and case.assessment.claim.basis == "service-record":
        known = (_YES, _OPEN, _OPEN, _OPEN)  # to a server that is not named, or into a mailbox of the service's own
    last = max((i for i, reached in enumerate(known) if reached), default=-1)
    opened = _NO if known[-1] is _NO else _OPEN
    rungs = []
    for number, (name, reached) in enumerate(zip((*_RUNGS, "opened"), (*known, opened), strict=True)):
        # One server took it in and put it into the mailbox: there was nothing between.
        alone = case.role in _OURS or (case.message is not None and case.message.witness)
        if case.kind is Kind.DELIVERED and alone and name in ("handed-on", "accepted"):
            continue
        rungs.append(Rung(_label(case, name), reached, _rung_note(case, name, reached, newest=number == last)))
    return Ladder(case.t("ladder.label"), tuple(rungs))


def _label(case: Case, name: str) -> str:
    if name == "accepted" and case.role is Role.OWN_MX:
        return case.t("rung.accepted.own")
    return case.t("rung.accepted.gateway" if name == "accepted" and case.gateway else f"rung.{name}")


def _rung_note(case: Case, name: str, reached: bool | None, *, newest: bool) -> str:
    """In words what a mark says: nothing on the ladder is told by shape or colour alone."""
    if reached is None:
        return _open_note(case, name)
    if reached and name == "taken-in":
        return case.arrived
    if reached:
        return case.when if newest and case.kind is not Kind.BOUNCED else ""
    if case.kind in _WAITING:
        return case.t("rung.note.not-yet")
    turned_away = {"handed-on": "rung.note.offered"}
    if case.role is not Role.UNCONFIRMED:
        turned_away["accepted"] = "rung.note.refused"
    return case.t(turned_away.get(name, "rung.note.no") if case.kind in REFUSED else "rung.note.no")


def _open_note(case: Case, name: str) -> str:
    """Why a rung is open: in another's server nobody sees from here; elsewhere a record could tell."""
    if case.uncertain and name in ("handed-on", "accepted"):
        return case.t("rung.note.uncertain")
    recorded = name in ("taken-in", "handed-on", "accepted") or (name == "mailbox" and case.role is Role.OWN_MX)
    return case.t("rung.note.unrecorded" if recorded else "rung.note.open")


def do_now(case: Case) -> Section:
    """What helps at once, without the mail."""
    t = case.t
    blocks: list[Block] = []
    if case.kind in REFUSED:
        blocks.append(Paragraph(t(f"act.{why_refused(case.attempt)}")))
        blocks.append(Note(t("act.list-no-help")))
    elif case.kind in OUR_FAULT:
        blocks.append(Paragraph(t("act.ours")))
    elif case.kind is Kind.DEFERRED and why_refused(case.attempt) == "mailbox-full":
        blocks.append(Paragraph(t("act.deferred-full")))
    elif case.kind is Kind.EXPIRED and _full_at_last(case):
        blocks.append(Paragraph(t("act.expired-full")))
    elif case.kind in NO_PAGE:
        return Section("do-now", t("heading.do-now"), (Paragraph(t("act.not-found")),))
    else:
        keys = (f"act.{case.kind}.{_varied(case) or _whose(case)}", f"act.{case.kind}")
        blocks += [Paragraph(t(key)) for key in keys if t.has(key)][:1]
    if case.brand.action_url:
        blocks.append(Paragraph(t("act.without-mail")))
        blocks.append(Link(t("act.link"), case.brand.action_url))
    if case.brand.contact:
        key = "act.contact" if case.brand.action_url else "act.reach"
        blocks.append(Paragraph(t(key, contact=case.brand.contact)))
    elif not case.brand.action_url:
        blocks.append(Paragraph(t("act.reply-here")))
    return Section("do-now", t("heading.do-now"), tuple(blocks))


def address(case: Case) -> Section:
    """Which address was used, and how to change it."""
    t = case.t
    blocks: list[Block] = [Paragraph(t("address.used", recipient=case.recipient))]
    if case.forwarded:
        blocks.append(Paragraph(t("address.forwarded", paths=case.forwarded)))
    if case.redacted:
        blocks.append(Paragraph(t("address.masked")))
    if case.brand.change_address_url:
        blocks.append(Paragraph(t("address.change-here")))
        blocks.append(Link(t("address.link"), case.brand.change_address_url))
    else:
        blocks.append(Paragraph(t("address.tell-us")))
    return Section("address", t("heading.address"), tuple(blocks))
