"""What every provider file owes its reader; a new one is held to it without being named here."""

import re
from datetime import date

import pytest

from deliverability import plugins
from deliverability.evidence.names import Domain
from deliverability.evidence.plugin import LANGUAGES, Certainty, Provider, ProviderKind, Surface

IDS = plugins.ids("providers")
PHONE = {Surface.PHONE_APP, Surface.PHONE_BROWSER}
PLACEHOLDERS = {"address", "domain", "subject", "message_id"}
FORBIDDEN = re.compile(r"\b(SPF|DKIM|DMARC)\b")


def provider(plugin):
    return plugins.load("providers", plugin)


def steps_of(plugin):
    loaded = provider(plugin)
    return [*loaded.find, *loaded.keep]


def prose(loaded):
    """Every text of a provider, by language."""
    for lang in LANGUAGES:
        yield lang, loaded.name[lang]
        yield lang, loaded.junk_folder[lang]
        yield lang, loaded.search[lang]
        for steps in (*loaded.find, *loaded.keep):
            yield from ((lang, step) for step in steps.steps[lang])
        yield from ((lang, caveat[lang]) for caveat in loaded.caveats)


# Every mailbox, panel, program and gateway for which steps were gathered; a file that vanishes is missed.
KNOWN = [
    "aol",
    "apple-mail",
    "barracuda",
    "cellopoint",
    "cisco-esa",
    "cpanel",
    "daum-kakao",
    "fastmail",
    "generic",
    "gmail",
    "gmx",
    "godaddy",
    "google-workspace",
    "hinet",
    "hinet-secure",
    "icloud",
    "jp-carriers",
    "mail2000",
    "mailgates",
    "mailru",
    "microsoft-365",
    "mimecast",
    "naver",
    "naver-works",
    "netease",
    "outlook-com",
    "own-server",
    "pchome",
    "plesk",
    "proofpoint",
    "proton",
    "qq",
    "rackspace",
    "seednet",
    "seznam",
    "sophos",
    "spamsqr",
    "thunderbird",
    "trendmicro",
    "url-com-tw",
    "webde",
    "workmail",
    "yahoo",
    "yahoo-jp",
    "yahoo-tw",
    "yandex",
    "zoho",
]


@pytest.mark.parametrize("plugin", KNOWN)
def test_the_provider_is_there(plugin):
    assert plugin in IDS


@pytest.mark.parametrize("plugin", IDS)
def test_its_id_is_its_file_name_and_it_is_a_provider(plugin):
    assert isinstance(provider(plugin), Provider)
    assert provider(plugin).id == plugin


@pytest.mark.parametrize("plugin", IDS)
def test_it_speaks_every_language(plugin):
    for lang, text in prose(provider(plugin)):
        assert text.strip() == text, (lang, text)
        assert text, lang


@pytest.mark.parametrize("plugin", IDS)
def test_steps_are_three_to_five_and_as_many_in_each_language(plugin):
    assert provider(plugin).find
    assert provider(plugin).keep
    for steps in steps_of(plugin):
        counts = {len(steps.steps[lang]) for lang in LANGUAGES}
        assert len(counts) == 1, steps.steps
        assert counts <= {3, 4, 5}


@pytest.mark.parametrize("plugin", IDS)
def test_the_phone_comes_first_and_no_surface_twice(plugin):
    for group in (provider(plugin).find, provider(plugin).keep):
        surfaces = [steps.surface for steps in group]
        assert len(set(surfaces)) == len(surfaces)
        assert surfaces == sorted(surfaces, key=lambda s: s not in PHONE)
    assert provider(plugin).find[0].surface in PHONE


@pytest.mark.parametrize("plugin", IDS)
def test_placeholders_are_known_and_agree_between_languages(plugin):
    for steps in steps_of(plugin):
        for texts in zip(*(steps.steps[lang] for lang in LANGUAGES), strict=True):
            found = [set(re.findall(r"\{(\w+)\}", text)) for text in texts]
            assert all(names == found[0] for names in found), texts
            assert found[0] <= PLACEHOLDERS
    for lang in LANGUAGES:
        assert set(re.findall(r"\{(\w+)\}", provider(plugin).search[lang])) <= {"address", "message_id"}


@pytest.mark.parametrize("plugin", IDS)
def test_keeping_names_the_whole_address_never_a_domain(plugin):
    """A list entry for a whole domain lets in whoever can write that domain into a From line (whitelisting §2)."""
    for steps in provider(plugin).keep:
        for lang in LANGUAGES:
            joined = " ".join(steps.steps[lang])
            assert "{domain}" not in joined
            assert "{address}" in joined


@pytest.mark.parametrize("plugin", IDS)
def test_a_source_that_is_claimed_is_given(plugin):
    for steps in steps_of(plugin):
        if steps.certainty is not Certainty.GENERAL:
            assert steps.source.startswith(("http://", "https://"))
        assert steps.source
    assert date(2020, 1, 1) < provider(plugin).steps_date < date(2100, 1, 1)


@pytest.mark.parametrize("plugin", IDS)
def test_no_jargon_reaches_the_customer(plugin):
    for _lang, text in prose(provider(plugin)):
        assert not FORBIDDEN.search(text), text


@pytest.mark.parametrize("plugin", IDS)
def test_domains_and_suffixes_are_in_comparable_form(plugin):
    for name in (*provider(plugin).domains, *provider(plugin).mx_suffixes):
        assert Domain.parse(name.removeprefix(".")).name == name.removeprefix(".")
    assert not any(suffix.startswith(".") for suffix in provider(plugin).mx_suffixes)


@pytest.mark.parametrize("plugin", IDS)
def test_junk_days_are_days(plugin):
    assert provider(plugin).junk_days is None or 1 <= provider(plugin).junk_days <= 366


def test_no_domain_belongs_to_two_providers():
    domains = [name for plugin in IDS for name in provider(plugin).domains]
    assert len(domains) == len(set(domains))


@pytest.mark.parametrize("kind", [ProviderKind.GENERIC, ProviderKind.OWN])
def test_there_is_just_one_of_each_of_these(kind):
    assert [plugin for plugin in IDS if provider(plugin).kind is kind] != []
    assert len([plugin for plugin in IDS if provider(plugin).kind is kind]) == 1


# What a customer of each meets at a quarantine, before the mailbox.
@pytest.mark.parametrize("plugin", [p for p in IDS if provider(p).kind is ProviderKind.GATEWAY])
def test_a_gateway_speaks_of_its_quarantine_and_has_no_junk_folder(plugin):
    loaded = provider(plugin)
    assert "quarantine" in loaded.junk_folder["en"]
    assert "隔離區" in loaded.junk_folder["zh-Hant-TW"]
    assert any("quarantine" in caveat["en"] or "held" in caveat["en"] for caveat in loaded.caveats)
    assert loaded.junk_days is None
    assert not loaded.domains


@pytest.mark.parametrize("plugin", [p for p in IDS if provider(p).kind in (ProviderKind.PANEL, ProviderKind.CLIENT)])
def test_a_panel_or_a_program_is_told_by_no_domain(plugin):
    assert not provider(plugin).domains
    assert not provider(plugin).mx_suffixes


def test_steps_without_a_source_name_no_button():
    """What nobody looked up must not read as a provider's own words."""
    for plugin in IDS:
        for steps in steps_of(plugin):
            if steps.certainty is Certainty.GENERAL and not steps.source.startswith("http") and plugin in NEW:
                assert not any("“" in step for step in steps.steps["en"]), (plugin, steps.steps["en"])


NEW = {"pchome", "seednet", "spamsqr", "cellopoint", "trendmicro"}


def test_a_suffix_of_two_providers_is_one_that_they_share():
    """Google's and Yahoo's mailboxes cannot be told apart by MX alone; no others may overlap."""
    seen = {}
    for plugin in IDS:
        for suffix in provider(plugin).mx_suffixes:
            seen.setdefault(suffix, set()).add(plugin)
    shared = {suffix: ids for suffix, ids in seen.items() if len(ids) > 1}
    assert shared == {
        "google.com": {"gmail", "google-workspace"},
        "googlemail.com": {"gmail", "google-workspace"},
        "yahoodns.net": {"yahoo", "yahoo-tw"},
    }
