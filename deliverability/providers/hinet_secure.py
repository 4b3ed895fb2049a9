"""HiNet 郵件守門員, a gateway that 中華電信 sells to companies.

Its own page names an allowed senders list (允許與封鎖的寄件者), global, by group and, where enabled, by user; its MX names
were not confirmed, so no MX tells it.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import ASK_IT, QUARANTINE, ask_it_to_allow, look_for_notice, told

_FAQ = "https://securemail.hinet.net/faq_services.html"

PROVIDER = Provider(
    id="hinet-secure",
    name={"en": "HiNet 郵件守門員", "zh-Hant-TW": "HiNet 郵件守門員"},
    kind=ProviderKind.GATEWAY,
    junk_folder={"en": "the quarantine, outside the mailbox", "zh-Hant-TW": "隔離區（在信箱以外）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_for_notice(),
        told(
            Surface.COMPUTER,
            _FAQ,
            ("Open the quarantine from its notice.", "從通知信打開隔離區。"),
            ("Look for our message; its sender is {address}.", "尋找我們的信，寄件者是 {address}。"),
            ("Release it.", "放行這封信。"),
        ),
    ),
    keep=(
        ask_it_to_allow(),
        told(
            Surface.COMPUTER,
            _FAQ,
            (
                "Open the list 允許與封鎖的寄件者 (allowed and blocked senders), where your firm lets users have one.",
                "打開「允許與封鎖的寄件者」清單（貴單位有開放時）。",
            ),
            ("Type {address}.", "輸入 {address}。"),
            ("Add it to those allowed.", "加入允許的寄件者。"),
        ),
    ),
    caveats=(QUARANTINE, ASK_IT),
    steps_date=date(2026, 11, 22),
)
