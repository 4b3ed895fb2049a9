"""QQ Mail, Foxmail and, by its MX, Tencent Exmail.

The labels come from re-posted help in Simplified Chinese; the Traditional wording is ours, because the interface has none.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_on_phone, told
from deliverability.protocols.replies_china import REPLIES_QQ as REPLIES

_LISTS = "http://www.ruizhiidc.com/blog/html/20150330864.html"

PROVIDER = Provider(
    id="qq",
    name={"en": "QQ Mail (Tencent)", "zh-Hant-TW": "QQ 信箱（騰訊）"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset({"foxmail.com", "qq.com", "vip.qq.com"}),
    mx_suffixes=("qq.com",),
    junk_folder={"en": "垃圾箱 (Spam)", "zh-Hant-TW": "垃圾箱"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("垃圾箱", "「垃圾箱」")),
        told(
            Surface.COMPUTER,
            _LISTS,
            ("Open mail.qq.com.", "打開 mail.qq.com（介面為簡體字）。"),
            ("Open the folder 垃圾箱.", "打開「垃圾箱」。"),
            ("Open our message; its sender is {address}.", "打開我們的信，寄件者是 {address}。"),
            ("Press the button that says that it is no spam (这不是垃圾邮件).", "按表示「這不是垃圾郵件」的按鈕。"),
        ),
    ),
    keep=(
        add_to_contacts(),
        told(
            Surface.COMPUTER,
            _LISTS,
            ("Open 设置 (settings) and then 反垃圾 (anti-spam).", "打開「設置」，再打開「反垃圾」（介面為簡體字）。"),
            ("Under 白名单 (allowlist) open the list of addresses.", "在「白名單」打開地址的名單。"),
            ("Type {address} and add it.", "輸入 {address} 並加入。"),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "This list cannot help when the message was refused before it arrived.",
            "zh-Hant-TW": "如果信在送達前就被拒收，名單幫不上忙。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://mail.qq.com/",
    replies=REPLIES,
)
