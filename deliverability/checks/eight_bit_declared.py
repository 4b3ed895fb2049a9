"""Octets above 127 stand only where the message says what they mean.

RFC 2045 §2.7, §6.2 and §5.2 (a body without declarations is 7-bit US-ASCII), RFC 2047 and RFC 6532 (a header in raw
UTF-8 goes only to servers that offer SMTPUTF8).
"""

from typing import TYPE_CHECKING

from deliverability.errors import ParseError
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import structure

if TYPE_CHECKING:
    from deliverability.protocols.mail import Mail
    from deliverability.protocols.mime import Part, Structure

_ASCII = ("us-ascii", "ascii", "ansi_x3.4-1968")
_ADDRESSES = ("from", "sender", "reply-to", "to", "cc")


def _evaluate(evidence: Evidence) -> Ruling:
    mail = structure.message_of(evidence)
    if isinstance(mail, Ruling):
        return mail
    in_header = _header(mail)
    if in_header:
        return in_header
    from deliverability.protocols.mime import read_structure

    found = read_structure(mail)
    count = 0
    for part in found.leaves:
        if not part.header.isascii():
            return Ruling(Outcome.FAIL, Finding.of("raw-part-header", part=part.number or "1"))
        content = found.content(part)
        if content.isascii():
            continue
        count += 1
        wrong = _undeclared(part, content)
        if wrong:
            return Ruling(Outcome.FAIL, wrong)
    return Ruling(Outcome.PASS, Finding.of("seven-bit")) if mail.body.isascii() else _eight_bit(found, count)


def _eight_bit(found: "Structure", count: int) -> Ruling:
    """Every leaf that was read is in order; other 8-bit octets stand around them, or in a message within."""
    from deliverability.protocols.mime import MAX_DEPTH, MAX_PARTS

    if any(defect.ours for defect, _ in found.defects):
        return Ruling(Outcome.INDETERMINATE, Finding.of("not-read-whole", parts=MAX_PARTS, depth=MAX_DEPTH))
    if count:
        return Ruling(Outcome.PASS, Finding.of("declared", count=count))
    whole = found.parts[0]
    if whole.encoding in ("8bit", "binary"):
        return Ruling(Outcome.PASS, Finding.of("declared", count=1))
    return Ruling(Outcome.FAIL, Finding.of("around-parts", encoding=whole.encoding))


def _header(mail: "Mail") -> Ruling | None:
    raw = structure.eight_bit_fields(mail.fields)
    if not raw:
        return None
    names = ", ".join(dict.fromkeys(field.name for field in raw[:10]))
    if not all(structure.is_utf8(field.body) for field in raw):
        return Ruling(Outcome.FAIL, Finding.of("raw-header-unreadable", fields=names))
    # An address can be written in no other way; a subject or a name can be an encoded word.
    needs = any(_local_part_is_utf8(field.unfolded) for field in raw if field.name.lower() in _ADDRESSES)
    if needs:
        return Ruling(Outcome.INDETERMINATE, Finding.of("needs-smtputf8", fields=names))
    if all(field.name.lower().startswith("content-") for field in raw):
        return Ruling(Outcome.FAIL, Finding.of("raw-part-header", part="1"))
    return Ruling(Outcome.FAIL, Finding.of("raw-header", fields=names))


def _local_part_is_utf8(body: bytes) -> bool:
    from deliverability.protocols.mail import address_list

    try:
        return any(not address.rpartition("@")[0].isascii() for address in address_list(body))
    except ParseError:
        return False


def _undeclared(part: "Part", content: bytes) -> Finding | None:
    told = {"part": part.number or "1", "type": part.media_type}
    if part.encoding not in ("8bit", "binary"):
        return Finding.of("undeclared-encoding", **told, encoding=part.encoding)
    if not part.media_type.startswith("text/"):
        return None
    if part.charset is None or part.charset in _ASCII:
        return Finding.of("undeclared-charset", **told)
    from deliverability.protocols.mime import codec_of

    codec = codec_of(part.charset)
    if codec:
        try:
            content.decode(codec)
        except (UnicodeError, ValueError):
            return Finding.of("wrong-charset", **told, charset=part.charset)
    return None


CHECK = Check(
    id="eight-bit-declared",
    subjects=frozenset({Subject.MESSAGE}),
    citation="RFC 2045 §6.2, RFC 6532 §3.2",
    title={"en": "8-bit text is declared", "zh-Hant-TW": "8 位元文字已標明編碼"},
    evaluate=_evaluate,
    messages={
        "seven-bit": {
            "en": "The message is 7-bit throughout: nothing on its way has to be converted.",
            "zh-Hant-TW": "整封郵件都是 7 位元，傳送途中不需轉換。",
        },
        "declared": {
            "en": "Parts that hold 8-bit octets, and say so: {count}.",
            "zh-Hant-TW": "含有 8 位元內容且已正確標明的部分：{count} 個。",
        },
        "around-parts": {
            "en": "8-bit octets stand around the parts, or in the header of a message within, but the Content-Transfer-Encoding of the whole says {encoding}.",
            "zh-Hant-TW": "各部分之外（或內含郵件的標頭）有 8 位元內容，但整封郵件的 Content-Transfer-Encoding 標為 {encoding}。",
        },
        "not-read-whole": {
            "en": "The message has more than {parts} parts, or parts nested more than {depth} deep, and was not read further; it holds 8-bit octets, and whether all of them are declared was not seen. Send fewer files, or one archive.",
            "zh-Hant-TW": "郵件超過 {parts} 個部分或巢狀超過 {depth} 層，沒有全部讀取，而其中有 8 位元內容；無法確認是否全部標明。請減少附件，或壓縮成一個檔案。",
        },
        "raw-header": {
            "en": "These header fields hold raw UTF-8: {fields}. Write words and names in them as encoded words (RFC 2047) and domains in their xn-- form, or many servers will refuse or garble them.",
            "zh-Hant-TW": "下列標頭含有未編碼的 UTF-8 文字：{fields}。文字與名稱請改用 RFC 2047 編碼，網域請改用 xn-- 形式，否則許多伺服器會拒收或顯示亂碼。",
        },
        "raw-header-unreadable": {
            "en": "These header fields hold 8-bit octets that are not UTF-8: {fields}. Nobody can know what they mean.",
            "zh-Hant-TW": "下列標頭含有不是 UTF-8 的 8 位元內容：{fields}。沒有人能判斷其文字為何。",
        },
        "needs-smtputf8": {
            "en": "An address in {fields} is not ASCII: the message can go only to servers that offer SMTPUTF8, which a file does not show.",
            "zh-Hant-TW": "{fields} 中有非 ASCII 的地址：郵件只能送到支援 SMTPUTF8 的伺服器，從檔案無法得知。",
        },
        "raw-part-header": {
            "en": "The header of part {part} holds raw 8-bit octets, such as a file name that is not encoded (RFC 2231).",
            "zh-Hant-TW": "第 {part} 部分的標頭含有未編碼的 8 位元內容，例如未依 RFC 2231 編碼的檔名。",
        },
        "undeclared-encoding": {
            "en": "Part {part} ({type}) holds 8-bit octets, but its Content-Transfer-Encoding says {encoding}.",
            "zh-Hant-TW": "第 {part} 部分（{type}）含有 8 位元內容，但 Content-Transfer-Encoding 標為 {encoding}。",
        },
        "undeclared-charset": {
            "en": "Part {part} ({type}) holds 8-bit text without saying in which charset.",
            "zh-Hant-TW": "第 {part} 部分（{type}）含有 8 位元文字，但沒有標明字元集（charset）。",
        },
        "wrong-charset": {
            "en": "The text of part {part} ({type}) does not fit the charset that it names, {charset}.",
            "zh-Hant-TW": "第 {part} 部分（{type}）的文字與所標明的字元集 {charset} 不符。",
        },
        "need-message": structure.NEED_MESSAGE,
        **structure.NOT_READ,
    },
)
