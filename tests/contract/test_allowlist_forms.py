"""What every allowlist form owes its reader; a new one is held to it without being named here."""

import re
from datetime import date

import pytest

from deliverability import plugins
from deliverability.evidence.plugin import LANGUAGES, Form
from deliverability.evidence.sender_facts import SenderFacts, Signer

IDS = plugins.ids("allowlists")
FACTS = SenderFacts(
    address="billing@host.example",
    display_name="範例主機 Billing",
    signers=(Signer("host.example", ("s2026",)),),
    envelope_domain="bounce.host.example",
    egress_ips=("192.0.2.10", "2001:db8::25"),
    issued_on=date(2026, 11, 22),
    expires_on=date(2027, 11, 22),
    authserv_id="mx.customer.example",
)
ALONE = SenderFacts(address=FACTS.address, issued_on=FACTS.issued_on, expires_on=FACTS.expires_on)
HAN = re.compile(r"[\u3400-\u9fff]")
SIMPLIFIED_IN_BIG5 = set("于党冲听")  # forms that Big5 holds as characters of their own
MAINLAND = ("郵箱", "服務器", "網絡", "默認", "登錄", "賬號", "軟件", "程序", "鏈接", "點擊", "過濾器規則")


def form(plugin: str) -> Form:
    loaded: Form = plugins.load("allowlists", plugin)
    return loaded


def prose(plugin: str, lang: str) -> list[str]:
    one = form(plugin)
    texts = (one.title, one.effect, one.limits, one.blast_radius, one.undo)
    return [*(text[lang] for text in texts), *one.instructions[lang]]


def test_there_are_forms() -> None:
    assert {"sieve", "spamassassin", "rspamd", "amavis", "exim-user-filter", "gmail-filter", "vcard"} <= set(IDS)


@pytest.mark.parametrize("plugin", IDS)
def test_it_speaks_every_language_alike(plugin: str) -> None:
    for lang in LANGUAGES:
        for text in prose(plugin, lang):
            assert text.strip() == text
            assert text
            assert text.isprintable()
    assert len({len(form(plugin).instructions[lang]) for lang in LANGUAGES}) == 1
    assert 2 <= len(form(plugin).instructions["en"]) <= 5


@pytest.mark.parametrize("plugin", IDS)
def test_its_chinese_is_the_chinese_of_taiwan(plugin: str) -> None:
    for text in prose(plugin, "zh-Hant-TW"):
        for char in HAN.findall(text):
            # The first level of Big5: the 5,401 characters in daily use in Taiwan.
            assert 0xA440 <= int.from_bytes(char.encode("big5", "ignore")) <= 0xC67E, (char, text)
            assert char not in SIMPLIFIED_IN_BIG5
        assert not [word for word in MAINLAND if word in text], text


@pytest.mark.parametrize("plugin", IDS)
def test_the_file_says_its_reach_its_undo_and_its_end(plugin: str) -> None:
    content = squeezed(form(plugin).render(FACTS).decode())
    for lang in LANGUAGES:
        for text in (form(plugin).effect, form(plugin).limits, form(plugin).blast_radius, form(plugin).undo):
            assert squeezed(text[lang]) in content, text[lang]
    assert "2027-11-22" in content
    assert "2026-11-22" in content


def squeezed(text: str) -> str:
    """Text without what a medium's line ends, marks and escapes add."""
    plain = re.sub(r"\\n|\\(?=[,;])|\r\n ", "", text.removeprefix("\ufeff"))
    return re.sub(r"(?m)^# ?|\s", "", plain).replace("- -", "--")


@pytest.mark.parametrize("plugin", IDS)
def test_what_was_not_run_says_so(plugin: str) -> None:
    if not form(plugin).run_here:
        assert re.search("NOT RUN HERE|not imported|looks at the From line alone", form(plugin).limits["en"])
    if not form(plugin).authenticated:
        assert re.search("signature|From line alone", form(plugin).limits["en"])


@pytest.mark.parametrize("plugin", IDS)
def test_it_makes_the_same_bytes_again(plugin: str) -> None:
    assert form(plugin).render(FACTS) == form(plugin).render(FACTS)


@pytest.mark.parametrize("plugin", [name for name in IDS if form(name).needs])
def test_without_what_it_needs_there_is_no_file(plugin: str) -> None:
    with pytest.raises(ValueError, match="needs"):
        form(plugin).render(ALONE)


@pytest.mark.parametrize("plugin", IDS)
def test_the_providers_that_it_names_exist(plugin: str) -> None:
    assert form(plugin).providers <= set(plugins.ids("providers"))


@pytest.mark.parametrize("plugin", IDS)
def test_its_extension_is_one(plugin: str) -> None:
    assert re.fullmatch(r"[a-z0-9]{2,8}", form(plugin).extension)
    assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", form(plugin).media_type)
