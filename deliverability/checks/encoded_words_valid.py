"""Encoded words in the header can be decoded: a Chinese subject or name will be shown as it was meant.

RFC 2047 §2 (form, at most 75 characters), §5 (where they may stand), §6.1.
"""

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import structure


def _evaluate(evidence: Evidence) -> Ruling:
    mail = structure.message_of(evidence)
    if isinstance(mail, Ruling):
        return mail
    found = structure.encoded_words(mail)
    if found.problem:
        told = {"field": found.field, "word": found.word}
        return Ruling(Outcome.FAIL, Finding.of(found.problem.value, **told))
    return Ruling(Outcome.PASS, Finding.of("valid" if found.count else "none", count=found.count))


CHECK = Check(
    id="encoded-words-valid",
    subjects=frozenset({Subject.MESSAGE}),
    citation="RFC 2047 §2, §5",
    title={"en": "Encoded words can be read", "zh-Hant-TW": "標頭的編碼文字可以解讀"},
    evaluate=_evaluate,
    messages={
        "valid": {
            "en": "Every encoded word of the header can be decoded. Words: {count}.",
            "zh-Hant-TW": "標頭的編碼文字都可以解讀，共 {count} 段。",
        },
        "none": {
            "en": "The header holds no encoded words.",
            "zh-Hant-TW": "標頭沒有編碼文字。",
        },
        "malformed": {
            "en": "{field} holds what is meant as an encoded word, and is none by its form or place (blanks have to stand around it): readers may show it as it stands: {word}",
            "zh-Hant-TW": "{field} 含有格式或位置錯誤的編碼文字（前後必須有空白），收件者可能看到原樣：{word}",
        },
        "too-long": {
            "en": "An encoded word in {field} is longer than 75 characters: {word}",
            "zh-Hant-TW": "{field} 有一段編碼文字超過 75 個字元：{word}",
        },
        "unknown-charset": {
            "en": "An encoded word in {field} names a charset that is not known: {word}",
            "zh-Hant-TW": "{field} 有一段編碼文字使用不明的字元集：{word}",
        },
        "undecodable": {
            "en": "An encoded word in {field} does not decode; each word has to hold whole characters: {word}",
            "zh-Hant-TW": "{field} 有一段編碼文字無法解碼；每一段都必須包含完整的字元：{word}",
        },
        "inside-quotes": {
            "en": "An encoded word in {field} stands inside quotation marks, where it is not decoded: {word}",
            "zh-Hant-TW": "{field} 有一段編碼文字放在引號內，不會被解碼：{word}",
        },
        "need-message": structure.NEED_MESSAGE,
        **structure.NOT_READ,
    },
)
