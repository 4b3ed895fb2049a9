"""iCloud Mail.

It has no list of trusted senders: marking a message as not junk is the one thing a customer can do, and Apple
says that later mail from that sender is then no longer marked by itself.
"""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, Steps, Surface

_JUNK = "https://support.apple.com/kb/PH2649?viewlocale=zh_TW"

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
                    "Move it to the Inbox.",
                ),
                "zh-Hant-TW": (
                    "打開「郵件」App，回到信箱列表。",
                    "在 iCloud 底下點一下「垃圾郵件」。",
                    "打開我們的信，寄件者是 {address}。",
                    "把它移到「收件匣」。",
                ),
            },
            certainty=Certainty.GENERAL,
            source="the usual way of the phone's mail app; the provider's page describes iCloud.com",
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
)
