"""Gmail under a company's or school's own domain (Google Workspace).

An administrator's rules stand above what a user sets.
"""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, Steps, Surface
from deliverability.protocols.replies_google import REPLIES

_MANUAL = "https://www.hc.itc.keio.ac.jp/en/gmail_user_manual_basic_operation_other_spam.html"
_ADMIN = "https://support.google.com/a/answer/2368132"

PROVIDER = Provider(
    id="google-workspace",
    name={"en": "Google Workspace (Gmail)", "zh-Hant-TW": "Google Workspace（Gmail）"},
    kind=ProviderKind.BUSINESS,
    mx_suffixes=("google.com", "googlemail.com"),
    junk_folder={"en": "Spam", "zh-Hant-TW": "垃圾郵件"},
    search={
        "en": "in:anywhere rfc822msgid:{message_id}",
        "zh-Hant-TW": "in:anywhere rfc822msgid:{message_id}",
    },
    find=(
        Steps(
            surface=Surface.PHONE_APP,
            steps={
                "en": (
                    "Open the Gmail app and choose your work account.",
                    "Tap the menu (three lines) at the top left.",
                    "Tap “Spam”.",
                    "Open our message; its sender is {address}.",
                    "Tap “Report not spam”.",
                ),
                "zh-Hant-TW": (
                    "打開 Gmail 應用程式，切換到公司或學校的帳號。",
                    "點一下左上角的選單（三條線）。",
                    "點一下「垃圾郵件」。",
                    "打開我們的信，寄件者是 {address}。",
                    "點一下「回報為非垃圾郵件」。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_MANUAL,
        ),
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Open mail.google.com with your work account.",
                    "Click “Spam” in the left column; if it is not there, click “More” first.",
                    "Open our message; its sender is {address}.",
                    "Click “Not spam” above the message.",
                ),
                "zh-Hant-TW": (
                    "用公司或學校的帳號打開 mail.google.com。",
                    "按左側的「垃圾郵件」；沒看到時，先按「更多」。",
                    "打開我們的信，寄件者是 {address}。",
                    "按信件上方的「非垃圾郵件」或「回報為非垃圾郵件」。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_MANUAL,
        ),
    ),
    keep=(
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Click the gear, then “See all settings”.",
                    "Open “Filters and Blocked Addresses” and click “Create a new filter”.",
                    "Type {address} in the “From” box and click “Create filter”.",
                    "Tick “Never send it to Spam” and click “Create filter” again.",
                    "If that does not help, ask your IT department to approve {address} for everyone.",
                ),
                "zh-Hant-TW": (
                    "按齒輪圖示，再按「查看所有設定」。",
                    "打開「篩選器和封鎖的地址」，按「建立新篩選器」。",
                    "在「寄件者」欄輸入 {address}，按「建立篩選器」。",
                    "勾選「永不傳送到垃圾郵件」（畫面文字可能略有不同），再按一次「建立篩選器」。",
                    "若仍無效，請資訊人員把 {address} 設為公司核准的寄件者。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_ADMIN,
        ),
    ),
    junk_days=30,
    list_checks_authentication=False,
    caveats=(
        {
            "en": "Your IT department may have set rules, or a quarantine, that stand above your own settings.",
            "zh-Hant-TW": "貴單位的資訊人員可能另設規則或隔離區，效力高於您個人的設定。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://mail.google.com/",
    replies=REPLIES,
)
