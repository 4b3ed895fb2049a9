"""Yahoo!メール (Japan).

Its help page is of an older interface; the refusal of forged senders (なりすましメール拒否) has an exception list of its own.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_on_phone, told

_JUNK = "https://mail.yahoo.co.jp/antispam/tools.html"
_RESCUE = "https://www.yahoo-help.jp/app/answers/detail/p/565/a_id/47577"

PROVIDER = Provider(
    id="yahoo-jp",
    name={"en": "Yahoo! Mail Japan", "zh-Hant-TW": "Yahoo!メール（日本）"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset({"yahoo.co.jp", "ybb.ne.jp"}),
    mx_suffixes=("mail.yahoo.co.jp",),
    junk_folder={"en": "迷惑メール", "zh-Hant-TW": "迷惑メール"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("迷惑メール", "「迷惑メール」")),
        told(
            Surface.COMPUTER,
            _JUNK,
            ("Open mail.yahoo.co.jp.", "打開 mail.yahoo.co.jp。"),
            ("Open the folder 迷惑メール.", "打開「迷惑メール」資料夾。"),
            ("Select our message; its sender is {address}.", "選取我們的信，寄件者是 {address}。"),
            ("Press 迷惑メールではない (not junk).", "按「迷惑メールではない」（不是垃圾郵件）。"),
        ),
    ),
    keep=(
        add_to_contacts(),
        told(
            Surface.COMPUTER,
            _RESCUE,
            (
                "Open the settings of the webmail and look for なりすましメール拒否 (refusal of forged senders).",
                "打開網頁信箱的設定，找到「なりすましメール拒否」（拒收冒名郵件）。",
            ),
            ("If it is on, open its exception list 救済リスト.", "如果已開啟，請打開它的例外名單。"),
            ("Add {address} and save.", "加入 {address} 並儲存。"),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "The exception list holds up to 100 entries; mail from an entry passes even where its origin could not be shown.",
            "zh-Hant-TW": "例外名單最多 100 筆；名單上的來信即使無法確認來源也會收下。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://mail.yahoo.co.jp/",
)
