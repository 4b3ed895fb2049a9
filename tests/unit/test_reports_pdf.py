"""PDF and PNG: what the page's own tools say of it, and what hostile text can do to it (nothing)."""

import os
import re
import shutil
import struct
import subprocess
import sys
from dataclasses import replace

import pages
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.api import Reader, Request
from deliverability.api.rendering import render
from deliverability.compose.enclosed import MAX_NAME, enclose
from deliverability.config import Configuration, ReportSettings
from deliverability.errors import CannotLookError, UsageError
from deliverability.evidence.document import Attachment, Look, Paper, Picture, Relationship
from deliverability.protocols import typst_font, typst_run
from deliverability.protocols.typst_page import MAX_TEXT, pieces
from deliverability.reports import pdf, png

NASTY = (
    '#let x = read("/etc/passwd"); #x',
    "$ x^2 $ *bold* _it_ `raw` <label> @ref \\u{41} \\",
    '"]}); #panic("x") ("',
    "= heading\n- list\n+ enum\n/ term: x",
    "//comment /* block */ https://x.example/#frag",
    "\x00\x01\x1b[31m\r\n\t\u2028",
    "\u202etxt.exe\u202c \u200b\u200d\ufeff\u00ad",
    "unpaired \ud800 and \udfff",
    "🎉👨‍👩‍👧 \U0001f1f9\U0001f1fc \U000e0041 \uffff \ufffe",
    "שלום مرحبا ไทย 한국어 日本語 简体字 繁體字 𠮷",
    "",
    " ",
)


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail(f"{name} is not installed (Debian: apt-get install {package})")
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(scope="module")
def font():
    try:
        typst_run.engine()
        return typst_font.font()
    except UsageError as missing:
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def run(*words: str, content: bytes = b"") -> str:
    done = subprocess.run(words, input=content, capture_output=True, check=True)
    # poppler up to 22.12 calls the boolean that ISO 32000-1 table 321 wants for /Suspects an error.
    said = [line for line in done.stderr.decode().splitlines() if "Suspects object is wrong type (boolean)" not in line]
    assert said == []
    return done.stdout.decode()


@pytest.mark.usefixtures("font")
@pytest.mark.parametrize("lang", pages.LANGUAGES)
@pytest.mark.parametrize("branch", ["accepted", "deferred", "refused-no-mailbox", "accepted-failed-check"])
def test_qpdf_and_poppler_find_nothing_wrong(branch, lang, tmp_path):
    path = tmp_path / "page.pdf"
    path.write_bytes(pdf.render(pages.report(branch, lang)))
    assert "No syntax or stream encoding errors found" in run(tool("qpdf", "qpdf"), "--check", str(path))
    about = run(tool("pdfinfo", "poppler-utils"), str(path))
    assert re.search(r"^Tagged:\s+yes$", about, re.MULTILINE)
    assert re.search(r"^Page size:.*A4", about, re.MULTILINE)
    assert "JavaScript:      no" in about
    fonts = run(tool("pdffonts", "poppler-utils"), str(path)).splitlines()[2:]
    assert fonts
    assert all(re.search(r"yes yes yes\s+\d+\s+0$", line) for line in fonts), fonts
    metadata = run("pdfinfo", "-meta", str(path))
    assert "<pdfaid:part>3</pdfaid:part>" in metadata
    assert "<pdfaid:conformance>U</pdfaid:conformance>" in metadata
    assert "<pdfuaid:part>1</pdfuaid:part>" in metadata


@pytest.mark.usefixtures("font")
def test_the_chinese_can_be_copied_out_of_the_page(tmp_path):
    path, document = tmp_path / "page.pdf", pages.report("accepted", "zh-Hant-TW")
    path.write_bytes(pdf.render(document))
    got = re.sub(r"\s", "", run(tool("pdftotext", "poppler-utils"), str(path), "-"))
    for wanted in (
        "Gmail的郵件伺服器已於2026年11月22日（日）13:01（台北時間）收下這封信。",
        "讓下一封信不再進垃圾郵件",
    ):
        assert wanted in got
    assert document.title.replace(" ", "") in got


@pytest.mark.usefixtures("font")
@pytest.mark.parametrize("lang", pages.LANGUAGES)
def test_equal_documents_give_equal_octets(lang):
    document = pages.enclosed(pages.report("deferred", lang), b"text", b"\xff\x00")
    assert pdf.render(document) == pdf.render(document)
    assert png.render(document) == png.render(document)
    later = replace(document, made_at=document.made_at.replace(hour=9))
    assert pdf.render(later) != pdf.render(document)


@pytest.mark.usefixtures("font")
@pytest.mark.parametrize("lang", pages.LANGUAGES)
def test_a_page_is_small(lang):
    assert len(pdf.render(pages.report("accepted", lang))) < 300_000


@pytest.mark.usefixtures("font")
def test_enclosed_files_come_out_as_they_went_in(tmp_path):
    contents = (b'{"a": "\xe4\xbf\xa1"}\n', bytes(range(256)), b"")
    path = tmp_path / "page.pdf"
    path.write_bytes(pdf.render(pages.enclosed(pages.report("accepted", "en"), *contents)))
    run(tool("pdfdetach", "poppler-utils"), "-saveall", "-o", str(tmp_path), str(path))
    assert [(tmp_path / f"file-{n}.bin").read_bytes() for n in range(3)] == list(contents)


@pytest.mark.usefixtures("font")
@pytest.mark.parametrize("lang", pages.LANGUAGES)
def test_a_page_carries_itself_and_the_files_to_import(lang, tmp_path):
    request = Request(configuration=Configuration(report=ReportSettings(sender=pages.factory.SENDER)))
    made = [render(pages.factory.BRANCHES["accepted"](lang), Reader(lang=lang), "pdf", request) for _ in range(2)]
    assert made[0] == made[1]
    assert len(made[0]) < 300_000
    path, plain = tmp_path / "page.pdf", tmp_path / "plain.pdf"
    path.write_bytes(made[0])
    assert "No syntax or stream encoding errors found" in run(tool("qpdf", "qpdf"), "--check", str(path))
    run(tool("pdfdetach", "poppler-utils"), "-saveall", "-o", str(tmp_path), str(path))
    kinds = {one.suffix: one.read_bytes() for one in tmp_path.iterdir() if one.name.startswith("2026-")}
    assert sorted(kinds) == [".json", ".txt", ".vcf", ".xml"]
    assert b"value='billing@host.example'" in kinds[".xml"]
    assert b"EMAIL;TYPE=INTERNET:billing@host.example\r\n" in kinds[".vcf"]
    printed = run(tool("pdftotext", "poppler-utils"), "-raw", str(path), "-")
    assert "apps:property name='shouldNeverSpam' value='true'" in printed.replace("\n", " ")
    run(tool("qpdf", "qpdf"), "--qdf", "--object-streams=disable", str(path), str(plain))
    found = re.findall(rb"/AFRelationship /(\w+)", plain.read_bytes())
    assert sorted(found) == [b"Alternative", b"Data", b"Supplement", b"Supplement"]


@pytest.mark.usefixtures("font")
def test_relationships_are_those_that_the_document_says(tmp_path):
    path, plain = tmp_path / "page.pdf", tmp_path / "plain.pdf"
    files = tuple(Attachment(f"{r}.txt", "text/plain", b"x", r) for r in Relationship)
    path.write_bytes(pdf.render(replace(pages.report("accepted", "en"), attachments=files)))
    run(tool("qpdf", "qpdf"), "--qdf", "--object-streams=disable", str(path), str(plain))
    found = set(re.findall(rb"/AFRelationship /(\w+)", plain.read_bytes()))
    assert found == {b"Source", b"Data", b"Alternative", b"Supplement"}


@pytest.mark.usefixtures("font")
def test_letter_paper(tmp_path):
    path = tmp_path / "page.pdf"
    path.write_bytes(pdf.render(replace(pages.report("accepted", "en"), paper=Paper.LETTER)))
    assert re.search(
        r"^Page size:\s+612 x 792 pts \(letter\)", run(tool("pdfinfo", "poppler-utils"), str(path)), re.MULTILINE
    )


@pytest.mark.usefixtures("font")
@pytest.mark.parametrize("paper", list(Paper))
def test_the_picture_is_a_thousand_pixels_wide(paper):
    picture = png.render(replace(pages.report("accepted", "zh-Hant-TW"), paper=paper))
    width, height = struct.unpack_from(">LL", picture, 16)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert 995 <= width <= 1005
    assert height > width


# --- hostile text -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("font")
@pytest.mark.parametrize("text", NASTY)
def test_hostile_text_is_content(text, tmp_path):
    path = tmp_path / "page.pdf"
    path.write_bytes(pdf.render(pages.hostile(text)))
    run(tool("qpdf", "qpdf"), "--check", str(path))
    got = re.sub(r"\s", "", run(tool("pdftotext", "poppler-utils"), "-raw", str(path), "-"))
    plain = re.sub(r"\s", "", "".join(pieces(text, typst_font.font())))
    # Line ends that poppler takes for hyphenation lose their hyphen; everything else comes back.
    assert plain.replace("-", "") in got.replace("-", "")


@pytest.mark.usefixtures("font")
@settings(max_examples=15, deadline=None)
@given(st.text(st.characters(codec=None), max_size=60) | st.text('#$\\"[](){}*_`<>@=+-/~^\n\t;:,.!?&%', max_size=60))
def test_no_text_breaks_the_page(text):
    assert pdf.render(pages.hostile(text)).startswith(b"%PDF-1.7")


@pytest.mark.usefixtures("font")
@pytest.mark.parametrize("char", ["a", "信", "🎉"])
def test_a_line_of_100_kb_is_cut_and_said_to_be(char):
    made = pieces(char * 100_000, typst_font.font())
    assert made[-1].endswith("…")
    assert pdf.render(pages.hostile(char * 100_000)).startswith(b"%PDF-1.7")


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec=None), max_size=200))
def test_pieces_lose_no_character(text):
    every = typst_font.Font("", (0,), (0x10FFFF,))
    assert "".join(pieces(text, every)) == typst_font.shown(text, every)


def test_a_long_id_may_break_and_words_may_not():
    every = typst_font.Font("", (0,), (0x10FFFF,))
    assert pieces("unauthenticated mail", every) == ["unauthenticated mail"]
    assert pieces("id bfe228f219e9-cb0eb53f1694si991014557cc.948 end", every) == [
        "id bfe228f219e9-",
        "cb0eb53f1694si9910",
        "14557cc.",
        "948 end",
    ]
    assert len(pieces("x" * (MAX_TEXT + 1), every)[-1]) <= 19


def test_what_the_font_lacks_is_named():
    latin = typst_font.Font("", (0x20,), (0x7E,))
    assert typst_font.shown("🎉 é \u202e", latin) == "[party popper] [U+00E9] \\u202e"
    assert typst_font.shown("❤️", latin) == "[heavy black heart]"


@given(st.binary(max_size=300))
def test_a_broken_font_is_told_from_a_font(content):
    with pytest.raises((ValueError, struct.error, IndexError)):
        typst_font.coverage(content)


def test_the_font_covers_what_both_catalogues_say(font):
    from deliverability.compose.catalog import catalog

    said = {char for lang in pages.LANGUAGES for text in catalog(lang).sentences.values() for char in text}
    assert [char for char in sorted(said) if not font.has(char) and char != "\n"] == []


# --- what is missing --------------------------------------------------------------------------------------------------


def test_a_missing_extra_is_one_sentence_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    for form in (pdf, png):
        with pytest.raises(UsageError, match=r"pip install 'deliverability\[pdf\]'") as told:
            form.render(pages.report("accepted", "en"))
        assert "\n" not in str(told.value)


def test_a_missing_font_is_one_sentence_with_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(typst_font, "PACKAGE", "no_such_package_of_fonts")
    monkeypatch.setattr(typst_font, "FOLDERS", (tmp_path,))
    with pytest.raises(UsageError, match=r"pip install 'deliverability\[pdf\]' .*apt install fonts-noto-cjk"):
        typst_font.font.__wrapped__()
    (tmp_path / typst_font.FILE).write_bytes(b"no font")
    with pytest.raises(CannotLookError, match="no OpenType font"):
        typst_font.font.__wrapped__()


# --- enclosed files ---------------------------------------------------------------------------------------------------


def supplement(name: str, content: bytes, media_type: str = "text/plain") -> Attachment:
    return Attachment(name, media_type, content, Relationship.SUPPLEMENT, "a file")


def test_a_file_to_import_is_printed_and_its_digest_too():
    document = enclose(pages.report("accepted", "en"), [supplement("allow.sieve", b"require [];\n")])
    assert document.sections[-1].id == "enclosed"
    assert "require [];" in str(document.sections[-1].blocks)
    assert "4d1b" not in str(document.sections[:-1])
    assert re.search(r"[0-9a-f]{64}", str(document.sections[-1].blocks))


@pytest.mark.parametrize(
    "file",
    [
        supplement("a.txt", b"secret" * 10_000),
        supplement("a.html", b"secret", "text/html"),
        supplement("a.txt", b"secret\xff"),
        replace(supplement("a.json", b"secret"), relationship=Relationship.DATA),
    ],
)
def test_no_other_file_is_printed(file):
    assert "secret" not in str(enclose(pages.report("accepted", "en"), [file]).sections)


def test_nothing_to_enclose_changes_nothing():
    document = pages.report("accepted", "en")
    assert enclose(document, []) is document


@given(st.lists(st.text(st.characters(codec=None), max_size=200), max_size=6))
def test_names_are_safe_and_apart(names):
    files = enclose(pages.report("accepted", "en"), [supplement(n, b"x") for n in names]).attachments
    made = [file.name for file in files]
    assert len({name.casefold() for name in made}) == len(names)
    for name in made:
        assert re.fullmatch(r"[\w+][\w.+-]*", name)
        assert len(name) <= MAX_NAME + 4


@pytest.mark.usefixtures("font")
def test_a_logo_is_on_the_page():
    plain = pages.report("accepted", "en")
    logo = Picture("image/png", _png(), 2, 2)
    branded = replace(plain, look=Look("Host #1", logo, None))
    assert pdf.render(branded) != pdf.render(plain)


def _png() -> bytes:
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    rows = zlib.compress(b"\x00\xff\x00\x00\x00\xff\x00" * 2)
    head = struct.pack(">LLBBBBB", 2, 2, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
