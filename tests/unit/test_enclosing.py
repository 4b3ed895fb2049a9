"""What api puts beside a page: the configured look, the page's own twins, a sealed bundle."""

import base64
import json
import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pages
import pytest
import sealed_bundles

from deliverability.api import Reader, Request
from deliverability.api.enclosing import (
    MAX_ENCLOSED,
    allowlist_files,
    brand_notes,
    brand_of,
    bundle_file,
    with_enclosures,
)
from deliverability.api.rendering import render
from deliverability.config import Configuration, ReportSettings
from deliverability.errors import CannotLookError, TamperedError, UsageError
from deliverability.evidence.bundle import Origin, Sourced
from deliverability.evidence.document import Relationship
from deliverability.evidence.verdict import Outcome


def request(**report):
    return Request(configuration=Configuration(report=ReportSettings(**report)))


def test_the_page_encloses_itself_for_machines_and_for_plain_eyes():
    document = with_enclosures(pages.report("accepted", "zh-Hant-TW"))
    data, text = document.attachments
    assert (data.relationship, text.relationship) == (Relationship.DATA, Relationship.ALTERNATIVE)
    assert json.loads(data.content)["schema_version"] == 1
    assert "垃圾郵件" in text.content.decode()
    assert data.name == f"{document.file_stem}.json"
    assert "Enclosed" not in text.content.decode()


SENDER = request(sender="billing@host.example")


@pytest.mark.parametrize("lang", pages.LANGUAGES)
def test_the_files_of_the_recipient_s_provider_come_along(lang):
    made = allowlist_files(pages.factory.BRANCHES["accepted"](lang), SENDER, lang)
    assert [file.name for file in made] == [
        "2026-11-25-gmail-filter-host.example.xml",
        "2026-11-25-vcard-host.example.vcf",
    ]
    assert all(b"billing@host.example" in file.content and file.steps and file.remarks for file in made)
    document = with_enclosures(pages.report("accepted", lang), made)
    printed = str(document.sections[-1].blocks)
    assert "apps:property name=" in printed
    assert "BEGIN:VCARD" in printed
    assert made[0].steps[0] in printed
    keep = next(section for section in document.sections if section.id == "keep")
    assert document.sections[-1].heading in keep.blocks[-1].text


NO_FILES = {
    "the message failed its check": (lambda f: f.BRANCHES["accepted-failed-check"]("en"), SENDER),
    "forged mail is not stopped": (lambda f: f.BRANCHES["accepted-not-enforced"]("en"), SENDER),
    "forged mail goes into junk": (lambda f: f.assessment(checked=f.verdicts(policy="quarantine")), SENDER),
    "the policy is not known": (lambda f: f.assessment(checked=f.verdicts(enforced=Outcome.INDETERMINATE)), SENDER),
    "it was refused": (lambda f: f.BRANCHES["refused-no-mailbox"]("en"), SENDER),
    "it is still under way": (lambda f: f.BRANCHES["deferred"]("en"), SENDER),
    "it bounced": (lambda f: f.BRANCHES["bounced"]("en"), SENDER),
    "nothing was found": (lambda f: f.not_found(), SENDER),
    "the sender in From is not known": (lambda f: f.assessment(), request()),
    "the sender is of another domain": (lambda f: f.assessment(), request(sender="billing@other.example")),
    "the sender fits into no file": (lambda f: f.assessment(), request(sender='"a b"@host.example')),
    "the provider takes none": (lambda f: f.assessment(recipient="mei@icloud.com", provider="icloud"), SENDER),
}


@pytest.mark.parametrize("why", NO_FILES)
def test_there_is_no_file_where(why):
    make, asked = NO_FILES[why]
    assert allowlist_files(make(pages.factory), asked, "en") == ()


def test_where_only_an_authenticated_form_is_safe_no_other_is_made():
    own = pages.factory.BRANCHES["accepted-own"]("en")
    own = replace(own, evidence=replace(own.evidence, selectors=(Sourced("s1", Origin.CONFIGURATION),)))
    assert [file.name for file in allowlist_files(own, SENDER, "en")] == [
        "2026-11-25-spamassassin-host.example.cf",
        "2026-11-25-vcard-host.example.vcf",
    ]
    lax = replace(own, verdicts=pages.factory.verdicts(enforced=Outcome.FAIL))
    assert [file.name for file in allowlist_files(lax, SENDER, "en")] == ["2026-11-25-spamassassin-host.example.cf"]


def test_html_offers_them_and_text_does_not():
    made = pages.factory.BRANCHES["accepted"]("en")
    page = render(made, Reader(), "html", SENDER).decode()
    found = dict(re.findall(r'href="data:[a-z/]+;base64,([A-Za-z0-9+/=]+)" download="([^"]+)"', page))
    wanted = allowlist_files(made, SENDER, "en")
    assert {name: base64.b64decode(content) for content, name in found.items()} == {f.name: f.content for f in wanted}
    assert "BEGIN:VCARD" in page
    assert b"VCARD" not in render(made, Reader(), "text", SENDER)
    assert b"VCARD" not in render(made, Reader(), "json", SENDER)


def test_too_many_files_are_refused():
    made = allowlist_files(pages.factory.assessment(), SENDER, "en")[0]
    with pytest.raises(UsageError, match="too many"):
        with_enclosures(pages.report("accepted", "en"), [made] * (MAX_ENCLOSED + 1))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return sealed_bundles.make(tmp_path_factory.mktemp("sealed")).good["one"]


def test_a_bundle_brings_its_verifier(good, tmp_path):
    path = tmp_path / "bundle.json"
    path.write_bytes(good)
    bundle, page = bundle_file(str(path), "en")
    assert bundle.content == path.read_bytes()
    assert page.content.lower().startswith(b"<!doctype html>")


def test_what_does_not_verify_is_not_enclosed(good, tmp_path):
    path = tmp_path / "bundle.json"
    for changed in sealed_bundles.mutated(good, 5, seed=7):
        path.write_bytes(changed)
        with pytest.raises((TamperedError, UsageError)):
            bundle_file(str(path), "en")
    path.write_bytes(good.replace(b'"size"', b'"sizes"', 1)[: len(good) // 2])
    with pytest.raises((TamperedError, UsageError)):
        bundle_file(str(path), "en")
    path.write_bytes(b"{}")
    with pytest.raises((TamperedError, UsageError)):
        bundle_file(str(path), "en")
    with pytest.raises(CannotLookError):
        bundle_file(str(tmp_path / "missing"), "en")


def test_the_look_comes_from_the_configuration(tmp_path):
    def chunk(kind, data):
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    logo = tmp_path / "logo.png"
    head = struct.pack(">LLBBBBB", 1, 1, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\x00\xff\x00\x00")
    logo.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    made = brand_of(request(brand_name="Host", logo=str(logo), colour="#ffcc00", short_link="https://h.example/r"))
    assert made.look.logo
    assert made.look.logo.width == 1
    assert made.look.accent
    assert made.link == "https://h.example/r"
    assert brand_of(request(short_link="https://h.example/r"), "https://h.example/x").link == "https://h.example/x"


@pytest.mark.parametrize("content", [b"<svg><script>alert(1)</script></svg>", b"\x00" * 300_000])
def test_a_logo_that_is_none_is_refused_by_name(content, tmp_path):
    path = tmp_path / "logo.svg"
    path.write_bytes(content)
    with pytest.raises(CannotLookError, match=r"logo\.svg"):
        brand_of(request(logo=str(path)))


def test_a_changed_colour_is_said():
    assert "#ffcc00" in brand_notes(request(colour="#ffcc00"))[0]
    assert brand_notes(request(colour="#0a5a85")) == brand_notes(request()) == ()


@pytest.mark.parametrize(("paper", "wanted"), [("a4", "a4"), ("letter", "us-letter")])
def test_paper(paper, wanted):
    from deliverability.api.rendering import document_of

    made = document_of(pages.factory.BRANCHES["accepted"]("en"), Reader(paper=paper), Request())
    assert made.paper == wanted
    assert Path(made.file_stem).name == made.file_stem
