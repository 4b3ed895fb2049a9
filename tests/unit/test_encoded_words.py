"""Header text in all the spellings that logs have."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.protocols.encoded_words import (
    MAX_TEXT,
    decode_header_text,
    decode_octets,
    subject_matches,
    unescape_exim,
)

NOTICE = "續約通知"


def b_word(data: bytes, charset: str = "utf-8") -> bytes:
    return b"=?" + charset.encode() + b"?B?" + b64encode(data) + b"?="


def q_word(data: bytes, charset: str = "utf-8") -> bytes:
    return b"=?" + charset.encode() + b"?q?" + b"".join(b"=%02X" % octet for octet in data) + b"?="


def octal(data: bytes) -> bytes:
    return b"".join(b"\\%03o" % octet if octet > 0x7E else bytes((octet,)) for octet in data)


UTF8 = NOTICE.encode()

SPELLINGS = {
    "raw UTF-8": UTF8,
    "raw Big5": NOTICE.encode("big5"),
    "raw GB 18030": "续约通知书".encode("gb18030"),
    "B, UTF-8": b_word(UTF8),
    "Q, UTF-8": q_word(UTF8),
    "B, Big5": b_word(NOTICE.encode("big5"), "Big5"),
    "Q, Big5": q_word(NOTICE.encode("big5"), "BIG5"),
    "B, GB 18030": b_word(NOTICE.encode("gb18030"), "gb18030"),
    "B, GBK named GB2312": b_word(NOTICE.encode("gbk"), "GB2312"),
    "one word a character": b" ".join(b_word(c.encode()) for c in NOTICE),
    "a character over two words": b_word(UTF8[:4]) + b"\r\n " + b_word(UTF8[4:]),
    "a character over two Q words": q_word(UTF8[:5]) + b" " + q_word(UTF8[5:]),
    "a Big5 character over two words": b_word(NOTICE.encode("big5")[:3], "big5")
    + b" "
    + b_word(NOTICE.encode("big5")[3:], "BIG5"),
    "language tag": b"=?utf-8*zh-TW?B?" + b64encode(UTF8) + b"?=",
    "no padding": b_word(UTF8 + b"!").replace(b"=?=", b"?=").replace(b"==?=", b"?="),
    "next to plain text": b"INV-1 " + b_word(UTF8) + b" 2026",
    "last word cut": b"=?utf-8?B?" + b64encode(UTF8 + "書".encode())[:-2],
    "last word cut before its end mark": b"=?utf-8?B?" + b64encode(UTF8) + b"?",
}


@pytest.mark.parametrize("raw", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_the_notice_is_found_in_every_spelling(raw: bytes) -> None:
    wanted = "续约通知" if raw == SPELLINGS["raw GB 18030"] else NOTICE
    assert subject_matches(wanted, decode_header_text(raw))


@pytest.mark.parametrize("raw", [UTF8, NOTICE.encode("big5"), b_word(UTF8)])
def test_the_notice_is_found_behind_exims_escapes(raw: bytes) -> None:
    assert decode_header_text(unescape_exim(octal(raw))) == NOTICE


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", ""),
        (b"Hosting renewal notice", "Hosting renewal notice"),
        (b"a =?utf-8?Q?b_c=3D?= d", "a b c= d"),
        (b"=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"),
        (b"=?utf-8?Q?a?= and =?utf-8?Q?b?=", "a and b"),
        (b"=?iso-8859-1?Q?a?= =?utf-8?Q?b?=", "ab"),
        (b"=?iso-8859-1?Q?Caf=E9_=93x=94?=", "Café “x”"),
        (b"=?iso-2022-jp?B?GyRCOTk/NyROJCpDTiRpJDsbKEI=?=", "更新のお知らせ"),
        (b"\x1b$B99?7$N$*CN$i$;\x1b(B", "更新のお知らせ"),
        (b"=?shift_jis?B?" + b64encode("①更新".encode("cp932")) + b"?=", "①更新"),
        (b"=?ks_c_5601-1987?B?" + b64encode("갱신".encode("cp949")) + b"?=", "갱신"),
        (b"=?windows-1252?Q?=80?=", "€"),
        ("Café".encode("latin-1"), "Café"),
        ("Ärzte".encode("latin-1"), "Ärzte"),
        ("Résumé für Müller".encode("latin-1"), "Résumé für Müller"),
        (UTF8[:-1], NOTICE[:-1]),
        (NOTICE.encode("big5")[:-1], NOTICE[:-1]),
        ("主旨：您的網域即將到期（第二次通知）".encode("big5"), "主旨：您的網域即將到期（第二次通知）"),
        ("邮箱不存在".encode("gbk"), "邮箱不存在"),
    ],
)
def test_readable(raw: bytes, text: str) -> None:
    assert decode_header_text(raw) == text


@pytest.mark.parametrize(
    "raw",
    [
        b"=?x-nonsense?B?AAAA?=",
        b"=?zlib?B?eJwDAAAAAAE=?=",
        b"=?rot13?Q?abc?=",
        b"=?idna?Q?abc?=",
        b"=?utf-8?X?abc?=",
        b"=?utf-8?B",
        b"=?",
        b"5 =? 3 ?= 2",
    ],
)
def test_what_is_no_known_encoded_word_stays_as_it_is(raw: bytes) -> None:
    assert decode_header_text(raw) == raw.decode()


def test_an_unknown_word_between_known_ones_loses_nothing() -> None:
    raw = b_word(b"a") + b" =?nope?B?YQ==?= " + b_word(b"b")
    assert decode_header_text(raw) == "a =?nope?B?YQ==?= b"


@pytest.mark.parametrize(
    ("raw", "octets"),
    [
        (rb"\323\312", b"\xd3\xca"),
        (rb"a\\b", rb"a\b"),
        (rb"\\323", rb"\323"),
        (rb"one\ntwo\tthree\r", b"one\ntwo\tthree\r"),
        (rb"say \"hi\"", b'say "hi"'),
        (rb"\777 \9 \x41 \12", rb"\777 \9 \x41 \12"),
        (b"end\\", b"end\\"),
        (b"", b""),
    ],
)
def test_unescape_exim(raw: bytes, octets: bytes) -> None:
    assert unescape_exim(raw) == octets


@pytest.mark.parametrize(
    ("wanted", "subject", "found"),
    [
        ("renewal NOTICE", "Hosting  Renewal\tnotice INV-1", True),
        ("ＩＮＶ－1", "INV-1", True),
        ("ＩＮＶ１", "inv1", True),
        ("straße", "STRASSE", True),
        (NOTICE, f"【{NOTICE}】", True),
        ("notice", "", False),
        ("", "anything", False),
        (" \t", "any thing", False),
        ("renewalnotice", "renewal notice", False),
    ],
)
def test_subject_matches(wanted: str, subject: str, found: bool) -> None:
    assert subject_matches(wanted, subject) is found


def test_length_is_bounded() -> None:
    assert len(decode_header_text(b"=?utf-8?Q?a?= b " * 100_000)) <= MAX_TEXT
    assert len(decode_octets(b"\xe9" * 1_000_000)) <= MAX_TEXT


@given(st.binary(max_size=300))
def test_any_octets_give_text(raw: bytes) -> None:
    assert len(decode_header_text(raw)) <= MAX_TEXT
    assert isinstance(unescape_exim(raw), bytes)
    assert len(decode_octets(raw)) <= MAX_TEXT


@given(
    st.sampled_from([b"utf-8", b"big5", b"gb18030", b"iso-2022-jp", b"utf-7", b"utf-16", b"hz", b"euc-jp", b"\xff"]),
    st.sampled_from(b"bBqQx"),
    st.binary(max_size=60),
)
def test_any_word_gives_text(charset: bytes, encoding: int, data: bytes) -> None:
    word = b"=?" + charset + b"?" + bytes((encoding,)) + b"?" + data + b"?="
    assert isinstance(decode_header_text(word + b" " + word[:-1]), str)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40))
def test_a_word_says_what_was_put_in(text: str) -> None:
    assert decode_header_text(b_word(text.encode())) == text
    assert decode_header_text(q_word(text.encode())) == text


@given(st.binary(max_size=80))
def test_octal_escapes_round_trip(data: bytes) -> None:
    assert unescape_exim(octal(data.replace(b"\\", b"/"))) == data.replace(b"\\", b"/")
