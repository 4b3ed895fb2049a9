"""Allowlist files: facts that can break out of nothing, and files that an independent parser reads as they were meant."""

import importlib.util
import re
import shlex
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability import plugins
from deliverability.errors import ParseError
from deliverability.evidence.plugin import Form
from deliverability.evidence.sender_facts import SenderFacts, Signer, sender_address
from deliverability.protocols.allow_text import (
    commented,
    exim_pattern,
    exim_string,
    perl_string,
    plain_address,
    powershell_string,
    sieve_string,
    vcard_lines,
    vcard_text,
    xml_comment,
    xml_text,
)

ROOT = Path(__file__).parents[2]
IDS = plugins.ids("allowlists")
ATEXT = "abcXYZ0189!#$%&'*+-/=?^_`{|}~"
FACTS = SenderFacts(
    address="billing@host.example",
    display_name="Example Host",
    signers=(Signer("host.example", ("s1",)), Signer("mail.host.example")),
    egress_ips=("192.0.2.10",),
    issued_on=date(2026, 11, 22),
    expires_on=date(2027, 11, 22),
    authserv_id="mx.rcpt.example",
)
ADDRESSES = st.builds(
    lambda atoms, domain: f"{'.'.join(atoms)}"[:64].rstrip(".") + "@" + domain,
    st.lists(st.text(st.sampled_from(ATEXT), min_size=1, max_size=20), min_size=1, max_size=4),
    st.sampled_from(["host.example", "xn--fiqs8s.example", "a.b-c.d.example"]),
)
NAMES = st.text(max_size=100)


def render(plugin: str, facts: SenderFacts) -> bytes:
    form: Form = plugins.load("allowlists", plugin)
    return form.render(facts)


# --- facts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "",
        "billing",
        "@host.example",
        "billing@",
        "billing@host",
        "billing@host.example.",
        "billing@HOST.example",
        "billing@-host.example",
        "billing@host_1.example",
        "billing@192.0.2.1",
        "billing@[192.0.2.1]",
        "a..b@host.example",
        ".a@host.example",
        "a.@host.example",
        '"quoted"@host.example',
        '"a; dmarc=pass header.from=host.example b"@host.example',
        'a"b@host.example',
        "a\\b@host.example",
        "a b@host.example",
        "a\nb@host.example",
        "a\r\nkeep;@host.example",
        "a\0b@host.example",
        "a,b@host.example",
        "a;b@host.example",
        "a<b>@host.example",
        "a(b)@host.example",
        "帳單@host.example",
        "a\u202eb@host.example",
        "a@b@host.example",
        "a" * 65 + "@host.example",
        "a@" + "b" * 64 + ".example",
        "a@" + ".".join(["b" * 60] * 5) + ".example",
        "billing@主機.example",
    ],
)
def test_an_address_that_could_break_out_is_no_fact(address: str) -> None:
    with pytest.raises(ParseError):
        replace(FACTS, address=address)


def test_the_longest_address_is_one() -> None:
    longest = "a" * 64 + "@host.example"
    assert replace(FACTS, address=longest).local_part == "a" * 64
    for plugin in IDS:
        assert longest.encode() in re.sub(
            rb"\r\n ", b"", render(plugin, replace(FACTS, address=longest)).replace(b"\\", b"")
        )


def test_a_domain_in_letters_of_any_script_becomes_a_labels() -> None:
    assert sender_address("<billing@主機.example>") == "billing@xn--tiqx99d.example"
    assert sender_address(" Billing@HOST.example ") == "Billing@host.example"
    for text in ("billing", "billing@", "a" * 400 + "@host.example", '"a b"@host.example', "billing@a..b"):
        with pytest.raises(ParseError):
            sender_address(text)


@pytest.mark.parametrize(
    "change",
    [
        {"display_name": "a\nb"},
        {"display_name": "a\u2028b"},
        {"display_name": "a\u202eb"},
        {"display_name": "a\ud800b"},
        {"display_name": "a\0"},
        {"display_name": "a" * 101},
        {"envelope_domain": "host.example; x"},
        {"envelope_domain": ""},
        {"egress_ips": ("192.0.2.1/24",)},
        {"egress_ips": ("fe80::1%eth0",)},
        {"egress_ips": ("192.0.2.1\n",)},
        {"egress_ips": ("192.0.2.1",) * 101},
        {"authserv_id": ""},
        {"authserv_id": "mx.rcpt.example; dmarc=pass"},
        {"authserv_id": "mx rcpt"},
        {"authserv_id": ".*"},
        {"authserv_id": "mx\n"},
        {"authserv_id": '"'},
        {"authserv_id": "a" * 254},
        {"expires_on": date(2026, 11, 22)},
        {"expires_on": date(2020, 1, 1)},
        {"expires_on": date(2030, 1, 1)},
    ],
)
def test_a_fact_that_is_none_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ParseError):
        replace(FACTS, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("domain", ["", "host", "host.example'", "HOST.example", "*.example", "a/b.example"])
def test_a_signing_domain_is_a_host_name(domain: str) -> None:
    with pytest.raises(ParseError):
        Signer(domain)


@pytest.mark.parametrize("selector", ["", "s 1", "s1;", "S1", "*"])
def test_a_selector_is_labels(selector: str) -> None:
    with pytest.raises(ParseError):
        Signer("host.example", (selector,))


@settings(deadline=None)
@given(st.text(max_size=100))
def test_any_text_is_an_address_or_a_parse_error(text: str) -> None:
    try:
        address = sender_address(text)
    except ParseError:
        return
    assert replace(FACTS, address=address).address == address
    assert address.isascii()
    assert address.isprintable()


# --- files ------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(ADDRESSES)
def test_every_address_gives_a_file_or_a_reason(address: str) -> None:
    facts = replace(FACTS, address=address)
    for plugin in IDS:
        odd = set(address) - set("+=.-_@") - set("abcXYZ0189") - set(facts.author_domain)
        if odd and plugins.load("allowlists", plugin).extension not in {"sieve", "filter", "vcf"}:
            if odd - {"~", "'"}:
                with pytest.raises(ParseError, match="meaning of its own"):
                    render(plugin, facts)
        else:
            assert render(plugin, facts).decode()


@pytest.mark.parametrize("plugin", ["sieve", "exim-user-filter", "exim-system-filter", "vcard"])
@settings(deadline=None)
@given(ADDRESSES)
def test_where_every_sign_can_be_written_every_address_gets_a_file(plugin: str, address: str) -> None:
    assert render(plugin, replace(FACTS, address=address))


@pytest.mark.parametrize("odd", list("!#$%&'*/?^`{|}"))
@pytest.mark.parametrize("plugin", ["spamassassin", "rspamd", "amavis", "gmail-filter", "microsoft-365", "proofpoint"])
def test_a_sign_that_an_engine_may_take_for_more_gives_no_file(plugin: str, odd: str) -> None:
    with pytest.raises(ParseError, match="meaning of its own"):
        render(plugin, replace(FACTS, address=f"a{odd}b@host.example"))


@pytest.mark.parametrize("plugin", [name for name in IDS if plugins.load("allowlists", name).extension != "vcf"])
@settings(deadline=None)
@given(st.sampled_from(["a'b", "a$b", "a{b}", "a#b", "a|b", "a--b", "a%b", "a`b", "a~b"]))
def test_outside_remarks_there_are_as_many_lines_as_for_a_plain_address(plugin: str, local: str) -> None:
    """No value ends its line or opens another: but for the address itself, the files are alike."""
    plain = render(plugin, FACTS).decode()
    try:
        other = render(plugin, replace(FACTS, address=f"{local}@host.example")).decode()
    except ParseError:
        return
    assert len(other.splitlines()) == len(plain.splitlines())


ATOM = "{http://www.w3.org/2005/Atom}"
APPS = "{http://schemas.google.com/apps/2006}"


@settings(deadline=None)
@given(ADDRESSES)
def test_gmail_reads_one_address_and_one_action(address: str) -> None:
    try:
        content = render("gmail-filter", replace(FACTS, address=address))
    except ParseError:
        return
    root = ET.fromstring(content)
    assert root.tag == f"{ATOM}feed"
    (entry,) = root.findall(f"{ATOM}entry")
    assert entry.find(f"{ATOM}category").attrib == {"term": "filter"}  # type: ignore[union-attr]
    properties = {one.attrib["name"]: one.attrib["value"] for one in root.iter(f"{APPS}property")}
    assert properties == {"from": address.lower(), "shouldNeverSpam": "true"}


@settings(deadline=None)
@given(ADDRESSES, NAMES)
def test_a_contact_has_its_name_and_its_one_address(address: str, name: str) -> None:
    try:
        facts = replace(FACTS, address=address, display_name=name)
    except ParseError:
        return
    card = read_vcard(render("vcard", facts))
    assert [one for one, _ in card] == ["BEGIN", "VERSION", "N", "FN", "EMAIL;TYPE=INTERNET", "NOTE", "REV", "END"]
    values = dict(card)
    assert unescaped(values["EMAIL;TYPE=INTERNET"]) == address
    assert unescaped(values["FN"]) == (name or address)
    parts = re.split(r"(?<!\\)(?:\\\\)*;", values["N"])
    assert len(parts) == 5
    assert "2027-11-22" in unescaped(values["NOTE"])


def read_vcard(content: bytes) -> list[tuple[str, str]]:
    """RFC 2426 §4, strictly: CRLF, lines of at most 75 octets, whole characters, one card."""
    assert content.endswith(b"\r\n")
    lines = content[:-2].split(b"\r\n")
    for line in lines:
        assert len(line) <= 75
        assert not re.search(rb"[\x00-\x1f\x7f]", line)
        assert line.decode()  # folding cuts no character
    unfolded: list[str] = []
    for line in lines:
        if line.startswith(b" "):
            unfolded[-1] += line[1:].decode()
        else:
            unfolded.append(line.decode())
    found = []
    for line in unfolded:
        match = re.fullmatch(r"([A-Z]+(?:;[A-Z]+=[A-Z,]+)*):(.*)", line)
        assert match, line
        found.append((match[1], match[2]))
    assert found[0] == ("BEGIN", "VCARD")
    assert found[1] == ("VERSION", "3.0")
    assert found[-1] == ("END", "VCARD")
    return found


def unescaped(value: str) -> str:
    assert not re.search(r"(?<!\\)(?:\\\\)*[,;]", value), value
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] in "nN" else match[1], value)


def test_a_rule_of_microsoft_365_has_both_conditions_and_an_end() -> None:
    text = render("microsoft-365", FACTS).decode()
    assert text.startswith("\ufeff#")  # the mark by which Windows PowerShell knows UTF-8
    command = "".join(line for line in text.splitlines() if not line.startswith(("#", "\ufeff"))).replace("`", "")
    words = shlex.split(command)  # of these strings POSIX quoting reads the same
    assert words[0] == "New-TransportRule"
    options = dict(zip(words[1::2], words[2::2], strict=True))
    assert options["-FromAddressMatchesPatterns"] == r"^billing@host\.example$"
    assert options["-HeaderContainsWords"] == "dmarc=pass"
    assert options["-ExpiryDate"] == "2027-11-22"
    assert "NOT RUN HERE" in text


def test_a_sieve_script_is_closed_for_every_address() -> None:
    """Strings and blocks balance, whatever the address (RFC 5228 §2.4.2): the engine reads them in tests/servers."""
    for local in ("a'b", "a{b}", "a#b", "a$b", "a/*b"):
        text = render("sieve", replace(FACTS, address=f"{local}@host.example")).decode()
        code = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', code)
        assert bare.count("{") == bare.count("}") == 1
        assert bare.count("(") == bare.count(")") == 1
        assert f'"{local}@host.example"' in code


# --- quoting ----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.text())
def test_a_sieve_string_reads_back(text: str) -> None:
    assert re.sub(r"\\(.)", r"\1", sieve_string(text)[1:-1], flags=re.DOTALL) == text
    assert not re.search(r'(?<!\\)(?:\\\\)*"', sieve_string(text)[1:-1])


@settings(deadline=None)
@given(st.text(st.sampled_from(ATEXT + '@."\\$')))
def test_an_exim_string_reads_back(text: str) -> None:
    once = re.sub(r"\\\\", r"\\", exim_string(text))
    assert re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), once) == text
    assert not set(exim_string(text)) & set("${}\"'")


def test_an_exim_pattern_survives_both_readings() -> None:
    assert exim_pattern(r'\s*"$') == r"\\\\s*\\x22\\$"


@settings(deadline=None)
@given(st.text(st.characters(blacklist_characters="\n")))
def test_strings_of_perl_and_powershell_read_back(text: str) -> None:
    assert re.sub(r"\\([\\'])", r"\1", perl_string(text)[1:-1]) == text
    inside = powershell_string(text)[1:-1]
    assert re.sub("(['\u2018\u2019\u201a\u201b])\\1", r"\1", inside) == text


@settings(deadline=None)
@given(st.text(st.characters(blacklist_categories=["Cc", "Cs"], blacklist_characters="\ufffe\uffff")))
def test_xml_reads_back(text: str) -> None:
    assert ET.fromstring(f"<a b='{xml_text(text)}'/>").attrib["b"] == text
    inside = ET.fromstring(f"<a>{xml_comment([text])}</a>")
    assert inside.text is not None or len(inside) == 0


@settings(deadline=None)
@given(st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"])))
def test_vcard_text_reads_back(text: str) -> None:
    assert unescaped(vcard_text(text)) == text
    assert all(len(line) <= 75 for line in vcard_lines([text]).split(b"\r\n"))


def test_remarks_are_comments_to_the_end() -> None:
    assert commented(["a", "", "b"]) == "# a\n#\n# b\n"
    assert xml_comment(["a--b", "---"]).count("--") == 2


def test_a_plain_address_is_lower_case() -> None:
    assert plain_address(replace(FACTS, address="Billing+a@host.example"), "x") == "billing+a@host.example"


# --- documentation ----------------------------------------------------------------------------------------------------


def test_the_page_of_forms_is_what_the_forms_say() -> None:
    """Generated documentation that is not current is wrong: ``python docs/generate_allowlists.py`` writes it anew."""
    spec = importlib.util.spec_from_file_location("generate_allowlists", ROOT / "docs" / "generate_allowlists.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs" / "allowlists.md").read_text("utf-8")
    assert page == module.page()
    assert all(f"## {plugin}" in page for plugin in IDS)
