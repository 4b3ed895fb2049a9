"""Where the DNS was not asked, no sentence says that it gave no answer, and none advises to ask it again."""

import pytest

from deliverability import api
from deliverability.api.requests import Network, Request
from deliverability.compose.because import details, sentence
from deliverability.evidence.bundle import Assessment
from deliverability.evidence.plugin import LANGUAGES
from deliverability.protocols import grounds

OFFLINE = Request(network=Network(offline=True))
AGAIN = {"en": "Try again", "zh-Hant-TW": "再試"}


def told(assessment: Assessment, lang: str) -> list[str]:
    return [text for one in assessment.verdicts for text in (sentence(one, lang), *details(one, lang))]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_offline_nobody_is_told_to_try_again(lang: str) -> None:
    said = [
        *told(api.check_domain("corp.example", OFFLINE), lang),
        *told(api.check_address("anna@corp.example", OFFLINE), lang),
        *told(api.check_message(b"From: a@corp.example\r\nSubject: x\r\n\r\nx\r\n", OFFLINE), lang),
    ]
    assert any("--offline" in text for text in said)
    assert not [text for text in said if AGAIN[lang] in text]


@pytest.mark.parametrize("what", ["corp.example MX: timeout", "servfail"])
def test_an_answer_that_did_not_come_is_worth_another_try(what: str) -> None:
    finding = grounds.open_question(what).finding
    assert grounds.words(finding, grounds.COULD_NOT_LOOK) is grounds.COULD_NOT_LOOK
