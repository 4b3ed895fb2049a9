"""What a customer is told of a refusal, and where a gateway stands before the mailbox."""

import importlib.util
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from deliverability.compose.catalog import catalog
from deliverability.compose.page import compose
from deliverability.compose.reason import _TOLD, REASONS, _reason, explained, why_refused
from deliverability.evidence.document import Instructions, Paragraph, Quote
from deliverability.evidence.event import Result
from deliverability.evidence.plugin import LANGUAGES
from deliverability.evidence.smtp import Host, Reply
from deliverability.protocols.replies_causes import CAUSES

spec = importlib.util.spec_from_file_location(
    "reasons_golden_factory", Path(__file__).parents[1] / "golden" / "_factory.py"
)
factory = importlib.util.module_from_spec(spec)
spec.loader.exec_module(factory)


def test_every_cause_has_words_for_a_customer():
    for cause in CAUSES:
        told = _TOLD.get(cause, cause)
        assert told == "other" or told in REASONS, cause


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("reason", [*REASONS, "other"])
def test_every_reason_has_its_sentences(reason, lang):
    t = catalog(lang)
    assert t.has(f"reason.{reason}")
    assert t.has(f"act.{reason}")
    for key in (f"reason.{reason}", f"act.{reason}"):
        assert not any(word in t(key) for word in ("SPF", "DKIM", "DMARC", "PTR", "TLS"))


def refusal(reply, host=None):
    relay = Host(host, "192.0.2.1", 25) if host else None
    return factory.attempt("mei@gmail.com", reply, relay=relay, result=Result.FAILED)


def test_the_host_tells_whose_rules_are_read():
    assert explained(refusal("421 4.7.29 closing", "gmail-smtp-in.l.google.com")).provider == "google-workspace"
    assert why_refused(refusal("421 4.7.29 closing", "gmail-smtp-in.l.google.com")) == "technical"
    assert explained(refusal("421 4.7.29 closing", "mx.shop.example")).provider is None
    assert explained(None) is None


def test_codes_that_a_record_keeps_apart_from_the_words_count():
    attempt = replace(refusal("x"), reply=Reply(552, "5.2.2", "sorry"))
    assert why_refused(attempt) == "mailbox-full"
    assert explained(attempt).reply.enhanced_status_code == "5.2.2"
    assert why_refused(replace(attempt, reply=Reply(None, None, "sorry"))) == "other"


def test_what_was_accepted_is_no_refusal():
    assert why_refused(refusal("250 2.0.0 OK user unknown is a fine song")) == "other"


def test_replies_that_differ_by_recipient_alone_have_one_reason():
    """And what is left out of the comparison never changes the reason."""
    cases = tomllib.loads((Path(__file__).parents[1] / "cases" / "replies" / "cases.toml").read_text("utf-8"))["case"]
    for case in cases:
        attempt = refusal(case["text"])
        found = explained(attempt)
        assert why_refused(attempt) == ("other" if found.reply.positive else _TOLD.get(found.cause, found.cause)), case
    _reason.cache_clear()
    for number in range(300):
        text = f"550-5.1.1 The email account that you tried to reach does not exist. 550 5.1.1 <user{number}@gmail.example> "
        assert (
            why_refused(refusal(f"{text} 17953{number:05} ce3272{number:04}f26e-16af1d4d14aasi{number}.542 - gsmtp"))
            == "no-mailbox"
        )
    assert _reason.cache_info().misses == 1


def section(document, name):
    return next(s for s in document.sections if s.id == name)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_behind_a_gateway_the_quarantine_comes_first_and_no_search_is_advised(lang):
    case = factory.assessment(lang=lang, recipient="mei@shop.example", provider="mimecast")
    document = compose(case, lang=lang, timezone="Asia/Taipei", brand=factory.BRAND, made_at=factory.MADE_AT)
    blocks = section(document, "find").blocks
    first = next(b for b in blocks if isinstance(b, Paragraph))
    assert ("quarantine" if lang == "en" else "隔離區") in first.text
    assert not [b for b in blocks if isinstance(b, Quote)]
    assert [b for b in blocks if isinstance(b, Instructions)]
