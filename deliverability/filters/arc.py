"""ARC: what forwarders on the way sealed (RFC 8617).  Told, never a verdict: a seal is worth what its maker is worth.

Not verified here, which would need the sealers' keys from the DNS.
"""

import re

from deliverability.evidence.plugin import Filter, Judgement, Reading, Stamp
from deliverability.evidence.verdict import Finding

_SEAL = re.compile(r"\b([icd][v]?)\s{0,4}=\s{0,4}([A-Za-z0-9._-]{1,253})")
_MOST = 50  # RFC 8617 §4.2.1


def _read(stamps: tuple[Stamp, ...]) -> Reading | None:
    seals = [dict(_SEAL.findall(s.text)) for s in stamps if s.name.lower() == "arc-seal"][:_MOST]
    if not seals:
        return None
    newest = seals[0]
    who = " ← ".join(seal.get("d", "-") for seal in seals[:5])
    shown = {"count": str(len(seals)), "who": who, "cv": newest.get("cv", "-")}
    return Reading(Judgement.NONE, (Finding.of("broken" if newest.get("cv") == "fail" else "sealed", **shown),))


FILTER = Filter(
    id="arc",
    name={"en": "ARC seals", "zh-Hant-TW": "ARC 封條"},
    headers=frozenset({"arc-seal", "arc-authentication-results", "arc-message-signature"}),
    read=_read,
    messages={
        "sealed": {
            "en": "{count} ARC seal(s), newest first: {who}; the newest says cv={cv}. They were not verified here.",
            "zh-Hant-TW": "有 {count} 個 ARC 封條，最新在前：{who}；最新的標示 cv={cv}。這裡沒有驗證。",
        },
        "broken": {
            "en": "{count} ARC seal(s), newest first: {who}; the newest itself says that the chain is broken.",
            "zh-Hant-TW": "有 {count} 個 ARC 封條，最新在前：{who}；最新的封條表示鏈已中斷。",
        },
    },
    actors={},
    advice={},
    source="https://www.rfc-editor.org/rfc/rfc8617",
)
