"""Mail of the Japanese phone companies: docomo, au, SoftBank.

Many of these mailboxes refuse mail by their receive settings and have no junk folder at all; menus differ by company and
by the age of the phone, so the steps name only what all of them have.
"""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import USUAL, told

_LISTS = "http://www.nttdocomo.co.jp/info/spam_mail/measure/domain/about/index.html"

PROVIDER = Provider(
    id="jp-carriers",
    name={
        "en": "your phone company’s mail (docomo, au, SoftBank)",
        "zh-Hant-TW": "日本電信業者信箱（docomo、au、SoftBank）",
    },
    kind=ProviderKind.ISP,
    domains=frozenset({"au.com", "docomo.ne.jp", "ezweb.ne.jp", "i.softbank.jp", "softbank.ne.jp"}),
    junk_folder={"en": "the junk folder, where there is one", "zh-Hant-TW": "垃圾郵件資料夾（不一定有）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        told(
            Surface.PHONE_APP,
            USUAL,
            ("Open the mail app of your phone company.", "打開電信業者的郵件應用程式。"),
            (
                "If it has a junk folder (迷惑メール), look there for mail from {address}.",
                "如果有垃圾郵件資料夾（迷惑メール），請在那裡找 {address} 的來信。",
            ),
            (
                "If there is none, the message may have been refused before it reached the phone.",
                "如果沒有這個資料夾，信可能在送到手機之前就被拒收了。",
            ),
            certainty=Certainty.GENERAL,
        ),
    ),
    keep=(
        told(
            Surface.PHONE_BROWSER,
            _LISTS,
            ("Open your phone company’s page of mail settings (迷惑メール対策).", "打開電信業者的郵件設定頁。"),
            (
                "Open the list of mail to receive: 受信リスト or 指定受信.",
                "打開「受信リスト」或「指定受信」（指定要收的寄件者）。",
            ),
            ("Add {address} and save.", "加入 {address} 並儲存。"),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "If refusal of forged senders is on, forwarded mail can still be dropped.",
            "zh-Hant-TW": "如果開啟了拒收冒名郵件，經過轉寄的信仍可能被擋下。",
        },
    ),
    steps_date=date(2026, 11, 22),
)
