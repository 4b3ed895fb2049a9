"""智邦 (url.com.tw): hosting mail with a Roundcube webmail.

Its help names 環境設定 and 設定防堵等級; a list of allowed senders for users was not found there, and no MX name was
confirmed.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_in_browser, told
from deliverability.protocols.replies_taiwan import REPLIES_URL as REPLIES

_LEVEL = "https://help.url.com.tw/Newtopic21.html"
_MARK = "https://github.com/roundcube/roundcubemail plugins/markasjunk/localization/zh_TW.inc"

PROVIDER = Provider(
    id="url-com-tw",
    name={"en": "url.com.tw (智邦)", "zh-Hant-TW": "智邦生活館信箱（url.com.tw）"},
    kind=ProviderKind.ISP,
    domains=frozenset({"url.com.tw"}),
    mx_suffixes=("url.com.tw",),
    junk_folder={"en": "the junk folder", "zh-Hant-TW": "垃圾郵件資料夾"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_in_browser(
            Surface.PHONE_BROWSER, ("which may be named 垃圾郵件 or Junk", "名稱可能是垃圾郵件、廣告信匣或 Junk")
        ),
        told(
            Surface.COMPUTER,
            _MARK,
            ("Open the webmail and sign in.", "打開網頁信箱並登入。"),
            ("Open the junk folder on the left.", "打開左側的垃圾郵件資料夾。"),
            ("Select our message; its sender is {address}.", "選取我們的信，寄件者是 {address}。"),
            ("Press 標示為非垃圾郵件 (not junk), or move it to the inbox.", "按「標示為非垃圾郵件」，或移到收件匣。"),
        ),
    ),
    keep=(
        add_to_contacts(Surface.PHONE_BROWSER),
        told(
            Surface.COMPUTER,
            _LEVEL,
            ("Open the webmail and press 環境設定 (settings) at the top.", "打開網頁信箱，按最上方的「環境設定」。"),
            ("On the left choose 設定防堵等級 (level of protection).", "在左側選「設定防堵等級」。"),
            (
                "If the level is high, ask url.com.tw how mail from {address} can pass.",
                "如果等級設得高，請向智邦詢問如何讓 {address} 的來信通過。",
            ),
        ),
    ),
    caveats=(
        {
            "en": "Its help names no list of allowed senders: ask url.com.tw, or the firm that gave you the mailbox.",
            "zh-Hant-TW": "說明頁沒有提到允許名單：請詢問智邦或提供信箱的單位。",
        },
    ),
    steps_date=date(2026, 11, 22),
    replies=REPLIES,
)
