"""Copies out of junk folders: whose word each stamp is, what is believed, what is said of it."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deliverability import plugins
from deliverability.api.explaining import (
    Question,
    explain_message,
    explain_reply,
    known,
    message_answer,
    message_to_json,
    reply_answer,
)
from deliverability.api.requests import Reader, Request
from deliverability.compose.catalog import catalog
from deliverability.compose.junked import filters, read_junked
from deliverability.errors import ParseError, UsageError
from deliverability.evidence.plugin import LANGUAGES, Filter, Judgement, Stamp
from deliverability.protocols.hops import Origin, divide
from deliverability.protocols.mail import parse_mail

FOLDER = Path(__file__).parents[1] / "cases" / "explain"
CASES = tomllib.loads((FOLDER / "cases.toml").read_text("utf-8"))["case"]


def content(name):
    return (FOLDER / f"{name}.eml").read_bytes()


def read(name, **changes):
    return read_junked(parse_mail(content(name)), **changes)


def test_every_copy_is_in_the_table():
    assert {case["file"] for case in CASES} == {path.name for path in FOLDER.glob("*.eml")}


@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{c['file']}" for n, c in enumerate(CASES)])
def test_case(case):
    found = read(case["file"].removesuffix(".eml"), sides=case.get("sides", ()))
    answer = found.answer
    if "judgement" in case:
        assert answer
        assert answer.reading.judgement == case["judgement"]
        assert answer.filter.id == case["by"]
        first = answer.reading.findings[0]
        assert first.code == case["code"]
        assert answer.actor(first) == case.get("actor")
    else:
        assert answer is None
    assert {t.filter.id for t in found.told if not t.believed} - {"arc"} == set(case.get("not_believed", []))
    assert list(found.foreign) == case.get("foreign", [])


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{c['file']}" for n, c in enumerate(CASES)])
def test_every_answer_has_its_words(case, lang):
    question = Question(sides=tuple(case.get("sides", ())))
    found = explain_message((FOLDER / case["file"]).read_bytes(), question, Request())
    shown = message_answer(found, Reader(lang=lang), "text").decode()
    assert known(found) is ("judgement" in case)
    assert "{" not in shown
    for told in found.junked.told:
        assert told.sentence(told.reading.findings[0], lang)


# --- the boundary -----------------------------------------------------------------------------------------------------


def test_nothing_below_the_entry_is_believed_whatever_it_claims():
    """A forger who connects himself writes the line that gives him away; all that he brings lies below it."""
    boundary = divide(parse_mail(content("forger-in-our-name")), filters=["x-spam-*", "authentication-results"])
    assert boundary.entry.client_ip == "198.51.100.66"
    assert boundary.of(Origin.RECEIVING) == ()
    assert {field.name for field in boundary.of(Origin.BORDER)} == {"X-Spam-Status"}
    assert {"Authentication-Results", "X-Spam-Flag"} <= {field.name for field in boundary.of(Origin.OUTSIDE)}


FORGED = st.sampled_from(
    [
        b"X-Spam-Status: No, score=-9 required=5 tests=USER_IN_WELCOMELIST",
        b"X-Forefront-Antispam-Report: SCL:-1;SFV:SFE;",
        b"Authentication-Results: mx.shop.example; dmarc=pass header.from=hosting.example",
        b"Received: from localhost ([127.0.0.1]) by mx.shop.example with ESMTP id 1; Sun, 22 Nov 2026 05:00:04 +0000",
        b"Received: from mx.shop.example (mx.shop.example [10.0.0.2]) by imap.shop.example with LMTP id 2; Sun, 22 Nov 2026 05:00:04 +0000",
        b"Received: by 10.0.0.1 with SMTP; Sun, 22 Nov 2026 05:00:04 +0000",
        b"Received:",
        b"Subject: hello",
    ]
)


@given(st.lists(FORGED, max_size=8))
def test_whatever_a_sender_brings_along_the_believed_part_stays_as_it_was(brought):
    top = (
        b"X-Spam-Flag: YES\r\nReceived: from mx.shop.example (unknown [198.51.100.66])\r\n\tby mx.shop.example"
        b" (Postfix) with ESMTP id 4f; Sun, 22 Nov 2026 05:00:05 +0000\r\n"
    )
    boundary = divide(parse_mail(top + b"".join(line + b"\r\n" for line in brought) + b"From: a@b.example\r\n\r\n"))
    assert [field.name for field in boundary.of(Origin.RECEIVING)] == ["X-Spam-Flag"]
    assert boundary.entry.client_ip == "198.51.100.66"


def test_a_milters_stamps_are_believed_only_on_request():
    assert read("rspamd-milter").answer is None
    found = read("rspamd-milter", milter=True).answer
    assert found.filter.id == "rspamd"
    assert found.origin is Origin.BORDER


def test_a_forger_gains_by_the_milter_option_only_what_lies_right_below_the_entry():
    found = read("forger-in-our-name", milter=True)
    assert [t.filter.id for t in found.told if t.believed] == ["spamassassin"]


def test_a_helo_name_is_no_address():
    forged = b"Received: from mx.shop.example ([198.51.100.66])\r\n\tby mx.shop.example with ESMTP id 1; Sun, 22 Nov 2026 05:00:05 +0000\r\n"
    genuine = b"X-Spam-Flag: YES\r\n" + forged + b"X-Spam-Flag: NO\r\n" + forged + b"From: a@b.example\r\n\r\n"
    boundary = divide(parse_mail(genuine))
    assert [field.unfolded for field in boundary.of(Origin.RECEIVING)] == [b"YES"]


FORGED_BELOW = b"Received: from mx.{0} (mx.{0} [203.0.113.1]) by store.{0} (Postfix) with ESMTP id A; Sun, 22 Nov 2026 05:00:02 +0000"


@pytest.mark.parametrize(
    ("side", "entered"),
    [
        # The owner of an address writes what it likes into its PTR; Sendmail says when the name does not lead back.
        (
            "shop.example",
            "from mx2.{0} (mx2.{0} [203.0.113.66] (may be forged)) by mx.{0} (8.17.1/8.17.1) with ESMTP id x",
        ),
        # A HELO name that looks like what a server writes of its client.
        (
            "shop.example",
            "from foo (mx.{0} [10.0.0.1]) (evil.example [203.0.113.66]) by mx.{0} (Postfix) with ESMTPS id 4",
        ),
        # An access provider's customer has a name below the provider's own domain.
        ("hinet.net", "from pc (203-0-113-66.hinet-ip.{0} [203.0.113.66]) by msr1.{0} (8.15.2/8.15.2) with ESMTP id x"),
        ("isp.example", "from pc (66.113.0.203.{0} [203.0.113.66]) by mx.{0} (Postfix) with ESMTP id x"),
        ("isp.example", "from pc (cb007142.{0} [203.0.113.66]) by mx.{0} (Postfix) with ESMTP id x"),
        ("isp.example", "from pc (a-7.dynamic.{0} [203.0.113.66]) by mx.{0} (Postfix) with ESMTP id x"),
        # Who logs in to send is a user.
        ("shop.example", "from pc (home.{0} [203.0.113.66]) by mx.{0} (Postfix) with ESMTPSA id 4f"),
        ("shop.example", "from pc (unknown [10.0.0.66]) by mx.{0} (Postfix) with ESMTPSA id 4f"),
    ],
)
def test_who_only_has_a_name_or_place_of_the_receiving_side_is_not_its_server(side, entered):
    forged = FORGED_BELOW.replace(b"{0}", side.encode())
    top = f"Received: {entered.format(side)}; Sun, 22 Nov 2026 05:00:01 +0000"
    mail = parse_mail(top.encode() + b"\r\nX-Spam-Status: No, score=-9\r\n" + forged + b"\r\nFrom: a@b.example\r\n\r\n")
    assert read_junked(mail).answer is None
    assert divide(mail).of(Origin.RECEIVING) == ()


def test_a_server_of_the_receiving_side_stays_its_own():
    top = b"Received: from mx2.shop.example (mx2.shop.example [203.0.113.9]) by store.shop.example (Postfix) with ESMTP id A"
    entry = b"Received: from a.example (a.example [203.0.113.66]) by mx2.shop.example (Postfix) with ESMTP id B"
    mail = parse_mail(top + b"\r\nX-Spam-Flag: YES\r\n" + entry + b"\r\nX-Spam-Flag: NO\r\nFrom: a@b.example\r\n\r\n")
    assert [field.unfolded for field in divide(mail).of(Origin.RECEIVING)] == [b"YES"]


def test_spamassassins_report_around_a_message_is_its_word_where_it_stands_on_top():
    made = content("spamassassin-report-safe")
    assert read_junked(parse_mail(made)).answer.reading.judgement is Judgement.JUNK
    brought = (
        b"Received: from a.example (a.example [203.0.113.66]) by mx.shop.example (Postfix) with ESMTP id B\r\n" + made
    )
    assert read_junked(parse_mail(brought)).answer is None


def test_microsofts_inner_hops_are_its_own_by_address_and_another_tenant_is_not():
    boundary = divide(parse_mail(content("microsoft-spam")))
    assert boundary.entry.client_ip == "203.0.113.9"
    other = content("microsoft-spam").replace(
        b"out1.hosting.example (203.0.113.9) by", b"x.outbound.protection.outlook.com (40.107.1.1) by"
    )
    assert divide(parse_mail(other)).entry.client_ip == "40.107.1.1"


def test_without_a_server_that_is_named_nothing_is_believed():
    found = read("no-received")
    assert found.boundary.side is None
    assert not [t for t in found.told if t.believed]


def test_foreign_results_in_the_receiving_part_are_named_and_not_used():
    found = read("foreign-authserv-id")
    assert found.foreign == ("mx.elsewhere.example",)
    shown = message_answer(explain_message(content("foreign-authserv-id"), Question(), Request()), Reader(), "text")
    assert b"mx.elsewhere.example were not used" in shown


def test_clock_skew_is_called_skew_and_no_delay():
    found = read("clock-skew")
    assert [delay.skewed for delay in found.delays] == [False, True]
    shown = message_answer(explain_message(content("clock-skew"), Question(), Request()), Reader(), "text").decode()
    assert "clock skew of 121 s" in shown
    assert "-121" not in shown


def test_delays_are_told_oldest_first():
    found = read("gmail")
    assert [delay.hop.by for delay in found.delays] == [
        "out1.hosting.example",
        "mx.google.com",
        "2002:a05:7300:d105:b0:16b:9d25:d8b0",
    ]
    assert [delay.seconds for delay in found.delays] == [None, 3.0, 1.0]


# --- answers ----------------------------------------------------------------------------------------------------------


def test_a_forged_sender_is_never_to_be_listed():
    shown = message_answer(
        explain_message(content("gmail-dmarc-fail"), Question(), Request()), Reader(), "text"
    ).decode()
    assert "Do not put the sender on a list" in shown


def test_nothing_advises_to_trust_a_sender_that_could_not_be_confirmed():
    """Microsoft's own line says spam as well: its advice to list the sender is not given beside a failed check."""
    found = explain_message(content("microsoft-spoof"), Question(), Request())
    assert found.junked.warned
    shown = message_answer(found, Reader(), "text").decode()
    assert "Not junk" not in shown
    assert "Safe senders" not in shown
    assert not explain_message(content("microsoft-spoof"), Question(), Request()).junked.confirmed


def test_a_list_is_advised_with_care_where_nothing_confirms_the_sender():
    plain = message_answer(
        explain_message(content("spamassassin-exim"), Question(), Request()), Reader(), "text"
    ).decode()
    assert "Nothing here confirms" in " ".join(plain.split())
    genuine = message_answer(
        explain_message(content("microsoft-spam"), Question(), Request()), Reader(), "text"
    ).decode()
    assert "Nothing here confirms" not in " ".join(genuine.split())


def test_the_banner_answers_where_no_header_does():
    found = explain_message(content("gmail"), Question(banner="similar"), Request())
    assert found.junked.answer.origin is None
    assert found.junked.answer.reading.judgement is Judgement.JUNK
    alone = explain_message(None, Question(banner="authentication"), Request())
    assert alone.junked.answer.reading.judgement is Judgement.FORGED
    assert alone.junked.boundary is None


def test_a_banner_that_is_none_lists_them_all():
    with pytest.raises(UsageError, match=r"similar \(It’s similar"):
        explain_message(None, Question(banner="list"), Request())


def test_what_is_no_message_is_refused():
    with pytest.raises(ParseError):
        explain_message(b"\x89PNG\r\n\x1a\n", Question(), Request())
    with pytest.raises(UsageError):
        explain_message(None, Question(), Request())


def test_verify_asks_the_dns_only_when_told(monkeypatch):
    def looked(*_args, **_kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr("deliverability.api.check_message", looked)
    assert explain_message(content("gmail"), Question(), Request()).verified is None
    with pytest.raises(AssertionError, match="network"):
        explain_message(content("gmail"), Question(verify=True), Request())


def test_what_was_checked_again_is_shown():
    from deliverability.api import Network

    found = explain_message(content("gmail"), Question(verify=True), Request(network=Network(offline=True)))
    assert {verdict.check for verdict in found.verified} <= {"dkim-pass", "dmarc-pass", "arc-chain-valid"}
    assert found.verified
    assert "Checked again" in message_answer(found, Reader(), "text").decode()


def test_replies_are_told_with_who_acts():
    shown = reply_answer(explain_reply("550 5.7.515 Access denied", "outlook-com"), Reader(), "text").decode()
    assert "Who acts: the sender." in shown
    assert "550 5.7.515 Access denied" in shown
    chinese = reply_answer(explain_reply("452 4.2.2 Mailbox full"), Reader(lang="zh-Hant-TW"), "text").decode()
    assert "信箱已滿" in chinese
    with pytest.raises(UsageError, match="is none of"):
        explain_reply("550 no", "nobody")
    with pytest.raises(UsageError):
        explain_reply("  ")


def test_unknown_words_are_quoted_and_not_interpreted():
    found = explain_reply("550 The moon is in the wrong house")
    assert not known(found)
    assert "not interpreted" in reply_answer(found, Reader(), "text").decode()


# --- hostile input ----------------------------------------------------------------------------------------------------


def test_a_header_of_a_megabyte_is_read_at_its_beginning():
    stamped = content("spamassassin-exim")
    head, _, rest = stamped.partition(b"From: Hosting")
    big = head + b"".join(b"X-Padding-%d: " % n + b"a" * 900 + b"\n" for n in range(1200)) + b"From: Hosting" + rest
    found = explain_message(big, Question(), Request())
    assert found.cut
    assert found.junked.answer.filter.id == "spamassassin"
    assert "only its beginning was read" in message_answer(found, Reader(), "text").decode()


def test_thousands_of_fields_are_read_at_their_beginning():
    big = content("spamassassin-exim").replace(b"From: Hosting", b"X-A: b\n" * 9000 + b"From: Hosting")
    found = explain_message(big, Question(), Request())
    assert found.cut
    assert found.junked.answer


HOSTILE = "<b>\x1b[31m\u202e\x00{actor} \ud800 " + "x" * 500


@pytest.mark.parametrize("form", ["text", "json"])
def test_hostile_stamps_are_shown_harmlessly(form):
    stamp = HOSTILE.encode("utf-8", "surrogatepass").replace(b"\x00", b"\x00")
    copy = content("spamassassin-exim").replace(b"tests=BAYES_99", b"tests=BAYES_99 " + stamp)
    copy = copy.replace(b"Authentication", b"A").replace(
        b"X-Spam-Flag: YES", b"X-YahooFilteredBulk: " + stamp + b"\nX-Spam-Flag: YES"
    )
    shown = message_answer(explain_message(copy, Question(), Request()), Reader(), form).decode()
    assert not set("\x1b\u202e\x00") & set(shown)


@pytest.mark.parametrize("one", filters(), ids=lambda one: one.id)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(text=st.text(max_size=300), data=st.data())
def test_a_filter_reads_any_text(one, text, data):
    name = data.draw(st.sampled_from(sorted(one.headers))).replace("*", "x")
    reading = one.read((Stamp(name, text),))
    if reading:
        assert all(finding.code in one.messages for finding in reading.findings)


@given(st.binary(max_size=2000))
@settings(max_examples=60)
def test_any_header_is_divided(body):
    mail = parse_mail(b"Received: " + body.replace(b"\n", b" ").replace(b"\r", b" ") + b"\r\nSubject: x\r\n\r\n")
    assert read_junked(mail).boundary is not None


@pytest.mark.parametrize(
    "stamp", ["yes, " + "tests=A" * 9000, "(" * 60_000, "SCL:" * 16_000, "a=b;" * 16_000, '"' * 60_001]
)
def test_long_stamps_take_no_harm(stamp):
    for one in filters():
        for name in sorted(one.headers):
            one.read((Stamp(name.replace("*", "x"), stamp),))


# --- what every filter owes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plugin", plugins.ids("filters"))
def test_a_filter_keeps_its_contract(plugin):
    one = plugins.load("filters", plugin)
    assert isinstance(one, Filter)
    assert one.id == plugin
    assert one.headers
    assert all(name == name.lower() for name in one.headers)
    assert set(one.actors) == set(one.advice) <= set(one.messages)
    assert set(one.banners) <= set(one.messages)
    for texts in (*one.messages.values(), *one.advice.values(), *one.banners.values(), one.name):
        assert all(texts[lang].strip() for lang in LANGUAGES)
    for code, texts in one.messages.items():
        fields = [set(re.findall(r"\{(\w+)\}", texts[lang])) for lang in LANGUAGES]
        assert fields[0] == fields[1], code


def test_a_filters_chinese_is_traditional():
    """Advice and banners too; the first level of Big5 holds what is in daily use in Taiwan."""
    for one in filters():
        for texts in (*one.messages.values(), *one.advice.values(), *one.banners.values()):
            for char in re.findall(r"[\u3400-\u9fff]", texts["zh-Hant-TW"]):
                assert 0xA440 <= int.from_bytes(char.encode("big5")) <= 0xC67E, (one.id, char)
            assert not any(word in texts["zh-Hant-TW"] for word in ("點擊", "登錄", "服務器", "郵箱", "賬號", "默認"))


def test_json_is_whole():
    found = explain_message(content("microsoft-spam"), Question(), Request())
    value = message_to_json(found, catalog("en"))
    assert json.loads(json.dumps(value)) == value
    assert value["judgement"] == "junk"
    assert value["hops"][-1]["protocol"] == "HTTPS"


# --- the words of RFC 8601 and of those who have their own ------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "code", "judgement"),
    [
        ("dmarc=permerror header.from=a.example", "dmarc-none", Judgement.NONE),  # a record that cannot be read
        ("dmarc=temperror header.from=a.example", "dmarc-open", Judgement.NONE),
        ("dmarc=unknown header.from=a.example", "dmarc-open", Judgement.NONE),  # Yahoo
        ("dmarc=success(p=REJECT) header.from=a.example", "dmarc-pass", Judgement.NONE),  # Yahoo
        ("dmarc=bestguesspass action=none header.from=a.example", "dmarc-none", Judgement.NONE),  # Microsoft
        ("dmarc=fail(p=REJECT) header.from=a.example", "dmarc-fail", Judgement.FORGED),
        ("dkim=neutral (body hash did not verify) header.i=@a.example", "dkim-fail", Judgement.NONE),  # Gmail
        ("dkim=temperror (no key for signature) header.i=@a.example", "dkim-open", Judgement.NONE),
        ("dkim=none (message not signed) header.d=none", "dkim-none", Judgement.NONE),
        ("dkim=unknown", "dkim-none", Judgement.NONE),  # Yahoo
        ("spf=permerror smtp.mailfrom=b@a.example", "spf-error", Judgement.NONE),
        ("spf=softfail smtp.mail=b@a.example", "spf-weak", Judgement.NONE),  # Coremail
    ],
)
def test_a_result_is_taken_for_what_it_is(said, code, judgement):
    filter_ = next(one for one in filters() if one.id == "authentication")
    reading = filter_.read((Stamp("Authentication-Results", f"mx.host.example; {said};"),))
    assert (reading.findings[0].code, reading.judgement) == (code, judgement)
    assert reading.findings[0].parameters["domain"] in ("a.example", "none", "-")


@pytest.mark.parametrize(
    "text",
    [
        "pass (google.com: domain of b@a.example designates 192.0.2.1 as permitted sender) client-ip=192.0.2.1;",
        "softfail (google.com: domain of transitioning b@a.example does not designate 192.0.2.1 as permitted sender)",
        "Fail (protection.outlook.com: domain of a.example does not designate 192.0.2.1 as permitted sender)",
        'Pass (mailfrom) identity=mailfrom; client-ip=192.0.2.1; helo=h.example; envelope-from="b@a.example"; receiver=x',
    ],
)
def test_the_domain_of_received_spf_is_named(text):
    filter_ = next(one for one in filters() if one.id == "authentication")
    assert filter_.read((Stamp("Received-SPF", text),)).findings[0].parameters["domain"] == "a.example"
