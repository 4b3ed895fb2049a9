"""GoDaddy Workspace and Professional Email.

Its Microsoft 365 mailboxes have Microsoft's MX, and so Microsoft's steps.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_on_phone, told

_LIST = "http://support.moonpoint.com/network/email/godaddy/whitelist.php"

PROVIDER = Provider(
    id="godaddy",
    name={"en": "GoDaddy Email", "zh-Hant-TW": "GoDaddy 信箱"},
    kind=ProviderKind.BUSINESS,
    mx_suffixes=("secureserver.net",),
    junk_folder={"en": "Bulk Mail or Spam", "zh-Hant-TW": "Bulk Mail 或 Spam（垃圾郵件）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("Bulk Mail or Spam", "Bulk Mail 或 Spam")),
        told(
            Surface.COMPUTER,
            _LIST,
            ("Open email.secureserver.net.", "打開 email.secureserver.net。"),
            ("Open the folder “Bulk Mail” or “Spam”.", "打開 Bulk Mail 或 Spam 資料夾。"),
            ("Select our message; its sender is {address}.", "選取我們的信，寄件者是 {address}。"),
            ("Press “Not spam”, or move it to the inbox.", "按 Not spam（不是垃圾郵件），或移到收件匣。"),
        ),
    ),
    keep=(
        add_to_contacts(),
        told(
            Surface.COMPUTER,
            _LIST,
            (
                "Open “Settings” and then “Message Filters” or “Spam Settings”.",
                "打開 Settings，再打開 Message Filters 或 Spam Settings。",
            ),
            ("Go to “Allowed List” and press “Add New”.", "找到 Allowed List，按 Add New。"),
            ("Type {address} and save.", "輸入 {address} 並儲存。"),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {"en": "A change of the list can take up to an hour.", "zh-Hant-TW": "名單的變更最多可能要一小時才生效。"},
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://email.secureserver.net/",
)
