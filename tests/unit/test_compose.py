import importlib.util
import re
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from bounded import LONG, hang_guard
from hypothesis import given
from hypothesis import strategies as st

from deliverability.compose import reason as reasons
from deliverability.compose.brand import Brand
from deliverability.compose.case import provider_for
from deliverability.compose.gate import Gate, gate
from deliverability.compose.kinds import Kind, kind_of
from deliverability.compose.page import compose
from deliverability.compose.reason import why_failed, why_refused
from deliverability.compose.redact import masked, redactor
from deliverability.compose.sender import sender_of
from deliverability.compose.when import exact, moment, zone
from deliverability.errors import UsageError
from deliverability.evidence.bundle import Claim, Origin, Sourced
from deliverability.evidence.document import Answer, Edition, Instructions, Ladder, Link, Note, Quote, Table, Tone
from deliverability.evidence.event import Result, TimeBasis
from deliverability.evidence.exhibit import Exhibit
from deliverability.evidence.names import Domain
from deliverability.evidence.smtp import Host, Reply
from deliverability.evidence.story import Level, Role, State
from deliverability.evidence.verdict import Outcome

spec = importlib.util.spec_from_file_location("f", Path(__file__).parents[1] / "golden" / "_factory.py")
factory = importlib.util.module_from_spec(spec)
spec.loader.exec_module(factory)

LANGUAGES = ("en", "zh-Hant-TW")
PASS, FAIL, OPEN, NONE = Outcome.PASS, Outcome.FAIL, Outcome.INDETERMINATE, Outcome.NOT_APPLICABLE


def composed(assessment, lang="en", **options):
    settings = {"timezone": "Asia/Taipei", "brand": factory.BRAND, "made_at": factory.MADE_AT, **options}
    return compose(assessment, lang=lang, **settings)


def branch(name, lang="en", **options):
    return composed(factory.BRANCHES[name](lang), lang, **options)


def section(document, name):
    return next((s for s in document.sections if s.id == name), None)


def words(value):
    """Every string in a value, in order."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, tuple):
        return [text for part in value for text in words(part)]
    if is_dataclass(value) and not isinstance(value, type):
        return [t for field in fields(value) if field.name != "assessment" for t in words(getattr(value, field.name))]
    return []


def text_of(*parts):
    return "\n".join(text for part in parts for text in words(part))


def above_the_record(document):
    return text_of(document.title, *(s for s in document.sections if s.id not in ("evidence", "verify")))


def first(document, kind):
    return next(block for s in document.sections for block in s.blocks if isinstance(block, kind))


# --- order, words, tone -----------------------------------------------------------------------------------------------

ORDER = [
    "answer",
    "do-now",
    "find",
    "address",
    "keep",
    "limits",
    "forward",
    "genuine",
    "why-filtered",
    "evidence",
    "verify",
]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", factory.BRANCHES)
def test_sections_stand_in_the_order_of_the_design(name, lang):
    ids = [s.id for s in branch(name, lang).sections]
    assert ids == [wanted for wanted in ORDER if wanted in ids]
    assert {"answer", "do-now", "address", "limits", "evidence", "verify"} <= set(ids)


def test_an_accepted_message_has_every_section():
    assert [s.id for s in branch("accepted").sections] == ORDER


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", factory.BRANCHES)
def test_no_jargon_above_the_record_and_nobody_is_accused(name, lang):
    document = branch(name, lang)
    assert not re.search(r"\b(SPF|DKIM|DMARC|ARC)\b", above_the_record(document))
    whole = text_of(document).lower()
    for accusing in (
        "proof",
        "prove",
        "dispute",
        "edition",
        "you received",
        "you have received",
        "證明",
        "爭議",
        "您已收到",
    ):
        assert accusing not in whole, accusing
    assert "edition" not in document.file_stem


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", [name for name in factory.BRANCHES if name != "delivered"])
def test_nothing_but_delivered_is_called_delivered(name, lang):
    text = text_of(*(s for s in branch(name, lang).sections if s.id != "evidence"))
    for word in ("delivered", "received", "送達", "已送到", "收到了"):
        assert word not in text.lower(), word


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", factory.BRANCHES)
def test_no_placeholder_is_left_open(name, lang):
    assert not re.search(r"\{\w*\}", text_of(branch(name, lang)))


@pytest.mark.parametrize("name", ["held", "refused-by-us", "refused-on-the-way", "cancelled"])
def test_where_we_failed_the_first_sentence_says_so_and_apologises(name):
    assert "sorry" in first(branch(name), Answer).text
    assert "抱歉" in first(branch(name, "zh-Hant-TW"), Answer).text


@pytest.mark.parametrize("name", [n for n in factory.BRANCHES if n not in ("unknown", "held", "queued")])
def test_the_answer_has_its_time_and_zone(name):
    assert "(Asia/Taipei, UTC+8)" in first(branch(name), Answer).text
    assert "（台北時間）" in first(branch(name, "zh-Hant-TW"), Answer).text


# --- the claim never grows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.ACCEPTED, State.DELIVERED])
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("level", list(Level))
def test_an_answer_is_no_stronger_than_level_and_role(state, role, level):
    kind = kind_of(factory.assessment(state, level, role))
    if kind is Kind.DELIVERED:
        assert level >= Level.DELIVERED
    if kind is Kind.ACCEPTED:
        assert level >= Level.ACCEPTED
        assert role is Role.RECIPIENT_MX
    if kind is Kind.ACCEPTED_OWN:
        assert role is Role.OWN_MX
    if level < Level.HANDED_OVER:
        assert kind is Kind.UNKNOWN


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_an_answer(state):
    assessment = factory.assessment(state, Level.NONE, Role.UNCONFIRMED)
    edition = Edition.SUPPORT if state in (State.NOT_FOUND, State.RECORDED) else Edition.CUSTOMER
    for lang in LANGUAGES:
        assert first(composed(assessment, lang, edition=edition), Answer).text


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("state", [State.HANDED_OVER, State.REFUSED])
def test_every_role_has_its_sentence(state, role):
    level = Level.HANDED_OVER if state is State.HANDED_OVER else Level.NONE
    for lang in LANGUAGES:
        assert first(composed(factory.assessment(state, level, role), lang), Answer).text


def test_our_own_server_is_never_shown_as_another_providers():
    for lang, own, gmail in (("en", "Our own mail server", "Gmail"), ("zh-Hant-TW", "我們自己的郵件伺服器", "Gmail")):
        document = composed(factory.assessment(role=Role.OWN_MX, lang=lang, provider="gmail"), lang)
        assert own in first(document, Answer).text
        assert gmail not in first(document, Answer).text
        assert section(document, "forward") is None


def test_another_server_is_never_shown_as_ours():
    assessment = factory.assessment(provider="own-server", recipient="mei@shop.example")
    assert provider_for(assessment, Kind.ACCEPTED).id == "generic"
    assert "our own" not in first(composed(assessment), Answer).text


def test_a_provider_that_does_not_exist_costs_only_its_steps():
    assert provider_for(factory.assessment(provider="no-such"), Kind.ACCEPTED).id == "generic"


def test_without_a_provider_the_domain_tells_it():
    assert provider_for(factory.assessment(provider=None), Kind.ACCEPTED).id == "gmail"


def test_the_ladder_stops_at_what_is_known():
    reached = {
        "accepted": [True, True, True, None, None],
        "delivered": [True, True, None],
        "handed-over": [True, True, None, None, None],
        "deferred": [True, False, False, False, False],
        "unknown": [True, None, None, None, None],
        "refused-by-us": [False] * 5,
        "put-off-by-us": [False] * 5,
        "bounced": [True, True, True, False, False],
    }
    for name, wanted in reached.items():
        assert [rung.reached for rung in first(branch(name), Ladder).rungs] == wanted, name


def test_the_tone_is_good_only_when_the_other_side_took_it():
    good = {name for name in factory.BRANCHES if first(branch(name), Answer).tone is Tone.GOOD}
    assert good == {n for n in factory.BRANCHES if n.startswith("accepted")} | {"delivered"}


# --- what makes no page -----------------------------------------------------------------------------------------------


def test_not_found_makes_no_customers_page():
    with pytest.raises(UsageError):
        composed(factory.not_found())
    document = composed(factory.not_found(), edition=Edition.SUPPORT)
    assert section(document, "keep") is None
    assert section(document, "find") is None
    assert "our own staff" in text_of(section(document, "do-now"))
    assert not [block for block in section(document, "answer").blocks if isinstance(block, Ladder)]
    assert "does not appear" in first(document, Answer).text


def test_an_assessment_without_a_dispatch_makes_no_page():
    with pytest.raises(UsageError):
        composed(replace(factory.assessment(), claim=None))
    evidence = replace(factory.assessment().evidence, delivery=None)
    with pytest.raises(UsageError):
        composed(replace(factory.assessment(), evidence=evidence))


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "x" * 5000, "+99:00", "Asia\x00"])
def test_an_unknown_zone_is_a_usage_error(name):
    with pytest.raises(UsageError):
        composed(factory.assessment(), timezone=name)


def test_an_unknown_language_is_a_usage_error():
    with pytest.raises(UsageError):
        composed(factory.assessment(), "zh-Hans")


# --- allowlisting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ({}, Gate.OPEN),
        ({"dkim": FAIL}, Gate.NEVER),
        ({"dmarc": FAIL}, Gate.NEVER),
        ({"dmarc": FAIL, "enforced": FAIL}, Gate.NEVER),
        ({"enforced": FAIL}, Gate.NOT_YET),
        ({"aligned": FAIL, "dmarc": OPEN}, Gate.NOT_YET),
        ({"aligned": FAIL}, Gate.OPEN),
        ({"enforced": OPEN}, Gate.CAUTION),
        ({"dmarc": OPEN, "aligned": OPEN}, Gate.CAUTION),
        ({"dkim": OPEN, "dmarc": NONE, "aligned": NONE}, Gate.CAUTION),
        ({"dkim": Outcome.ERROR, "dmarc": Outcome.ERROR, "aligned": Outcome.ERROR}, Gate.CAUTION),
    ],
)
def test_the_gate(outcomes, expected):
    assert gate(factory.verdicts(**outcomes)) is expected


def test_a_missing_verdict_never_opens_the_gate():
    assert gate(()) is Gate.CAUTION
    for left_out in range(4):
        verdicts = [v for i, v in enumerate(factory.verdicts()) if i != left_out]
        assert gate(verdicts) in (Gate.OPEN, Gate.CAUTION)
    assert gate(factory.verdicts()[:3]) is Gate.CAUTION


@pytest.mark.parametrize(
    "name",
    [n for n in factory.BRANCHES if n.startswith(("refused", "failed", "expired", "bounced", "cancelled", "deferred"))],
)
def test_where_a_list_cannot_help_there_are_no_steps(name):
    document = branch(name)
    assert section(document, "keep") is None
    assert not [block for s in document.sections for block in s.blocks if isinstance(block, Instructions)]


def test_a_refusal_says_that_a_list_would_not_help():
    for lang, said in (("en", "does not help"), ("zh-Hant-TW", "沒有幫助")):
        notes = [b.text for b in section(branch("refused-no-mailbox", lang), "do-now").blocks if isinstance(b, Note)]
        assert len(notes) == 1
        assert said in notes[0]


def test_an_open_gate_gives_the_providers_steps():
    blocks = section(branch("accepted"), "keep").blocks
    assert len([b for b in blocks if isinstance(b, Instructions)]) == 2
    assert not [b for b in blocks if isinstance(b, Note)]
    assert "billing@host.example" in text_of(blocks)


def test_caution_gives_the_steps_after_a_warning():
    blocks = section(branch("accepted-caution"), "keep").blocks
    assert isinstance(blocks[0], Note)
    assert [b for b in blocks if isinstance(b, Instructions)]


def test_without_enforcement_the_list_is_advised_against_but_the_mail_is_still_found():
    document = branch("accepted-not-enforced")
    assert not [b for b in section(document, "keep").blocks if isinstance(b, Instructions)]
    assert "not add us" in text_of(section(document, "keep"))
    assert [b for b in section(document, "find").blocks if isinstance(b, Instructions)]


def test_a_failed_check_advises_against_everything():
    document = branch("accepted-failed-check")
    assert "do NOT" in text_of(section(document, "keep"))
    assert not [b for s in document.sections for b in s.blocks if isinstance(b, Instructions)]
    assert "did not succeed" in text_of(section(document, "genuine"))
    assert "02-5555-0100" in text_of(section(document, "keep"))


def test_without_a_senders_address_nothing_is_put_on_a_list():
    base = factory.assessment()
    message = replace(base.evidence.message, reverse_path="")
    evidence = replace(base.evidence, message=message, reverse_path=Sourced("", Origin.LOG))
    blocks = section(composed(replace(base, evidence=evidence)), "keep").blocks
    assert not [b for b in blocks if isinstance(b, Instructions)]


# --- reasons ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("550 5.1.1 no such user", "no-mailbox"),
        ("550 5.1.10 RESOLVER.ADR.RecipientNotFound", "no-mailbox"),
        ("552 5.2.2 mailbox full", "mailbox-full"),
        ("550 5.2.1 disabled", "mailbox-disabled"),
        ("552 5.3.4 too big", "too-large"),
        ("550 5.7.26 unauthenticated", "unauthenticated"),
        ("550 5.7.515 Access denied", "unauthenticated"),
        ("550 5.7.1 blocked", "policy"),
        ("550 5.7.606 banned", "reputation"),
        ("554 transaction failed", "other"),
        ("550 User unknown", "no-mailbox"),
        ("", "other"),
    ],
)
def test_a_refusals_reason_comes_from_the_servers_own_code(reply, reason):
    assert why_refused(factory.attempt("a@b.example", reply, result=Result.FAILED)) == reason
    assert why_refused(None) == "other"


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        (
            "550-5.1.1 There is no such 550-5.1.1 550-5.1.1 user. See 550 5.1.1 https://x.example",
            "550 5.1.1 There is no such user. See https://x.example",
        ),
        ("550 5.1.1 There are 550 5.1.1 reasons", "550 5.1.1 There are 550 5.1.1 reasons"),
        ("250-first 250 second", "250 first second"),
        ("550-5.1.1", "550 5.1.1"),
        ("", ""),
    ],
)
def test_a_reply_of_several_lines_is_shown_as_one(reply, read):
    assert reasons.words(Reply(550, "5.1.1", reply)) == read


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        ("Host or domain name not found. Name service error", "no-domain"),
        ("Domain x does not accept mail (nullMX)", "no-mail"),
        ("?", "other"),
    ],
)
def test_a_failures_reason_comes_from_our_servers_note(note, reason):
    assert why_failed(factory.attempt("a@b.example", "", text=note, result=Result.FAILED)) == reason


# --- privacy ----------------------------------------------------------------------------------------------------------


def with_line(text, edition=Edition.CUSTOMER, lang="en"):
    base = factory.assessment(lang=lang)
    attempt = replace(base.evidence.delivery.decisive, lines=(factory.log_line(text),))
    delivery = replace(base.evidence.delivery, attempts=(attempt,), decisive=attempt)
    return text_of(composed(replace(base, evidence=replace(base.evidence, delivery=delivery)), lang, edition=edition))


@pytest.mark.parametrize(
    "line",
    [
        "<= billing@host.example for mei@gmail.com stranger@other.example",
        "to=<stranger@other.example>, orig_to=<stranger@other.example>, status=sent",
        "=> Stranger@OTHER.example <stranger@other.example> R=dnslookup",
        "F=<stranger@other.example> x@stranger.example stranger@other.example.",
        "bounce+stranger=other.example@lists.example",
        '"stranger the great"@other.example',
        "SRS0=hash=tt=other.example=stranger@host.example",
    ],
)
def test_nobody_elses_address_is_in_a_customers_log_lines(line):
    shown = with_line(line)
    assert "stranger" not in shown.lower()
    assert "‹address hidden›" in shown
    assert "stranger" in with_line(line, Edition.SUPPORT).lower()
    assert "‹已隱藏的地址›" in with_line(line, lang="zh-Hant-TW")


def test_the_readers_own_facts_are_left_alone():
    line = f"from=<{factory.SENDER}> to=<Mei@GMAIL.com> id={factory.MESSAGE_ID} H=mx.example [192.0.2.1]"
    assert line in with_line(line)


@given(st.text(max_size=120))
def test_redaction_is_total_and_keeps_texts_without_an_address(text):
    hide = redactor(["a@b.example"], "<hidden>")
    assert hide(text) == text if "@" not in text else isinstance(hide(text), str)
    assert hide(hide(text)) == hide(text)


def test_redaction_takes_linear_time():
    hide = redactor([], "x")
    with hang_guard():
        for hostile in ("a", "a@", "@", '"', "=", '"a'):
            hide(hostile * (LONG // len(hostile)))


def test_the_number_of_other_recipients_is_for_support_only():
    label = "Other recipients"
    assert label not in text_of(branch("accepted"))
    assert label in text_of(branch("accepted", edition=Edition.SUPPORT))


def test_an_address_that_mail_was_sent_on_to_is_masked():
    document = composed(factory.assessment(forward_paths=("boss@elsewhere.example",)))
    assert "b•••@elsewhere.example" in text_of(document)
    assert "boss@" not in text_of(document)
    assert masked("no address") == "•••"


def test_customers_see_the_newest_attempts_and_support_all():
    def rows(edition):
        return len(first(branch("deferred", edition=edition), Table).rows)

    assert rows(Edition.CUSTOMER) == 5
    assert rows(Edition.SUPPORT) == 7
    assert "2 earlier attempts" in text_of(branch("deferred"))


def test_support_sees_all_log_lines():
    literal = [
        b for b in section(branch("accepted", edition=Edition.SUPPORT), "evidence").blocks if isinstance(b, Quote)
    ]
    assert "/var/log/exim_mainlog:1201" in literal[0].text
    assert factory.STRANGER in literal[0].text


# --- times ------------------------------------------------------------------------------------------------------------


def test_times_are_written_for_people():
    assert (
        moment(factory.SENT_AT, ZoneInfo("Asia/Taipei"), "en") == "Sunday 22 November 2026, 13:01 (Asia/Taipei, UTC+8)"
    )
    assert moment(factory.SENT_AT, ZoneInfo("Asia/Taipei"), "zh-Hant-TW") == "2026年11月22日（日）13:01（台北時間）"
    assert moment(factory.SENT_AT, ZoneInfo("UTC"), "en") == "Sunday 22 November 2026, 05:01 (UTC)"
    assert moment(factory.SENT_AT, zone("-03:30"), "en") == "Sunday 22 November 2026, 01:31 (UTC-3:30)"
    assert moment(factory.SENT_AT, zone("+08:00"), "zh-Hant-TW") == "2026年11月22日（日）13:01（UTC+8）"
    assert exact(factory.SENT_AT) == "2026-11-22 05:01:38 UTC"
    assert exact(factory.SENT_AT, zone("Asia/Kolkata")) == "2026-11-22 10:31:38 UTC+5:30"


def retimed(**changes):
    base = factory.assessment()
    attempt = replace(base.evidence.delivery.decisive, at=factory.log_time(**changes))
    delivery = replace(base.evidence.delivery, attempts=(attempt,), decisive=attempt)
    return composed(replace(base, evidence=replace(base.evidence, delivery=delivery)))


@pytest.mark.parametrize("basis", [b for b in TimeBasis if b is not TimeBasis.LOGGED])
def test_an_inferred_zone_or_year_is_told_in_the_record(basis):
    plain = text_of(section(branch("accepted"), "evidence"))
    assert text_of(section(retimed(zone_from=basis), "evidence")) != plain
    assert "The time zone" in text_of(section(retimed(zone_from=basis), "evidence"))
    assert "The year" in text_of(section(retimed(year_from=basis), "evidence"))


def test_an_assumed_or_contradicted_time_is_told_beside_the_answer():
    assert "assumption" in first(retimed(zone_from=TimeBasis.ASSUMED), Answer).detail
    assert "speaks against" in first(retimed(contradicted="1vM986"), Answer).detail
    assert "assumption" not in first(retimed(zone_from=TimeBasis.QUEUE_ID), Answer).detail


def test_a_time_without_a_zone_is_quoted_and_not_converted():
    answer = first(retimed(instant=None, logged="Nov 22 13:01:38", zone_from=None), Answer)
    assert "“Nov 22 13:01:38”" in answer.text
    assert "UTC" not in answer.text


@pytest.mark.parametrize(
    ("days", "said"), [(29, "Look before Tuesday 22 December 2026"), (31, "probably been deleted")]
)
def test_the_last_day_to_look_in_junk(days, said):
    document = branch("accepted", made_at=factory.SENT_AT + timedelta(days=days))
    assert said in text_of(section(document, "find"))


def test_no_last_day_where_the_provider_has_no_known_rule():
    document = composed(factory.assessment(recipient="a@outlook.com", provider="outlook-com"))
    assert "days" not in text_of(section(document, "find"))


# --- search, sender, forward, file name -------------------------------------------------------------------------------


def search_in(document):
    return next(b.text for b in section(document, "find").blocks if isinstance(b, Quote))


def test_the_search_names_this_message():
    assert search_in(branch("accepted")) == f"in:anywhere rfc822msgid:{factory.MESSAGE_ID}"


@pytest.mark.parametrize("hostile", ["x OR from:evil", "a b", "a\nb", 'a"b', "a)b", "{address}", "", None])
def test_a_message_id_that_could_be_a_search_operator_is_not_searched_for(hostile):
    base = factory.assessment()
    message = replace(base.evidence.message, message_id=hostile)
    document = composed(replace(base, evidence=replace(base.evidence, message=message)))
    assert search_in(document) in ("billing@host.example", "in:anywhere rfc822msgid:{address}")


def evidence(**changes):
    return replace(factory.assessment().evidence, **changes)


def mail(head):
    return Exhibit(head.encode() + b"\r\n\r\nbody", "message/rfc822", "notice.eml", factory.MADE_AT)


def test_the_senders_address_by_the_surest_source():
    with_mail = evidence(mail=mail("From: Host <notices@host.example>"))
    assert sender_of(with_mail, Brand(sender="care@host.example"), signed=True).address == "care@host.example"
    assert sender_of(with_mail, Brand(), signed=True).address == "notices@host.example"
    envelope = sender_of(evidence(), Brand(), signed=True)
    assert (envelope.address, envelope.from_envelope) == ("billing@host.example", True)


@pytest.mark.parametrize(
    "head",
    [
        "From: a@x.example, b@y.example",
        "From: a@x.example\r\nFrom: b@y.example",
        "From: nobody",
        "Subject: x",
        "From: <a@@>",
    ],
)
def test_a_from_line_that_is_not_one_address_is_not_used(head):
    assert sender_of(evidence(mail=mail(head)), Brand(), signed=True).from_envelope


def test_an_envelope_sender_of_another_domain_is_not_offered():
    other = evidence(author_domain=Sourced(Domain.parse("brand.example"), Origin.CONFIGURATION))
    known = sender_of(other, Brand(), signed=True)
    assert (known.address, known.domain) == ("", "brand.example")


def test_what_the_provider_needs_to_find_it():
    text = text_of(section(branch("accepted"), "forward"))
    for needed in (
        "2026-11-22 05:01:38 UTC",
        "mei@gmail.com",
        "gmail-smtp-in.l.google.com [192.0.2.27]",
        "198.51.100.7",
        "bfe228f219e9-cb0eb53f1694si991014557cc.948",
        f"<{factory.MESSAGE_ID}>",
    ):
        assert needed in text


@pytest.mark.parametrize(
    ("subject", "stem"),
    [
        ("Your plan: ends / soon?", "2026-11-22-Your-plan-ends-soon"),
        ("主機方案到期通知", "2026-11-22-主機方案到期通知"),
        ("../../etc/passwd\x00\n", "2026-11-22-etc-passwd"),
        ("\u202e", "2026-11-22"),
        ("x" * 500, "2026-11-22-" + "x" * 49),
    ],
)
def test_the_file_name_is_safe(subject, stem):
    assert composed(factory.assessment(subject=subject)).file_stem == stem


def test_a_brand_that_is_empty_leaves_no_holes():
    for lang in LANGUAGES:
        document = composed(factory.assessment(lang=lang), lang, brand=Brand())
        assert not [b for s in document.sections for b in s.blocks if isinstance(b, Link)]
        assert all(text.strip() for text in words(document) if text != "")


def test_equal_input_gives_an_equal_document():
    assert branch("accepted") == branch("accepted")


def test_a_relay_that_is_not_named_is_said_to_be_unnamed():
    attempts = (factory.attempt("mei@shop.example", "250 ok", relay=Host(None, None)),)
    document = composed(factory.assessment(State.HANDED_OVER, Level.HANDED_OVER, Role.UNCONFIRMED, attempts=attempts))
    assert "does not name" in first(document, Answer).text


def test_dns_of_after_the_dispatch_is_told():
    base = factory.assessment()
    assert "looked up after" in text_of(section(composed(base), "limits"))
    claim = Claim(State.ACCEPTED, Level.ACCEPTED, Role.RECIPIENT_MX, "mx-name")
    assert "looked up after" not in text_of(section(composed(replace(base, claim=claim)), "limits"))


def test_where_nothing_was_looked_up_no_look_up_is_told():
    base = factory.assessment(State.HANDED_OVER, Level.HANDED_OVER, Role.UNCONFIRMED)
    claim = Claim(State.HANDED_OVER, Level.HANDED_OVER, Role.UNCONFIRMED, "could-not-look", observed_later=True)
    assert "looked up after" not in text_of(section(composed(replace(base, claim=claim)), "limits"))


def test_a_full_mailbox_is_named_when_we_gave_up():
    full = factory.attempt("mei@gmail.com", "452 4.2.2 The mailbox is out of space", result=Result.DEFERRED)
    last = replace(full, relay=None, reply=None, result=Result.EXPIRED, text="retry timeout exceeded")
    document = composed(factory.assessment(State.EXPIRED, Level.NONE, Role.NONE, attempts=(full, last)))
    assert "mailbox is full" in first(document, Answer).detail
    assert "make room" in text_of(section(document, "do-now"))
    assert "452 4.2.2" in text_of(section(document, "forward"))


def test_a_connection_that_broke_is_told_as_that_and_no_answer_is_claimed():
    broke = factory.attempt("mei@gmail.com", "", result=Result.UNCERTAIN)
    later = factory.attempt(
        "mei@gmail.com", "", result=Result.DEFERRED, at=factory.SENT_AT + timedelta(minutes=1), relay=Host(None, None)
    )
    base = factory.assessment(State.UNKNOWN, Level.NONE, attempts=(broke,))
    once = composed(base)
    assert "do not know whether the mail server gmail-smtp-in.l.google.com accepted" in first(once, Answer).text
    assert "Later tries" not in first(once, Answer).detail
    delivery = replace(base.evidence.delivery, attempts=(broke, later))
    again = composed(replace(base, evidence=replace(base.evidence, delivery=delivery)))
    assert "Later tries" in first(again, Answer).detail
    assert [rung.note for rung in first(again, Ladder).rungs][1:3] == ["not certain", "not certain"]
    assert "answered" not in text_of(section(again, "evidence"))


def test_a_refused_message_is_shown_to_have_been_offered():
    notes = [rung.note for rung in first(branch("refused-full"), Ladder).rungs]
    assert notes[1:3] == ["offered, but not taken", "refused"]


def test_what_was_not_decided_is_named_to_a_customer_without_our_options():
    given = factory.verdict("spf-pass", Outcome.INDETERMINATE, "SPF", "SPF", "Give it with --from-ip.", "--from-ip")
    assessment = factory.assessment(checked=(*factory.verdicts(), given))
    told = {e: text_of(section(composed(assessment, edition=e), "evidence")) for e in Edition}
    customer, support = told[Edition.CUSTOMER], told[Edition.SUPPORT]
    assert "Could not be decided with what is at hand: SPF." in customer
    assert "--from-ip" not in customer
    assert "--from-ip" in support


def test_a_customer_sees_no_folders_of_ours():
    assert "/var/log" not in text_of(branch("accepted"))
    assert "exim_mainlog:1204" in text_of(branch("accepted"))
    assert "/var/log/exim_mainlog" in text_of(branch("accepted", edition=Edition.SUPPORT))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_edition_for_staff_says_so_first(lang):
    document = branch("accepted", lang, edition=Edition.SUPPORT)
    assert isinstance(document.sections[0].blocks[0], Note)
    assert ("internal" if lang == "en" else "內部") in document.file_stem
    assert "internal" not in branch("accepted").file_stem


def test_a_local_part_alone_is_no_other_address():
    local = composed(factory.assessment(State.DELIVERED, Level.DELIVERED, Role.OWN_MX, forward_paths=("mei",)))
    assert "goes on" not in text_of(local)
    assert "mailbox mei@gmail.com" in first(local, Answer).text


def test_an_alias_whose_parts_ended_differently_says_so():
    base = factory.assessment(State.REFUSED, Level.NONE)
    parts = tuple(
        replace(base.evidence.delivery, recipient=f"{name}@corp.example", state=state)
        for name, state in (("ann", State.REFUSED), ("bob", State.HANDED_OVER))
    )
    delivery = replace(base.evidence.delivery, parts=parts, forward_paths=tuple(p.recipient for p in parts))
    document = composed(replace(base, evidence=replace(base.evidence, delivery=delivery)))
    assert "2 addresses" in first(document, Answer).detail
    assert "b•••@corp.example" in text_of(section(document, "evidence"))
    assert "bob@corp.example" not in text_of(document)


def test_only_a_decided_check_lets_us_say_that_we_checked():
    aligned = factory.verdicts(dkim=Outcome.INDETERMINATE, dmarc=Outcome.INDETERMINATE)
    said = text_of(section(composed(factory.assessment(checked=aligned)), "genuine"))
    assert "could not be checked in full" in said


def test_a_full_mailbox_is_named_while_we_still_try():
    document = branch("deferred-full")
    assert "mailbox is full" in first(document, Answer).detail
    assert "make room" in text_of(section(document, "do-now"))
    assert "mailbox is full" not in text_of(section(branch("deferred"), "answer"))


def test_where_an_address_passes_its_mail_on_the_reader_is_told_to_look_there():
    document = branch("accepted-forwarded")
    assert "m•••@gmail.com" in text_of(section(document, "find"))
    assert "m•••@gmail.com" in text_of(section(document, "address"))
    assert "mei@gmail.com" not in text_of(document)
    assert "mei@gmail.com" in text_of(branch("accepted-forwarded", edition=Edition.SUPPORT))


def test_only_a_confirmed_server_is_said_to_have_refused_for_the_provider():
    for role, note in ((Role.RECIPIENT_MX, "refused"), (Role.UNCONFIRMED, "no")):
        attempts = (factory.attempt("mei@gmail.com", "550 5.1.1 no", result=Result.FAILED),)
        ladder = first(composed(factory.assessment(State.REFUSED, Level.NONE, role, attempts=attempts)), Ladder)
        assert ladder.rungs[2].note == note


def test_of_our_own_server_it_is_not_said_that_nobody_can_look():
    notes = [rung.note for rung in first(branch("accepted-own"), Ladder).rungs]
    assert notes[3:] == ["not in the records at hand", "cannot be seen from here"]
    assert "from outside" not in text_of(section(branch("accepted-own"), "why-filtered"))
    assert "from outside" in text_of(section(branch("accepted"), "why-filtered"))


@pytest.mark.parametrize(
    ("name", "lang", "said"),
    [
        ("refused-no-mailbox", "en", "The server says that there is no such mailbox."),
        ("refused-no-mailbox", "zh-Hant-TW", "對方伺服器表示沒有這個信箱。"),
        ("deferred", "en", "The server puts off senders that it does not know yet"),
        ("accepted-after-waiting", "en", "The server puts off senders that it does not know yet"),
        ("refused-unexplained", "en", "What these words mean is not known here; they are quoted as they are."),
        ("refused-unexplained", "zh-Hant-TW", "這裡不知道這段回覆的意思，因此只照原文引用。"),
    ],
)
def test_a_reply_that_took_nothing_is_told_in_plain_words(name, lang, said):
    told = text_of(section(branch(name, lang), "evidence"))
    assert said in told
    assert factory.BRANCHES[name](lang).evidence.delivery.attempts[0].reply.text in told


def test_of_replies_that_are_alike_one_sentence_is_enough():
    told = text_of(section(branch("deferred", edition=Edition.SUPPORT), "evidence"))
    assert told.count("The server puts off senders") == 1


def test_what_was_accepted_needs_no_explanation():
    assert "In plain words" not in text_of(branch("accepted"))


def test_a_notice_about_mail_that_a_service_passed_on_shows_no_acceptance():
    rungs = {rung.label: rung.reached for rung in first(branch("bounced-passed-on"), Ladder).rungs}
    assert rungs["Accepted by your provider’s mail server"] is None
    assert section(branch("bounced-passed-on"), "forward") is None
    assert section(branch("bounced"), "forward") is not None


def test_a_filter_in_front_of_the_mailbox_is_called_one():
    document = branch("accepted-gateway")
    assert "the mail filter in front of your mailbox" in first(document, Answer).text
    assert "Accepted by the filter in front of your mailbox" in text_of(document)
