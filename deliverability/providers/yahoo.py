"""Yahoo Mail outside Taiwan and Japan.

How long the Spam folder is kept depends on the account, so no number is given.
"""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, Steps, Surface
from deliverability.protocols.replies_yahoo import REPLIES
from deliverability.protocols.sender_rules import YAHOO

_NOT_SPAM = "https://tw.help.yahoo.com/kb/mail-for-desktop/SLN3402.html"
_FILTERS = "https://safety.yahoo.com/TW/SafetyGuides/Mail/index.htm"

# Yahoo's own page on its app, at hand in German and in Chinese for Hong Kong, tells the menu for marking mail as spam;
# the way back through the same menu is our reading.
_IN_THE_APP = "https://de.hilfe.yahoo.com/kb/sln26427.html, the same menu for the way back"

PROVIDER = Provider(
    id="yahoo",
    name={"en": "Yahoo Mail", "zh-Hant-TW": "Yahoo 信箱"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset(
        {
            "yahoo.com",
            "ymail.com",
            "rocketmail.com",
            "myyahoo.com",
            "yahoo.co.uk",
            "yahoo.fr",
            "yahoo.de",
            "yahoo.com.hk",
        }
    ),
    mx_suffixes=("yahoodns.net",),
    junk_folder={"en": "Spam", "zh-Hant-TW": "垃圾信件"},
    search={"en": "from:{address}", "zh-Hant-TW": "from:{address}"},
    find=(
        Steps(
            surface=Surface.PHONE_APP,
            steps={
                "en": (
                    "Open the Yahoo Mail app.",
                    "Open the list of folders and tap “Spam”.",
                    "Open our message; its sender is {address}.",
                    "Open the menu (three dots) and tap “Not spam”.",
                ),
                "zh-Hant-TW": (
                    "打開 Yahoo 信箱應用程式。",
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
                    "Open mail.yahoo.com and click “Spam”.",
                    "Select our message; its sender is {address}.",
                    "Click “Not spam” at the top of the page.",
                ),
                "zh-Hant-TW": (
                    "打開 mail.yahoo.com，點選「垃圾信件」匣。",
                    "選取我們的信，寄件者是 {address}。",
                    "點選頁面頂端的「非垃圾信」。",
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
                    "在 Yahoo 信箱應用程式打開我們的信。",
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
                    "Open the settings and go to the filters.",
                    "Add a new filter.",
                    "As the sender type {address}.",
                    "As the folder choose the Inbox, and save.",
                ),
                "zh-Hant-TW": (
                    "打開設定，進入過濾器。",
                    "新增一個過濾器。",
                    "寄件者填入 {address}。",
                    "信件匣選擇「收件匣」，然後儲存。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_FILTERS,
        ),
    ),
    list_checks_authentication=False,
    steps_date=date(2026, 11, 22),
    webmail="https://mail.yahoo.com/",
    rules=YAHOO,
    replies=REPLIES,
)
