"""Mail on a Plesk host.

Its white list takes patterns with ``*`` and ``?``, one a line, and looks at the From text alone.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_in_browser, told

_LIST = "https://docs.plesk.com/en-US/onyx/api-rpc/36708/"

PROVIDER = Provider(
    id="plesk",
    name={"en": "Plesk mail", "zh-Hant-TW": "Plesk 信箱"},
    kind=ProviderKind.PANEL,
    junk_folder={"en": "Spam", "zh-Hant-TW": "Spam（垃圾郵件）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_in_browser(Surface.PHONE_BROWSER, ("Spam", "Spam")),
        look_in_browser(Surface.COMPUTER, ("Spam", "Spam")),
    ),
    keep=(
        add_to_contacts(Surface.PHONE_BROWSER),
        told(
            Surface.COMPUTER,
            _LIST,
            ("Open Plesk and your mail account.", "打開 Plesk，進入您的郵件帳號。"),
            ("Open “Spam Filter” and its advanced settings.", "打開 Spam Filter（垃圾郵件篩選）的進階設定。"),
            (
                "In “White list” write {address} on a line of its own.",
                "在 White list（白名單）用單獨一行寫上 {address}。",
            ),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "Write the whole address; a pattern with * lets others in as well.",
            "zh-Hant-TW": "請寫完整的地址；用 * 的寫法會讓別人的信也通過。",
        },
    ),
    steps_date=date(2026, 11, 22),
)
