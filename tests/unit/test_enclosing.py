"""What api puts beside a page: the configured look, the page's own twins, a sealed bundle."""

import json
import struct
import zlib
from pathlib import Path

import pages
import pytest
import sealed_bundles

from deliverability.api import Reader, Request
from deliverability.api.enclosing import (
    MAX_ENCLOSED,
    allowlist_file,
    brand_notes,
    brand_of,
    bundle_file,
    with_enclosures,
)
from deliverability.config import Configuration, ReportSettings
from deliverability.errors import CannotLookError, TamperedError, UsageError
from deliverability.evidence.document import Relationship


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


def test_a_file_to_import_is_printed():
    made = allowlist_file("allow.sieve", "application/sieve", b"require [];\n", "en")
    assert "require [];" in str(with_enclosures(pages.report("accepted", "en"), [made]).sections[-1])


def test_too_many_files_are_refused():
    made = allowlist_file("a.txt", "text/plain", b"x", "en")
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
