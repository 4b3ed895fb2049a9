"""The message holds no NUL, and no CR but at the end of a line.

RFC 5322 §2.3 and §4 (a CR stands only before LF, a NUL nowhere), RFC 2045 §2.7 and §2.8 (the same of 7bit and 8bit
data).  Servers refuse such mail, drop the octet or end the line at it, and a signature over it no longer holds.  A part
declared as ``binary`` may hold both, and goes only to servers that offer BINARYMIME (RFC 3030 §3).
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import structure


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.mail is None:
        return Ruling(Outcome.INDETERMINATE, Finding.of("need-message"))
    content = evidence.mail.content
    nuls, returns = content.count(b"\0"), _bare(content)
    if not nuls and not returns:
        return Ruling(Outcome.PASS, Finding.of("none"))
    mail = structure.message_of(evidence)
    if isinstance(mail, Ruling):
        return mail
    from deliverability.protocols.mime import read_structure

    found = read_structure(mail)
    binary = [found.content(part) for part in found.leaves if part.encoding == "binary"]
    if nuls > sum(part.count(b"\0") for part in binary):
        return Ruling(Outcome.FAIL, Finding.of("nul", count=nuls, line=_line(content, content.index(b"\0"))))
    if returns > sum(map(_bare, binary)):
        return Ruling(Outcome.FAIL, Finding.of("bare-cr", count=returns, line=_line(content, _first_bare(content))))
    return Ruling(Outcome.INDETERMINATE, Finding.of("needs-binarymime", count=len(binary)))


def _bare(octets: bytes) -> int:
    return octets.count(b"\r") - octets.count(b"\r\n")


def _first_bare(content: bytes) -> int:
    place = content.find(b"\r")
    while content.startswith(b"\r\n", place):
        place = content.find(b"\r", place + 2)
    return place


def _line(content: bytes, place: int) -> int:
    return content.count(b"\n", 0, place) + 1


CHECK = Check(
    id="no-nul-or-bare-cr",
    subjects=frozenset({Subject.MESSAGE}),
    citation="RFC 5322 §2.3, §4; RFC 2045 §2.7, §2.8",
    title={"en": "No NUL and no bare CR", "zh-Hant-TW": "沒有 NUL 或單獨的 CR 字元"},
    evaluate=_evaluate,
    messages={
        "none": {
            "en": "The message holds neither a NUL nor a CR without its LF.",
            "zh-Hant-TW": "郵件沒有 NUL，也沒有缺少 LF 的 CR。",
        },
        "nul": {
            "en": "The message holds NUL octets: {count}, the first in line {line}. Servers refuse or change such mail; encode the part as base64.",
            "zh-Hant-TW": "郵件含有 {count} 個 NUL 位元組，第一個在第 {line} 行。伺服器會拒收或更動這種郵件；請將該部分以 base64 編碼。",
        },
        "bare-cr": {
            "en": "CR octets without LF: {count}, the first in line {line}. Often line ends were converted twice; servers refuse such mail, or end the line there.",
            "zh-Hant-TW": "有 {count} 個 CR 後面沒有 LF，第一個在第 {line} 行。通常是換行字元被轉換了兩次；伺服器會拒收，或在該處斷行。",
        },
        "needs-binarymime": {
            "en": "Parts are declared as binary, and hold what only servers that offer BINARYMIME take; a file does not show whether yours and the receiver's do. Such parts: {count}. base64 goes everywhere.",
            "zh-Hant-TW": "有 {count} 個部分標為 binary，其內容只有支援 BINARYMIME 的伺服器能傳送，從檔案無法得知雙方是否支援。改用 base64 則處處可行。",
        },
        "need-message": structure.NEED_MESSAGE,
        **structure.NOT_READ,
    },
)
