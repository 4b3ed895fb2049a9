"""Outlook.com, Hotmail, Live and MSN.

Its safe senders list is about the junk folder; nothing on it helps against a refusal at the door.  How long
junk is kept is told differently by different pages (10 and 30 days), so no number is given.  Looked for again on 2026-11-22:
no page of Microsoft's on junk in the phone app was found; its steps stay the usual way of mail apps.
"""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, SenderRule, Steps, Surface
from deliverability.protocols.replies_microsoft import REPLIES

_SAFE_SENDERS = "https://support.microsoft.com/office/be1baea0-beab-4a30-b968-9004332336ce"
_NOT_JUNK = "https://loyola.teamdynamix.com/TDClient/1866/Portal/KB/ArticleDet?ID=46560"
# The announcement of 2 April 2025; that mail is refused rather than junked from 5 May on is its update.  Held on
# 2026-11-22 against others that quote the page from this address; itself not at hand.
_RULES = (
    "https://techcommunity.microsoft.com/blog/microsoftdefenderforoffice365blog/"
    "strengthening-email-ecosystem-outlook%E2%80%99s-new-requirements-for-high%E2%80%90volume-senders/4399730"
)
_RULES_SINCE = date(2025, 5, 5)

PROVIDER = Provider(
    id="outlook-com",
    name={"en": "Outlook.com (Hotmail, Live, MSN)", "zh-Hant-TW": "Outlook.com（Hotmail、Live、MSN）"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset(
        {
            "outlook.com",
            "hotmail.com",
            "live.com",
            "msn.com",
            "windowslive.com",
            "hotmail.com.tw",
            "livemail.tw",
            "outlook.jp",
            "outlook.kr",
            "live.hk",
            "hotmail.com.hk",
            "hotmail.co.jp",
            "hotmail.co.kr",
        }
    ),
    mx_suffixes=("olc.protection.outlook.com",),
    junk_folder={"en": "Junk Email", "zh-Hant-TW": "垃圾郵件"},
    search={"en": "from:{address}", "zh-Hant-TW": "from:{address}"},
    find=(
        Steps(
            surface=Surface.PHONE_APP,
            steps={
                "en": (
                    "Open the Outlook app.",
                    "Tap your picture at the top left to see the folders.",
                    "Tap “Junk Email”.",
                    "Open our message; its sender is {address}.",
                    "Open the menu (three dots) and choose that it is not junk.",
                ),
                "zh-Hant-TW": (
                    "打開 Outlook 應用程式。",
                    "點一下左上角的頭像，顯示資料夾。",
                    "點一下「垃圾郵件」。",
                    "打開我們的信，寄件者是 {address}。",
                    "打開選單（三個點），選擇這封不是垃圾郵件。",
                ),
            },
            certainty=Certainty.GENERAL,
            source="the usual way of mail apps; no page of the provider was at hand",
        ),
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Open outlook.live.com.",
                    "Open the folder “Junk Email”.",
                    "Select our message; its sender is {address}.",
                    "Press “Not junk” above the message.",
                ),
                "zh-Hant-TW": (
                    "打開 outlook.live.com。",
                    "打開「垃圾郵件」資料夾。",
                    "選取我們的信，寄件者是 {address}。",
                    "按上方表示「不是垃圾郵件」的按鈕。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_NOT_JUNK,
        ),
    ),
    keep=(
        Steps(
            surface=Surface.PHONE_BROWSER,
            steps={
                "en": (
                    "Open outlook.live.com in the browser of your phone.",
                    "Ask the browser for the desktop site if the settings are missing.",
                    "Open the settings (gear), then “Mail”, then “Junk email”.",
                    "Under “Safe senders and domains” press “Add” and type {address}.",
                    "Press “Save”.",
                ),
                "zh-Hant-TW": (
                    "用手機瀏覽器打開 outlook.live.com。",
                    "看不到設定時，請把瀏覽器切換成「電腦版網站」。",
                    "打開設定（齒輪），點「郵件」，再點「垃圾郵件」。",
                    "在安全寄件者和網域的欄位按「新增」，輸入 {address}。",
                    "按「儲存」。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_SAFE_SENDERS,
        ),
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Press the gear at the top right.",
                    "Open “Mail”, then “Junk email”.",
                    "Under “Safe senders and domains” press “Add”.",
                    "Type {address}.",
                    "Press “Save”.",
                ),
                "zh-Hant-TW": (
                    "按右上角的齒輪。",
                    "打開「郵件」，再打開「垃圾郵件」。",
                    "在安全寄件者和網域的欄位按「新增」。",
                    "輸入 {address}。",
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
            "en": "This list is about the junk folder only: it does not help when Outlook.com refuses a message.",
            "zh-Hant-TW": "這份清單只管垃圾郵件資料夾；如果 Outlook.com 當場拒收，清單幫不上忙。",
        },
        {
            "en": "If {address} is also on your list of blocked senders, blocking wins: remove it there.",
            "zh-Hant-TW": "如果 {address} 同時在封鎖清單上，封鎖優先，請先從那裡移除。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://outlook.live.com/",
    rules=(
        SenderRule(
            id="spf-and-dkim",
            text={
                "en": "Outlook.com wants senders of more than 5,000 messages a day to pass SPF and DKIM, both of them.",
                "zh-Hant-TW": "Outlook.com 要求每天寄出超過 5,000 封的寄件者同時通過 SPF 與 DKIM，兩者缺一不可。",
            },
            all_of=("spf-pass", "dkim-pass"),
            bulk_only=True,
            effective=_RULES_SINCE,
            smtp_codes=("5.7.515",),
            source=_RULES,
        ),
        SenderRule(
            id="dmarc",
            text={
                "en": "Outlook.com wants the From domain of such senders to publish DMARC, at least p=none, aligned with SPF or DKIM.",
                "zh-Hant-TW": "Outlook.com 要求這類寄件者的 From 網域公布 DMARC（至少 p=none），且與 SPF 或 DKIM 的網域一致。",
            },
            all_of=("dmarc-published", "dmarc-pass"),
            bulk_only=True,
            effective=_RULES_SINCE,
            smtp_codes=("5.7.515",),
            source=_RULES,
        ),
        SenderRule(
            id="hygiene",
            text={
                "en": "Outlook.com wants a From or Reply-To address that can be answered and a working way to unsubscribe; it does not name one-click.",
                "zh-Hant-TW": "Outlook.com 要求 From 或 Reply-To 是可以回信的地址，並提供有效的退訂方式；沒有指定一鍵取消訂閱。",
            },
            bulk_only=True,
            visible=False,
            effective=_RULES_SINCE,
            source=_RULES,
        ),
    ),
    replies=REPLIES,
)
