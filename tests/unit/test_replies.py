"""Replies of real servers, and what they mean; what is not known is quoted, never guessed."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.compose.recognise import providers
from deliverability.evidence.plugin import LANGUAGES
from deliverability.protocols.replies import MAX_TEXT, Basis, explain, find_reply
from deliverability.protocols.replies_registry import CODES, registered

CASES = tomllib.loads((Path(__file__).parents[1] / "cases" / "replies" / "cases.toml").read_text("utf-8"))["case"]
KNOWN = providers()


def test_there_are_many_cases_each_with_its_source():
    assert len(CASES) >= 80
    assert all(case["source"] == "samples" or case["source"].startswith("http") for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{c['cause']}" for n, c in enumerate(CASES)])
def test_case(case):
    found = explain(case["text"], KNOWN, case.get("told"))
    assert found.cause == case["cause"], (found.provider, found.rule, found.basis)
    assert found.provider == case.get("provider"), found.rule
    if "actor" in case:
        assert found.actor == case["actor"]
    if "basis" in case:
        assert found.basis == case["basis"]
    assert all(found.meaning[lang] and found.advice[lang] for lang in LANGUAGES)


def test_a_bare_code_is_the_providers_only_where_the_provider_is_known():
    assert explain("421 4.7.29 closing", KNOWN).provider is None
    assert explain("421 4.7.29 closing", KNOWN, "gmail").cause == "tls"
    assert explain("421 4.7.29 closing", KNOWN).registered is not None


def test_the_provider_that_is_known_comes_first():
    text = "421 4.7.0 [TSS04] Messages from 203.0.113.9 temporarily deferred due to user complaints"
    assert explain(text, KNOWN, "yahoo-tw").provider == "yahoo-tw"
    assert explain(text, KNOWN, "no-such-provider").provider == "yahoo"


def test_without_any_provider_words_and_codes_still_speak():
    assert explain("550 5.1.1 whoever").basis is Basis.CODE
    assert explain("550 User unknown").basis is Basis.WORDS


@pytest.mark.parametrize(
    ("text", "code", "enhanced"),
    [
        ("550 5.1.1 no", 550, "5.1.1"),
        ("host mx[192.0.2.1] said: 452 4.2.2 full (in reply to RCPT TO command)", 452, "4.2.2"),
        ("Status: 5.2.2\nDiagnostic-Code: smtp; 550 sorry", 550, "5.2.2"),
        ("552 sorry, that message size exceeds my databytes limit (#5.3.4)", 552, None),
        ("(reason: 554 Service unavailable; Client host [a] blocked)", 554, None),
        ("... while talking to mx.example.: <<< 550-5.7.1 a <<< 550 5.7.1 b", 550, "5.7.1"),
        ("dsn=5.0.0, stat=Service unavailable", None, "5.0.0"),
        ("on 2026-11-22 at 10:00:42 nothing was said", None, None),
        ("", None, None),
    ],
)
def test_the_reply_is_found_in_what_was_pasted(text, code, enhanced):
    found = find_reply(text)
    assert (found.code, found.enhanced_status_code) == (code, enhanced)


def test_times_ports_and_addresses_are_no_codes():
    assert find_reply("2026-11-22 10:12:42 [203.0.113.250]:25 2520 octets").code is None


@given(st.text(max_size=400))
def test_any_text_is_explained(text):
    found = explain(text, KNOWN)
    assert found.basis in Basis
    assert len(found.reply.text) <= MAX_TEXT


@given(st.from_regex(r"[45][0-5][0-9] [45]\.[0-7]\.[0-9]{1,3} .{0,40}", fullmatch=True))
def test_what_only_a_code_says_is_read_by_the_registry(text):
    found = explain(text)
    assert found.cause == "other" or found.basis in (Basis.CODE, Basis.WORDS)


@pytest.mark.parametrize(
    "text", ["a" * 300_000, "550 " + "blocked using " * 20_000, "(" * 100_000, "550 5.7.1 " + "spf fail " * 9000]
)
def test_long_hostile_text_is_bounded(text):
    assert len(explain(text, KNOWN).reply.text) <= MAX_TEXT


def test_the_registry_reads_an_unregistered_detail_by_its_subject():
    assert registered("5.1.99").cause == "other"
    assert registered("5.7.515").text["en"] == "Security or policy status"
    assert registered("5.9.1") is None
    assert registered("nonsense") is None
    assert CODES["1.1"] is registered("4.1.1")
