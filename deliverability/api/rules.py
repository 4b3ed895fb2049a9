"""What a mailbox provider demands of senders, judged from checks that were made already.  Pure.

A rule holds, is broken, or stays open; where only the provider itself can see (complaints, volume), it says so rather
than pass in silence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Final

from deliverability.evidence.plugin import Provider, SenderRule
from deliverability.evidence.verdict import Finding, Messages, Outcome, Ruling, Verdict, fill

MESSAGES: Final[Messages] = MappingProxyType(
    {
        "held": {"en": "Held: {checks}.", "zh-Hant-TW": "符合：{checks}。"},
        "broken": {"en": "Broken: {checks}.", "zh-Hant-TW": "不符合：{checks}。"},
        "open": {"en": "Open, because of: {checks}.", "zh-Hant-TW": "無法判斷，原因在於：{checks}。"},
        "broken-if-bulk": {
            "en": "Broken, if the provider counts you among bulk senders: {checks}.",
            "zh-Hant-TW": "若業者將您視為大量寄件者，則不符合：{checks}。",
        },
        "cannot-be-seen": {
            "en": "This cannot be seen from outside; the provider's own pages for senders show it.",
            "zh-Hant-TW": "這一點無法從外部看出，請查看業者提供給寄件者的網頁。",
        },
        "not-yet-binding": {
            "en": "It binds from {effective}.",
            "zh-Hant-TW": "這項規定自 {effective} 起生效。",
        },
        "not-a-bulk-sender": {
            "en": "It binds bulk senders only.",
            "zh-Hant-TW": "這項規定只適用於大量寄件者。",
        },
        "another-author": {
            "en": "It binds only mail from {domains}.",
            "zh-Hant-TW": "這項規定只適用於寄件者（From）為 {domains} 的郵件。",
        },
        "enforced": {
            "en": "In force since {effective}. Source: {source}",
            "zh-Hant-TW": "自 {effective} 起執行。來源：{source}",
        },
        "refused-with": {
            "en": "Mail that breaks it is refused with: {codes}.",
            "zh-Hant-TW": "不符合的郵件會以下列代碼拒收：{codes}。",
        },
        "does-not-apply": {
            "en": "It does not apply: {checks}.",
            "zh-Hant-TW": "不適用：{checks}。",
        },
    }
)
"""The sentence for each finding of a :class:`RuleVerdict`."""


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """One rule of one provider, and how it is met."""

    provider: str
    """Id of the provider's plug-in."""
    rule: SenderRule
    ruling: Ruling
    rests_on: tuple[tuple[str, Outcome | None], ...] = ()
    """The checks that the rule names and what each concluded; ``None``: it was not made."""

    @property
    def outcome(self) -> Outcome:
        """Short for the ruling's outcome."""
        return self.ruling.outcome

    def sentence(self, lang: str) -> str:
        """How the rule is met, in words; the rule itself is ``rule.text``."""
        texts = MESSAGES[self.ruling.finding.code]
        return fill(texts.get(lang) or texts["en"], self.ruling.finding.parameters)


@dataclass(frozen=True, slots=True)
class Sending:
    """What is known of the sender whose mail is held against rules."""

    bulk: bool | None = None
    """Whether the provider counts the *sender* among bulk senders; ``None``: nobody knows."""
    author_domain: str | None = None
    """Domain of the From address; ``None``: not known."""


def judge_rules(
    provider: Provider,
    verdicts: Mapping[str, Verdict],
    *,
    bulk: bool | None,
    at: date,
    author_domain: str | None = None,
) -> tuple[RuleVerdict, ...]:
    """Judge every rule of a provider as of the day ``at``.

    ``bulk`` says whether the provider counts the *sender* among bulk senders; ``None``, nobody knows: a rule for them
    that holds, holds either way, and one that does not is open.  That a message is transactional says nothing of it.
    ``author_domain`` is the domain of the From address.
    """
    sending = Sending(bulk, author_domain)
    return tuple(_judge(provider.id, rule, verdicts, sending, at=at) for rule in provider.rules)


def _judge(
    provider: str, rule: SenderRule, verdicts: Mapping[str, Verdict], sending: Sending, *, at: date
) -> RuleVerdict:
    named = (*rule.all_of, *rule.any_of)
    rests_on = tuple((check, verdicts[check].outcome if check in verdicts else None) for check in named)
    ruling = _without_checks(rule, sending, at=at)
    if ruling is None:
        ruling = _from_checks(rule, {check: _as_seen(rule, verdicts.get(check)) for check in named})
        if ruling.outcome is Outcome.FAIL and rule.bulk_only and sending.bulk is None:
            ruling = _ruling(Outcome.INDETERMINATE, "broken-if-bulk", ruling.finding.parameters["checks"])
    return RuleVerdict(provider, rule, ruling, rests_on)


def _as_seen(rule: SenderRule, verdict: Verdict | None) -> Outcome | None:
    """A check's outcome as far as the rule is concerned: a failure that the rule does not speak of leaves it open."""
    if verdict is None:
        return None
    beside = rule.broken_by and verdict.ruling.finding.code not in rule.broken_by
    return Outcome.INDETERMINATE if verdict.outcome is Outcome.FAIL and beside else verdict.outcome


def _without_checks(rule: SenderRule, sending: Sending, *, at: date) -> Ruling | None:
    if rule.author_domains and sending.author_domain is not None and sending.author_domain not in rule.author_domains:
        named = ", ".join(sorted(rule.author_domains))
        return Ruling(Outcome.NOT_APPLICABLE, Finding.of("another-author", domains=named))
    if at < rule.effective:
        return Ruling(Outcome.NOT_APPLICABLE, Finding.of("not-yet-binding", effective=rule.effective))
    if rule.bulk_only and sending.bulk is False:
        return Ruling(Outcome.NOT_APPLICABLE, Finding.of("not-a-bulk-sender"))
    if not rule.visible or not (rule.all_of or rule.any_of):
        return Ruling(Outcome.INDETERMINATE, Finding.of("cannot-be-seen"))
    return None


def _from_checks(rule: SenderRule, outcomes: Mapping[str, Outcome | None]) -> Ruling:
    """Broken only where a check failed; held only where every one that it needs passed."""
    if outcomes and all(outcome is Outcome.NOT_APPLICABLE for outcome in outcomes.values()):
        return _ruling(Outcome.NOT_APPLICABLE, "does-not-apply", ", ".join(outcomes))
    failed = [check for check in rule.all_of if outcomes[check] is Outcome.FAIL]
    if rule.any_of and all(outcomes[check] is Outcome.FAIL for check in rule.any_of):
        failed += rule.any_of
    if failed:
        return _ruling(Outcome.FAIL, "broken", ", ".join(failed))
    left = [check for check in rule.all_of if outcomes[check] is not Outcome.PASS]
    passed = [check for check in rule.any_of if outcomes[check] is Outcome.PASS]
    if rule.any_of and not passed:
        left += [check for check in rule.any_of if outcomes[check] is not Outcome.FAIL]
    if left:
        return _ruling(Outcome.INDETERMINATE, "open", ", ".join(left))
    return _ruling(Outcome.PASS, "held", ", ".join((*rule.all_of, *passed)))


def _ruling(outcome: Outcome, code: str, checks: str) -> Ruling:
    return Ruling(outcome, Finding.of(code, checks=checks))


def as_verdicts(judged: Iterable[RuleVerdict]) -> tuple[Verdict, ...]:
    """The rules in the shape of checks, for sheets: what nobody outside can see is advice and decides nothing."""
    return tuple(_as_verdict(one) for one in judged)


def _as_verdict(one: RuleVerdict) -> Verdict:
    details = [Finding.of("enforced", effective=one.rule.effective.isoformat(), source=one.rule.source)]
    if one.rule.smtp_codes:
        details.append(Finding.of("refused-with", codes=", ".join(one.rule.smtp_codes)))
    return Verdict(
        check=f"{one.provider}:{one.rule.id}",
        citation=one.rule.source,
        title=one.rule.text,
        ruling=replace(one.ruling, details=tuple(details)),
        templates=MESSAGES[one.ruling.finding.code],
        detail_templates={code: MESSAGES[code] for code in ("enforced", "refused-with")},
        advisory=one.ruling.finding.code == "cannot-be-seen",
    )
