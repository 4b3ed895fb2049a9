"""What every rule about replies owes: a known cause, both languages, a source, and a pattern that takes linear time."""

import re
from re import _constants as constants
from re import _parser as parser

import pytest

from deliverability import plugins
from deliverability.evidence.plugin import LANGUAGES, Actor
from deliverability.protocols.replies_causes import CAUSES
from deliverability.protocols.replies_general import GENERAL
from deliverability.protocols.replies_registry import CODES, SUBJECTS

RULES = [
    *((plugin, rule) for plugin in plugins.ids("providers") for rule in plugins.load("providers", plugin).replies),
    *(("general", rule) for rule in GENERAL),
]
MAX_REPEAT = 80
LEVEL_1 = range(0xA440, 0xC67F)


def strange(text):
    """Chinese characters outside the first level of Big5, the 5,401 in daily use in Taiwan."""
    found = set()
    for char in re.findall(r"[\u3400-\u9fff]", text):
        try:
            code = int.from_bytes(char.encode("big5"))
        except UnicodeEncodeError:
            code = 0
        if code not in LEVEL_1:
            found.add(char)
    return found


def repeats(parsed, inside=False):
    """The bounds of each repetition, and whether it stands inside another."""
    for op, argument in parsed:
        if op in (constants.MAX_REPEAT, constants.MIN_REPEAT):
            _low, high, body = argument
            yield high, inside and high > 1
            yield from repeats(body, inside or high > 1)
        elif op is constants.SUBPATTERN:
            yield from repeats(argument[3], inside)
        elif op is constants.BRANCH:
            for branch in argument[1]:
                yield from repeats(branch, inside)
        elif op in (constants.ASSERT, constants.ASSERT_NOT):
            yield from repeats(argument[1], inside)
        else:
            assert op not in (constants.GROUPREF, constants.GROUPREF_EXISTS)


@pytest.mark.parametrize(("owner", "rule"), RULES, ids=[f"{owner}-{rule.id}" for owner, rule in RULES])
def test_a_pattern_takes_linear_time(owner, rule):
    """No repetition without a small bound, none within another, and only a few in a row."""
    found = list(repeats(parser.parse(rule.pattern)))
    assert all(high <= MAX_REPEAT and not nested for high, nested in found), rule.pattern
    for branch in re.split(r"(?<!\\)\|", rule.pattern):
        assert len(re.findall(r"\.\{\d+,\d\d\}", branch)) <= 2, branch


def test_the_test_for_linear_time_sees_what_is_not():
    assert any(high > MAX_REPEAT for high, _ in repeats(parser.parse(r"a.*b")))
    assert any(nested for _, nested in repeats(parser.parse(r"(a{1,9}b{1,9}){1,9}")))


@pytest.mark.parametrize(("owner", "rule"), RULES, ids=[f"{owner}-{rule.id}" for owner, rule in RULES])
def test_a_rule_has_cause_source_and_advice_in_both_languages(owner, rule):
    assert rule.cause in CAUSES
    assert rule.source.startswith("http") or owner == "hinet"
    assert re.fullmatch(r"[a-z][a-z0-9-]+", rule.id)
    assert all(re.fullmatch(r"[45]\.\d{1,3}\.\d{1,3}", code) for code in rule.codes)
    if rule.advice:
        assert all(rule.advice[lang].strip() for lang in LANGUAGES)


def test_ids_are_unique_within_a_provider():
    names = [(owner, rule.id) for owner, rule in RULES]
    assert len(names) == len(set(names))


def test_every_text_is_traditional_chinese():
    texts = [text for cause in CAUSES.values() for text in (cause.meaning, cause.advice)]
    texts += [rule.advice for _, rule in RULES if rule.advice]
    texts += [entry.text for entry in (*CODES.values(), *SUBJECTS.values())]
    assert [(text["zh-Hant-TW"], strange(text["zh-Hant-TW"])) for text in texts if strange(text["zh-Hant-TW"])] == []
    assert not [text for text in texts if strange(text["en"]) or re.search(r"[\u3400-\u9fff]", text["en"])]


def test_every_registered_code_has_a_known_cause():
    assert {entry.cause for entry in (*CODES.values(), *SUBJECTS.values())} <= set(CAUSES)
    assert len(CODES) >= 70


@pytest.mark.parametrize("cause", CAUSES.values(), ids=list(CAUSES))
def test_a_cause_says_who_acts(cause):
    assert isinstance(cause.actor, Actor)
