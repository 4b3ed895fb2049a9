"""Openfind Mail2000 and MailCloud, which many Taiwanese companies, universities and agencies use."""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, Steps, Surface

_NOT_JUNK = "http://doc.mail2000.com.tw/edm/o_act/system/legal.htm"
_FAQ = "https://doc.mail2000.com.tw/intro_security_faq08.html"

PROVIDER = Provider(
    id="mail2000",
    name={"en": "Mail2000", "zh-Hant-TW": "Mail2000 電子信箱"},
    kind=ProviderKind.BUSINESS,
    domains=frozenset({"mail2000.com.tw"}),
    mx_suffixes=("mailcloud.com.tw", "mail2000.com.tw"),
    junk_folder={"en": "Junk (廣告信匣)", "zh-Hant-TW": "廣告信匣"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        Steps(
            surface=Surface.PHONE_BROWSER,
            steps={
                "en": (
                    "Open your webmail in the browser and sign in.",
                    "Open the junk folder 廣告信匣.",
                    "Tick our message; its sender is {address}.",
                    "Press 這不是廣告信 (this is not junk) above the list: it moves to the inbox, and its sender is trusted.",
                ),
                "zh-Hant-TW": (
                    "用瀏覽器打開網頁信箱並登入。",
                    "打開「廣告信匣」。",
                    "勾選我們的信，寄件者是 {address}。",
                    "按清單上方的「這不是廣告信」：信會移回收件匣，寄件者也會加入合法寄件人。",
                ),
            },
            certainty=Certainty.OFFICIAL,
            source=_NOT_JUNK,
        ),
    ),
    keep=(
        Steps(
            surface=Surface.PHONE_BROWSER,
            steps={
                "en": (
                    "Open your webmail and go to 個人設定 (options).",
                    "Open 廣告信過濾 (junk filter); in the newer edition it is 偏好設定, then 過濾信件.",
                    "Choose 合法寄件人 (legitimate senders).",
                    "Press 新增 (add) and type {address}.",
                ),
                "zh-Hant-TW": (
                    "打開網頁信箱，點選「個人設定」。",
                    "打開「廣告信過濾」；旗艦版請點「偏好設定」→「過濾信件」→「廣告信管理」。",
                    "選擇「合法寄件人」。",
                    "按「新增」，輸入 {address}。",
                ),
            },
            certainty=Certainty.OFFICIAL,
            source=_FAQ,
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "Adding us to the address book has the same effect.",
            "zh-Hant-TW": "把我們加入「通訊錄」也有同樣效果，視同合法名單。",
        },
    ),
    steps_date=date(2026, 11, 22),
)
