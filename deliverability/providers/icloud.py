"""iCloud Mail.

It has no list of trusted senders: marking a message as not junk is the one thing a customer can do, and Apple
says that later mail from that sender is then no longer marked by itself.

Held on 2026-11-22: the page for iCloud.com in Traditional Chinese (30 days, 非垃圾郵件), and Apple's page 102376 for the phone,
of which only copies in other languages were found: the Chinese wording of the phone's steps is ours.
"""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, SenderRule, Steps, Surface
from deliverability.protocols.replies_apple import REPLIES
from deliverability.protocols.sender_rules import FORMAT

_JUNK = "https://support.apple.com/kb/PH2649?viewlocale=zh_TW"
_REPORT = "https://support.apple.com/102376"
_RULES = "https://support.apple.com/102322"
_RULES_SINCE = date(2025, 2, 25)  # the version of the page that was read

PROVIDER = Provider(
    id="icloud",
    name={"en": "iCloud Mail", "zh-Hant-TW": "iCloud 郵件"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset({"icloud.com", "me.com", "mac.com"}),
    mx_suffixes=("mail.icloud.com",),
    junk_folder={"en": "Junk", "zh-Hant-TW": "垃圾郵件"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        Steps(
            surface=Surface.PHONE_APP,
            steps={
                "en": (
                    "Open the Mail app and go back to the list of mailboxes.",
                    "Under iCloud tap “Junk”.",
                    "Open our message; its sender is {address}.",
                    "Tap the folder button, then “Inbox”.",
                ),
                "zh-Hant-TW": (
                    "打開「郵件」App，回到信箱列表。",
                    "在 iCloud 底下點一下「垃圾郵件」。",
                    "打開我們的信，寄件者是 {address}。",
                    "點一下檔案夾按鈕，再點一下「收件匣」。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_REPORT,
        ),
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Open icloud.com and then Mail.",
                    "Click “Junk” in the sidebar.",
                    "Select our message; its sender is {address}.",
                    "Click “Not Junk” at the top right of the message.",
                ),
                "zh-Hant-TW": (
                    "打開 iCloud.com 的「郵件」。",
                    "按側邊欄的「垃圾郵件」檔案夾。",
                    "選取我們的信，寄件者是 {address}。",
                    "按郵件視窗右上方的「非垃圾郵件」按鈕。",
                ),
            },
            certainty=Certainty.OFFICIAL,
            source=_JUNK,
        ),
    ),
    keep=(
        Steps(
            surface=Surface.PHONE_APP,
            steps={
                "en": (
                    "Open the Mail app and then “Junk” under iCloud.",
                    "Open our message; its sender is {address}.",
                    "Move it to the Inbox: Apple says that this sender’s later mail then goes there too.",
                ),
                "zh-Hant-TW": (
                    "打開「郵件」App，點一下 iCloud 底下的「垃圾郵件」。",
                    "打開我們的信，寄件者是 {address}。",
                    "把它移到「收件匣」：Apple 說明，之後這位寄件人的信也會進收件匣。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_REPORT,
        ),
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Open icloud.com, then Mail, then “Junk”.",
                    "Select our message; its sender is {address}.",
                    "Click “Not Junk”: Apple says that it then stops marking this sender’s mail by itself.",
                ),
                "zh-Hant-TW": (
                    "打開 iCloud.com 的「郵件」，按「垃圾郵件」檔案夾。",
                    "選取我們的信，寄件者是 {address}。",
                    "按「非垃圾郵件」：Apple 說明，之後不會再自動把這位寄件人的信標為垃圾郵件。",
                ),
            },
            certainty=Certainty.OFFICIAL,
            source=_JUNK,
        ),
    ),
    junk_days=30,
    caveats=(
        {
            "en": "iCloud Mail has no list of trusted senders; marking our message is all that can be done.",
            "zh-Hant-TW": "iCloud 郵件沒有信任的寄件人清單，把這封信標為非垃圾郵件是唯一的辦法。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://www.icloud.com/mail",
    rules=(
        SenderRule(
            id="spf-and-dkim",
            text={
                "en": "Apple wants bulk mail to pass SPF and DKIM; it names no number of messages.",
                "zh-Hant-TW": "Apple 要求大量郵件通過 SPF 與 DKIM；沒有公布郵件數量的門檻。",
            },
            all_of=("spf-pass", "dkim-pass"),
            bulk_only=True,
            effective=_RULES_SINCE,
            source=_RULES,
        ),
        SenderRule(
            id="dmarc-record",
            text={
                "en": "Apple wants the From domain of bulk mail to publish a DMARC policy.",
                "zh-Hant-TW": "Apple 要求大量郵件的From 網域公布 DMARC 政策。",
            },
            all_of=("dmarc-published",),
            bulk_only=True,
            effective=_RULES_SINCE,
            source=_RULES,
        ),
        SenderRule(
            id="reverse-dns",
            text={
                "en": "Apple wants the sending address of bulk mail to have reverse DNS.",
                "zh-Hant-TW": "Apple 要求大量郵件的寄送 IP 位址設有反解（reverse DNS）。",
            },
            all_of=("iprev-confirmed",),
            bulk_only=True,
            effective=_RULES_SINCE,
            source=_RULES,
        ),
        SenderRule(
            id="message-format",
            text={
                "en": "Apple wants messages to follow RFC 5322.",
                "zh-Hant-TW": "Apple 要求郵件符合 RFC 5322 的格式。",
            },
            all_of=FORMAT,
            bulk_only=True,
            effective=_RULES_SINCE,
            source=_RULES,
        ),
        SenderRule(
            id="consent",
            text={
                "en": "Apple wants bulk mail to carry an unsubscribe link and to go only to those who asked for it, and SMTP errors to be acted on.",
                "zh-Hant-TW": "Apple 要求大量郵件附有退訂連結、只寄給同意收信的人，並處理 SMTP 錯誤。",
            },
            bulk_only=True,
            visible=False,
            effective=_RULES_SINCE,
            source=_RULES,
        ),
    ),
    replies=REPLIES,
)
