"""Yandex Mail and Yandex 360.  Its whitelist takes full addresses alone, never a whole domain."""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_on_phone, told
from deliverability.protocols.replies_europe import REPLIES_YANDEX as REPLIES

_LISTS = "https://yandex.com/support/mail/web/preferences/filters/lists.html"

PROVIDER = Provider(
    id="yandex",
    name={"en": "Yandex Mail", "zh-Hant-TW": "Yandex 信箱"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset({"ya.ru", "yandex.by", "yandex.com", "yandex.kz", "yandex.ru"}),
    mx_suffixes=("yandex.net", "yandex.ru"),
    junk_folder={"en": "Spam (Спам)", "zh-Hant-TW": "Спам（垃圾郵件）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("Spam (Спам)", "Спам（Spam）")),
        told(
            Surface.COMPUTER,
            _LISTS,
            ("Open mail.yandex.com.", "打開 mail.yandex.com。"),
            ("Open the folder “Spam”.", "打開 Spam 資料夾。"),
            ("Open our message; its sender is {address}.", "打開我們的信，寄件者是 {address}。"),
            ("Press “Not spam!”.", "按 Not spam!（不是垃圾郵件）。"),
        ),
    ),
    keep=(
        add_to_contacts(),
        told(
            Surface.COMPUTER,
            _LISTS,
            ("Open the settings and then “Message filters”.", "打開設定，再打開 Message filters。"),
            ("Go to “Whitelist”.", "找到 Whitelist。"),
            ("Type the whole address {address}.", "輸入完整的地址 {address}。"),
            ("Press “Add”.", "按 Add。"),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "The list takes full addresses alone; a whole domain is not accepted.",
            "zh-Hant-TW": "名單只接受完整的地址，不接受整個網域。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://mail.yandex.com/",
    replies=REPLIES,
)
