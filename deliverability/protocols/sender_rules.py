"""What several mailbox providers demand of senders in the same words: Yahoo's brands share one set of rules.

Also the checks that stand for "formatted according to RFC 5322", which nearly every provider asks for.
"""

from datetime import date
from typing import Final

from deliverability.evidence.plugin import SenderRule

FORMAT: Final = (
    "required-headers-once",
    "one-author",
    "lines-within-limit",
    "no-nul-or-bare-cr",
    "eight-bit-declared",
    "encoded-words-valid",
)
"""Checks of a message's form (RFC 5322, RFC 2045, RFC 2047)."""

# Yahoo's Sender Hub.  Held on 2026-11-22 against others that quote the page from this address; itself not at hand.
_YAHOO = "https://senders.yahooinc.com/best-practices/"
_SINCE = date(2024, 2, 1)

YAHOO: Final = (
    SenderRule(
        id="spf-or-dkim",
        text={
            "en": "Yahoo wants every message to pass SPF or DKIM.",
            "zh-Hant-TW": "Yahoo 要求每封郵件通過 SPF 或 DKIM。",
        },
        any_of=("spf-pass", "dkim-pass"),
        effective=_SINCE,
        source=_YAHOO,
    ),
    SenderRule(
        id="reverse-dns",
        text={
            "en": "Yahoo wants the sending address to have a name (PTR) that leads back to it.",
            "zh-Hant-TW": "Yahoo 要求寄送的 IP 位址有反解名稱（PTR），且該名稱指回同一位址。",
        },
        all_of=("iprev-confirmed",),
        effective=_SINCE,
        source=_YAHOO,
    ),
    SenderRule(
        id="message-format",
        text={
            "en": "Yahoo wants messages to follow RFC 5321 and RFC 5322.",
            "zh-Hant-TW": "Yahoo 要求郵件符合 RFC 5321 與 RFC 5322 的格式。",
        },
        all_of=FORMAT,
        effective=_SINCE,
        source=_YAHOO,
    ),
    SenderRule(
        id="spam-rate",
        text={
            "en": "Yahoo wants fewer than 0.3 % of a sender's messages reported as spam.",
            "zh-Hant-TW": "Yahoo 要求被檢舉為垃圾郵件的比例低於 0.3%。",
        },
        visible=False,
        effective=_SINCE,
        source=_YAHOO,
    ),
    SenderRule(
        id="spf-and-dkim",
        text={
            "en": "Yahoo wants bulk mail to pass both SPF and DKIM.",
            "zh-Hant-TW": "Yahoo 要求大量郵件同時通過 SPF 與 DKIM。",
        },
        all_of=("spf-pass", "dkim-pass"),
        bulk_only=True,
        effective=_SINCE,
        source=_YAHOO,
    ),
    SenderRule(
        id="dmarc",
        text={
            "en": "Yahoo wants the From domain of bulk mail to publish DMARC, at least p=none, and the message to pass it.",
            "zh-Hant-TW": "Yahoo 要求大量郵件的From 網域公布 DMARC（至少 p=none），且郵件通過 DMARC。",
        },
        all_of=("dmarc-published", "dmarc-pass"),
        bulk_only=True,
        effective=_SINCE,
        source=_YAHOO,
    ),
    SenderRule(
        id="one-click",
        text={
            "en": "Yahoo wants subscribed bulk mail to offer one-click unsubscription, honoured within 2 days.",
            "zh-Hant-TW": "Yahoo 要求訂閱類的大量郵件提供一鍵取消訂閱，並在 2 天內生效。",
        },
        all_of=("one-click-unsubscribe",),
        bulk_only=True,
        effective=date(2024, 6, 1),
        source=_YAHOO,
    ),
)
