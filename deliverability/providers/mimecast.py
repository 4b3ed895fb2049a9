"""Mimecast, a gateway before a mailbox that it does not name.

Its permitted senders skip reputation, greylisting and the spam scan; an administrator's block always wins.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import ASK_IT, QUARANTINE, ask_it_to_allow, look_for_notice, told
from deliverability.protocols.replies_gateways import REPLIES_MIMECAST as REPLIES

_SENDERS = "https://mimecastsupport.zendesk.com/hc/en-us/articles/34000390156947"

PROVIDER = Provider(
    id="mimecast",
    name={"en": "Mimecast", "zh-Hant-TW": "Mimecast"},
    kind=ProviderKind.GATEWAY,
    mx_suffixes=("mimecast.com", "mimecast-offshore.com"),
    junk_folder={"en": "the quarantine, outside the mailbox", "zh-Hant-TW": "隔離區（在信箱以外）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_for_notice(),
        told(
            Surface.COMPUTER,
            _SENDERS,
            (
                "Open the notice about held mail, or the Mimecast Personal Portal.",
                "打開攔截通知信，或 Mimecast Personal Portal。",
            ),
            ("Look for our message; its sender is {address}.", "尋找我們的信，寄件者是 {address}。"),
            ("Choose “Release”.", "選擇 Release（放行）。"),
        ),
    ),
    keep=(
        ask_it_to_allow(),
        told(
            Surface.COMPUTER,
            _SENDERS,
            ("Open the Mimecast Personal Portal.", "打開 Mimecast Personal Portal。"),
            ("Open “Managed Senders”.", "打開 Managed Senders。"),
            ("Permit {address}.", "把 {address} 設為允許（Permit）。"),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        QUARANTINE,
        ASK_IT,
        {
            "en": "If your IT department blocks a sender, permitting it yourself changes nothing.",
            "zh-Hant-TW": "如果資訊人員封鎖了寄件者，您自己允許也不會有作用。",
        },
    ),
    steps_date=date(2026, 11, 22),
    replies=REPLIES,
)
