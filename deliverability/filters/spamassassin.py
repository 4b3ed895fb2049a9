"""SpamAssassin, also as cPanel, amavis and many hosts run it: ``X-Spam-Status``, ``X-Spam-Flag``.

The mark alone is no folder: that a message marked "No" lies in junk is the doing of another filter or rule.
"""

import re

from deliverability.evidence.plugin import Actor, Filter, Judgement, Reading, Stamp
from deliverability.evidence.verdict import Finding

_STATUS = re.compile(r"\s{0,4}(yes|no)\b", re.IGNORECASE)
_SCORE = re.compile(r"\b(?:score|hits)=(-?\d{1,4}(?:\.\d{1,3})?)", re.IGNORECASE)
_REQUIRED = re.compile(r"\brequired=(-?\d{1,4}(?:\.\d{1,3})?)", re.IGNORECASE)
_TESTS = re.compile(r"\btests=\[?([A-Z0-9_=.,\s-]{1,2000})")
# Of X-Spam-Report: "(5.6 points, 5.0 required)", and a line for each test with its points.
_POINTS = re.compile(r"\((-?\d{1,4}(?:\.\d{1,3})?) points, (-?\d{1,4}(?:\.\d{1,3})?) required\)")
_LINE = re.compile(r"(?<![\w.])-?\d{1,3}(?:\.\d{1,3})? {1,3}([A-Z][A-Z0-9_]{2,60})(?= )")
_TEST = re.compile(r"[A-Z][A-Z0-9_]{2,60}")
_SHOWN = 12
_LISTED = re.compile(
    r"\A(?:USER_IN_)?(?:WHITELIST|WELCOMELIST)|\AUSER_IN_(?:DKIM_|SPF_|DEF_)?(?:DKIM_|SPF_)?(?:WHITELIST|WELCOMELIST|ALLOWLIST)"
)


def _read(stamps: tuple[Stamp, ...]) -> Reading | None:
    status = next((s.text for s in stamps if s.name.lower() == "x-spam-status" and _STATUS.match(s.text)), None)
    flag = next((s.text.strip().lower()[:8] for s in stamps if s.name.lower() == "x-spam-flag"), None)
    if status is None:
        if flag not in ("yes", "no"):
            return None
        said = flag
        status = ""
    else:
        match = _STATUS.match(status)
        said = match[1].lower() if match else "no"
    found = _TESTS.search(status)
    report = next((s.text for s in stamps if s.name.lower() == "x-spam-report"), "")
    tests = _TEST.findall(found[1].partition("autolearn")[0]) if found else _LINE.findall(report)
    points = _POINTS.search(report)
    required = _first(_REQUIRED, status)
    shown = {
        "score": _first(_SCORE, status),
        "required": points[2] if required == "-" and points else required,
        "tests": ", ".join(tests[:_SHOWN]) + (" …" if len(tests) > _SHOWN else "") if tests else "-",
    }
    if said == "yes":
        return Reading(Judgement.JUNK, (Finding.of("junk", **shown),))
    if any(_LISTED.match(test) for test in tests):
        return Reading(Judgement.LISTED_GOOD, (Finding.of("listed", **shown),))
    return Reading(Judgement.CLEAN, (Finding.of("clean", **shown),))


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else "-"


FILTER = Filter(
    id="spamassassin",
    name={"en": "SpamAssassin", "zh-Hant-TW": "SpamAssassin"},
    headers=frozenset({"x-spam-status", "x-spam-flag", "x-spam-level", "x-spam-score", "x-spam-report"}),
    read=_read,
    messages={
        "junk": {
            "en": "SpamAssassin marked the message as spam: {score} points, {required} are enough. Its tests: {tests}.",
            "zh-Hant-TW": "SpamAssassin 把這封信標為垃圾信：{score} 分，門檻 {required} 分。命中項目：{tests}。",
        },
        "clean": {
            "en": "SpamAssassin did not mark the message: {score} points of {required}. If it is in Junk, another rule or filter put it there. Its tests: {tests}.",
            "zh-Hant-TW": "SpamAssassin 沒有標記這封信：{score} 分，門檻 {required} 分。如果它在垃圾信匣，是其他規則或過濾放進去的。命中項目：{tests}。",
        },
        "listed": {
            "en": "A list of allowed senders applied: {score} points of {required}. Its tests: {tests}.",
            "zh-Hant-TW": "符合允許的寄件者名單：{score} 分，門檻 {required} 分。命中項目：{tests}。",
        },
    },
    actors={"junk": Actor.RECIPIENT, "clean": Actor.RECIPIENT},
    advice={
        "junk": {
            "en": "Mark the message as not junk in the webmail; whoever runs the server lists the sender with welcomelist_auth, which forgers cannot use. The sender reads the tests that gave points.",
            "zh-Hant-TW": "在網頁信箱標為非垃圾郵件；伺服器管理者以 welcomelist_auth 列入寄件者，冒名者無法利用。寄件者可依命中項目改善。",
        },
        "clean": {
            "en": "Look for a filter rule of the mailbox, and for the mail program’s own junk filter.",
            "zh-Hant-TW": "請檢查信箱的過濾規則，以及郵件程式自己的垃圾信過濾。",
        },
    },
    source="https://spamassassin.apache.org/full/4.0.x/doc/Mail_SpamAssassin_Conf.html",
)
