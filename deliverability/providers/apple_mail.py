"""The Mail program of the Mac, which has a junk filter of its own.

The Traditional Chinese labels are those of Apple's page for Macau, of an older version of the system.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_on_phone, told

_JUNK = "https://support.apple.com/zh-mo/guide/mail/mlhlp1065/11.0/mac/10.13"

PROVIDER = Provider(
    id="apple-mail",
    name={"en": "Apple Mail", "zh-Hant-TW": "Apple「郵件」"},
    kind=ProviderKind.CLIENT,
    junk_folder={"en": "Junk", "zh-Hant-TW": "垃圾郵件"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("Junk", "「垃圾郵件」")),
        told(
            Surface.COMPUTER,
            _JUNK,
            ("Open Mail and the mailbox “Junk”.", "打開「郵件」，進入「垃圾郵件」信箱。"),
            ("Open our message; its sender is {address}.", "打開我們的信，寄件者是 {address}。"),
            ("Click “Not Junk” in the banner or the toolbar.", "在郵件最上方的橫幅或工具列按一下「非垃圾郵件」。"),
        ),
    ),
    keep=(add_to_contacts(), add_to_contacts(Surface.COMPUTER)),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "Unless the account is iCloud, this holds for this Mac alone; your provider’s own filter still runs before it.",
            "zh-Hant-TW": "除非是 iCloud 帳號，否則只對這台 Mac 有效；信箱業者自己的過濾仍會先執行。",
        },
    ),
    steps_date=date(2026, 11, 22),
)
