"""Exchange Online: a company's or school's own domain at Microsoft 365.

Suspicious mail may sit in a quarantine outside the mailbox; adding a contact does nothing by default
(``ContactsTrusted`` is off).
"""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, Steps, Surface
from deliverability.protocols.replies_microsoft import REPLIES

_SAFE_SENDERS = (
    "https://github.com/MicrosoftDocs/defender-docs defender-office-365/create-safe-sender-lists-in-office-365.md"
)

PROVIDER = Provider(
    id="microsoft-365",
    name={"en": "Microsoft 365", "zh-Hant-TW": "Microsoft 365"},
    kind=ProviderKind.BUSINESS,
    mx_suffixes=("mail.protection.outlook.com", "mx.microsoft"),
    junk_folder={"en": "Junk Email", "zh-Hant-TW": "垃圾郵件"},
    search={"en": "from:{address}", "zh-Hant-TW": "from:{address}"},
    find=(
        Steps(
            surface=Surface.PHONE_BROWSER,
            steps={
                "en": (
                    "Open security.microsoft.com/quarantine in the browser.",
                    "Sign in with your work account.",
                    "Look for our message; its sender is {address}.",
                    "Choose to release it, or ask for its release.",
                ),
                "zh-Hant-TW": (
                    "用瀏覽器打開 security.microsoft.com/quarantine。",
                    "用公司或學校的帳號登入。",
                    "尋找我們的信，寄件者是 {address}。",
                    "選擇放行，或要求放行。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_SAFE_SENDERS,
        ),
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Open outlook.office.com.",
                    "Open the folder “Junk Email”.",
                    "Select our message; its sender is {address}.",
                    "Press “Not junk” above the message.",
                ),
                "zh-Hant-TW": (
                    "打開 outlook.office.com。",
                    "打開「垃圾郵件」資料夾。",
                    "選取我們的信，寄件者是 {address}。",
                    "按上方表示「不是垃圾郵件」的按鈕。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_SAFE_SENDERS,
        ),
    ),
    keep=(
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Press the gear at the top right.",
                    "Open “Mail”, then “Junk email”.",
                    "Under “Safe senders and domains” press “Add”.",
                    "Type the whole address {address}.",
                    "Press “Save”.",
                ),
                "zh-Hant-TW": (
                    "按右上角的齒輪。",
                    "打開「郵件」，再打開「垃圾郵件」。",
                    "在安全寄件者和網域的欄位按「新增」。",
                    "輸入完整的地址 {address}。",
                    "按「儲存」。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_SAFE_SENDERS,
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "Adding us to your contacts alone changes nothing here.",
            "zh-Hant-TW": "在這裡，只把我們加入聯絡人不會有作用。",
        },
        {
            "en": "Your IT department may hold mail in a quarantine that only it can open.",
            "zh-Hant-TW": "貴單位的資訊人員可能把信放在只有他們能開啟的隔離區。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://outlook.office.com/",
    replies=REPLIES,
)
