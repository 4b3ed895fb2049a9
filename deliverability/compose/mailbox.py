"""Find the mail, and keep the next one: the provider's steps, as far as the evidence allows them."""

import re
from datetime import timedelta

from deliverability.compose.because import known
from deliverability.compose.case import Case
from deliverability.compose.gate import Gate, gate
from deliverability.compose.kinds import ARRIVED, PERHAPS_ARRIVED, Kind
from deliverability.compose.when import day, moment
from deliverability.evidence.document import Block, Instructions, Note, Paragraph, Quote, Section
from deliverability.evidence.plugin import ProviderKind, Steps
from deliverability.evidence.verdict import fill

# What a search box takes as it is (RFC 5322 §3.2.3 atoms); anything else could become an operator of the search.
_SAFE = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~@-]{3,250}\Z")


def find(case: Case) -> Section | None:
    """Where the mail is to be looked for; ``None`` where the receiving side does not have it."""
    if case.kind not in PERHAPS_ARRIVED:
        return None
    t, never = case.t, gate(case.assessment.verdicts) is Gate.NEVER
    blocks: list[Block] = []
    if case.kind not in ARRIVED:
        blocks.append(Paragraph(t("find.perhaps")))
    if case.forwarded and not case.in_own_mailbox:
        blocks.append(Paragraph(t("find.forwarded", recipient=case.recipient, paths=case.forwarded)))
    gateway = case.provider.kind is ProviderKind.GATEWAY
    if gateway:  # the mailbox behind it is not known, and what is held never got there
        blocks.append(Paragraph(t("find.quarantine", provider=case.provider_name)))
    else:
        blocks.append(Paragraph(t("find.folder", folder=t.pick(case.provider.junk_folder))))
        blocks.extend(_junk_days(case))
    search = "" if gateway else _search(case)
    if search:
        blocks.append(Quote(t("find.search"), search))
    if never:
        blocks.append(Note(t("find.never")))
    else:
        blocks.extend(_instructions(case, steps) for steps in case.provider.find)
        if case.provider.webmail:
            blocks.append(Paragraph(t("find.webmail", url=case.provider.webmail)))
        if gateway:
            blocks.append(Paragraph(t("find.quarantine-then")))
    return Section("find", t("heading.find"), tuple(blocks))


def keep(case: Case) -> Section | None:
    """How to keep the next one out of junk; ``None`` where no list could help."""
    if case.kind not in ARRIVED | {Kind.HANDED_OVER}:
        return None
    t, verdict = case.t, gate(case.assessment.verdicts)
    heading = t("heading.keep")
    if verdict is Gate.NEVER:
        blocks: tuple[Block, ...] = (Note(t("keep.never")), Paragraph(_reach(case)))
        return Section("keep", heading, blocks)
    if verdict is Gate.NOT_YET:
        return Section("keep", heading, (Note(t("keep.not-yet")), Paragraph(t("keep.not-yet.instead"))))
    if not case.sender.address:
        return Section("keep", heading, (Paragraph(t("keep.no-address")),))
    steps: list[Block] = []
    if verdict is Gate.CAUTION:
        steps.append(Note(t("keep.caution")))
    steps.append(Paragraph(t("keep.intro", address=case.sender.address)))
    if case.sender.from_envelope:
        steps.append(Paragraph(t("keep.envelope")))
    steps.extend(_instructions(case, entry) for entry in case.provider.keep)
    steps.extend(Paragraph(_filled(case, t.pick(caveat))) for caveat in case.provider.caveats)
    return Section("keep", heading, tuple(steps))


def _reach(case: Case) -> str:
    return case.t("act.reach", contact=case.brand.contact) if case.brand.contact else case.t("keep.never.reach")


def _junk_days(case: Case) -> tuple[Block, ...]:
    """The last day to look, only where both the day of arrival and the provider's rule are known."""
    days, accepted = case.provider.junk_days, case.attempt.instant if case.attempt else None
    if days is None:
        return ()
    if accepted is None or case.kind not in ARRIVED:
        return (Paragraph(case.t("find.junk-days", provider=case.provider_name, days=days)),)
    last = accepted + timedelta(days=days)
    shown = {"provider": case.provider_name, "days": days, "day": day(last.astimezone(case.where).date(), case.lang)}
    if case.made_at > last:
        return (Note(case.t("find.junk-past", **shown)),)
    return (Paragraph(case.t("find.junk-until", **shown)),)


def _search(case: Case) -> str:
    """What to type into the search box: only words that no search box could take for something else."""
    template = case.t.pick(case.provider.search)
    values = {"message_id": case.message_id or "", "address": case.sender.address}
    if template and all(_SAFE.match(value) for name, value in values.items() if "{" + name + "}" in template):
        return fill(template, values)
    return case.sender.address if _SAFE.match(case.sender.address) else ""


def _instructions(case: Case, steps: Steps) -> Instructions:
    t = case.t
    shown = steps.steps.get(case.lang) or steps.steps["en"]
    small = t(f"steps.{steps.certainty}", day=case.provider.steps_date.isoformat())
    if case.support:
        small = case.together(small, t("steps.source", source=known(steps.source, t.lang)))
    return Instructions(t(f"surface.{steps.surface}"), tuple(_filled(case, step) for step in shown), small)


def _filled(case: Case, text: str) -> str:
    domain = case.sender.domain
    address = case.sender.address or (case.t("sender.at", domain=domain) if domain else case.t("sender.unknown"))
    return fill(
        text,
        {
            "address": address,
            "domain": domain or case.t("sender.unknown"),
            "subject": case.subject or case.t("subject.none"),
            "message_id": case.message_id or "",
        },
    )


def made(case: Case) -> str:
    """When this report was made, in the reader's zone."""
    return moment(case.made_at, case.where, case.lang)
