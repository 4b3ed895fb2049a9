"""What the receiving side found of SPF, DKIM and DMARC, in ``Authentication-Results`` (RFC 8601) and ``Received-SPF``.

Not a spam filter of its own, but what every one of them builds on.
"""

import re

from deliverability.evidence.plugin import Actor, Filter, Judgement, Reading, Stamp
from deliverability.evidence.verdict import Finding
from deliverability.protocols.authres import AuthenticationResults, Result, parse_authres

_ORDER = (
    "dmarc-fail",
    "dmarc-pass",
    "dkim-fail",
    "spf-fail",
    "spf-error",
    "dkim-open",
    "dkim-none",
    "spf-weak",
    "dkim-pass",
    "spf-pass",
    "dmarc-open",
    "dmarc-none",
)
# Gmail writes the first of them below the entry, where a sender could, and the same words with ARC above it.
_FIELDS = ("authentication-results", "arc-authentication-results")
_FAILED = frozenset({"fail", "hardfail"})
_PASSED = frozenset({"pass", "success"})  # "success": Yahoo, of DMARC
_OPEN = frozenset({"temperror", "unknown"})
"""Nothing was found out: no answer in time (RFC 8601 §2.7), or, in Yahoo's word, nothing known."""
# Of Received-SPF: RFC 7208 §9.1, and the comment in which Google, Microsoft and Yahoo name the domain.
_ENVELOPE = re.compile(r"\benvelope-from=\"?<?([^\s;>\"]{1,320})|\bdomain of (?:transitioning )?([^\s;>\")]{1,320})")


def _read(stamps: tuple[Stamp, ...]) -> Reading | None:
    fields = [parse_authres(s.text) for s in stamps if s.name.lower() in _FIELDS]
    findings = [finding for field in fields for finding in _findings(field)]
    findings += [f for s in stamps if s.name.lower() == "received-spf" and (f := _spf(s.text))]
    if not findings:
        return None
    findings.sort(key=lambda finding: _ORDER.index(finding.code))
    judgement = Judgement.FORGED if findings[0].code == "dmarc-fail" else Judgement.NONE
    once = {(finding.code, *finding.parameters.values()): finding for finding in findings}
    return Reading(judgement, tuple(once.values()))


def _findings(field: AuthenticationResults) -> list[Finding]:
    who = field.authserv_id or "Authentication-Results"  # Microsoft leaves its name out
    out: list[Finding] = []
    for result in field.of("dmarc"):
        domain = result.properties.get("header.from", "-")
        out.append(Finding.of(_dmarc(result.result), who=who, domain=domain, result=result.result))
    out += [Finding.of(_dkim(r), who=who, domain=_signer(r), result=r.result) for r in field.of("dkim")]
    out += [Finding.of(_spf_code(r.result), who=who, domain=_mail_from(r), result=r.result) for r in field.of("spf")]
    return out


def _dmarc(result: str) -> str:
    """A record that cannot be read (``permerror``) says nothing of whether the message is genuine."""
    if result in _PASSED:
        return "dmarc-pass"
    return "dmarc-fail" if result in _FAILED else "dmarc-open" if result in _OPEN else "dmarc-none"


def _dkim(result: Result) -> str:
    """``neutral`` of a named signer is a signature that could not be used, as Gmail says of a changed body."""
    if result.result in _PASSED:
        return "dkim-pass"
    if result.result in ("none", "unknown") or _signer(result) in ("-", "none", ""):
        return "dkim-none"
    return "dkim-open" if result.result == "temperror" else "dkim-fail"


def _spf_code(result: str) -> str:
    if result in _PASSED:
        return "spf-pass"
    return "spf-fail" if result in _FAILED else "spf-error" if result == "permerror" else "spf-weak"


def _signer(result: Result) -> str:
    return result.properties.get("header.d") or result.properties.get("header.i", "-").lstrip("@")


def _mail_from(result: Result) -> str:
    said = next((result.properties[name] for name in _IDENTITIES if result.properties.get(name)), "-")
    return said.rpartition("@")[2] or "-"


_IDENTITIES = ("smtp.mailfrom", "smtp.mail", "smtp.from", "smtp.helo")  # RFC 8601 §2.7.2, and Coremail's spelling


def _spf(text: str) -> Finding | None:
    word = text[:40].split(" ", 1)[0].strip().lower()
    if word not in ("pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"):
        return None
    named = _ENVELOPE.search(text[:4096])
    domain = (named[1] or named[2]).rpartition("@")[2] if named else "-"
    return Finding.of(_spf_code(word), who="Received-SPF", domain=domain or "-", result=word)


FILTER = Filter(
    id="authentication",
    name={"en": "Sender authentication", "zh-Hant-TW": "寄件者身分驗證"},
    headers=frozenset({*_FIELDS, "received-spf"}),
    read=_read,
    messages={
        "dmarc-pass": {
            "en": "{who} found the message to come from {domain} (DMARC {result}).",
            "zh-Hant-TW": "{who} 認定信件確實來自 {domain}（DMARC {result}）。",
        },
        "dmarc-fail": {
            "en": "{who} could not confirm that the message comes from {domain} (DMARC {result}).",
            "zh-Hant-TW": "{who} 無法確認信件來自 {domain}（DMARC {result}）。",
        },
        "dmarc-none": {
            "en": "{who} found no usable DMARC policy of {domain} (DMARC {result}).",
            "zh-Hant-TW": "{who} 查無 {domain} 可用的 DMARC 政策（DMARC {result}）。",
        },
        "dmarc-open": {
            "en": "{who} could not find out whether the message comes from {domain} (DMARC {result}).",
            "zh-Hant-TW": "{who} 無法查明信件是否來自 {domain}（DMARC {result}）。",
        },
        "dkim-open": {
            "en": "{who} could not check the signature of {domain} at that time (DKIM {result}).",
            "zh-Hant-TW": "{who} 當時無法查驗 {domain} 的簽章（DKIM {result}）。",
        },
        "spf-error": {
            "en": "{who} could not read the SPF record of {domain} (SPF {result}).",
            "zh-Hant-TW": "{who} 無法解讀 {domain} 的 SPF 紀錄（SPF {result}）。",
        },
        "dkim-pass": {
            "en": "{who} found a valid signature of {domain} (DKIM {result}).",
            "zh-Hant-TW": "{who} 認定 {domain} 的簽章有效（DKIM {result}）。",
        },
        "dkim-fail": {
            "en": "{who} found a signature of {domain} that does not hold (DKIM {result}).",
            "zh-Hant-TW": "{who} 認定 {domain} 的簽章不成立（DKIM {result}）。",
        },
        "dkim-none": {
            "en": "{who} found no signature to go by (DKIM {result}).",
            "zh-Hant-TW": "{who} 沒有找到可依據的簽章（DKIM {result}）。",
        },
        "spf-pass": {
            "en": "{who} found the sending address allowed by {domain} (SPF {result}).",
            "zh-Hant-TW": "{who} 認定寄送的 IP 位址獲 {domain} 允許（SPF {result}）。",
        },
        "spf-fail": {
            "en": "{who} found the sending address not allowed by {domain} (SPF {result}).",
            "zh-Hant-TW": "{who} 認定寄送的 IP 位址未獲 {domain} 允許（SPF {result}）。",
        },
        "spf-weak": {
            "en": "{who} found no clear word of {domain} about the sending address (SPF {result}).",
            "zh-Hant-TW": "{who} 查無 {domain} 對寄送 IP 位址的明確說法（SPF {result}）。",
        },
    },
    actors={
        "dmarc-fail": Actor.SENDER,
        "dkim-fail": Actor.SENDER,
        "spf-fail": Actor.SENDER,
        "spf-error": Actor.SENDER,
        "dmarc-none": Actor.SENDER,
    },
    advice={
        "dmarc-fail": {
            "en": "Do not put the sender on a list. The sender repairs SPF and DKIM of its From domain, or the message is a forgery.",
            "zh-Hant-TW": "請勿把寄件者加入名單。寄件者需修正 From 網域的 SPF 與 DKIM，否則這可能是冒名信。",
        },
        "dkim-fail": {
            "en": "The sender finds out what changed the message after it was signed.",
            "zh-Hant-TW": "寄件者需查明信件簽章後被什麼更動。",
        },
        "spf-fail": {
            "en": "The sender adds the sending address to its SPF record; forwarded mail fails here without any fault.",
            "zh-Hant-TW": "寄件者需把寄送的 IP 位址加入 SPF 紀錄；轉寄的信在此失敗並非過失。",
        },
        "spf-error": {
            "en": "The sender repairs its SPF record; “deliverability check” shows what is wrong with it.",
            "zh-Hant-TW": "寄件者需修正 SPF 紀錄；「deliverability check」會指出問題所在。",
        },
        "dmarc-none": {
            "en": "The sender publishes a DMARC record that can be read.",
            "zh-Hant-TW": "寄件者需公布可以解讀的 DMARC 紀錄。",
        },
    },
    source="https://www.rfc-editor.org/rfc/rfc8601",
)
