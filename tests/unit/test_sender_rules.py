"""The rules of mailbox providers: what they rest on, and how they are judged."""

from dataclasses import replace
from datetime import date

import pytest

from deliverability import plugins
from deliverability.api.preflight import judge_rules, load_provider
from deliverability.errors import UsageError
from deliverability.evidence.plugin import LANGUAGES, Provider, SenderRule
from deliverability.evidence.verdict import Finding, Outcome, Ruling, Verdict

WITH_RULES = [name for name in plugins.ids("providers") if plugins.load("providers", name).rules]
TODAY = date(2026, 11, 22)


def verdicts(**outcomes: str) -> dict[str, Verdict]:
    return {
        name.replace("_", "-"): Verdict(
            name.replace("_", "-"), "RFC 0", {}, Ruling(Outcome(outcome), Finding.of("x")), {"en": "x"}
        )
        for name, outcome in outcomes.items()
    }


def judged(provider: str, rule: str, *, bulk: bool | None = None, at: date = TODAY, **outcomes: str):
    found = judge_rules(load_provider(provider), verdicts(**outcomes), bulk=bulk, at=at)
    return next(one for one in found if one.rule.id == rule)


def test_who_has_rules() -> None:
    assert {"gmail", "yahoo", "yahoo-tw", "outlook-com", "icloud"} <= set(WITH_RULES)
    with pytest.raises(UsageError, match=r"there are: gmail, .*outlook-com"):
        load_provider("nobody")


@pytest.mark.parametrize("name", WITH_RULES)
def test_a_rule_is_whole(name: str) -> None:
    provider: Provider = plugins.load("providers", name)
    ids = [rule.id for rule in provider.rules]
    assert len(set(ids)) == len(ids)
    checks = set(plugins.ids("checks"))
    for rule in provider.rules:
        assert set(rule.text) == set(LANGUAGES)
        assert {*rule.all_of, *rule.any_of} <= checks, rule.id
        assert rule.visible == bool(rule.all_of or rule.any_of), rule.id
        assert rule.source.startswith("https://")
        assert date(2020, 1, 1) < rule.effective < date(2100, 1, 1)
        assert all(code.count(".") == 2 and code[0] in "45" for code in rule.smtp_codes)
    assert any(not rule.visible for rule in provider.rules), "what cannot be seen has to be said"


@pytest.mark.parametrize(
    ("spf", "dkim", "outcome", "code"),
    [
        ("pass", "pass", "pass", "held"),
        ("pass", "fail", "pass", "held"),
        ("indeterminate", "pass", "pass", "held"),
        ("fail", "fail", "fail", "broken"),
        ("fail", "indeterminate", "indeterminate", "open"),
        ("fail", "not-applicable", "indeterminate", "open"),
        ("fail", "error", "indeterminate", "open"),
        ("not-applicable", "not-applicable", "not-applicable", "does-not-apply"),
    ],
)
def test_one_of_two(spf: str, dkim: str, outcome: str, code: str) -> None:
    found = judged("gmail", "spf-or-dkim", spf_pass=spf, dkim_pass=dkim)
    assert (found.outcome.value, found.ruling.finding.code) == (outcome, code)


@pytest.mark.parametrize(
    ("spf", "dkim", "outcome", "code"),
    [
        ("pass", "pass", "pass", "held"),
        ("fail", "pass", "fail", "broken"),
        ("fail", "indeterminate", "fail", "broken"),
        ("pass", "indeterminate", "indeterminate", "open"),
        ("pass", "not-applicable", "indeterminate", "open"),
    ],
)
def test_outlook_wants_both(spf: str, dkim: str, outcome: str, code: str) -> None:
    """DMARC holds by DKIM alone, and the rule is broken all the same."""
    given = {"spf_pass": spf, "dkim_pass": dkim, "dmarc_pass": "pass", "dmarc_published": "pass"}
    found = judged("outlook-com", "spf-and-dkim", bulk=True, **given)
    assert (found.outcome.value, found.ruling.finding.code) == (outcome, code)
    assert found.rule.smtp_codes == ("5.7.515",)
    assert judged("outlook-com", "dmarc", bulk=True, **given).outcome is Outcome.PASS


def test_a_check_that_was_not_made_leaves_the_rule_open() -> None:
    found = judged("gmail", "spf-and-dkim", bulk=True, spf_pass="pass")
    assert found.outcome is Outcome.INDETERMINATE
    assert found.rests_on == (("spf-pass", Outcome.PASS), ("dkim-pass", None))
    assert "dkim-pass" in found.sentence("en")


def test_who_counts_as_bulk_sender() -> None:
    given = {"spf_pass": "fail", "dkim_pass": "pass"}
    assert judged("gmail", "spf-and-dkim", bulk=True, **given).outcome is Outcome.FAIL
    unknown = judged("gmail", "spf-and-dkim", bulk=None, **given)
    assert (unknown.outcome, unknown.ruling.finding.code) == (Outcome.INDETERMINATE, "broken-if-bulk")
    assert judged("gmail", "spf-and-dkim", bulk=None, spf_pass="pass", dkim_pass="pass").outcome is Outcome.PASS
    small = judged("gmail", "spf-and-dkim", bulk=False, **given)
    assert (small.outcome, small.ruling.finding.code) == (Outcome.NOT_APPLICABLE, "not-a-bulk-sender")


def test_a_rule_binds_from_its_day() -> None:
    given = {"spf_pass": "fail", "dkim_pass": "pass", "bulk": True}
    assert judged("outlook-com", "spf-and-dkim", at=date(2025, 5, 4), **given).outcome is Outcome.NOT_APPLICABLE
    assert judged("outlook-com", "spf-and-dkim", at=date(2025, 5, 5), **given).outcome is Outcome.FAIL
    assert "2025-05-05" in judged("outlook-com", "spf-and-dkim", at=date(2025, 5, 4), **given).sentence("zh-Hant-TW")


def test_what_cannot_be_seen_is_said_and_never_passes() -> None:
    found = judged("gmail", "spam-rate")
    assert (found.outcome, found.ruling.finding.code) == (Outcome.INDETERMINATE, "cannot-be-seen")
    for lang in LANGUAGES:
        assert found.sentence(lang)


def test_a_rule_may_want_all_and_one_of_others() -> None:
    rule = SenderRule(
        id="x",
        text={},
        all_of=("spf-pass",),
        any_of=("dkim-pass", "dmarc-pass"),
        effective=TODAY,
        source="https://x.example/",
    )
    provider = replace(load_provider("gmail"), rules=(rule,))

    def outcome(**given: str) -> Outcome:
        return judge_rules(provider, verdicts(**given), bulk=None, at=TODAY)[0].outcome

    assert outcome(spf_pass="pass", dkim_pass="fail", dmarc_pass="pass") is Outcome.PASS
    assert outcome(spf_pass="fail", dkim_pass="pass", dmarc_pass="pass") is Outcome.FAIL
    assert outcome(spf_pass="pass", dkim_pass="fail", dmarc_pass="fail") is Outcome.FAIL
    assert outcome(spf_pass="pass", dkim_pass="fail", dmarc_pass="indeterminate") is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    ("outcome", "code", "expected", "said"),
    [
        ("pass", "found", "pass", "held"),
        ("fail", "weak-key", "fail", "broken"),
        ("fail", "revoked", "indeterminate", "open"),  # no key at all is another rule's business: SPF may pass
        ("indeterminate", "selector-unknown", "indeterminate", "open"),
    ],
)
def test_a_short_key_breaks_the_rule_of_keys_and_a_missing_one_does_not(
    outcome: str, code: str, expected: str, said: str
) -> None:
    seen = Verdict("dkim-key-published", "RFC 0", {}, Ruling(Outcome(outcome), Finding.of(code)), {"en": "x"})
    found = judge_rules(load_provider("gmail"), {seen.check: seen}, bulk=None, at=TODAY)
    ruling = next(one.ruling for one in found if one.rule.id == "dkim-key")
    assert (ruling.outcome.value, ruling.finding.code) == (expected, said)


@pytest.mark.parametrize(
    ("author", "dmarc", "expected"),
    [
        ("hosting.example", "fail", "not-applicable"),
        ("gmail.com", "fail", "fail"),
        ("googlemail.com", "pass", "pass"),
        ("gmail.com", "indeterminate", "indeterminate"),
        (None, "pass", "pass"),
    ],
)
def test_only_mail_from_gmail_can_impersonate_it(author: str | None, dmarc: str, expected: str) -> None:
    given = verdicts(dmarc_pass=dmarc)
    found = judge_rules(load_provider("gmail"), given, bulk=None, at=TODAY, author_domain=author)
    rule = next(one for one in found if one.rule.id == "no-impersonation")
    assert rule.outcome.value == expected
    assert "{" not in rule.sentence("en") + rule.sentence("zh-Hant-TW")
