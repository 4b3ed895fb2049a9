"""NetEase: 163, 126, yeah.net and its business mail.

Its own help in Traditional Chinese does not exist; the labels are from pages in Simplified Chinese.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_on_phone, told
from deliverability.protocols.replies_china import REPLIES_NETEASE as REPLIES

_LISTS = "http://www.yw163.cn/news/Show.aspx?id=750"

PROVIDER = Provider(
    id="netease",
    name={"en": "NetEase Mail (163, 126)", "zh-Hant-TW": "網易信箱（163、126）"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset({"126.com", "163.com", "188.com", "vip.163.com", "yeah.net"}),
    mx_suffixes=("mxmail.netease.com",),
    junk_folder={"en": "垃圾邮件 (Spam)", "zh-Hant-TW": "垃圾郵件"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("垃圾邮件", "「垃圾郵件」")),
        told(
            Surface.COMPUTER,
            _LISTS,
            ("Open mail.163.com or mail.126.com.", "打開 mail.163.com 或 mail.126.com（介面為簡體字）。"),
            ("Open the folder 垃圾邮件.", "打開「垃圾郵件」資料夾。"),
            ("Open our message; its sender is {address}.", "打開我們的信，寄件者是 {address}。"),
            ("Press the button that says that it is no spam.", "按表示「這不是垃圾郵件」的按鈕。"),
        ),
    ),
    keep=(
        add_to_contacts(),
        told(
            Surface.COMPUTER,
            _LISTS,
            (
                "Open 设置 (settings) and then 反垃圾/黑白名单 (anti-spam, lists).",
                "打開「設置」，再打開反垃圾與黑白名單的頁面（介面為簡體字）。",
            ),
            ("Go to 白名单 (allowlist).", "找到「白名單」。"),
            ("Add {address} and save.", "加入 {address} 並儲存。"),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "This list does not apply to mail that was refused before it arrived; a change may take up to 48 hours.",
            "zh-Hant-TW": "名單對送達前就被拒收的信無效；變更最多可能要 48 小時才生效。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://mail.163.com/",
    replies=REPLIES,
)
