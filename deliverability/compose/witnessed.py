"""What an old mail shows of the log, as sentences; no stronger than what was found."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Final

from deliverability.compose.because import worded
from deliverability.compose.when import exact
from deliverability.evidence.verdict import fill
from deliverability.protocols.dkim import DkimResult, DkimSignature, Reason
from deliverability.protocols.witness import Carried, Cover, Hop

MESSAGES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "en": {
            "none": "The mail carries no Dispatch-Checkpoint field.",
            "unreadable": "A Dispatch-Checkpoint field of the mail cannot be read: {problem}.",
            "head": "The mail carries a head of the log {origin} over {size} entries.",
            "good": "The log was only added to since that head: the entries that it was signed over are unchanged.",
            "same": "It is the very head that the log shows now.",
            "fork": "That head is of another history: the log was rewritten or cut since.",
            "other-log": "It is of another log than {origin}: nothing can be said.",
            "unsigned": "It is not signed with a known key of the log: nothing can be said.",
            "no-proof": "The bundle brings no proof about that head. Ask the sender for: deliverability ledger prove --continues HEAD.",
            "bundle": "The bundle itself does not hold: {problem}.",
            "alone": "Nothing was given to hold it against: --ledger or --bundle.",
            "covered": "The field is covered by a DKIM signature of {domain} that verifies: it stood in the mail that {domain} signed.",
            "undecided": "A DKIM signature of {domain} names the field and cannot be judged now ({reason}): whether the field left with the mail is open.",
            "broken": "The DKIM signature of {domain} that names the field does not hold: the mail was changed since, or the signature was never its own.",
            "not-named": "No DKIM signature of the mail names the field: anybody under way could have put it there. Its own signature counts all the same.",
            "unsigned-mail": "The mail has no DKIM signature: anybody under way could have put the field there. Its own signature counts all the same.",
            "not-sealed": "Another field of that name could have been added without breaking a signature.",
            "key-kept": "That DKIM key is not from the DNS: it was taken from entry {number} of the log, as it was seen {when} by the log's own clock. Whoever keeps the log kept the key: this shows that the mail fits what was sealed, and less than a key that you kept yourself, or one that the DNS still publishes.",
            "key-chained": "That DKIM key is not from the DNS of today: it was taken from entry {number} of the log, as it was seen {when} by the log's own clock. Its DNSSEC chain, kept beside it, holds from the root as of that time: the zone published this key, whoever kept the log.",
            "received": "The mail's own Received lines claim: {hops}. Whoever had the mail can have written them.",
            "no-received": "The mail has no Received lines: when it arrived is not claimed.",
        },
        "zh-Hant-TW": {
            "none": "這封信沒有 Dispatch-Checkpoint 欄位。",
            "unreadable": "這封信的 Dispatch-Checkpoint 欄位無法解讀：{problem}。",
            "head": "這封信帶有紀錄 {origin} 涵蓋 {size} 筆的簽章。",
            "good": "從那個簽章之後，紀錄只有增加：它所涵蓋的各筆都沒有更動。",
            "same": "它就是紀錄目前出示的簽章。",
            "fork": "那個簽章屬於另一段歷史：紀錄後來被改寫或刪減。",
            "other-log": "它不屬於紀錄 {origin}：無法判斷。",
            "unsigned": "它不是以這份紀錄的已知金鑰簽署：無法判斷。",
            "no-proof": "證據包沒有與那個簽章有關的證明。請向寄件單位索取：deliverability ledger prove --continues HEAD。",
            "bundle": "證據包本身不成立：{problem}。",
            "alone": "沒有提供可比對的對象：--ledger 或 --bundle。",
            "covered": "{domain} 的有效 DKIM 簽章涵蓋這個欄位：{domain} 簽署這封信時，信中就有它。",
            "undecided": "{domain} 的 DKIM 簽章列有這個欄位，但目前無法驗證（{reason}）：欄位是否隨信寄出，無法確定。",
            "broken": "列有這個欄位的 {domain} DKIM 簽章不成立：信件後來被更動過，或這個簽章本來就不屬於它。",
            "not-named": "這封信的 DKIM 簽章都沒有列入這個欄位：途中任何人都可能加上它。它本身的簽章仍然有效力。",
            "unsigned-mail": "這封信沒有 DKIM 簽章：途中任何人都可能加上這個欄位。它本身的簽章仍然有效力。",
            "not-sealed": "即使再加一個同名欄位，也不會使簽章失效。",
            "key-kept": "這把 DKIM 金鑰不是來自 DNS：它取自紀錄的第 {number} 筆，依紀錄自己的時鐘，看到的時間是 {when}。金鑰由保管紀錄的一方自行保存：這只表示信件與封存的內容相符，證明力不如您自己保存的金鑰，或 DNS 仍在公布的金鑰。",
            "key-chained": "這把 DKIM 金鑰不是來自今天的 DNS：它取自紀錄的第 {number} 筆，依紀錄自己的時鐘，看到的時間是 {when}。一併保存的 DNSSEC 信任鏈，從根網域起在該時間成立：不論紀錄由誰保管，該網域當時確實公布過這把金鑰。",
            "received": "信件自己的 Received 標頭宣稱：{hops}。經手信件的人都可能改寫這些標頭。",
            "no-received": "信件沒有 Received 標頭，因此沒有寫明何時到達。",
        },
    }
)
_SHOWN = 3  # of the Received lines


def cover_lines(lang: str, carried: Carried) -> list[str]:
    """Whether the mail's own signature vouches for the field."""
    said = MESSAGES[lang]
    decisive = _decisive(carried)
    parameters = {
        "domain": decisive.domain.name if decisive and decisive.domain else "?",
        "reason": decisive.reason.value if decisive else "",
    }
    code = "unsigned-mail" if carried.cover is Cover.UNSIGNED else carried.cover.value
    lines = [fill(said[code], worded(parameters, lang))]
    if carried.cover is Cover.COVERED and not carried.sealed:
        lines.append(said["not-sealed"])
    return lines


def _decisive(carried: Carried) -> DkimSignature | None:
    """The signature that made it so: anybody can add one of his own, or one that does not hold."""
    for one in carried.signatures:
        if carried.cover is Cover.COVERED and one.result is not DkimResult.PASS:
            continue
        if carried.cover is Cover.UNDECIDED and one.reason is Reason.BODY_HASH_MISMATCH:
            continue
        return one
    return None


def key_lines(lang: str, number: int, at: datetime, where: tzinfo, *, chained: bool) -> list[str]:
    """Where a DKIM key came from that is not the DNS's of today, and what that means."""
    code = "key-chained" if chained else "key-kept"
    return [fill(MESSAGES[lang][code], {"number": str(number), "when": exact(at, where)})]


def received_line(lang: str, hops: Sequence[Hop], where: tzinfo) -> str:
    """When the mail says that it arrived."""
    claims = [f"{hop.by or '?'} {exact(hop.at, where)}" for hop in hops if isinstance(hop.at, datetime)]
    if not claims:
        return MESSAGES[lang]["no-received"]
    return fill(MESSAGES[lang]["received"], {"hops": ("；" if lang == "zh-Hant-TW" else "; ").join(claims[:_SHOWN])})


def sentences(lang: str, codes: Iterable[tuple[str, Mapping[str, str]]]) -> list[str]:
    """Findings as sentences."""
    return [fill(MESSAGES[lang][code], worded(parameters, lang)) for code, parameters in codes]
