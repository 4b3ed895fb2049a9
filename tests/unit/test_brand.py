"""The sender's look: only pictures that can do nothing, only colours that can be read."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.compose.brand import CONTRAST, MAX_LOGO, MAX_SIDE, accent, contrast, logo
from deliverability.config import parse
from deliverability.errors import CannotLookError, ParseError


def rgb(text):
    return tuple(int(text[at : at + 2], 16) for at in (1, 3, 5))


def png(width, height, rest=b""):
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">L", 13) + b"IHDR" + struct.pack(">LL", width, height)
    return head + b"\x08\x02\x00\x00\x00" + b"\x00" * 4 + rest + b"\x00\x00\x00\x00IEND\xaeB`\x82"


def jpeg(width, height, before=b""):
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + b"\x00" * 9
    return b"\xff\xd8\xff\xe0\x00\x04ab" + before + frame + b"\xff\xd9"


def test_png_and_jpeg_are_measured():
    made = logo(png(320, 80), "logo.png")
    assert (made.media_type, made.width, made.height) == ("image/png", 320, 80)
    made = logo(jpeg(640, 48, b"\xff\xdb\x00\x05abc\xff\xff\xc4\x00\x02"), "logo.jpg")
    assert (made.media_type, made.width, made.height) == ("image/jpeg", 640, 48)


@pytest.mark.parametrize(
    "content",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"\xef\xbb\xbf<?xml version='1.0'?><svg/>",
        b"GIF89a\x01\x00\x01\x00",
        b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        b"%PDF-1.7",
        b"",
        png(10, 10)[:30],
        b"\xff\xd8\xff" + b"\xff" * 5_000,
        jpeg(10, 10)[:12],
    ],
)
def test_anything_else_is_refused_with_a_sentence(content):
    with pytest.raises(ParseError, match="must be a PNG or JPEG"):
        logo(content, "logo.svg")


def test_large_ones_are_refused():
    with pytest.raises(ParseError, match="larger than 200 kB"):
        logo(png(10, 10, b"\x00" * MAX_LOGO), "logo.png")
    for width, height in ((MAX_SIDE + 1, 10), (10, MAX_SIDE + 1), (0, 10), (2**32 - 1, 2**32 - 1)):
        with pytest.raises(ParseError, match="pixels"):
            logo(png(width, height), "logo.png")


@given(st.binary(max_size=400) | st.binary(max_size=400).map(lambda b: b"\xff\xd8\xff" + b))
def test_no_file_does_more_than_be_refused(content):
    try:
        made = logo(content, "x")
    except ParseError:
        return
    assert 0 < made.width <= MAX_SIDE
    assert 0 < made.height <= MAX_SIDE


@pytest.mark.parametrize(("one", "other", "ratio"), [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.478)])
def test_contrast_is_that_of_wcag(one, other, ratio):
    assert contrast(rgb(one), rgb(other)) == pytest.approx(ratio, abs=0.001)


@given(st.integers(0, 0xFFFFFF))
def test_every_colour_ends_legible(value):
    made, note = accent(f"#{value:06x}")
    for shade, on, grounds in (
        (made.light, made.on_light, ("#ffffff", "#f4f3ef")),
        (made.dark, made.on_dark, ("#1b1f23", "#121517", "#22272c")),
    ):
        assert contrast(rgb(on), rgb(shade)) >= CONTRAST
        assert all(contrast(rgb(shade), rgb(ground)) >= CONTRAST for ground in grounds)
    assert bool(note) is (made.light != f"#{value:06x}")


def test_a_good_colour_is_kept():
    made, note = accent("#0A5A85")
    assert (made.light, made.on_light, note) == ("#0a5a85", "#ffffff", "")


@pytest.mark.parametrize("text", ["red", "#fff", "#0a5a8g", "#0a5a85;}", "#0a5a85\n", "url(x)"])
def test_what_is_no_colour_is_refused(text):
    with pytest.raises(ParseError, match="write #rrggbb"):
        accent(text)
    with pytest.raises(CannotLookError, match="colour"):
        parse(f"[report]\ncolour = {text!r}\n".replace("'", '"'), "x.toml")


def test_the_keys_of_the_configuration():
    given_ = parse(
        '[report]\nlogo = "logo.png"\ncolour = "#0A5A85"\nshort_link = "https://h.example/r"\nsender = "b@h.example"\n',
        "x.toml",
    ).report
    assert (given_.logo, given_.colour, given_.short_link, given_.sender) == (
        "logo.png",
        "#0a5a85",
        "https://h.example/r",
        "b@h.example",
    )
