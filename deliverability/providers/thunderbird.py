"""Thunderbird, which has a junk filter of its own; what the server decided before is not changed by it."""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import look_on_phone, told

_JUNK = "http://wiki.mozilla.org/Thunderbird:Help_Documentation:Dealing_with_Junk_E-mail"

PROVIDER = Provider(
    id="thunderbird",
    name={"en": "Thunderbird", "zh-Hant-TW": "Thunderbird"},
    kind=ProviderKind.CLIENT,
    junk_folder={"en": "Junk", "zh-Hant-TW": "垃圾信（Junk）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("Junk", "垃圾信（Junk）")),
        told(
            Surface.COMPUTER,
            _JUNK,
            ("Open the folder “Junk” in Thunderbird.", "在 Thunderbird 打開「垃圾信」資料夾。"),
            ("Select our message; its sender is {address}.", "選取我們的信，寄件者是 {address}。"),
            ("Choose “Mark as Not Junk” or “Not Spam”.", "選擇「標示為非垃圾信」。"),
        ),
    ),
    keep=(
        told(
            Surface.COMPUTER,
            _JUNK,
            ("Add {address} to an address book.", "把 {address} 加入通訊錄。"),
            ("Open the account settings and then “Junk Settings”.", "打開帳號設定，再打開垃圾信的設定。"),
            (
                "Let mail of senders in that address book not be marked as junk.",
                "設定寄件者在這本通訊錄裡時，不自動標為垃圾信。",
            ),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "This holds for this computer alone; your mail provider’s own filter still runs before it.",
            "zh-Hant-TW": "這只對這台電腦有效；信箱業者自己的過濾仍會先執行。",
        },
    ),
    steps_date=date(2026, 11, 22),
)
