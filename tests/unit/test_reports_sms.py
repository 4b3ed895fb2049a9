"""The telephone message: never longer than one, never more than the level reached."""

from dataclasses import replace

import pages
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability import plugins
from deliverability.compose.page import compose
from deliverability.errors import UsageError
from deliverability.evidence.document import Edition
from deliverability.evidence.plugin import Provider
from deliverability.reports.sms import LIMIT, render

WAYS = {"accepted-dns-later", "accepted-icloud", "accepted-outlook", "accepted-after-waiting"}
ARRIVED = {"accepted", "accepted-caution", "accepted-not-enforced", *WAYS}
CLAIMS = {"en": "accepted our", "zh-Hant-TW": "已收下我們"}
LINK = "https://hst.example/r"


def said(document):
    return render(document).decode().removesuffix("\n")


def with_link(branch, lang, link=LINK):
    return replace(pages.report(branch, lang), link=link)


@pytest.mark.parametrize("lang", pages.LANGUAGES)
@pytest.mark.parametrize("branch", pages.factory.BRANCHES)
def test_every_branch_fits_and_carries_the_link(branch, lang):
    for link in (LINK, pages.factory.BRAND.action_url):
        line = said(with_link(branch, lang, link))
        assert len(line) <= LIMIT
        assert len(line.encode("utf-16-be")) <= 140
        assert line.endswith(f" {link}")


@pytest.mark.parametrize("lang", pages.LANGUAGES)
@pytest.mark.parametrize("branch", pages.factory.BRANCHES)
def test_only_what_was_accepted_is_called_so(branch, lang):
    claimed = [line for line in pages.report(branch, lang).short if CLAIMS[lang] in line]
    assert bool(claimed) is (branch in ARRIVED)


@pytest.mark.parametrize("lang", pages.LANGUAGES)
def test_nobody_is_sent_to_a_folder_for_mail_that_is_not_there_or_may_be_forged(lang):
    folder = {"en": "Spam", "zh-Hant-TW": "垃圾郵件"}[lang]
    for branch in ("refused-no-mailbox", "deferred", "bounced", "expired", "held", "accepted-failed-check"):
        assert not any(folder in line for line in pages.report(branch, lang).short), branch


def test_nobody_is_sent_to_a_folder_that_was_emptied():
    document = compose(
        pages.factory.BRANCHES["accepted"]("en"),
        lang="en",
        timezone="UTC",
        brand=pages.factory.BRAND,
        made_at=pages.factory.MADE_AT.replace(year=2027),
    )
    assert said(document) == "About our mail of 22 Nov: https://my.host.example/renew"


@pytest.mark.parametrize("lang", pages.LANGUAGES)
@pytest.mark.parametrize("plugin", [p for p in plugins.ids("providers") if p != "own-server"])
def test_every_provider_s_folder_fits(plugin, lang):
    provider = plugins.load("providers", plugin)
    assert isinstance(provider, Provider)
    found = replace(pages.factory.BRANCHES["accepted"](lang), provider=plugin)
    line = said(replace(compose(found, lang=lang, timezone="UTC", made_at=pages.factory.MADE_AT), link=LINK))
    assert provider.junk_folder[lang] in line
    assert len(line) <= LIMIT


def test_a_link_that_leaves_no_room_is_refused():
    with pytest.raises(UsageError, match="give a shorter --link"):
        render(with_link("accepted", "en", "https://host.example/" + "x" * 60))


def test_half_a_sentence_needs_the_link():
    assert said(with_link("accepted", "en", "")) == "Gmail accepted our 22 Nov mail: see Spam."
    with pytest.raises(UsageError, match="set action_url, or give --link"):
        render(with_link("refused-no-mailbox", "en", ""))


def test_what_was_not_found_makes_no_message():
    document = compose(
        pages.factory.not_found(), lang="en", timezone="UTC", edition=Edition.SUPPORT, made_at=pages.factory.MADE_AT
    )
    with pytest.raises(UsageError, match="nothing was found"):
        render(document)


@given(st.text(max_size=80) | st.just("javascript:alert(1)") | st.just("https://host.example/\n<b>"))
def test_no_other_link_goes_out(link):
    try:
        line = said(with_link("accepted", "en", link))
    except UsageError:
        return
    assert not link or link.startswith(("https://", "http://"))
    assert line.isprintable()
    assert len(line) <= LIMIT
