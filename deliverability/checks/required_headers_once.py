"""The message bears Date, From and Message-ID, each once, and no other field twice that may stand once.

RFC 5322 §3.6 (Date and From are required, Message-ID should be there; receivers such as Gmail ask for it), §3.3, §3.6.4.
"""

import re
from typing import TYPE_CHECKING

from deliverability.errors import printable
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import structure

if TYPE_CHECKING:
    from deliverability.protocols.mail import Mail

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_REQUIRED = ("Date", "From", "Message-ID")


def _evaluate(evidence: Evidence) -> Ruling:
    mail = structure.message_of(evidence)
    if isinstance(mail, Ruling):
        return mail
    missing = [name for name in _REQUIRED if not mail.all(name)]
    if missing:
        stray = _stray_line(evidence.mail.content if evidence.mail else b"", mail)
        told = {"fields": ", ".join(missing), "line": printable(stray[:100].decode("utf-8", "replace"))}
        return Ruling(Outcome.FAIL, Finding.of("cut-short" if stray else "missing", **told))
    stray = _stray_line(evidence.mail.content if evidence.mail else b"", mail)
    if stray:
        line = printable(stray[:100].decode("utf-8", "replace"))
        return Ruling(Outcome.FAIL, Finding.of("stray-line", line=line))
    repeated = [mail.all(name)[0].name for name in structure.AT_MOST_ONCE if len(mail.all(name)) > 1]
    if repeated:
        return Ruling(Outcome.FAIL, Finding.of("repeated", fields=", ".join(repeated)))
    return _forms(mail)


def _stray_line(content: bytes, mail: "Mail") -> bytes:
    """The line that ended the header although it is not empty; empty where an empty one did."""
    text, body = content.replace(b"\r\n", b"\n"), mail.body.replace(b"\r\n", b"\n")
    header = text[: len(text) - len(body)]
    return b"" if header.endswith(b"\n\n") else body.partition(b"\n")[0]


def _forms(mail: "Mail") -> Ruling:
    flaw = _date_flaw(mail)
    if flaw:
        said = printable(mail.all("date")[0].unfolded[:100].decode("utf-8", "replace"))
        return Ruling(Outcome.FAIL, Finding.of(flaw, date=said))
    said = mail.all("message-id")[0].unfolded.decode("utf-8", "replace")
    # Loosely: '<', something, '@', something, '>', and nothing else that would split it.
    if not re.fullmatch(r"<[^\s<>@]{1,900}@[^\s<>@]{1,900}>", said):
        return Ruling(Outcome.FAIL, Finding.of("message-id-malformed", message_id=printable(said, 100)))
    return Ruling(Outcome.PASS, Finding.of("present"))


def _date_flaw(mail: "Mail") -> str | None:
    """RFC 5322 §3.3: a zone, and the weekday, if there is one, of that very day."""
    if mail.date is None:
        return "date-unreadable"
    from email.utils import parsedate_to_datetime

    text = re.sub(r"\([^()]{0,100}\)", " ", mail.all("date")[0].unfolded[:100].decode("ascii", "replace"))
    if not re.search(r"(?:[+-][0-9]{4}|\b[A-Za-z]|\b(?:UTC?|GMT|[ECMP][SD]T))\s{0,100}\Z", text, re.IGNORECASE):
        return "date-without-zone"
    weekday = text.strip()[:3].title()
    claimed = parsedate_to_datetime(text)
    if weekday in _WEEKDAYS and _WEEKDAYS.index(weekday) != claimed.weekday():
        return "date-wrong-weekday"
    return None


CHECK = Check(
    id="required-headers-once",
    subjects=frozenset({Subject.MESSAGE}),
    citation="RFC 5322 §3.6",
    title={"en": "Date, From and Message-ID, once each", "zh-Hant-TW": "Date、From 與 Message-ID 標頭各有一個"},
    evaluate=_evaluate,
    messages={
        "present": {
            "en": "The message has Date, From and Message-ID, each once.",
            "zh-Hant-TW": "郵件的 Date、From 與 Message-ID 標頭各有一個。",
        },
        "missing": {
            "en": "The message lacks {fields}. A mail server may add them, but after your signature and in its own words.",
            "zh-Hant-TW": "郵件缺少 {fields} 標頭。郵件伺服器也許會補上，但那在簽章之後，且內容由它決定。",
        },
        "cut-short": {
            "en": "The message lacks {fields}: its header ends at a line that is no header field: {line}",
            "zh-Hant-TW": "郵件缺少 {fields} 標頭：標頭在一行不是標頭的內容處就結束了：{line}",
        },
        "stray-line": {
            "en": "The header ends at a line that is no header field, so that receivers take it, and all fields below it, for text: {line}",
            "zh-Hant-TW": "標頭在一行不是標頭的內容處就結束了，收件方會把這一行與其後的標頭都當作內文：{line}",
        },
        "repeated": {
            "en": "These header fields stand more than once: {fields}. Receivers refuse such messages, or show the wrong one.",
            "zh-Hant-TW": "下列標頭出現不只一次：{fields}。收件方會拒收這種郵件，或顯示錯誤的那一個。",
        },
        "date-unreadable": {
            "en": "The Date field is no date: {date}.",
            "zh-Hant-TW": "Date 標頭不是有效的日期：{date}。",
        },
        "date-without-zone": {
            "en": "The Date field has no time zone, such as +0800 (RFC 5322 §3.3): {date}.",
            "zh-Hant-TW": "Date 標頭缺少時區，例如 +0800（RFC 5322 §3.3）：{date}。",
        },
        "date-wrong-weekday": {
            "en": "The weekday in the Date field is not that of its date (RFC 5322 §3.3): {date}.",
            "zh-Hant-TW": "Date 標頭的星期與日期不符（RFC 5322 §3.3）：{date}。",
        },
        "message-id-malformed": {
            "en": "The Message-ID is not of the form <something@domain>: {message_id}.",
            "zh-Hant-TW": "Message-ID 不符合 <內容@網域> 的格式：{message_id}。",
        },
        "need-message": structure.NEED_MESSAGE,
        **structure.NOT_READ,
    },
)
