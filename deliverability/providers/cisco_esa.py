"""Cisco Secure Email (ESA, CES, IronPort), a gateway.

Releasing with safelisting adds both the envelope sender and From.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import ASK_IT, QUARANTINE, ask_it_to_allow, look_for_notice, told
from deliverability.protocols.replies_gateways import REPLIES_CISCO as REPLIES

_SAFELIST = "https://manualsbrain.com/pt/manuals/1649682/?page=821"

PROVIDER = Provider(
    id="cisco-esa",
    name={"en": "Cisco Secure Email", "zh-Hant-TW": "Cisco Secure Email"},
    kind=ProviderKind.GATEWAY,
    mx_suffixes=("iphmx.com",),
    junk_folder={"en": "the quarantine, outside the mailbox", "zh-Hant-TW": "隔離區（在信箱以外）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_for_notice(),
        told(
            Surface.COMPUTER,
            _SAFELIST,
            ("Open the spam quarantine from its notice.", "從通知信打開 Spam Quarantine（隔離區）。"),
            ("Look for our message; its sender is {address}.", "尋找我們的信，寄件者是 {address}。"),
            ("Choose “Release and Add to Safelist”.", "選擇 Release and Add to Safelist（放行並加入安全名單）。"),
        ),
    ),
    keep=(
        ask_it_to_allow(),
        told(
            Surface.COMPUTER,
            _SAFELIST,
            (
                "Open the spam quarantine and then “Options”, “Safelist”.",
                "打開 Spam Quarantine，再打開 Options 的 Safelist。",
            ),
            ("Type {address}.", "輸入 {address}。"),
            ("Press “Add to List”.", "按 Add to List。"),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        QUARANTINE,
        ASK_IT,
        {"en": "Virus checks still run for senders on the list.", "zh-Hant-TW": "名單上的寄件者仍會經過病毒掃描。"},
    ),
    steps_date=date(2026, 11, 22),
    replies=REPLIES,
)
