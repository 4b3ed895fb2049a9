"""Yahoo奇摩信箱: Yahoo Mail in Taiwan, whose folder and button names differ from those of Hong Kong.

``kimo.com`` is the older domain of the same mailboxes.  Held on 2026-11-22: 垃圾信件 and 非垃圾信 stand on its help page for
computers, 設定 and the filters in its safety guide.  Not confirmed: the labels of the phone app (a page was found for Hong
Kong alone, whose words differ) and how long 垃圾信件 is kept.
"""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, Steps, Surface
from deliverability.protocols.replies_yahoo import REPLIES
from deliverability.protocols.sender_rules import YAHOO

_NOT_SPAM = "https://tw.help.yahoo.com/kb/mail-for-desktop/SLN3402.html"
_FILTERS = "https://safety.yahoo.com/TW/SafetyGuides/Mail/index.htm"

# The page for Hong Kong tells the menu for marking mail as spam; the way back through the same menu is our reading.
_IN_THE_APP = "https://hk.help.yahoo.com/kb/sln26427.html, the same menu for the way back"

PROVIDER = Provider(
    id="yahoo-tw",
    name={"en": "Yahoo Mail Taiwan (Yahoo奇摩)", "zh-Hant-TW": "Yahoo奇摩信箱"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset({"yahoo.com.tw", "kimo.com"}),
    mx_suffixes=("yahoodns.net",),
    junk_folder={"en": "Spam (垃圾信件)", "zh-Hant-TW": "垃圾信件"},
    search={"en": "from:{address}", "zh-Hant-TW": "from:{address}"},
    find=(
        Steps(
            surface=Surface.PHONE_APP,
            steps={
                "en": (
                    "Open the Yahoo Mail app.",
                    "Open the list of folders and tap “Spam” (垃圾信件).",
                    "Open our message; its sender is {address}.",
                    "Open the menu (three dots) and tap “Not spam” (非垃圾信).",
                ),
                "zh-Hant-TW": (
                    "打開 Yahoo奇摩信箱應用程式。",
                    "打開信件匣清單，點一下「垃圾信件」。",
                    "打開我們的信，寄件者是 {address}。",
                    "打開選單（三個點），點一下「非垃圾信」。",
                ),
            },
            certainty=Certainty.GENERAL,
            source=_IN_THE_APP,
        ),
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Open mail.yahoo.com and click “Spam” (垃圾信件).",
                    "Select our message; its sender is {address}.",
                    "Click “Not spam” (非垃圾信) at the top of the page: the message goes back to the inbox.",
                ),
                "zh-Hant-TW": (
                    "打開 Yahoo奇摩信箱，點選「垃圾信件」匣。",
                    "選取我們的信，寄件者是 {address}。",
                    "點選頁面頂端的「非垃圾信」，信就會回到「收件匣」。",
                ),
            },
            certainty=Certainty.OFFICIAL,
            source=_NOT_SPAM,
        ),
    ),
    keep=(
        Steps(
            surface=Surface.PHONE_APP,
            steps={
                "en": (
                    "Open our message in the Yahoo Mail app.",
                    "Tap the sender’s name and check that the address is {address}.",
                    "Add it to your contacts.",
                ),
                "zh-Hant-TW": (
                    "在 Yahoo奇摩信箱應用程式打開我們的信。",
                    "點一下寄件者名稱，確認地址是 {address}。",
                    "把它加入聯絡人。",
                ),
            },
            certainty=Certainty.GENERAL,
            source="the usual way of mail apps; no page of the provider was at hand",
        ),
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Move the pointer over the gear and choose “Settings” (設定).",
                    "Open the filters (過濾器) and add a new one.",
                    "As the sender type {address}.",
                    "As the folder choose the Inbox (收件匣), and save.",
                ),
                "zh-Hant-TW": (
                    "把滑鼠移到齒輪圖示，選取「設定」。",
                    "打開過濾器，新增一個。",
                    "寄件者填入 {address}。",
                    "信件匣選擇「收件匣」，然後儲存。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_FILTERS,
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "A mailbox that nobody signs in to for more than a year is closed and its mail is deleted.",
            "zh-Hant-TW": "超過一年沒有登入的信箱會被關閉，裡面的信也會被清除。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://mail.yahoo.com/",
    rules=YAHOO,
    replies=REPLIES,
)
