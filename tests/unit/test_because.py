"""Reasons inside sentences: every one that we or the libraries behind us can give stands in the reader's language."""

import ast
import inspect
import re
import warnings
from datetime import UTC, datetime
from importlib.resources import files
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.compose.because import because, details, sentence, worded
from deliverability.compose.catalog import catalog, messages
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import Obstacle
from deliverability.evidence.verdict import Finding, Outcome, Ruling, Verdict
from deliverability.protocols import dkim, spf_problems
from deliverability.protocols.address import judge
from deliverability.protocols.dkim_key import KeyState
from deliverability.protocols.dnssec import Reason
from deliverability.protocols.mail import LimitError

ZH = "zh-Hant-TW"
PLACEHOLDER = re.compile(r"\{(\w+)\}")
HAN = re.compile(r"[\u3400-\u9fff]")
# Words of a language, not terms of art: three in a row are English prose.
PROSE = re.compile(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}")
REASONS = messages(
    files("deliverability.compose")
    .joinpath("locales", "zh_Hant_TW", "LC_MESSAGES", "reasons.po")
    .read_text(encoding="utf-8")
)
# The readers whose errors end up inside a sentence, and what they call to say so.
READERS = {
    "dkim_key": {"ParseError"},
    "dkim_signature": {"ParseError"},
    "arc": {"_BrokenError"},
    "mta_sts": {"ParseError"},
    "tls_rpt": {"ParseError"},
    "mail": {"ParseError"},
}

# Where a value is a word of ours, all that it can be.
WORDS = {
    "‹1›: the key at ‹1› is ‹1›": [
        f"ARC-Seal 1: the key at s._domainkey.x is {state}"
        for state in (KeyState.NONE, KeyState.REVOKED, KeyState.MALFORMED, "not usable")
    ],
    "message has ‹1› From field‹1›": ["message has no From field", "message has 2 From fields"],
}


def known(text: str) -> bool:
    told = because(text, ZH)
    return not told.startswith("「" + text[:1]) and told != f"「{text}」"


def said_by(source: str, callers: set[str]) -> list[str]:
    """The texts that a module's errors can carry; a value in them is written as ‹1›."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in callers or not node.args:
            continue
        parts = node.args[0].values if isinstance(node.args[0], ast.JoinedStr) else [node.args[0]]
        if isinstance(parts[0], ast.Constant | ast.FormattedValue):
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "‹1›" for part in parts))
    return found


@pytest.mark.parametrize("module", READERS)
def test_what_our_readers_dislike_is_said_in_chinese(module: str) -> None:
    source = files("deliverability.protocols").joinpath(f"{module}.py").read_text(encoding="utf-8")
    texts = [spelled for text in said_by(source, READERS[module]) for spelled in WORDS.get(text, (text,))]
    assert texts
    assert [text for text in texts if not known(text)] == []


def test_beyond_which_bound_no_more_is_read_is_said_in_chinese() -> None:
    source = files("deliverability.protocols").joinpath("mail.py").read_text(encoding="utf-8")
    whats = [
        node.args[1].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "LimitError"
        and isinstance(node.args[1], ast.Constant)
    ]
    assert len(whats) == 4
    assert [what for what in whats if not known(str(LimitError("code", str(what), "9 MiB")))] == []


@pytest.mark.parametrize("module", ["leaves", "bundle", "checkpoint", "notes"])
def test_what_is_wrong_with_evidence_is_said_in_chinese(module: str) -> None:
    source = files("deliverability.ledger").joinpath(f"{module}.py").read_text(encoding="utf-8")
    texts = said_by(source, {"ParseError"})
    assert texts
    assert [text for text in texts if not known(text)] == []


def test_names_that_are_none_are_said_in_chinese() -> None:
    source = files("deliverability.evidence").joinpath("names.py").read_text(encoding="utf-8")
    raised = re.findall(r'(?:msg = |ParseError\()f?"([^"]+)"', source)
    assert len(raised) == 6
    assert [text for text in raised if not known(PLACEHOLDER.sub("‹1›", re.sub(r"\{[^}]*\}", "{x}", text)))] == []


@pytest.mark.parametrize("obstacle", Obstacle)
def test_why_nobody_could_look_is_said_in_chinese(obstacle: Obstacle) -> None:
    told = worded({"what": f"host.example TXT: {obstacle}"}, ZH)["what"]
    assert told.startswith("host.example TXT：")
    assert obstacle is Obstacle.SERVFAIL or HAN.search(told)


@pytest.mark.parametrize("reason", [one for one in Reason if one])
def test_why_dnssec_does_not_hold_is_said_in_chinese(reason: Reason) -> None:
    assert HAN.search(because(f"host.example: {reason}", ZH))


@pytest.mark.parametrize("reason", dkim.Reason)
def test_why_a_signature_has_its_result_is_said_in_chinese(reason: dkim.Reason) -> None:
    assert HAN.search(worded({"reason": reason.value}, ZH)["reason"])


def test_codes_that_are_terms_of_art_stay() -> None:
    assert worded({"basis": "psd=n", "said": "NXDOMAIN"}, ZH) == {"basis": "psd=n", "said": "NXDOMAIN"}


# --- SPF --------------------------------------------------------------------------------------------------------------


def spf_phrases() -> list[str]:
    """All that pyspf can find wrong with a record in strict mode, from its source; names in it as it fills them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import spf

        tree = ast.parse(inspect.getsource(spf))
    found = []
    for node in ast.walk(tree):
        called = isinstance(node, ast.Call) and (getattr(node.func, "id", None) or getattr(node.func, "attr", None))
        if called not in ("PermError", "note_error"):
            continue
        text = node.args[0]
        template = text.left if isinstance(text, ast.BinOp) else text
        if isinstance(template, ast.Constant) and isinstance(template.value, str):
            found.append(re.sub("%[sd]", "x", template.value))
    return found


# Only where the evaluator is lax or harsh, or asks the DNS itself: never with us.
NEVER_HERE = {
    "Too many levels of recursion",
    "More than x DNS lookups",
    "More than x MX records returned",
    "Empty domain-spec on exp=",
    "Two or more type SPF spf records found.",
    "Non-ascii characters found in x record for x",
    "Length of CNAME chain exceeds x",
    "Void lookup limit of x exceeded",
    "PermError: ",
}


def test_every_phrase_of_the_evaluator_is_known() -> None:
    phrases = [phrase for phrase in spf_phrases() if phrase not in NEVER_HERE]
    assert len(phrases) > 25
    told = [spf_problems.told(phrase, "a:zz") for phrase in phrases]
    assert [one for one in told if "evaluator" in one or "{" in one] == []
    assert [one for one in told if not known(one)] == []
    assert [one for one in (because(text, ZH) for text in told) if PROSE.search(one)] == []


@pytest.mark.parametrize(
    ("phrase", "term", "en", "zh"),
    [
        ("Invalid IP4 address", "ip4:1", "ip4:1 holds no IPv4 address", "ip4:1 裡不是有效的 IPv4 位址"),
        ("exp has empty domain-spec:", "", "exp= names no domain", "exp= 沒有指定網域"),
        (
            "redirect= MUST appear at most once",
            "redirect=a",
            "redirect= stands more than once",
            "redirect= 出現不只一次",
        ),
        (
            "No valid SPF record for included domain: x.example",
            "include:x.example",
            "x.example is included and has no SPF record",
            "被引用的 x.example 沒有 SPF 紀錄",
        ),
        (
            "Something new",
            "a:b",
            'the evaluator says "Something new a:b"',
            "判斷程式的原文是「Something new a:b」",
        ),
    ],
)
def test_a_phrase_becomes_a_sentence_with_its_value(phrase: str, term: str, en: str, zh: str) -> None:
    assert spf_problems.told(phrase, term) == en
    assert because(en, ZH) == zh


def test_a_long_term_and_its_controls_are_shown_harmlessly() -> None:
    told = spf_problems.told("Unknown mechanism found", "\x1b[2J" + "x" * 5000)
    assert "\x1b" not in told
    assert len(told) < 200


# --- addresses --------------------------------------------------------------------------------------------------------

STRANGE = (
    *(
        "a..b@x.tw",
        ".a@x.tw",
        "a.@x.tw",
        "a@-x.tw",
        "a@x-.tw",
        "a@.tw",
        "a@x.tw.",
        "a@x.-y.tw",
        "a b@x.tw",
        "a(b)@x.tw",
    ),
    *(
        "a@x_y.tw",
        "a@",
        "@x.tw",
        "a@[1.2.3]",
        "a@b@c.tw",
        "a@x..tw",
        '"a@x.tw',
        '"a"b@x.tw',
        "a@xn--a.tw",
        "a@ab--c.tw",
    ),
    *(
        "a@x!y.tw",
        "a" * 70 + "@x.tw",
        "a@" + "b" * 70 + ".tw",
        "a@" + "b." * 130 + "tw",
        "a@x\u200by.tw",
        "\u0301a@x.tw",
    ),
    *("a@\u0301x.tw", "a@x\u2488com", "a@\u2488com", "a@xn--zz.tw", "a@\ufb00\u0300.tw", "a\ud800@x.tw", "x" * 5000),
)


@pytest.mark.parametrize("address", STRANGE)
def test_why_an_address_is_none_is_said_in_chinese(address: str) -> None:
    judged = judge(address)
    if judged.problem:
        assert known(judged.problem), judged.problem


# --- sentences --------------------------------------------------------------------------------------------------------


def verdict(code: str, texts: dict[str, str], *, remarks: tuple[Finding, ...] = (), **parameters: object) -> Verdict:
    ruling = Ruling(Outcome.FAIL, Finding.of(code, **parameters), details=remarks)
    return Verdict("x", "RFC 1", {"en": "X"}, ruling, texts, MappingProxyType({code: texts}))


def test_a_reason_stands_in_the_language_of_its_sentence_and_the_finding_stays() -> None:
    texts = {"en": "Not usable: {problem}.", ZH: "無法使用：{problem}。"}
    one = verdict("bad", texts, problem="no p= tag", remarks=(Finding.of("bad", problem="p= is not base64"),))
    assert sentence(one, "en") == "Not usable: no p= tag."
    assert sentence(one, ZH) == "無法使用：缺少標籤 p=。"
    assert details(one, "en") == ("Not usable: p= is not base64.",)
    assert details(one, ZH) == ("無法使用：p= 不是 base64。",)
    assert one.ruling.finding.parameters["problem"] == "no p= tag"


def test_words_that_nobody_knows_are_quoted_and_numbers_and_dashes_are_not() -> None:
    assert because("some new words", ZH) == "「some new words」"
    assert because("-", ZH) == "-"
    assert because("", ZH) == ""
    assert because("some new words", "en") == "some new words"


def test_of_several_forms_of_words_the_most_exact_counts() -> None:
    assert because("certificate has expired", ZH) == "憑證已過期"
    assert because("ARC-Seal 2 has expired", ZH) == "ARC-Seal 2 已過期"
    assert because("ARC-Seal 2: no d= tag", ZH) == "ARC-Seal 2：缺少標籤 d="
    assert because("a:%{q holds a macro that is not written correctly", ZH) == "a:%{q 裡的巨集寫法有誤"


def test_a_quoted_value_stands_in_the_marks_of_the_language() -> None:
    assert because("not a tag: 'x y'", ZH) == "不是有效的標籤：「x y」"
    given = "The part after the @-sign contains invalid characters: '!', '_'"
    assert because(given, ZH) == "「@」之後含有不能使用的字元：「!」、「_」"


def test_several_obstacles_are_said_one_by_one() -> None:
    told = worded({"what": "a.example:25: refused, b.example:25: timeout"}, ZH)["what"]
    assert told == "a.example:25：對方拒絕回答，b.example:25：逾時"
    assert worded({"what": "203.0.113.9 PTR: -"}, ZH)["what"] == "203.0.113.9 PTR: -"


def test_lists_have_the_commas_of_the_language() -> None:
    assert worded({"hosts": "a.example, b.example (+3)", "record": "a, b"}, ZH) == {
        "hosts": "a.example、b.example（另有 3 個）",
        "record": "a, b",
    }
    assert worded({"hosts": "a.example, b.example (+3)"}, "en") == {"hosts": "a.example, b.example (+3)"}


@pytest.mark.parametrize("lang", ["en", ZH])
def test_times_stand_as_in_the_tables(lang: str) -> None:
    when = datetime(2026, 11, 22, 5, 1, 38, tzinfo=UTC)
    assert worded({"when": when.isoformat()}, lang)["when"] == "2026-11-22 05:01:38 UTC"
    assert worded({"when": str(when)}, lang)["when"] == "2026-11-22 05:01:38 UTC"
    assert worded({"when": "yesterday"}, lang)["when"] == "yesterday"
    assert worded({"when": ""}, lang)["when"] == ""


@given(st.text(max_size=300))
def test_any_text_is_a_reason_that_can_be_said(text: str) -> None:
    for name in ("problem", "what", "when", "hosts", "other"):
        assert isinstance(worded({name: text}, ZH)[name], str)


@given(st.from_regex(r"[a-z]{1,20}(?:\.[a-z]{1,10}){1,2}", fullmatch=True))
def test_a_value_is_kept_as_it_is(value: str) -> None:
    assert because(f"{value} holds no IPv4 address", ZH) == f"{value} 裡不是有效的 IPv4 位址"
    assert Domain.parse(value).name in worded({"what": f"{value} MX: timeout"}, ZH)["what"]


def test_a_reason_of_great_length_is_quoted_without_being_searched() -> None:
    long = "is no mechanism " * 10_000
    assert because(long, ZH) == f"「{long}」"


# --- the catalogue ----------------------------------------------------------------------------------------------------


def test_every_reason_is_chinese_and_has_its_values() -> None:
    assert len(REASONS) > 150
    for said, told in REASONS.items():
        assert set(PLACEHOLDER.findall(said)) == set(PLACEHOLDER.findall(told)), said
        assert HAN.search(told) or "servfail" in said, said
        assert not HAN.search(said), said
        assert not PROSE.search(PLACEHOLDER.sub("", told)), told
        assert not re.search(r"[\u3400-\u9fff][,;:!?]|[,;!?](?=[\u3400-\u9fff])", told), f"half-width mark in {told}"


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "number", "told"),
    [
        ("{term} costs {n} look-ups with all below it.", "1", "a costs 1 look-up with all below it."),
        ("{term} costs {n} look-ups with all below it.", "2", "a costs 2 look-ups with all below it."),
        ("{n} more steps are not shown.", "1", "1 more step is not shown."),
        ("{n} entries were erased.", "1", "1 entry was erased."),
        ("over {n} entries, and {n} of at most 10 look-ups", "1", "over 1 entry, and 1 of at most 10 look-ups"),
        ("{n} more checks contact other servers.", "1", "1 more check contacts other servers."),
    ],
)
def test_one_is_no_plural(template: str, number: str, told: str) -> None:
    one = verdict("x", {"en": template}, term="a", n=number)
    assert sentence(one, "en") == told


def test_foreign_text_is_no_part_of_the_count() -> None:
    one = verdict("x", {"en": "{n} entries: {text}"}, n="1", text="1 entries {n} entries")
    assert sentence(one, "en") == "1 entry: 1 entries {n} entries"


def test_chinese_closes_up_where_chinese_meets_chinese() -> None:
    t = catalog(ZH)
    assert t("explain.wrote", filter="寄件者身分驗證") == "寄件者身分驗證寫道："
    assert t("explain.wrote", filter="SpamAssassin") == "SpamAssassin 寫道："
    assert catalog("en")("seal.later-same", size="1") == catalog("en")("seal.later-same", size="2").replace(
        "2 entries", "1 entry"
    )
