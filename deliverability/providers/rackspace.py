"""Rackspace Email.

Its own page says that a safelisted sender's mail may still be flagged; it is then put into the inbox all the same.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_on_phone, told

_LIST = "https://docs.rackspace.com/docs/safelist-addresses-domains-and-ips-in-rackspace-email"

PROVIDER = Provider(
    id="rackspace",
    name={"en": "Rackspace Email", "zh-Hant-TW": "Rackspace Email"},
    kind=ProviderKind.BUSINESS,
    mx_suffixes=("emailsrvr.com",),
    junk_folder={"en": "Spam", "zh-Hant-TW": "Spam（垃圾郵件）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("Spam", "Spam")),
        told(
            Surface.COMPUTER,
            _LIST,
            ("Open apps.rackspace.com.", "打開 apps.rackspace.com。"),
            ("Open the folder “Spam”.", "打開 Spam 資料夾。"),
            ("Select our message; its sender is {address}.", "選取我們的信，寄件者是 {address}。"),
            ("Press “Not spam”.", "按 Not Spam（不是垃圾郵件）。"),
        ),
    ),
    keep=(
        add_to_contacts(),
        told(
            Surface.COMPUTER,
            _LIST,
            (
                "Open apps.rackspace.com and click your address at the top right.",
                "打開 apps.rackspace.com，按右上角您的地址。",
            ),
            ("Open “Settings”, then “Spam Settings”.", "打開 Settings，再打開 Spam Settings。"),
            ("At “Safelist” press “Add” and type {address}.", "在 Safelist 按 Add，輸入 {address}。"),
            ("Press “Save”.", "按 Save。"),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "A listed sender’s mail may still be flagged; Rackspace then puts it into the inbox.",
            "zh-Hant-TW": "名單上的信仍可能被標示，但 Rackspace 會把它放進收件匣。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://apps.rackspace.com/",
)
