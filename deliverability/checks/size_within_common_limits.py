"""The message is no larger than the large mailbox providers take.

RFC 1870 §6 (a server may declare the size that it takes), RFC 5321 §4.5.3.1.7.  The providers' own figures, in octets as
transferred; a company's own server may take less.
"""

import re

from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import structure

_MB = 1_000_000
LIMITS = (
    ("iCloud Mail", 20 * _MB, "https://support.apple.com/102198"),
    # Gmail lets its own users send 25 MB, and takes 50 MB from others.
    (
        "Gmail",
        50 * _MB,
        "https://www.androidpolice.com/2017/03/01/gmail-users-can-now-receive-attachments-up-to-50-megabytes-sent-files-still-limited-to-25/",
    ),
)
"""Name, the largest incoming message in octets, and where it is said; the smallest first."""
HEADER_LIMIT = ("Gmail", 500 << 10, "https://support.google.com/a/answer/14016360")
"""The same of all header fields together; "500KB" is taken for the larger of its two meanings."""
_HEADER_END = re.compile(rb"\n\r?\n")


def _evaluate(evidence: Evidence) -> Ruling:
    if evidence.mail is None:
        return Ruling(Outcome.INDETERMINATE, Finding.of("need-message"))
    content = evidence.mail.content
    # On the wire every line ends in CRLF (RFC 5321 §2.3.8), whatever the file has.
    octets = len(content) + content.count(b"\n") - content.count(b"\r\n")
    told = {"size": _megabytes(octets)}
    facts = tuple(
        Finding.of("limit", name=name, limit=_megabytes(limit), source=source) for name, limit, source in LIMITS
    )
    refused = [name for name, limit, _ in LIMITS if octets > limit]
    if refused:
        return Ruling(Outcome.FAIL, Finding.of("over", **told, names=", ".join(refused)), details=facts)
    name, most, source = HEADER_LIMIT
    end = _HEADER_END.search(content)
    header = content[: end.start() + 1] if end else content
    header_octets = len(header) + header.count(b"\n") - header.count(b"\r\n")
    if header_octets > most:
        told = {"header": _megabytes(header_octets), "name": name, "limit": f"{most >> 10} KB", "source": source}
        return Ruling(Outcome.FAIL, Finding.of("header-over", **told), details=facts)
    names = ", ".join(name for name, _, _ in LIMITS)
    return Ruling(Outcome.PASS, Finding.of("within", **told, names=names), details=facts)


def _megabytes(octets: int) -> str:
    return f"{octets / _MB:.1f} MB" if octets >= _MB // 10 else f"{octets / 1000:.1f} kB"


CHECK = Check(
    id="size-within-common-limits",
    subjects=frozenset({Subject.MESSAGE}),
    citation="RFC 1870 §6, RFC 5321 §4.5.3.1.7",
    title={"en": "Small enough for common providers", "zh-Hant-TW": "大小未超過常見信箱的上限"},
    advisory=True,
    evaluate=_evaluate,
    messages={
        "within": {
            "en": "The message is {size} as transferred: no more than {names} say they take.",
            "zh-Hant-TW": "郵件傳送時的大小為 {size}，未超過 {names} 公布的上限。",
        },
        "over": {
            "en": "The message is {size} as transferred: more than {names} say they take.",
            "zh-Hant-TW": "郵件傳送時的大小為 {size}，超過 {names} 公布的上限。",
        },
        "header-over": {
            "en": "The header is {header} as transferred: {name} refuses more than {limit} ({source}). Find the field that grew, and shorten it.",
            "zh-Hant-TW": "標頭傳送時的大小為 {header}，{name} 會拒收超過 {limit} 的標頭（{source}）。請找出過長的標頭並縮短。",
        },
        "limit": {"en": "{name}: {limit} ({source}).", "zh-Hant-TW": "{name}：{limit}（{source}）。"},
        "need-message": structure.NEED_MESSAGE,
    },
)
