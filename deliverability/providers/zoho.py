"""Zoho Mail.

It has two lists: on the Allowed List, mail that fails its checks may still be junked; the Trusted List skips them and lets
forgers in, so only the first is named.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_on_phone, told

_LISTS = (
    "https://help.zoho.com/portal/pt/community/topic/incoming-email-settings-manage-what-reaches-your-users-inboxes"
)
_USER = "https://fgrade.com/zoho-mail/user-spam-settings"

PROVIDER = Provider(
    id="zoho",
    name={"en": "Zoho Mail", "zh-Hant-TW": "Zoho Mail"},
    kind=ProviderKind.BUSINESS,
    domains=frozenset({"zoho.com", "zohomail.com", "zohomail.eu"}),
    mx_suffixes=("zoho.com", "zoho.eu", "zoho.in", "zohomail.com"),
    junk_folder={"en": "Spam", "zh-Hant-TW": "Spam（垃圾郵件）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("Spam", "Spam")),
        told(
            Surface.COMPUTER,
            _LISTS,
            ("Open mail.zoho.com.", "打開 mail.zoho.com。"),
            ("Open the folder “Spam”.", "打開 Spam 資料夾。"),
            ("Select our message; its sender is {address}.", "選取我們的信，寄件者是 {address}。"),
            ("Press “Not spam”.", "按 Not Spam（不是垃圾郵件）。"),
        ),
    ),
    keep=(
        add_to_contacts(),
        told(
            Surface.COMPUTER,
            _USER,
            ("Open the settings and then “Anti-Spam List”.", "打開設定，再打開 Anti-Spam List。"),
            ("Choose the tab “Email Address”.", "選擇 Email Address 分頁。"),
            ("Press “Add new Allowlist” and type {address}.", "按 Add new Allowlist，輸入 {address}。"),
        ),
    ),
    list_checks_authentication=True,
    caveats=(
        {
            "en": "Use the list named “Allow”, not the one named “Trusted”: that one also lets in mail with a forged sender.",
            "zh-Hant-TW": "請用 Allow 名單，不要用 Trusted 名單；後者連冒名的信也會收下。",
        },
        {"en": "An administrator’s rules stand above your own.", "zh-Hant-TW": "管理者的規則效力高於您個人的設定。"},
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://mail.zoho.com/",
)
