"""Proton Mail.  Its interface names are given in English: no official Traditional Chinese page was found."""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, Steps, Surface

_LISTS = "https://proton.me/support/spam-filtering"

PROVIDER = Provider(
    id="proton",
    name={"en": "Proton Mail", "zh-Hant-TW": "Proton Mail"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset({"proton.me", "protonmail.com", "pm.me", "protonmail.ch"}),
    mx_suffixes=("protonmail.ch",),
    junk_folder={"en": "Spam", "zh-Hant-TW": "垃圾郵件（Spam）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        Steps(
            surface=Surface.PHONE_APP,
            steps={
                "en": (
                    "Open the Proton Mail app.",
                    "Open the menu and tap “Spam”.",
                    "Open our message; its sender is {address}.",
                    "Move it to the inbox.",
                ),
                "zh-Hant-TW": (
                    "打開 Proton Mail 應用程式。",
                    "打開選單，點一下 Spam（垃圾郵件）。",
                    "打開我們的信，寄件者是 {address}。",
                    "把它移到收件匣。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_LISTS,
        ),
    ),
    keep=(
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Open mail.proton.me, then “Settings” and “All settings”.",
                    "Under Proton Mail open “Filters”.",
                    "At “Spam, block, and allow lists” press “Add address or domain”.",
                    "Choose “Allow”, type {address} and confirm.",
                ),
                "zh-Hant-TW": (
                    "打開 mail.proton.me，進入 Settings（設定）→ All settings。",
                    "在 Proton Mail 底下打開 Filters（篩選器）。",
                    "在 Spam, block, and allow lists 按 Add address or domain。",
                    "選擇 Allow（允許），輸入 {address} 並確認。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_LISTS,
        ),
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://mail.proton.me/",
)
